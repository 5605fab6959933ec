"""Updates of secondary zones: passed on to the primary, or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred

from netservices.dns.backend.keys import GRANTS, KEYS
from netservices.dns.backend.shelf import ZONE_OPTIONS
from netservices.dns.client.problems import NoAnswer
from netservices.dns.dialogue.later import Later
from netservices.dns.grants import make_grant
from netservices.dns.options import Peer, ZoneOptions
from netservices.dns.policy import Transport
from netservices.dns.wire.codes import Rcode
from netservices.dns.wire.message import Message
from netservices.dns.wire.signing import SignedRequest
from tests.dns.authority import EXAMPLE
from tests.dns.house import add_zone, apply, make_authority, make_store
from tests.dns.test_updates import ACME, AWAY, KEY, NOW, ServerTestCase
from tests.dns.updating import ZONE, message


class Primary:
    """Another server of ours, behind a connection."""

    def __init__(self, authority: Any) -> None:
        self.authority = authority
        self.asked: list[bytes] = []
        self.is_closed = False
        self.change = lambda reply: reply

    def send(self, data: bytes) -> None:
        """Ask it."""
        self.asked.append(data)

    async def receive(self) -> bytes:
        """Its reply."""
        reply = self.authority.dialogue.answer(self.asked[-1], AWAY)
        if isinstance(reply, Later):
            (reply,) = [one async for one in reply.messages()]
        return self.change(reply)

    def close(self) -> None:
        """It goes away."""
        self.is_closed = True


class ForwardTests(ServerTestCase):
    """A secondary with two primaries, the first of which is not there."""

    settings: Mapping[str, Any] = {"forward_updates": True, "updates_forwarded": 2}

    def setUp(self) -> None:
        super().setUp()
        options = ZoneOptions(primaries=("192.0.2.1", "192.0.2.2"))
        apply(self.store, ZONE_OPTIONS.put(ZONE, options))
        self.clock.advance(0)
        store = make_store()
        self.addCleanup(store.close)
        add_zone(store, EXAMPLE)
        grant = make_grant("key:anna.example.com", "*", "A")
        apply(store, KEYS.put(KEY.name, KEY), GRANTS.put(grant.id, grant))
        self.primary = Primary(make_authority(store, self.clock))
        self.successResultOf(self.primary.authority.start())
        self.addCleanup(self.primary.authority.stop)
        self.authority.forwarder.open_link = self.open_link  # type: ignore[assignment]
        self.tried: list[str] = []

    async def open_link(self, peer: Peer) -> Primary:
        """Connect to the second one."""
        self.tried.append(peer.address)
        if peer.address == "192.0.2.1":
            raise NoAnswer("it is not there")
        return self.primary

    def signed(self, key: Any, *lines: str) -> int:
        """The response code, which the primary has signed."""
        asked = SignedRequest(key)
        data = asked.sign(message(*lines), NOW)
        (reply,) = self.successResultOf(self.begin(data, AWAY))
        return Message.parse(asked.check(reply, NOW)).rcode

    def test_forwarded(self) -> None:
        """A signed update goes to the first primary that answers, as it is but for its
        ID, and its reply comes back; RFC 2136 6."""
        self.assertEqual(Rcode.NOERROR, self.signed(KEY, "add x 60 A 192.0.2.1"))
        self.assertEqual(["192.0.2.1", "192.0.2.2"], self.tried)
        self.assertTrue(self.primary.is_closed)
        tree = self.primary.authority.zones.get(ZONE)
        self.assertEqual(2026112102, tree.serial)
        self.assertEqual(Rcode.REFUSED, self.signed(KEY, "add x 60 TXT x"))
        self.assertEqual(0, self.authority.forwarder.under_way)
        self.assertEqual(2, self.authority.status()["updates"]["forwarded"])

    def test_unknown_key(self) -> None:
        """The primary says what it thinks of a key."""
        data = SignedRequest(ACME).sign(message("add x 60 A 192.0.2.1"), NOW)
        reply = self.send(data, AWAY)
        self.assertEqual(Rcode.NOTAUTH, reply.rcode)
        self.assertEqual(1, len(self.primary.asked))

    def test_not_forwarded(self) -> None:
        """Unsigned updates are not passed on, nor those of other zones."""
        for transport in Transport:
            self.assertEqual(Rcode.NOTAUTH, self.send(message()).rcode, transport)
        data = SignedRequest(KEY).sign(message(zone=b"\3net\0"), NOW)
        self.assertEqual(Rcode.NOTAUTH, self.send(data).rcode)
        self.assertEqual([], self.tried)

    def test_silence(self) -> None:
        """A primary that is silent, or answers something else, is SERVFAIL."""
        for change in (
            lambda reply: b"\0\0" + reply[2:],
            lambda reply: reply[:2] + b"\x28" + reply[3:],
            lambda reply: b"",
        ):
            self.primary.change = change
            data = SignedRequest(KEY).sign(message(), NOW)
            self.assertEqual(Rcode.SERVFAIL, self.send(data).rcode)

    def test_limit(self) -> None:
        """So many are under way, and no more."""
        gates: list[Deferred[Primary]] = []

        def wait(peer: Peer) -> Deferred[Primary]:
            gates.append(Deferred())
            return gates[-1]

        self.authority.forwarder.open_link = wait  # type: ignore[assignment]
        data = SignedRequest(KEY).sign(message(), NOW)
        waiting = [self.begin(data) for _ in range(2)]
        self.assertEqual(Rcode.SERVFAIL, self.send(data).rcode)
        while gates:
            gates.pop().errback(NoAnswer("it is not there"))
        for one in waiting:
            (reply,) = self.successResultOf(one)
            self.assertEqual(Rcode.SERVFAIL, reply[3] & 15)
        self.assertEqual(0, self.authority.forwarder.under_way)
