"""Secondary zones on a clock of the test's, with primaries that say what it wants."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import begun, value_of
from netservices.dns.backend.secondaries import load_states
from netservices.dns.backend.shelf import ZONE_OPTIONS
from netservices.dns.client.ask import make_query
from netservices.dns.client.problems import NoAnswer
from netservices.dns.dialogue.inbound import Inbound, InboundLimits, TransferRefused
from netservices.dns.options import ZoneOptions
from netservices.dns.policy import Client
from netservices.dns.wire.codes import Opcode, Rcode, Type
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message, Record
from netservices.dns.wire.names import parse_name
from netservices.dns.wire.tsig import Key
from netservices.units import CreateZone, DeleteZone
from tests.dns.authority import now, question
from tests.dns.house import add_zone, apply, make_authority, make_store
from tests.dns.primary import a, reply, soa

APEX = parse_name("example.com.")
FIVE, SIX = soa(5, APEX), soa(6, APEX)
OLD, NEW = (a("www.example.com.", f"192.0.2.{n}") for n in (5, 6))
PRIMARY, OTHER = "192.0.2.1", "192.0.2.2"


def transfer(have: int | None, *records: Record) -> Inbound:
    """What a primary sends in one message."""
    query = make_query(APEX, "AXFR" if have is None else "IXFR")
    inbound = Inbound(query, have, InboundLimits())
    inbound.take(reply(query, *records))
    return inbound


class Secondary(SynchronousTestCase):
    """A server that is a secondary of ``example.com``."""

    authority: Any = None

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1e9)
        self.store = make_store()
        self.addCleanup(self.store.close)
        self.asked: list[str] = []
        self.says: dict[str, Callable[[int | None], Any]] = {}
        self.start()

    def start(self, **settings: Any) -> None:
        """The server, or another one in its place."""
        if self.authority is not None:
            self.authority.stop()
        self.authority = make_authority(self.store, self.clock, **settings)
        self.authority.secondaries.fetch = self.fetch
        self.successResultOf(self.authority.start())
        self.addCleanup(self.authority.stop)

    async def fetch(
        self,
        clock: Any,
        primary: Any,
        name: bytes,
        have: int | None,
        *_: Any,
        **__: Any,
    ) -> Any:
        """What the primaries say in this test."""
        self.asked.append(primary.peer.address)
        answer = self.says.get(primary.peer.address)
        found = NoAnswer("nobody is there") if answer is None else answer(have)
        if isinstance(found, Deferred):
            found = await found
        if isinstance(found, Exception):
            raise found
        return found

    def configure(self, *primaries: str, **options: Any) -> None:
        """As ``netservices zone secondary`` does."""
        options = {"primaries": primaries or (PRIMARY,), **options}
        apply(
            self.store,
            ZONE_OPTIONS.put(APEX, ZoneOptions(**options)),
            CreateZone(APEX, ()),
        )
        self.pass_seconds(1)

    def pass_seconds(self, seconds: float) -> None:
        """Time goes by, in steps small enough for every pause."""
        self.clock.advance(seconds)
        self.clock.pump([0.02] * 20)

    def serve(self, *records: Record, primary: str = PRIMARY) -> None:
        """The primary has this zone from now on."""
        self.says[primary] = lambda have: (
            records[0] if have is not None else transfer(None, *records, records[0])
        )

    def ask(self, name: str = "www.example.com.") -> Message:
        """Our answer."""
        data = question(name, "A")
        client = Client("127.0.0.1")
        return Message.parse(now(self.authority.dialogue.answer(data, client)))

    def address(self) -> str:
        """The last number of the address of www, or the response code."""
        message = self.ask()
        return str(message.answer[0].rdata[3] if message.answer else message.rcode)

    def events(self, kind: str) -> list[Any]:
        """The fields of all events of that kind."""
        events: Any = self.authority.secondaries.events
        return [fields for name, fields in events.events if name == kind]

    def row(self) -> Any:
        """The zone's row in the status, its times as numbers."""
        (row,) = self.authority.status()["secondaries"]
        for name in ("last_success", "next_check", "expires"):
            if row[name] is not None:
                row[name] = datetime.fromisoformat(row[name]).timestamp()
        return row


class RefreshTests(Secondary):
    """Refresh, retry, expiry; RFC 1034 4.3.5."""

    def test_first(self) -> None:
        """SERVFAIL until the first transfer is in, then the zone."""
        gate: Deferred[Any] = Deferred()
        self.says[PRIMARY] = lambda have: gate
        self.configure()
        self.assertEqual("empty", self.row()["state"])
        self.assertEqual(Rcode.SERVFAIL, self.ask().rcode)
        gate.callback(transfer(None, FIVE, OLD, FIVE))
        self.pass_seconds(0)
        self.assertEqual("5", self.address())
        row = self.row()
        self.assertEqual(
            ("current", 5, ""), (row["state"], row["serial"], row["problem"])
        )
        (event,) = self.events("zone_transferred")
        self.assertEqual(
            ("full", None, 5),
            tuple(event[k] for k in ("form", "from_serial", "serial")),
        )

    def test_refresh(self) -> None:
        """After ``refresh`` seconds the primary is asked, and what is new is served."""
        self.serve(FIVE, OLD)
        self.configure()
        self.pass_seconds(50)
        self.assertEqual(1, len(self.asked))
        self.pass_seconds(11)
        self.assertEqual(2, len(self.asked))
        self.says[PRIMARY] = lambda have: transfer(5, SIX, FIVE, OLD, SIX, NEW, SIX)
        self.pass_seconds(61)
        self.assertEqual("6", self.address())

    def test_journal(self) -> None:
        """An incremental transfer becomes the same steps in our journal, with the
        primary's serials."""
        self.serve(FIVE, OLD)
        self.configure()
        seven = soa(7, APEX)
        self.says[PRIMARY] = lambda have: transfer(
            5, seven, FIVE, OLD, SIX, NEW, SIX, NEW, seven, OLD, seven
        )
        self.pass_seconds(61)
        zone = value_of(self.store.zones.load(APEX))
        assert zone is not None
        steps = value_of(self.store.zones.differences(APEX, zone.info.revision - 2))
        self.assertEqual([(5, 6), (6, 7)], [step[:2] for step in steps or ()])
        self.assertEqual(7, zone.info.serial)
        self.assertEqual("5", self.address())

    def test_not_our_zone(self) -> None:
        """A difference that does not fit what is here changes nothing."""
        self.serve(FIVE, OLD)
        self.configure()
        self.says[PRIMARY] = lambda have: transfer(5, SIX, FIVE, NEW, SIX, SIX)
        self.pass_seconds(61)
        self.assertEqual("5", self.address())
        self.assertIn("takes away", self.row()["problem"])

    def test_retry_and_expire(self) -> None:
        """Where nobody answers they are asked every ``retry`` seconds; after ``expire``
        seconds the zone is SERVFAIL, and it comes back with its primary."""
        self.start(expire_at_least=600)
        self.serve(FIVE, OLD)
        self.configure()
        del self.says[PRIMARY]
        self.pass_seconds(61)
        before = len(self.asked)
        self.pass_seconds(11)
        self.assertEqual(before + 1, len(self.asked))
        self.assertEqual(("failing", "5"), (self.row()["state"], self.address()))
        self.assertEqual(Rcode.NXDOMAIN, self.ask("missing.example.com.").rcode)
        for _ in range(60):
            self.pass_seconds(10)
        self.assertEqual("expired", self.row()["state"])
        self.assertEqual(Rcode.SERVFAIL, self.ask().rcode)
        self.assertEqual(Rcode.SERVFAIL, self.ask("missing.example.com.").rcode)
        self.assertEqual(1, len(self.events("zone_expired")))
        self.serve(FIVE, OLD)
        self.pass_seconds(11)
        self.assertEqual(("current", "5"), (self.row()["state"], self.address()))

    def test_restart(self) -> None:
        """A restart does not forget when the zone expires."""
        self.serve(FIVE, OLD)
        self.configure()
        expires = self.row()["expires"]
        self.says.clear()
        self.authority.stop()
        self.clock.advance(expires - self.clock.seconds())
        self.start()
        self.assertEqual(Rcode.SERVFAIL, self.ask().rcode)

    def test_stop_while_connecting(self) -> None:
        """A server that stops breaks off its connections to primaries, and that is
        nothing for the log."""

        def broken_off(deferred: Deferred[Any]) -> None:
            deferred.errback(ConnectingCancelledError(PRIMARY))

        self.says[PRIMARY] = lambda have: Deferred(broken_off)
        self.configure()
        self.authority.stop()
        self.assertEqual([PRIMARY], self.asked)
        self.assertEqual([], self.flushLoggedErrors())

    def test_bounds(self) -> None:
        """The timers of the SOA count within the server's bounds."""
        self.start(refresh_at_least=600)
        self.serve(FIVE, OLD)
        self.configure()
        row = self.row()
        self.assertGreater(row["next_check"] - self.clock.seconds(), 500)
        self.assertEqual(row["last_success"] + 3600, row["expires"])

    def test_never_answers(self) -> None:
        """A zone that never came is asked for less and less often."""
        self.configure()
        for _ in range(100):
            self.pass_seconds(60)
        self.assertLess(len(self.asked), 15)
        self.assertIn("nobody is there", self.row()["problem"])

    def test_several(self) -> None:
        """Primaries are asked in their order until one knows; one that failed comes
        last for a while."""
        self.says[PRIMARY] = lambda have: TransferRefused(Rcode.REFUSED)
        self.serve(FIVE, OLD, primary=OTHER)
        self.configure(PRIMARY, OTHER)
        self.assertEqual([PRIMARY, OTHER], self.asked)
        (event,) = self.events("zone_transfer_failed")
        self.assertIn("REFUSED", event["reason"])
        self.asked.clear()
        self.pass_seconds(61)
        self.assertEqual([OTHER], self.asked[:1])

    def test_older(self) -> None:
        """A primary that goes back in serial is not followed, unless that is asked
        for."""
        self.serve(SIX, NEW)
        self.configure()
        self.serve(FIVE, OLD)
        self.pass_seconds(61)
        self.assertEqual("6", self.address())
        self.assertIn("older", self.row()["problem"])
        self.says[PRIMARY] = lambda have: transfer(None, FIVE, OLD, FIVE)
        verb = self.authority.secondaries.verbs["retransfer"]
        asked = begun(verb({"zone": "example.com"}))  # type: ignore[arg-type]
        self.pass_seconds(0)
        self.assertEqual("transferred", self.successResultOf(asked)["result"])
        self.assertEqual("5", self.address())

    def test_removed(self) -> None:
        """A zone that is removed while it is transferred stays away."""
        self.serve(FIVE, OLD)
        self.configure()
        gate: Deferred[Any] = Deferred()
        self.says[PRIMARY] = lambda have: gate
        self.pass_seconds(61)
        apply(self.store, DeleteZone(APEX), ZONE_OPTIONS.delete(APEX))
        self.pass_seconds(1)
        self.assertEqual((), value_of(self.store.zones.zones()))
        self.assertEqual([], self.authority.status()["secondaries"])
        self.assertEqual({}, value_of(begun(load_states(self.store))))
        self.assertEqual(Rcode.REFUSED, self.ask().rcode)

    def test_verbs(self) -> None:
        """``refresh`` tells what came of it, in words where it is nothing."""
        verb = self.authority.secondaries.verbs["refresh"]
        for request in ({"zone": "example.org"}, {}):
            self.failureResultOf(begun(verb(request)), ValueError)  # type: ignore[arg-type]
        self.configure()
        asked = begun(verb({"zone": "example.com."}))  # type: ignore[arg-type]
        self.pass_seconds(0)
        failure = self.failureResultOf(asked, ValueError)
        self.assertEqual("192.0.2.1: nobody is there", str(failure.value))

    def test_missing_key(self) -> None:
        """A primary whose key is not here is not asked."""
        self.configure("192.0.2.1 key=missing.")
        self.assertEqual([], self.asked)
        self.assertIn("no key missing.", self.row()["problem"])


class NotifyTests(Secondary):
    """NOTIFY; RFC 1996."""

    def setUp(self) -> None:
        super().setUp()
        self.serve(FIVE, OLD)

    def notify(
        self, address: str = PRIMARY, key: Key | None = None, **fields: Any
    ) -> Message:
        """The reply to a NOTIFY for the zone."""
        fields = {
            "name": "example.com.",
            "qtype": "SOA",
            "opcode": Opcode.NOTIFY,
            **fields,
        }
        data = question(**fields)
        client = Client(address, key=key)
        handler = self.authority.dialogue.opcodes[Opcode.NOTIFY]
        return Message.parse(now(handler(data, client)))

    def test_notify(self) -> None:
        """A primary's word leads to a check, and one word after the other to one."""
        self.configure()
        self.pass_seconds(1)
        for _ in range(20):
            message = self.notify()
            self.assertEqual(Rcode.NOERROR, message.rcode)
            self.assertTrue(message.is_authoritative)
        self.pass_seconds(1)
        self.assertEqual(2, len(self.asked))

    def test_edns(self) -> None:
        """The reply has OPT where the notice had it, and repeats ID and question."""
        self.configure()
        for edns in (None, Edns(udp_size=4096)):
            message = self.notify(edns=edns)
            self.assertEqual(edns is None, message.edns is None)
            self.assertEqual((0x1234, Opcode.NOTIFY), (message.id, message.opcode))
            self.assertEqual(APEX, message.questions[0].name)

    def test_hint(self) -> None:
        """A SOA that is not newer than ours says that there is nothing to do."""
        self.configure()
        self.pass_seconds(1)
        self.notify(answer=(FIVE,))
        self.pass_seconds(1)
        self.assertEqual(1, len(self.asked))
        self.notify(answer=(SIX,))
        self.pass_seconds(1)
        self.assertEqual(2, len(self.asked))

    def test_meanwhile(self) -> None:
        """Word that comes during a check leads to another one after it."""
        gate: Deferred[Any] = Deferred()
        self.says[PRIMARY] = lambda have: gate
        self.configure()
        self.notify()
        self.serve(FIVE, OLD)
        gate.callback(transfer(None, FIVE, OLD, FIVE))
        self.pass_seconds(0)
        self.pass_seconds(2)
        self.assertEqual(2, len(self.asked))

    def test_sender_first(self) -> None:
        """Whoever says it is asked first; RFC 1996 3.11."""
        self.serve(FIVE, OLD, primary=OTHER)
        self.configure(PRIMARY, OTHER)
        self.asked.clear()
        self.pass_seconds(1)
        self.notify(OTHER)
        self.pass_seconds(1)
        self.assertEqual([OTHER], self.asked)

    def test_strangers(self) -> None:
        """Strangers are refused, unless they are in ``allow_notify``; so are those who
        have not the primary's key."""
        self.configure(PRIMARY, "192.0.2.3 key=k.", allow_notify=("192.0.2.9",))
        key = Key(parse_name("k."), parse_name("hmac-sha256."), b"secret")
        for address, signer, rcode in (
            ("192.0.2.9", None, Rcode.NOERROR),
            ("192.0.2.8", None, Rcode.REFUSED),
            ("192.0.2.3", None, Rcode.REFUSED),
            ("192.0.2.3", key, Rcode.NOERROR),
            ("::ffff:192.0.2.1", None, Rcode.NOERROR),
        ):
            self.assertEqual(rcode, self.notify(address, signer).rcode)

    def test_other_zones(self) -> None:
        """A zone that is not here, one that is our own, and other types."""
        self.configure()
        add_zone(self.store, "@ 60 SOA . . 1 2 3 4 5", "own.test.")
        self.assertEqual(Rcode.NOTAUTH, self.notify(name="example.org.").rcode)
        self.assertEqual(Rcode.REFUSED, self.notify(name="own.test.").rcode)
        self.assertEqual(Rcode.NOTAUTH, self.notify(qclass=3).rcode)
        self.assertEqual(Rcode.FORMERR, self.notify(qtype="A").rcode)

    def test_malformed(self) -> None:
        """What cannot be read is a format error, whatever it is."""
        self.configure()
        whole = question("example.com.", "SOA", opcode=Opcode.NOTIFY, answer=(SIX,))
        handler = self.authority.dialogue.opcodes[Opcode.NOTIFY]
        for length in range(12, len(whole)):
            answer = now(handler(whole[:length], Client(PRIMARY)))
            self.assertEqual(Rcode.FORMERR, answer[3] & 15)
        bad = Record(APEX, Type.SOA, 1, 0, b"\0\0")
        self.assertEqual(Rcode.FORMERR, self.notify(answer=(bad,)).rcode)
        self.assertEqual(Rcode.FORMERR, self.notify(answer=(SIX,) * 9).rcode)
