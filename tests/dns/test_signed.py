"""Signed requests of every kind, through the whole dialogue and server."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import begun
from netservices.dns.backend.keys import KEYS, KeyRing, key_name, make_key
from netservices.dns.dialogue.later import Later
from netservices.dns.dialogue.signed import Signatures
from netservices.dns.policy import Client, Transport
from netservices.dns.wire import codes
from netservices.dns.wire.codes import Opcode, Rcode
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message
from netservices.dns.wire.signing import SignedRequest
from netservices.dns.wire.tsig import Key, TSIGProblem, find_tsig
from tests.dns.authority import EXAMPLE, make_dialogue, make_tree, now, question
from tests.dns.house import add_zone, apply, make_authority, make_store

NOW = 1_800_000_000.0
KEY = make_key("anna.example", "hmac-sha256", "MDEyMzQ1Njc4OWFiY2RlZg==", "anna")
LOOPBACK = Client("127.0.0.1")
BIG = EXAMPLE + "".join(f"big TXT {'x' * 200}{n}\n" for n in range(9))


class DialogueTests(SynchronousTestCase):
    """A dialogue that knows one key."""

    def setUp(self) -> None:
        self.dialogue = make_dialogue(make_tree(BIG))
        self.doubted: list[tuple[str, bytes, int]] = []
        self.dialogue.signatures = Signatures(
            lambda: {KEY.name: KEY},
            lambda: NOW,
            lambda client, key, error: self.doubted.append(
                (client.address, key, error)
            ),
        )
        self.asked = SignedRequest(KEY)

    def ask(self, data: bytes, client: Client = LOOPBACK, at: float = NOW) -> bytes:
        """The reply to ``data``, signed."""
        return now(self.dialogue.answer(self.asked.sign(data, at), client))

    def test_answer(self) -> None:
        """A signed question gets the same answer, signed, and it is counted."""
        data = question("www.example.com.", "A", edns=Edns(1232))
        plain = self.dialogue.answer(data, LOOPBACK)
        self.assertEqual(plain, self.asked.check(self.ask(data), NOW))
        self.assertEqual({"believed": 1}, self.dialogue.signatures.status())
        self.assertEqual(2, self.dialogue.counts[codes.Type.A, Rcode.NOERROR])

    def test_refusals(self) -> None:
        """Replies that say no are signed too: names and zones that are not here, EDNS
        versions, malformed options."""
        for data, rcode in (
            (question("nowhere.example.com.", "A"), Rcode.NXDOMAIN),
            (question("example.net.", "A"), Rcode.REFUSED),
            (question("example.com.", "A", edns=Edns(version=1)), Rcode.BADVERS),
            (question("x.", "A", edns=Edns(options=((10, b"1"),))), Rcode.FORMERR),
            (question("example.com.", "A", opcode=Opcode.UPDATE), Rcode.NOTIMP),
        ):
            reply = self.ask(data)
            if rcode != Rcode.NOTIMP:
                reply = self.asked.check(reply, NOW)
            self.assertEqual(rcode, Message.parse(reply).rcode)

    def test_truncated(self) -> None:
        """An answer leaves room for its signature, or is a question with TC and nothing
        else; RFC 8945 5.3."""
        for size in (512, 700, 1232):
            for name in ("example.com.", "big.example.com."):
                data = question(name, "TXT", edns=Edns(size))
                reply = self.ask(data)
                self.assertLessEqual(len(reply), size)
                message = Message.parse(self.asked.check(reply, NOW))
                self.assertEqual(name.startswith("big"), message.is_truncated)
                self.assertEqual(Rcode.NOERROR, message.rcode)
        reply = self.ask(data, evolve(LOOPBACK, transport=Transport.TCP))
        message = Message.parse(self.asked.check(reply, NOW))
        self.assertEqual(9, len(message.answer))

    def test_doubted(self) -> None:
        """What is not believed gets NOTAUTH with the question and its OPT; somebody is
        told, and it is counted."""
        data = question("www.example.com.", "A", edns=Edns(1232))
        cases: tuple[tuple[Key, float, int, str], ...] = (
            (evolve(KEY, name=key_name("who.")), NOW, Rcode.BADKEY, "BADKEY"),
            (evolve(KEY, secret=b"x"), NOW, Rcode.BADSIG, "BADSIG"),
            (KEY, NOW - 999, Rcode.BADTIME, "BADTIME"),
        )
        for key, at, error, name in cases:
            self.asked = SignedRequest(key)
            reply = self.ask(data, at=at)
            with self.assertRaises(TSIGProblem) as caught:
                self.asked.check(reply, at)
            self.assertEqual(error, caught.exception.error)
            message = Message.parse(reply)
            self.assertEqual((Rcode.NOTAUTH, ()), (message.rcode, message.answer))
            self.assertEqual((1, Edns(1232)), (len(message.questions), message.edns))
            self.assertEqual(("127.0.0.1", key.name, error), self.doubted.pop())
            self.assertEqual(1, self.dialogue.signatures.status()[name])

    def test_later(self) -> None:
        """Each message of a reply that takes its time is signed."""
        seen: list[tuple[Any, ...]] = []

        def handle(data: bytes, client: Client) -> Later:
            seen.append((find_tsig(data), client.key, client.reserved_octets > 0))

            async def messages() -> AsyncGenerator[bytes, None]:
                for number in range(3):
                    yield data[:2] + b"\x84\0" + data[4:] + bytes(number)

            return Later(messages)

        self.dialogue.transfer = handle
        later = self.dialogue.answer(
            self.asked.sign(question("example.com.", "AXFR"), NOW), LOOPBACK
        )
        assert isinstance(later, Later)

        async def collect() -> list[bytes]:
            return [message async for message in later.messages()]

        messages = self.successResultOf(begun(collect()))
        self.assertEqual([(0, KEY, True)], seen)
        self.assertEqual(3, len(messages))

    def test_opcodes(self) -> None:
        """Handlers of other opcodes see the plain message and the key; malformed and
        wrong signatures do not reach them."""
        seen: list[Client] = []

        def handle(data: bytes, client: Client) -> bytes:
            seen.append(client)
            return data[:2] + bytes((data[2] | 0x80,)) + data[3:]

        self.dialogue.opcodes[Opcode.UPDATE] = handle
        data = question("example.com.", "SOA", opcode=Opcode.UPDATE)
        reply = self.asked.check(self.ask(data), NOW)
        self.assertEqual(data[12:], reply[12:])
        signed = self.asked.sign(data, NOW)
        start = find_tsig(signed)
        for wrong, rcode in (
            (signed[:-1] + b"\1", Rcode.FORMERR),
            (signed[:8] + b"\0\1\0\0" + signed[12:], Rcode.FORMERR),
            (signed + b"\0", Rcode.FORMERR),
            (
                signed[:12] + signed[12:start].lower().upper() + signed[start:],
                Rcode.NOTAUTH,
            ),
        ):
            answer = now(self.dialogue.answer(wrong, LOOPBACK))
            self.assertEqual(rcode, answer[3] & 15)
        self.assertEqual([KEY], [client.key for client in seen])
        now(self.dialogue.answer(data, LOOPBACK))
        self.assertIsNone(seen[-1].key)

    def test_out_of_place(self) -> None:
        """A signature in another section than the last is a format error."""
        signed = self.asked.sign(question("example.com.", "IXFR"), NOW)
        wrong = signed[:8] + b"\0\1\0\0" + signed[12:]
        reply = now(self.dialogue.answer(wrong, LOOPBACK))
        self.assertEqual(Rcode.FORMERR, reply[3] & 15)


class KeyRingTests(SynchronousTestCase):
    """Keys in the store."""

    def setUp(self) -> None:
        self.store = make_store()
        self.addCleanup(self.store.close)

    def load(self, **options: Any) -> KeyRing:
        ring = KeyRing(self.store, **options)
        for shelf in ring.shelves:
            self.successResultOf(begun(shelf.load()))
        return ring

    def test_round_trip(self) -> None:
        """A key reads back as it was put, and is found by any spelling of its name."""
        apply(self.store, KEYS.put(KEY.name, KEY))
        ring = self.load()
        self.assertEqual({KEY.name: KEY}, ring.current())
        for name in ("anna.example", "Anna.Example."):
            self.assertEqual(KEY, ring.find(name))
        self.assertIsNone(ring.find("bob"))
        self.assertIsNone(ring.find("a..b"))

    def test_md5(self) -> None:
        """Keys of MD5 are taken only where the operator says so; RFC 8945 6."""
        weak = make_key("weak", "hmac-md5", "c2VjcmV0")
        apply(self.store, KEYS.put(weak.name, weak))
        self.assertEqual({}, self.load().current())
        self.assertEqual({weak.name: weak}, self.load(allows_md5=True).current())

    def test_nonsense(self) -> None:
        """What is no key says why."""
        for name, algorithm, secret, reason in (
            ("a..b", "hmac-sha256", "c2VjcmV0", "empty label"),
            ("a", "gss-tsig", "c2VjcmV0", "gss-tsig"),
            ("a", "hmac-sha256", "c2Vjcm", "base64"),
            ("a", "hmac-sha256", "", "empty"),
        ):
            with self.assertRaises(ValueError) as caught:
                make_key(name, algorithm, secret)
            self.assertIn(reason, str(caught.exception))

    def test_server(self) -> None:
        """A running server takes a new key at once, and no longer one that is gone."""
        clock = Clock()
        clock.advance(NOW)
        add_zone(self.store, EXAMPLE)
        authority = make_authority(self.store, clock)
        self.successResultOf(authority.start())
        self.addCleanup(authority.stop)
        rcodes = []
        for change in (None, KEYS.put(KEY.name, KEY), KEYS.delete(KEY.name)):
            if change is not None:
                apply(self.store, change)
                clock.advance(0)
            data = SignedRequest(KEY).sign(question("www.example.com.", "A"), NOW)
            for _ in range(3):
                reply = authority.datagram(data, ("127.0.0.1", 4711), None)
                assert reply is not None
            rcodes.append(reply[3] & 15)
        self.assertEqual([Rcode.NOTAUTH, Rcode.NOERROR, Rcode.NOTAUTH], rcodes)
        status = authority.status()["tsig"]
        self.assertEqual({"believed": 3, "BADKEY": 6}, status)
