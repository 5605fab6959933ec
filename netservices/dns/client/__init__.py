"""DNS from the other side: questions to one server, and zones from a primary.

No resolver: it follows nothing and caches nothing.
"""

from netservices.dns.client.ask import Client, NoAnswer, is_reply, make_query
from netservices.dns.client.link import Link, LinkLimits
from netservices.dns.client.transfer import fetch_zone

__all__ = [
    "Client",
    "Link",
    "LinkLimits",
    "NoAnswer",
    "fetch_zone",
    "is_reply",
    "make_query",
]
