"""Updates through the whole server: who may, and when NOERROR is said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import begun
from netservices.dns.backend.keys import GRANTS, KEYS, make_key
from netservices.dns.backend.shelf import ZONE_OPTIONS
from netservices.dns.dialogue.later import Later
from netservices.dns.grants import make_grant
from netservices.dns.options import ZoneOptions
from netservices.dns.policy import Client, Transport
from netservices.dns.wire.codes import Rcode, Type
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message, Record
from netservices.dns.wire.names import parse_name
from netservices.dns.wire.signing import SignedRequest
from netservices.interfaces import Conflict, StoreError
from netservices.units import DeleteZone, Unit, UpdateZone
from netservices.values import RRset
from tests.dns.authority import EXAMPLE, question
from tests.dns.house import add_zone, apply, make_authority, make_store
from tests.dns.updating import ZONE, message

NOW = 1_795_000_000.0
KEY = make_key("anna.example.com", "hmac-sha256", "MDEyMzQ1Njc4OWFiY2RlZg==", "a@b")
ACME = make_key("acme", "hmac-sha256", "MDEyMzQ1Njc4OWFiY2RlZg==")
HERE = Client("127.0.0.1")
AWAY = Client("192.0.2.7")


class ServerTestCase(SynchronousTestCase):
    """A server of ``example.com`` on a store in memory."""

    settings: Mapping[str, Any] = {"allow_update": ("loopback",)}

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(NOW)
        self.store = make_store()
        self.addCleanup(self.store.close)
        add_zone(self.store, EXAMPLE)
        self.start(**self.settings)

    def start(self, **settings: Any) -> None:
        """Start the server anew."""
        self.authority = make_authority(self.store, self.clock, **settings)
        self.successResultOf(self.authority.start())
        self.addCleanup(self.authority.stop)
        self.events: list[tuple[str, Mapping[str, Any]]] = (
            self.authority.backend._events.events  # type: ignore[attr-defined]
        )

    def begin(self, data: bytes, client: Client = HERE) -> Deferred[list[bytes]]:
        """What comes back, sooner or later."""
        reply = self.authority.dialogue.answer(data, client)

        async def collect() -> list[bytes]:
            if isinstance(reply, Later):
                return [one async for one in reply.messages()]
            return [] if reply is None else [reply]

        return begun(collect())

    def send(self, data: bytes, client: Client = HERE) -> Message:
        """The reply to an update."""
        (reply,) = self.successResultOf(self.begin(data, client))
        return Message.parse(reply)

    def check(
        self, rcode: int, *lines: str, client: Client = HERE, **fields: Any
    ) -> None:
        """An update gets that response code."""
        self.assertEqual(rcode, self.send(message(*lines, **fields), client).rcode)

    def answers(self, name: str, type_: str = "A") -> tuple[bytes, ...]:
        """What the server says that a name has."""
        reply = self.authority.dialogue.answer(question(name, type_), HERE)
        assert isinstance(reply, bytes)
        return tuple(record.rdata for record in Message.parse(reply).answer)

    def stored(self, name: str, type_: int = Type.A) -> tuple[bytes, ...]:
        """What the store has."""
        zone = self.successResultOf(self.store.zones.load(ZONE))
        assert zone is not None
        owner = parse_name(name)
        return tuple(
            rdata
            for rrset in zone.rrsets
            if (rrset.owner.lower(), rrset.type) == (owner, type_)
            for rdata in rrset.rdatas
        )

    @property
    def serial(self) -> int:
        tree = self.authority.zones.get(ZONE)
        assert tree is not None
        return tree.serial


class ReplyTests(ServerTestCase):
    """What is said, and when."""

    def test_octets(self) -> None:
        """The reply is a header with ID and opcode, QR and the response code, and OPT
        if there was one; RFC 2136 3.8."""
        data = message("add x 60 A 192.0.2.1")
        reply = self.successResultOf(self.begin(data))
        self.assertEqual([b"\x42\x42\xa8\0" + bytes(8)], reply)
        data = message("nx x", edns=Edns(1232))
        (reply,) = self.successResultOf(self.begin(data))
        self.assertEqual(b"\x42\x42\xa8\6" + bytes(7) + b"\1", reply[:12])
        self.assertEqual(Edns(1232), Message.parse(reply).edns)

    def test_done(self) -> None:
        """With NOERROR, the store has the change, and the server answers with it, from
        the caches too."""
        for _ in range(3):
            self.assertEqual((), self.answers("x.example.com."))
        self.check(Rcode.NOERROR, "add x 60 A 192.0.2.1", "add y 60 A 192.0.2.2")
        self.assertEqual((b"\xc0\0\2\1",), self.answers("x.example.com."))
        self.assertEqual((b"\xc0\0\2\1",), self.stored("x.example.com."))
        self.assertEqual(2026112102, self.serial)

    def test_unchanged(self) -> None:
        """What changes nothing is NOERROR without a new serial or revision."""
        self.check(Rcode.NOERROR, "add www 3600 A 192.0.2.80")
        self.check(Rcode.NOERROR, "yx www")
        self.assertEqual(2026112101, self.serial)
        self.assertEqual(0, self.authority.updates.status()["commits"])

    def test_zones(self) -> None:
        """NOTAUTH for zones that are not here, names inside of one that is, and those
        of another primary; 3.1.1."""
        for zone in ("example.net.", "www.example.com.", "com.", "."):
            data = message(zone=parse_name(zone))
            self.assertEqual(Rcode.NOTAUTH, self.send(data).rcode)
        options = ZoneOptions(primaries=("192.0.2.1",))
        apply(self.store, ZONE_OPTIONS.put(ZONE, options))
        self.clock.advance(0)
        self.check(Rcode.NOTAUTH, "add x 60 A 192.0.2.1")

    def test_malformed(self) -> None:
        """Every truncation is FORMERR or silence, and nothing is in the log."""
        data = message("yx www A 192.0.2.80", "add x 60 MX 10 y", edns=Edns())
        for end in range(12, len(data)):
            self.assertEqual(Rcode.FORMERR, self.send(data[:end]).rcode, end)
        self.assertEqual(Rcode.FORMERR, self.send(data + b"\0").rcode)
        wrong = Record(parse_name("x", ZONE), Type.CAA, 1, 60, b"\0\xffA")
        self.assertEqual(Rcode.FORMERR, self.send(message(wrong)).rcode)

    def test_version(self) -> None:
        """Another version of EDNS gets BADVERS."""
        reply = self.send(message(edns=Edns(version=1)))
        self.assertEqual(Rcode.BADVERS, reply.rcode)

    def test_events(self) -> None:
        """Events tell who changed what, and who was refused."""
        self.check(Rcode.NOERROR, "add x 60 A 192.0.2.1", "del www A 192.0.2.80")
        self.check(Rcode.REFUSED, "del www", client=AWAY)
        told = [(n, f) for n, f in self.events if "update" in n]
        self.assertEqual(
            [
                (
                    "zone_updated",
                    {
                        "zone": "example.com.",
                        "who": "127.0.0.1",
                        "client": "127.0.0.1",
                        "changes": 2,
                        "serial": 2026112102,
                    },
                ),
                (
                    "update_refused",
                    {
                        "zone": "example.com.",
                        "who": "192.0.2.7",
                        "client": "192.0.2.7",
                        "rcode": "REFUSED",
                        "reason": "no right to change anything here",
                    },
                ),
            ],
            told,
        )
        status = self.authority.status()["updates"]
        self.assertEqual(
            (1, 1, 1), (status["changed"], status["NOERROR"], status["REFUSED"])
        )

    def test_flood(self) -> None:
        """Events tell of a bounded number of refusals; all are counted."""
        for _ in range(300):
            self.check(Rcode.REFUSED, "del www", client=AWAY)
        told = [name for name, _ in self.events if name == "update_refused"]
        self.assertEqual(100, len(told))
        self.assertEqual(300, self.authority.updates.outcomes[Rcode.REFUSED])


class RightsTests(ServerTestCase):
    """Who may change what."""

    settings: Mapping[str, Any] = {}

    def signed(self, key: Any, *lines: str, client: Client = AWAY) -> int:
        """The response code of a signed update, over UDP from anywhere."""
        asked = SignedRequest(key)
        data = asked.sign(message(*lines), NOW)
        (reply,) = self.successResultOf(self.begin(data, client))
        return Message.parse(asked.check(reply, NOW)).rcode

    def grant(self, *words: str) -> None:
        grant = make_grant(*words)
        apply(self.store, GRANTS.put(grant.id, grant))
        self.clock.advance(0)

    def put_keys(self) -> None:
        for key in (KEY, ACME):
            apply(self.store, KEYS.put(key.name, key))
        self.clock.advance(0)

    def test_nobody(self) -> None:
        """By default nobody may, not even from this machine; strangers learn nothing
        from prerequisites."""
        self.check(Rcode.REFUSED, "add x 60 A 192.0.2.1")
        self.check(Rcode.REFUSED, "nx www")

    def test_address(self) -> None:
        """An address that may is believed over TCP and TLS; over UDP only if it is of
        this machine, as others can be forged."""
        self.start(allow_update=("192.0.2.0/24", "loopback"))
        for transport, rcode in (
            (Transport.UDP, Rcode.REFUSED),
            (Transport.TCP, Rcode.NOERROR),
            (Transport.TLS, Rcode.NOERROR),
        ):
            client = evolve(AWAY, transport=transport)
            self.check(rcode, "add x 60 A 192.0.2.1", client=client)
        self.check(Rcode.NOERROR, "add @ 60 NS ns3")

    def test_zone_option(self) -> None:
        """A zone can say for itself who may."""
        options = ZoneOptions(allow_update=("key:anna.example.com",))
        apply(self.store, ZONE_OPTIONS.put(ZONE, options))
        self.put_keys()
        self.assertEqual(Rcode.NOERROR, self.signed(KEY, "add x 60 A 192.0.2.1"))
        self.assertEqual(Rcode.REFUSED, self.signed(ACME, "add x 60 A 192.0.2.1"))

    def test_zone_option_first(self) -> None:
        """What a zone says takes the place of what the server says."""
        self.start(allow_update=("loopback",))
        self.check(Rcode.NOERROR, "add x 60 A 192.0.2.1")
        apply(self.store, ZONE_OPTIONS.put(ZONE, ZoneOptions(allow_update=("!any",))))
        self.clock.advance(0)
        self.check(Rcode.REFUSED, "add y 60 A 192.0.2.1")

    def test_acme(self) -> None:
        """A key that may change the TXT records of ``_acme-challenge`` answers the
        challenges of any name, and nothing else."""
        self.put_keys()
        self.grant("key:acme", "_acme-challenge.*", "TXT")
        for host in ("_acme-challenge", "_acme-challenge.www"):
            self.assertEqual(
                Rcode.NOERROR, self.signed(ACME, f"add {host} 60 TXT token")
            )
            self.assertEqual(Rcode.NOERROR, self.signed(ACME, f"del {host} TXT token"))
            self.assertEqual(Rcode.NOERROR, self.signed(ACME, f"del {host}"))
        for line in (
            "add _acme-challenge 60 CNAME x",
            "add _acme-challenge 60 NS x",
            "add x._acme-challenge 60 TXT token",
            "add www 60 TXT token",
            "del www",
            "del @",
        ):
            self.assertEqual(Rcode.REFUSED, self.signed(ACME, line), line)

    def test_all_or_nothing(self) -> None:
        """One change without the right to it, and none is made."""
        self.put_keys()
        self.grant("account:a@b", "*.home.example.com", "A,AAAA")
        lines = ["add x.home 60 A 192.0.2.1", "add y.home 60 AAAA 2001:db8::1"]
        self.assertEqual(
            Rcode.REFUSED, self.signed(KEY, *lines, "add home 60 A 192.0.2.1")
        )
        self.assertEqual((), self.answers("x.home.example.com."))
        self.assertEqual(Rcode.NOERROR, self.signed(KEY, *lines))
        self.assertEqual(1, len(self.answers("x.home.example.com.")))

    def test_clear(self) -> None:
        """A name is emptied by those alone who may change all that it has."""
        self.put_keys()
        self.grant("key:anna.example.com", "*", "A")
        self.assertEqual(Rcode.NOERROR, self.signed(KEY, "add x 60 A 192.0.2.1"))
        self.assertEqual(Rcode.REFUSED, self.signed(KEY, "del ns1"))
        self.assertEqual(Rcode.NOERROR, self.signed(KEY, "del x"))

    def test_self(self) -> None:
        """A key may change its own name, as a host does that finds its address."""
        self.put_keys()
        self.grant("key:anna.example.com", "self")
        self.assertEqual(Rcode.NOERROR, self.signed(KEY, "add anna 60 A 192.0.2.1"))
        self.assertEqual(Rcode.REFUSED, self.signed(KEY, "add bob 60 A 192.0.2.1"))

    def test_delegation(self) -> None:
        """Types that mean more than data need to be named."""
        self.put_keys()
        self.grant("key:anna.example.com", "*", "any")
        for type_ in ("NS", "DNAME", "ALIAS"):
            line = f"add {type_.lower()} 60 {type_} ns1"
            self.assertEqual(Rcode.REFUSED, self.signed(KEY, line))
            self.grant("key:anna.example.com", "*", type_)
            self.assertEqual(Rcode.NOERROR, self.signed(KEY, line))

    def test_revoked(self) -> None:
        """A right that is taken back is gone at once."""
        self.put_keys()
        grant = make_grant("key:acme", "*")
        apply(self.store, GRANTS.put(grant.id, grant))
        self.clock.advance(0)
        self.assertEqual(Rcode.NOERROR, self.signed(ACME, "add x 60 A 192.0.2.1"))
        apply(self.store, GRANTS.delete(grant.id))
        self.clock.advance(0)
        self.assertEqual(Rcode.REFUSED, self.signed(ACME, "add y 60 A 192.0.2.1"))


class Held:
    """A store whose units wait until they are let go, or fail."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.gates: list[Deferred[None]] = []
        self.units: list[Unit] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def apply(self, unit: Unit) -> Deferred[Any]:
        """Apply it, when its gate opens."""
        self.units.append(unit)
        gate: Deferred[None] = Deferred()
        self.gates.append(gate)
        return gate.addCallback(lambda _: self._store.apply(unit))


class CommitTests(ServerTestCase):
    """How updates become durable."""

    def setUp(self) -> None:
        super().setUp()
        self.held = Held(self.store)
        self.authority.updates._store = self.held  # type: ignore[assignment]

    def test_not_before(self) -> None:
        """Nothing is said, and nothing answered, before the store has it."""
        waiting = self.begin(message("add x 60 A 192.0.2.1"))
        self.assertNoResult(waiting)
        self.assertEqual((), self.answers("x.example.com."))
        self.held.gates[0].callback(None)
        self.assertEqual(1, len(self.successResultOf(waiting)))
        self.assertEqual(1, len(self.answers("x.example.com.")))

    def test_together(self) -> None:
        """Those that wait share a commit, in their order; each sees what those before
        it changed, and has a serial of its own."""
        first = self.begin(message("add x 60 A 192.0.2.1"))
        others = [
            self.begin(message(*lines))
            for lines in (
                ("yx x", "del x"),
                ("nx x", "add x 60 A 192.0.2.2"),
                ("nx x", "add y 60 A 192.0.2.3"),
                ("yx www",),
            )
        ]
        self.assertEqual(1, len(self.held.units))
        self.held.gates[0].callback(None)
        self.successResultOf(first)
        self.assertEqual([2], [len(unit.operations) for unit in self.held.units[1:]])
        for waiting in others:
            self.assertNoResult(waiting)
        self.held.gates[1].callback(None)
        rcodes = [self.successResultOf(waiting)[0][3] & 15 for waiting in others]
        wanted = [Rcode.NOERROR, Rcode.NOERROR, Rcode.YXDOMAIN, Rcode.NOERROR]
        self.assertEqual(wanted, rcodes)
        self.assertEqual((b"\xc0\0\2\2",), self.stored("x.example.com."))
        self.assertEqual(2026112104, self.serial)

    def rival(self, owner: str = "rival") -> None:
        """Somebody else changes the zone."""
        rrset = RRset(parse_name(owner, ZONE), Type.A, 60, (b"abcd",))
        apply(self.store, UpdateZone(ZONE, (), (rrset,)))

    def test_conflict(self) -> None:
        """Where somebody else was first, the update is tried again on what the zone is
        then."""
        waiting = self.begin(message("nx rival", "add x 60 A 192.0.2.1"))
        again = self.begin(message("add z 60 A 192.0.2.1"))
        self.rival()
        self.held.gates[0].callback(None)
        (reply,) = self.successResultOf(waiting)
        self.assertEqual(Rcode.YXDOMAIN, reply[3] & 15)
        self.assertEqual((), self.stored("x.example.com."))
        self.held.gates[1].callback(None)
        self.assertEqual(Rcode.NOERROR, self.successResultOf(again)[0][3] & 15)
        self.assertEqual((b"abcd",), self.stored("rival.example.com."))

    def test_hopeless(self) -> None:
        """After some tries it is SERVFAIL."""
        waiting = self.begin(message("add x 60 A 192.0.2.1"))
        for number in range(5):
            self.rival(f"rival{number}")
            self.held.gates[number].callback(None)
        (reply,) = self.successResultOf(waiting)
        self.assertEqual(Rcode.SERVFAIL, reply[3] & 15)
        self.assertEqual((), self.stored("x.example.com."))

    def test_trouble(self) -> None:
        """A store that fails is SERVFAIL for all that wait together, and the next ones
        are tried as if nothing had been.  The log has it once."""
        for gate in range(3):
            waiting = self.begin(message("add x 60 A 192.0.2.1"))
            self.held.gates[gate].errback(StoreError("no space"))
            (reply,) = self.successResultOf(waiting)
            self.assertEqual(Rcode.SERVFAIL, reply[3] & 15)
        self.assertEqual(1, len(self.flushLoggedErrors(StoreError)))
        waiting = self.begin(message("add x 60 A 192.0.2.1"))
        self.held.gates[3].callback(None)
        self.assertEqual(Rcode.NOERROR, self.successResultOf(waiting)[0][3] & 15)

    def test_zone_gone(self) -> None:
        """A zone that goes while its updates wait is NOTAUTH."""
        waiting = self.begin(message("add x 60 A 192.0.2.1"))
        later = self.begin(message("add y 60 A 192.0.2.1"))
        apply(self.store, DeleteZone(ZONE))
        self.held.gates[0].callback(None)
        for one in (waiting, later):
            self.assertEqual(Rcode.NOTAUTH, self.successResultOf(one)[0][3] & 15)

    def test_client_gone(self) -> None:
        """A client that does not wait has its update carried out all the same, and no
        place in the line is lost."""
        waiting = self.begin(message("add x 60 A 192.0.2.1"))
        waiting.addErrback(lambda failure: None)
        waiting.cancel()
        self.held.gates[0].callback(None)
        self.assertEqual(1, len(self.stored("x.example.com.")))
        self.assertEqual(0, self.authority.updates.status()["waiting"])

    def test_limits(self) -> None:
        """So many wait of one client and in all; others get SERVFAIL at once."""
        self.start(
            allow_update=("loopback",), updates_waiting=3, updates_waiting_per_client=2
        )
        self.held = Held(self.store)
        self.authority.updates._store = self.held  # type: ignore[assignment]
        clients = [Client(f"127.0.0.{n}") for n in (1, 1, 1, 2, 3)]
        replies = [
            self.begin(message(f"add x{n} 60 A 192.0.2.1"), client)
            for n, client in enumerate(clients)
        ]
        for number, reply in enumerate(replies):
            if number in (2, 4):
                self.assertEqual(Rcode.SERVFAIL, self.successResultOf(reply)[0][3] & 15)
            else:
                self.assertNoResult(reply)

    def test_group_limit(self) -> None:
        """No more share a commit than may."""
        self.start(allow_update=("loopback",), updates_per_commit=2)
        self.held = Held(self.store)
        self.authority.updates._store = self.held  # type: ignore[assignment]
        for number in range(6):
            self.begin(message(f"add x{number} 60 A 192.0.2.1"))
        for number in range(4):
            self.held.gates[number].callback(None)
        self.assertEqual(
            [1, 2, 2, 1], [len(unit.operations) for unit in self.held.units]
        )

    def test_conflict_is_a_store_error(self) -> None:
        """What a rival causes is told apart from trouble."""
        self.assertTrue(issubclass(Conflict, StoreError))
