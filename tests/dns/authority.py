"""What the tests of this package build again and again: a zone, and questions."""

from __future__ import annotations

from typing import Any

from netservices.dns.dialogue.answer import Dialogue
from netservices.dns.dialogue.later import Later
from netservices.dns.policy import Client, Policy
from netservices.dns.settings import DNSSettings
from netservices.dns.wire import codes
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message, Question, Record
from netservices.dns.wire.names import name_text, parse_name
from netservices.dns.zone.tree import Zones, ZoneTree
from netservices.dns.zonefile import read_zone
from netservices.dns.zonefile.texts import rdata_text

EXAMPLE = """
$TTL 3600
@            SOA   ns1 hostmaster 2026112101 7200 1800 1209600 300
             NS    ns1
             NS    ns2.example.net.
             MX    10 mail
             TXT   "v=spf1 -all"
ns1          A     192.0.2.1
             AAAA  2001:db8::1
mail         A     192.0.2.25
www          A     192.0.2.80
             A     192.0.2.81
alias        CNAME www
outside      CNAME www.example.net.
loop1        CNAME loop2
loop2        CNAME loop1
nowhere      CNAME missing
a.ent        A     192.0.2.9
*.wild       A     192.0.2.7
             TXT   "wild"
host.wild    AAAA  2001:db8::7
*.walias     CNAME www
sub          NS    ns.sub
             NS    ns.other
             NS    ns.example.net.
             DS    1 8 2 0123456789abcdef0123456789abcdef (
                         0123456789abcdef0123456789abcdef )
ns.sub       A     192.0.2.53
             AAAA  2001:db8::53
other        NS    ns.other
ns.other     A     192.0.2.54
old          DNAME new
x.new        A     192.0.2.99
away         DNAME example.org.
_sip._tcp    SRV   0 5 5060 mail
svc          HTTPS 1 www alpn=h2
self         HTTPS 1 . alpn=h2
self         A     192.0.2.88
t            TYPE65280 \\# 3 010203
"""


def make_tree(text: str = EXAMPLE, origin: str = "example.com.") -> ZoneTree:
    """The tree of a master file's text."""
    tree = ZoneTree(parse_name(origin))
    for rrset in read_zone(text, origin):
        tree.put(rrset)
    tree.touch()
    return tree


def make_dialogue(*trees: ZoneTree, **settings: Any) -> Dialogue:
    """A dialogue that answers from ``trees``, by default that of ``EXAMPLE``, and the
    same each time."""
    zones = Zones()
    for tree in trees or (make_tree(),):
        zones.put(tree)
    return Dialogue(zones, Policy(DNSSettings(**{"rotation": "none", **settings})))


def question(
    name: str,
    qtype: str | int,
    qclass: int = codes.Class.IN,
    edns: Edns | None = None,
    **fields: Any,
) -> bytes:
    """A query's octets."""
    number = codes.type_number(qtype) if isinstance(qtype, str) else qtype
    asked = Question(parse_name(name), number, qclass)
    return Message(id=0x1234, questions=(asked,), edns=edns, **fields).encode()


LOOPBACK = Client("127.0.0.1")


def ask(
    dialogue: Dialogue,
    name: str,
    qtype: str | int,
    client: Client = LOOPBACK,
    **more: Any,
) -> Message:
    """The parsed answer to a question."""
    return Message.parse(now(dialogue.answer(question(name, qtype, **more), client)))


def lines(records: tuple[Record, ...]) -> set[str]:
    """Records as text, without class."""
    return {
        f"{name_text(r.name)} {r.ttl} {codes.type_name(r.type)} "
        f"{rdata_text(r.type, r.rdata)}"
        for r in records
    }


def never_later(later: Later, address: Any, local: Any) -> None:
    """For dialogues that answer everything at once."""
    raise AssertionError("a reply takes its time")


def now(reply: bytes | Later | None) -> bytes:
    """A reply that was given at once."""
    assert isinstance(reply, bytes)
    return reply
