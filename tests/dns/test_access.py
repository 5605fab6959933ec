"""Who may ask about which zone, and what the others are told."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.backend.shelf import ZONE_OPTIONS
from netservices.dns.options import ZoneOptions
from netservices.dns.policy import Client
from netservices.dns.server.authority import Authority
from netservices.dns.wire import edns
from netservices.dns.wire.codes import Class, Rcode, Type
from netservices.dns.wire.edns import Edns, ExtendedError
from netservices.dns.wire.message import Message
from netservices.dns.wire.names import parse_name
from netservices.dns.zone.tree import ZoneTree
from tests.dns.authority import EXAMPLE, ask, make_dialogue, question
from tests.dns.house import add_zone, apply, make_authority, make_store

INSIDE, OUTSIDE = "192.0.2.1", "198.51.100.1"
WWW = question("www.example.com.", "A")


def error_of(message: Message) -> int | None:
    """The extended error of a reply."""
    found = message.edns.option(edns.EXTENDED_ERROR) if message.edns else None
    return None if found is None else int.from_bytes(found, "big")


class AllowQueryTests(SynchronousTestCase):
    """``allow_query``, of the server and of a zone."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = make_store()
        self.addCleanup(self.store.close)
        add_zone(self.store, EXAMPLE)

    def start(self, **settings: Any) -> Authority:
        authority = make_authority(self.store, self.clock, **settings)
        self.successResultOf(authority.start())
        self.addCleanup(authority.stop)
        return authority

    def restrict(self, *words: str) -> None:
        """In the store, as the command does it."""
        options = ZoneOptions(allow_query=words)
        apply(self.store, ZONE_OPTIONS.put(parse_name("example.com."), options))
        self.clock.advance(0)

    def rcodes(self, authority: Authority, data: bytes = WWW) -> tuple[int, int]:
        """What a client inside gets, and one outside; each three times, so that what
        is remembered would show."""
        found = []
        for address in (INSIDE, OUTSIDE) * 3:
            reply = authority.datagram(data, (address, 4711), None)
            assert reply is not None
            found.append(reply[3] & 15)
        self.assertEqual(found[:2] * 3, found)
        return found[0], found[1]

    def test_everybody(self) -> None:
        """By default everybody may ask."""
        self.assertEqual((0, 0), self.rcodes(self.start()))

    def test_server(self) -> None:
        """The server's list is for all zones that have none."""
        authority = self.start(allow_query=("192.0.2.0/24",))
        self.assertEqual((0, Rcode.REFUSED), self.rcodes(authority))
        self.restrict("any")
        self.assertEqual((0, 0), self.rcodes(authority))

    def test_zone(self) -> None:
        """A zone's list is in force at once, whatever was remembered before, and so is
        its end."""
        authority = self.start()
        self.assertEqual((0, 0), self.rcodes(authority))
        self.restrict("192.0.2.0/24")
        self.assertEqual((0, Rcode.REFUSED), self.rcodes(authority))
        self.restrict()
        self.assertEqual((0, 0), self.rcodes(authority))

    def test_shut_out(self) -> None:
        """One may be shut out of what is for everybody."""
        authority = self.start(allow_query=("any", f"!{OUTSIDE}"))
        self.assertEqual((0, Rcode.REFUSED), self.rcodes(authority))

    def test_malformed(self) -> None:
        """A list that cannot be read lets nobody in."""
        authority = self.start()
        self.restrict("nonsense")
        refused = (Rcode.REFUSED, Rcode.REFUSED)
        self.assertEqual(refused, self.rcodes(authority))

    def test_nothing_is_told(self) -> None:
        """Who may not ask learns nothing: names that exist and names that do not get
        the same."""
        authority = self.start(allow_query=("192.0.2.0/24",))
        replies = {
            authority.datagram(question(name, "A"), (OUTSIDE, 4711), None)[3:12]
            for name in ("www.example.com.", "abc.example.com.", "www.example.org.")
        }
        self.assertEqual(1, len(replies))


class ExtendedErrorTests(SynchronousTestCase):
    """RFC 8914."""

    def error(self, name: str, qtype: str | int, **more: Any) -> int | None:
        message = ask(self.dialogue, name, qtype, edns=Edns(1232), **more)
        self.assertNotEqual(Rcode.NOERROR, message.rcode)
        return error_of(message)

    def setUp(self) -> None:
        self.dialogue = make_dialogue(allow_query=("127.0.0.1",))

    def test_errors(self) -> None:
        """Each error of ours says why."""
        error = ExtendedError
        self.assertEqual(error.NOT_AUTHORITATIVE, self.error("foreign.", "A"))
        self.assertEqual(
            error.NOT_AUTHORITATIVE, self.error("example.com.", "A", qclass=Class.HS)
        )
        self.assertEqual(
            error.PROHIBITED, self.error("version.bind.", "TXT", qclass=Class.CH)
        )
        self.assertEqual(
            error.PROHIBITED,
            self.error("www.example.com.", "A", client=Client(OUTSIDE)),
        )
        self.assertEqual(error.NOT_SUPPORTED, self.error("example.com.", Type.MAILB))

    def test_zones(self) -> None:
        """A zone that is not there yet, and one that expired."""
        self.dialogue.zones.put(ZoneTree(parse_name("later.")))
        self.assertEqual(ExtendedError.NOT_READY, self.error("www.later.", "A"))
        self.dialogue.policy.withheld.add(parse_name("example.com."))
        self.assertEqual(
            ExtendedError.INVALID_DATA, self.error("fresh.example.com.", "A")
        )

    def test_not_for_errors_of_others(self) -> None:
        """Denials and malformed questions have none."""
        for data in (
            question("none.example.com.", "A", edns=Edns(1232)),
            question("www.example.com.", "A", edns=Edns(1232, version=1)),
            question("www.example.com.", "OPT", edns=Edns(1232)),
        ):
            message = Message.parse(self.dialogue.answer(data, Client("127.0.0.1")))
            self.assertNotEqual(Rcode.NOERROR, message.rcode)
            self.assertIsNone(error_of(message))

    def test_only_with_edns(self) -> None:
        """Without EDNS in the question there is none in the reply."""
        message = ask(self.dialogue, "foreign.", "A")
        self.assertEqual((Rcode.REFUSED, None), (message.rcode, message.edns))

    def test_off(self) -> None:
        """A setting switches them off."""
        self.dialogue = make_dialogue(extended_errors=False)
        self.assertIsNone(self.error("foreign.", "A"))

    def test_beside_other_options(self) -> None:
        """NSID and padding are there all the same."""
        self.dialogue = make_dialogue(nsid="here")
        asked = Edns(1232, False, ((edns.NSID, b""),))
        opt = ask(self.dialogue, "foreign.", "A", edns=asked).edns
        assert opt is not None
        codes = [code for code, _ in opt.options]
        self.assertEqual([edns.NSID, edns.EXTENDED_ERROR], codes)
