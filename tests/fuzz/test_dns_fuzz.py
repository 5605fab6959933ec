"""DNS: whatever packets, streams and changes of a zone come, in whatever order."""

from __future__ import annotations

from typing import Any

import dns.edns
import dns.message
import dns.tsigkeyring
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.dialogue.answer import Dialogue
from netservices.dns.dialogue.exact import ExactAnswers
from netservices.dns.policy import Client, Policy, Transport
from netservices.dns.server.stream import StreamConnection
from netservices.dns.settings import DNSSettings
from netservices.dns.wire.names import parse_name, skip_name
from netservices.dns.zone.tree import Zones, ZoneTree
from netservices.dns.zonefile import parse_record
from netservices.units import UpdateZone
from netservices.values import RRset
from tests.dns.authority import LOOPBACK, make_dialogue, never_later, question
from tests.dns.house import add_zone, apply, make_authority, make_store
from tests.dns.test_server import Wire, framed

quick = settings(max_examples=400, deadline=None, derandomize=True)

PEER = ("127.0.0.1", 4711)
TCP = Client("", Transport.TCP)


def queries() -> list[bytes]:
    """Whole queries with all that may stand behind a question."""
    cookie = dns.edns.GenericOption(10, b"12345678")
    padding = dns.edns.GenericOption(12, bytes(20))
    plain = dns.message.make_query("wWw.exAMple.com.", "A")
    full = dns.message.make_query(
        "x.wild.example.com.", "TXT", use_edns=0, options=[cookie, padding]
    )
    signed = dns.message.make_query("example.com.", "MX", want_dnssec=True)
    signed.use_tsig(dns.tsigkeyring.from_text({"key.": "c2VjcmV0c2VjcmV0"}), "key.")
    transfer = dns.message.make_query("example.com.", "AXFR")
    found = [plain.to_wire(), full.to_wire(), signed.to_wire(), transfer.to_wire()]
    return [b"\x12\x34" + data[2:] for data in found]


def _damaged(data: bytes, cuts: tuple[int, int], put: bytes, flips: list[int]) -> bytes:
    """``data`` with a stretch replaced and some bits turned over."""
    start, end = sorted(cut % (len(data) + 1) for cut in cuts)
    octets = bytearray(data[:start] + put + data[end:])
    for flip in flips:
        if octets:
            octets[flip // 8 % len(octets)] ^= 1 << flip % 8
    return bytes(octets)


damaged_queries = st.builds(
    _damaged,
    st.sampled_from(queries()),
    st.one_of(st.just((0, 0)), st.tuples(st.integers(0, 200), st.integers(0, 200))),
    st.one_of(st.just(b""), st.binary(max_size=20), st.just(b"\xc0\x0c")),
    st.lists(st.integers(0, 2000), max_size=4),
)


class PacketTests(SynchronousTestCase):
    """Queries that were damaged on their way."""

    def setUp(self) -> None:
        self.dialogue = make_dialogue()
        self.exact = ExactAnswers(make_dialogue(), 1000, later=never_later).answerer()

    @quick
    @given(damaged_queries)
    def test_damaged(self, data: bytes) -> None:
        """
        A response, and what is shorter than a header, gets no answer; all else gets one
        that is whole, says so, repeats ID and question, and is no amplifier.
        """
        reply = self.dialogue.answer(data, LOOPBACK)
        if len(data) < 12 or data[2] & 0x80:
            self.assertIsNone(reply)
            return
        assert reply is not None
        self.assertEqual(data[:2], reply[:2])
        self.assertTrue(reply[2] & 0x80)
        self.assertEqual(data[2] & 0x79, reply[2] & 0x79)
        parsed = dns.message.from_wire(reply, keyring=False)
        if parsed.question:
            end = skip_name(reply, 12) + 4
            self.assertEqual(data[12:end], reply[12:end])
        self.assertLessEqual(len(reply), 1232)

    @quick
    @given(damaged_queries)
    def test_every_cache(self, data: bytes) -> None:
        """The first answer, the second and the third are the same."""
        first = self.dialogue.answer(data, LOOPBACK)
        for _ in range(3):
            self.assertEqual(first, self.exact(data, PEER, None))

    @quick
    @given(damaged_queries)
    def test_no_answer_is_a_question(self, data: bytes) -> None:
        """An answer that comes back gets none: no two servers talk for ever."""
        reply = self.dialogue.answer(data, LOOPBACK)
        if reply is not None:
            self.assertIsNone(self.dialogue.answer(reply, LOOPBACK))


class StreamTests(SynchronousTestCase):
    """Damaged queries in a stream."""

    def setUp(self) -> None:
        self.store = make_store()
        self.addCleanup(self.store.close)
        add_zone(self.store, "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS a\n* 60 A 192.0.2.1\n")
        self.clock = Clock()
        self.authority = make_authority(self.store, self.clock)
        self.successResultOf(self.authority.start())
        self.addCleanup(self.authority.stop)

    def answers(self, pieces: list[bytes]) -> tuple[bytes, bool]:
        """What a connection says to these segments, and whether it stays open."""
        connection: StreamConnection = self.authority.streams.buildProtocol(None)
        wire = Wire()
        connection.makeConnection(wire)
        for piece in pieces:
            connection.dataReceived(piece)
            self.clock.advance(0)
        is_open = not wire.disconnecting and not wire.was_aborted
        connection.connectionLost(None)
        return wire.value(), is_open

    @settings(quick, max_examples=150)
    @given(st.lists(damaged_queries, max_size=6), st.integers(1, 50))
    def test_cuts(self, messages: list[bytes], size: int) -> None:
        """
        How a stream is cut makes no difference; it ends at the first message that gets
        no answer, after the answers before it.
        """
        stream = framed(*messages)
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
        whole = self.answers([stream])
        self.assertEqual(whole, self.answers(pieces))
        expected = []
        for message in messages:
            reply = self.authority.dialogue.answer(message, TCP)
            if reply is None:
                break
            expected.append(reply)
        self.assertEqual((framed(*expected), len(expected) == len(messages)), whole)

    @settings(quick, max_examples=150)
    @given(st.binary(max_size=200))
    def test_noise(self, data: bytes) -> None:
        """Random octets: bounded work, no exception."""
        said, _ = self.answers([data])
        self.assertLessEqual(len(said), 14 * len(data) + 600)


# --- a zone that changes while it is asked ------------------------------------------

ORIGIN = "example.com."
OWNERS = ["@", "a", "b.a", "*.a", "c.b.a", "*", "d", "e.d"]
RECORDS = [
    "A 192.0.2.1",
    "A 192.0.2.2",
    "TXT some",
    "CNAME a",
    "CNAME x.a",
    "NS ns.d",
    "MX 1 b.a",
    "DNAME a",
]
ASKED = ["example.com.", *(f"{name}.example.com." for name in [
    "a", "b.a", "x.a", "x.x.a", "c.b.a", "d", "e.d", "x.d", "X.A", "none",
])]  # fmt: skip


class ZoneMachine(RuleBasedStateMachine):
    """The server with its caches, against one that is made anew for each question."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.store = make_store()
        add_zone(
            self.store, "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS ns.d\nns.d 60 A 1.1.1.1\n"
        )
        self.authority = make_authority(self.store, self.clock)
        started: Any = self.authority.start()
        self.settle()
        assert started.called
        self.serial = 1
        self.zone: dict[tuple[bytes, int], RRset] = {}
        for text in ("@ SOA a b 1 2 3 4 5", "@ NS ns.d", "ns.d A 1.1.1.1"):
            self.note(parse_record(ORIGIN, text.replace(" ", " 60 ", 1)))

    def teardown(self) -> None:
        """Nothing is left behind."""
        self.authority.stop()
        self.store.close()

    def settle(self) -> None:
        """Give pauses their turns."""
        for _ in range(5):
            self.clock.advance(0)

    def note(self, rrset: RRset) -> None:
        """In the model."""
        self.zone[rrset.owner.lower(), rrset.type] = rrset

    def change(self, removed: tuple[Any, ...], added: tuple[RRset, ...]) -> None:
        """In the store, with the next serial, and in the model."""
        self.serial += 1
        soa = parse_record(ORIGIN, f"@ 60 SOA a b {self.serial} 2 3 4 5")
        apply(self.store, UpdateZone(parse_name(ORIGIN), removed, (*added, soa)))
        for key in removed:
            self.zone.pop(key, None)
        for rrset in (*added, soa):
            self.note(rrset)
        self.settle()

    @rule(owner=st.sampled_from(OWNERS), record=st.sampled_from(RECORDS))
    def put(self, owner: str, record: str) -> None:
        """A record takes the place of its RRset."""
        if owner == "@" and record.split()[0] in ("CNAME", "DNAME"):
            return
        self.change((), (parse_record(ORIGIN, f"{owner} 60 {record}"),))

    @rule(which=st.integers(0, 50))
    def remove(self, which: int) -> None:
        """An RRset goes, but for SOA and NS of the apex."""
        apex = parse_name(ORIGIN)
        keys = sorted(key for key in self.zone if key[0] != apex)
        if keys:
            self.change((keys[which % len(keys)],), ())

    @rule(
        name=st.sampled_from(ASKED),
        qtype=st.sampled_from(["A", "TXT", "CNAME", "NS", "MX", "SOA", "ANY", "DNAME"]),
        times=st.integers(1, 3),
    )
    def ask(self, name: str, qtype: str, times: int) -> None:
        """Cached or not, changed in place or read anew: the answer is the same."""
        tree = ZoneTree(parse_name(ORIGIN))
        for rrset in self.zone.values():
            tree.put(rrset)
        tree.touch()
        zones = Zones()
        zones.put(tree)
        data = question(name, qtype)
        expected = Dialogue(zones, Policy(DNSSettings())).answer(data, LOOPBACK)
        for _ in range(times):
            assert self.authority.datagram(data, PEER, None) == expected


class ZoneTests(SynchronousTestCase):
    """The machine."""

    def test_changes(self) -> None:
        """No answer is older than the last change, and none is half of it."""
        run_state_machine_as_test(
            ZoneMachine,
            settings=settings(
                max_examples=100,
                stateful_step_count=30,
                deadline=None,
                derandomize=True,
                report_multiple_bugs=False,
            ),
        )
