"""Messages of DNS that come over HTTPS, and how long their replies hold."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.dns.dialogue.answer import Dialogue
from netservices.dns.dialogue.freshness import fresh_seconds
from netservices.dns.dialogue.later import Later
from netservices.dns.policy import Client, Transport
from netservices.dns.server.https import NamesOverHTTPS
from netservices.dns.wire import edns
from netservices.dns.wire.codes import Opcode, Rcode
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message
from netservices.interfaces import INameAnswers
from netservices.values import NameReply, Origin
from tests.dns.authority import make_dialogue, make_tree, question

ZONE = """
$TTL 3600
@     SOA ns1 hostmaster 1 7200 1800 1209600 300
      NS  ns1
ns1   A   192.0.2.1
mixed CNAME short
short 30 A 192.0.2.2
"""


def over_https(dialogue: Dialogue) -> NamesOverHTTPS:
    """What the web server finds."""
    return NamesOverHTTPS(dialogue.answer, dialogue.policy, lambda client: client)


def reply_to(names: NamesOverHTTPS, message: bytes) -> Any:
    """What it says to a message."""
    origin = Origin("http", "192.0.2.7", True)
    reply = names.answer(message, origin, "192.0.2.53", "TLSv1.3")
    return value_of(reply) if isinstance(reply, Deferred) else reply


class AnswerTests(SynchronousTestCase):
    """``INameAnswers`` of the name server."""

    def setUp(self) -> None:
        self.dialogue = make_dialogue(make_tree(ZONE))
        self.names = over_https(self.dialogue)

    def ask(self, name: str, qtype: str = "A", **more: Any) -> NameReply:
        reply = reply_to(self.names, question(name, qtype, **more))
        assert isinstance(reply, NameReply)
        return reply

    def test_interface(self) -> None:
        """It is what the web server looks for."""
        self.assertTrue(INameAnswers.providedBy(self.names))

    def test_answer(self) -> None:
        """A question gets what it gets over TCP, and is counted."""
        reply = self.ask("ns1.example.com.")

        tcp = self.dialogue.answer(
            question("ns1.example.com.", "A"), Client("192.0.2.7", Transport.TCP)
        )
        self.assertEqual(tcp, reply.message)
        self.assertTrue(reply.is_for_all)
        self.assertEqual(1, self.dialogue.stream_counts[Transport.HTTPS])

    def test_freshness(self) -> None:
        """The smallest TTL of an answer; the SOA's for a denial; none for an error.
        RFC 8484 5.1, RFC 2308 5."""
        for name, qtype, seconds in (
            ("ns1.example.com.", "A", 3600),
            ("mixed.example.com.", "A", 30),
            ("missing.example.com.", "A", 300),
            ("ns1.example.com.", "TXT", 300),
            ("www.example.net.", "A", 0),
        ):
            self.assertEqual(seconds, self.ask(name, qtype).fresh_seconds, name)

    def test_freshness_of_nonsense(self) -> None:
        """A reply that cannot be read is not kept."""
        whole = self.ask("ns1.example.com.").message

        for end in range(12, 60):
            self.assertLessEqual(fresh_seconds(whole[:end]), 3600)
        self.assertEqual(0, fresh_seconds(whole[:40]))

    def test_padding(self) -> None:
        """A reply is padded where that is asked for, as over TLS.  RFC 8467 4.1."""
        padding = Edns(1232, options=((edns.PADDING, b""),))

        message = self.ask("ns1.example.com.", edns=padding).message

        self.assertEqual(0, len(message) % 468)

    def test_keepalive(self) -> None:
        """How long the connection lasts is a thing of HTTP.  RFC 7828."""
        asked = Edns(1232, options=((edns.TCP_KEEPALIVE, b""),))

        message = Message.parse(self.ask("ns1.example.com.", edns=asked).message)

        assert message.edns is not None
        self.assertEqual((), message.edns.options)

    def test_views_and_access(self) -> None:
        """What is not for everybody is not for shared caches."""
        message = question("ns1.example.com.", "A")
        dialogue = make_dialogue(make_tree(ZONE), allow_query=("192.0.2.0/24",))
        self.assertFalse(reply_to(over_https(dialogue), message).is_for_all)
        dialogue = make_dialogue(make_tree(ZONE))
        dialogue.views["inside"] = dialogue.zones
        names = NamesOverHTTPS(
            dialogue.answer,
            dialogue.policy,
            lambda client: evolve(client, view="inside"),
        )

        self.assertFalse(reply_to(names, message).is_for_all)

    def test_only_questions(self) -> None:
        """Updates and notices do not come this way, nor do transfers."""
        self.dialogue.opcodes[Opcode.UPDATE] = lambda data, client: self.fail("asked")
        for opcode in (Opcode.UPDATE, Opcode.NOTIFY):
            message = question("example.com.", "SOA", opcode=opcode)
            reply = Message.parse(reply_to(self.names, message).message)
            self.assertEqual(Rcode.NOTIMP, reply.rcode)

    def test_silence(self) -> None:
        """A response, or what is too short, is no request."""
        for message in (
            b"",
            b"\0" * 11,
            b"\0\0\x84" + bytes(9),
            b"\0\0\xa8" + bytes(9),
        ):
            self.assertIsNone(reply_to(self.names, message))

    def test_later(self) -> None:
        """A reply that takes its time is given when it is there, and is closed."""
        closed = []

        async def messages() -> AsyncGenerator[bytes, None]:
            try:
                yield self.ask("ns1.example.com.").message
                yield b"more"
            finally:
                closed.append(True)

        async def nothing() -> AsyncGenerator[bytes, None]:
            return
            yield b""

        names = NamesOverHTTPS(
            lambda data, client: Later(messages if data[0] else nothing),
            self.dialogue.policy,
            lambda client: client,
        )

        self.assertEqual(3600, reply_to(names, b"\1" + bytes(11)).fresh_seconds)
        self.assertEqual([True], closed)
        self.assertIsNone(reply_to(names, bytes(12)))
