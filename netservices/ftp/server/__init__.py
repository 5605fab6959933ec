"""Octets, sockets and timers of the FTP server; ``make_server`` puts it together."""

from netservices.ftp.server.service import FTPServer, make_server

__all__ = ["FTPServer", "make_server"]
