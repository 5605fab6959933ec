"""HTTP on sockets."""

from netservices.http.server.service import make_server

__all__ = ["make_server"]
