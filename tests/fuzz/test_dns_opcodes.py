"""Every opcode that the server understands, every octet cut off, every bit turned."""

from __future__ import annotations

import base64

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.backend.keys import KEYS, make_key
from netservices.dns.backend.shelf import ZONE_OPTIONS
from netservices.dns.dialogue.later import Later
from netservices.dns.options import ZoneOptions
from netservices.dns.policy import Client, Transport
from netservices.dns.wire.codes import Class, Opcode, Rcode, Type
from netservices.dns.wire.edns import COOKIE, PADDING, Edns
from netservices.dns.wire.message import Message, Question, Record
from netservices.dns.wire.rdata import SOA
from netservices.dns.wire.signing import SignedRequest
from tests.dns.authority import EXAMPLE, question
from tests.dns.house import add_zone, apply, make_authority, make_store
from tests.dns.updating import ZONE, message

NOW = 1_700_000_000
KEY = make_key("key.example", "hmac-sha256", base64.b64encode(bytes(32)).decode())
HERE = Client("127.0.0.1")
AWAY = Client("192.0.2.7")
OLD = Record(ZONE, Type.SOA, Class.IN, 0, SOA(b"\0", b"\0", 7, 1, 1, 1, 1).encode())


def signed(data: bytes) -> bytes:
    """The same with a signature of ``KEY``."""
    return SignedRequest(KEY).sign(data, NOW)


PACKETS = {
    "query": question(
        "wWw.example.com.",
        "A",
        edns=Edns(1232, True, ((COOKIE, bytes(8)), (PADDING, bytes(3)))),
    ),
    "cookie": Message(
        id=0x1234, edns=Edns(512, False, ((COOKIE, bytes(24)),))
    ).encode(),
    "ixfr": question("example.com.", "IXFR", authority=(OLD,)),
    "axfr": signed(question("example.com.", "AXFR")),
    "notify": Message(
        id=0x1234,
        opcode=Opcode.NOTIFY,
        flags=0x0400,
        questions=(Question(ZONE, Type.SOA),),
        answer=(OLD,),
    ).encode(),
    "update": message("yx mail A 192.0.2.25", "nx q", "add x 60 MX 10 y", "del t TXT"),
    "signed": signed(question("www.example.com.", "A", edns=Edns(1232))),
}

# The cookie is not ours, and nobody has to announce changes of a zone that begins here.
WANTED = {"cookie": Rcode.BADCOOKIE, "notify": Rcode.REFUSED}


class OpcodeTests(SynchronousTestCase):
    """A whole server, with all its handlers, in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.store = make_store()
        self.addCleanup(self.store.close)
        add_zone(self.store, EXAMPLE)
        options = ZoneOptions(
            allow_update=("127.0.0.1", "key:key.example"),
            allow_transfer=("any",),
            allow_notify=("any",),
        )
        apply(self.store, ZONE_OPTIONS.put(ZONE, options), KEYS.put(KEY.name, KEY))
        self.authority = make_authority(self.store, self.clock)
        self.successResultOf(self.authority.start())
        self.addCleanup(self.authority.stop)

    @property
    def serial(self) -> int:
        tree = self.authority.zones.get(ZONE)
        assert tree is not None
        return tree.serial

    def replies(self, data: bytes, client: Client) -> list[bytes]:
        """All that a packet leads to."""
        reply = self.authority.dialogue.answer(data, client)
        if isinstance(reply, Later):
            done = Deferred.fromCoroutine(self.collected(reply))
            for _ in range(20):
                self.clock.advance(0)
            return self.successResultOf(done)
        return [] if reply is None else [reply]

    async def collected(self, later: Later) -> list[bytes]:
        return [octets async for octets in later.messages()]

    def check(self, data: bytes, client: Client) -> None:
        """Silence for what is no request; for all else a reply that is whole, is a
        response, and has the ID and the opcode."""
        found = self.replies(data, client)
        if len(data) < 12 or data[2] & 0x80:
            self.assertEqual([], found)
            return
        self.assertNotEqual([], found)
        for reply in found:
            Message.parse(reply)
            self.assertEqual(data[:2], reply[:2])
            self.assertEqual(0x80 | data[2] & 0x78, reply[2] & 0xF8)

    def test_whole(self) -> None:
        """Whole, each is understood: the damage below begins with something good."""
        tcp = Client("127.0.0.1", Transport.TCP)
        for name, data in PACKETS.items():
            (first, *_) = self.replies(data, tcp)
            wanted = WANTED.get(name, Rcode.NOERROR)
            self.assertEqual(wanted & 15, first[3] & 15, name)

    def test_truncations(self) -> None:
        """Cut anywhere, over UDP and TCP."""
        for data in PACKETS.values():
            for end in range(len(data)):
                for transport in (Transport.UDP, Transport.TCP):
                    self.check(data[:end], Client("127.0.0.1", transport))
        self.assertEqual([], self.flushLoggedErrors())

    def test_bit_flips(self) -> None:
        """Any one bit turned, over UDP."""
        for data in PACKETS.values():
            for bit in range(len(data) * 8):
                changed = bytearray(data)
                changed[bit // 8] ^= 1 << bit % 8
                self.check(bytes(changed), HERE)
        self.assertEqual([], self.flushLoggedErrors())

    def test_signature_holds(self) -> None:
        """Of an update that is signed every bit counts but those of the ID, which the
        signature has for itself, and the letter case of the names in it."""
        plain = message("add x 60 MX 10 y")
        data = signed(plain)
        before = self.serial
        names = range((len(plain) + 1) * 8, (len(plain) + 1 + 13 + 10 + 12) * 8)
        for bit in range(16, len(data) * 8):
            changed = bytearray(data)
            changed[bit // 8] ^= 1 << bit % 8
            is_case = bit in names and bytes(changed).lower() == data.lower()
            if is_case:
                continue
            self.check(bytes(changed), AWAY)
            self.assertEqual(before, self.serial, bit)
        self.check(data, AWAY)
        self.assertNotEqual(before, self.serial)
