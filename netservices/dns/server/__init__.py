"""DNS on sockets: datagrams, and messages in streams."""

from netservices.dns.server.authority import make_server

__all__ = ["make_server"]
