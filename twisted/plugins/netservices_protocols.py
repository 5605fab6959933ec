from netservices.plugin import ProtocolPlugin

ftp = ProtocolPlugin(
    name="ftp",
    target="netservices.ftp.server.make_server",
    summary="File transfer (RFC 959), with TLS (RFC 4217).",
    listen=("tcp:21", "tls:990"),
    settings="netservices.ftp.settings.FTPSettings",
)
dns = ProtocolPlugin(
    name="dns",
    target="netservices.dns.server.make_server",
    summary="Domain names (RFC 1034, 1035) over UDP, TCP and TLS (RFC 7858).",
    listen=("udp:53", "tcp:53", "tls:853"),
    settings="netservices.dns.settings.DNSSettings",
)
http = ProtocolPlugin(
    name="http",
    target="netservices.http.server.make_server",
    summary="The web (RFC 9110, 9112): sites, files and applications, with TLS.",
    listen=("tcp:80", "tls:443"),
    settings="netservices.http.settings.HTTPSettings",
)
