from twisted.application.service import ServiceMaker

netservices = ServiceMaker(
    "netservices",
    "netservices.tap",
    "Serve the application protocols of the Internet: FTP, DNS, ...",
    "netservices",
)
