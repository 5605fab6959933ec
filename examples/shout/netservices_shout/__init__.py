"""A client sends a line in lower case to UDP port 12000, and gets it in capitals."""

from netservices.plugin import Server


def make_server(settings, services):
    """The whole server: what it answers to a datagram."""
    return Server(datagram=lambda data, address, local: data.upper())
