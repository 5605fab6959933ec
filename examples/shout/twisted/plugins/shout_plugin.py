from netservices.plugin import ProtocolPlugin

shout = ProtocolPlugin(
    name="shout",
    target="netservices_shout.make_server",
    summary="Upper-case echo over UDP.",
    listen=("udp:12000",),
)
