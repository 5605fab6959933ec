"""kill -9 in the middle of updates: each is applied or not, never half, and what was
confirmed is there."""

from __future__ import annotations

import select
import signal
import socket
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.dns.wire.codes import Rcode, Type
from netservices.dns.wire.names import parse_name
from netservices.dns.zonefile import read_zone
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.units import CreateZone, Unit
from netservices.values import Zone
from tests.dns.updating import ZONE, message
from tests.house.twistd import Running

TEXT = "$TTL 60\n@ SOA ns h 1 7200 1800 1209600 300\n@ NS ns\nns A 192.0.2.1\n"
CONNECTIONS = 4
WINDOW = 8
"""Updates under way on each connection."""
ROUNDS = (1, 40, 150)
"""After so many confirmations the server is killed."""
MOST_SECONDS = 60


class Sender:
    """A connection on which updates go out, ``WINDOW`` of them at a time; each adds one
    record to two names."""

    def __init__(self, port: int, first: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.next = first
        self.sent: dict[int, int] = {}
        self.confirmed: list[int] = []
        self.is_open = True
        self._received = b""

    def fill(self) -> None:
        """Send until the window is full."""
        while len(self.sent) - len(self.confirmed) < WINDOW:
            number = self.next
            self.next += CONNECTIONS
            address = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
            data = message(
                f"add a{number} 60 A {address}", f"add b{number} 60 A {address}"
            )
            data = number.to_bytes(2, "big") + data[2:]
            self.sent[number] = number
            self.socket.sendall(len(data).to_bytes(2, "big") + data)

    def read(self) -> None:
        """Take what has come."""
        try:
            data = self.socket.recv(65536)
        except ConnectionError:
            data = b""
        self.is_open = bool(data)
        self._received += data
        while len(self._received) >= 14:
            reply, self._received = self._received[2:14], self._received[14:]
            assert reply[3] & 15 == Rcode.NOERROR, reply
            self.confirmed.append(int.from_bytes(reply[:2], "big"))


class CrashTests(SynchronousTestCase):
    """A server in a process of its own."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir(parents=True)
        self.state = str(self.directory / "state")

    def serve(self) -> Running:
        """A running server on that state."""
        options = ["--dns", "--interface", "127.0.0.1", "--dns-listen", "udp:0"]
        options += ["--dns-listen", "tcp:0", "--set", "dns.allow_update=loopback"]
        server = Running(self.state, *options)
        self.addCleanup(server.__exit__, None, None, None)
        return server.__enter__()

    def stored(self) -> Zone | None:
        """The zone, as the store of a dead server has it."""
        store = SQLiteStore(self.state, StoreSettings(), None)
        value_of(store.open())
        try:
            zone: Zone | None = value_of(store.zones.load(ZONE))
            if zone is None:
                value_of(store.apply(Unit((CreateZone(ZONE, read_zone(TEXT, ZONE)),))))
            return zone
        finally:
            value_of(store.close())

    def test_kill(self) -> None:
        """What was confirmed is in the store, and of each update both names or none;
        the serial tells how many there were."""
        self.serve().stop()
        self.stored()
        first = 0
        confirmed: set[int] = set()
        sent: set[int] = set()
        for count in ROUNDS:
            server = self.serve()
            port = server.port("dns", "tcp")
            senders = [Sender(port, first + n) for n in range(CONNECTIONS)]
            self.load(senders, count, server)
            first = max(sender.next for sender in senders) + CONNECTIONS
            confirmed.update(n for sender in senders for n in sender.confirmed)
            sent.update(n for sender in senders for n in sender.sent)
            self.check(sent, confirmed)

    def load(self, senders: list[Sender], count: int, server: Running) -> None:
        """Send until ``count`` are confirmed, kill, and read what is still there."""
        give_up = time.monotonic() + MOST_SECONDS
        while sum(len(sender.confirmed) for sender in senders) < count:
            self.assertLess(time.monotonic(), give_up)
            for sender in senders:
                sender.fill()
            ready = select.select([sender.socket for sender in senders], [], [], 1)[0]
            for sender in senders:
                if sender.socket in ready:
                    sender.read()
        server.stop(signal.SIGKILL)
        for sender in senders:
            while sender.is_open:
                sender.read()
            sender.socket.close()

    def check(self, sent: set[int], confirmed: set[int]) -> None:
        """The store after the crash."""
        zone = self.stored()
        assert zone is not None
        names = {r.owner for r in zone.rrsets if r.type == Type.A}
        whole = set()
        for number in sent:
            pair = {parse_name(f"{letter}{number}", ZONE) for letter in "ab"}
            self.assertIn(len(pair & names), (0, 2), number)
            if pair <= names:
                whole.add(number)
        self.assertLessEqual(confirmed, whole)
        self.assertEqual(1 + len(whole), zone.info.serial)
