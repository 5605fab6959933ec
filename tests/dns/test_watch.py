"""What the server tells of its questions: counts, the busiest, and the query log."""

from __future__ import annotations

import os
import re
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.core.errors import ConfigurationError
from netservices.dns.server.top import Top, question_of
from netservices.dns.wire.codes import AD, CD, RD, Opcode
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.names import parse_name
from tests.dns.authority import EXAMPLE, question
from tests.dns.house import add_zone, make_authority, make_store

WWW = question("www.example.com.", "A")
MX = question("Example.COM.", "MX")
FOREIGN = question("www.example.net.", "A")
LINE = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (?P<client>\S+) (?P<way>udp|tcp|tls) "
    r"(?P<server>\S+) (?P<name>\S+) (?P<class>\S+) (?P<type>\S+) (?P<flags>\S+) "
    r"(?P<rcode>\S+) (?P<octets>\S+) (?P<view>\S+)"
)


class WatchedCase(SynchronousTestCase):
    """A server with two zones."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = make_store()
        self.addCleanup(self.store.close)
        add_zone(self.store, EXAMPLE)
        add_zone(self.store, EXAMPLE, "other.example.")
        self.authority: Any = None

    def build(self, **settings: Any) -> None:
        """Start the server."""
        self.authority = make_authority(self.store, self.clock, **settings)
        self.successResultOf(self.authority.start())
        self.addCleanup(self.authority.stop)

    def ask(self, data: bytes, times: int = 1, address: str = "192.0.2.7") -> None:
        """Ask over UDP."""
        for _ in range(times):
            self.authority.datagram(data, (address, 4711), None)

    def ask_over_tcp(self, data: bytes) -> Any:
        """Ask over TCP; the connection."""
        connection = self.authority.streams.buildProtocol(None)
        connection.makeConnection(StringTransport())
        connection.dataReceived(len(data).to_bytes(2, "big") + data)
        self.addCleanup(connection.connectionLost, None)
        return connection

    def top(self, of: str, most: int = 20) -> list[Any]:
        """The rows of ``netservices zone top``."""
        answer = self.authority.watch.verbs["top"]({"of": of, "most": most})
        rows: list[Any] = value_of(Deferred.fromCoroutine(answer))["rows"]
        return rows


class CountTests(WatchedCase):
    """Counts since the start."""

    def test_zones(self) -> None:
        """Each zone has its count, of remembered replies too; what no zone answers has
        none."""
        self.build()
        self.ask(WWW, 10)
        self.ask(question("www.other.example.", "A"), 3)
        self.ask(FOREIGN, 5)
        zones = self.authority.status()["zones"]

        self.assertEqual(10, zones["example.com."]["queries"])
        self.assertEqual(3, zones["other.example."]["queries"])
        self.assertEqual(
            [
                {"zone": "example.com.", "queries": 10},
                {"zone": "other.example.", "queries": 3},
            ],
            self.top("zones"),
        )

    def test_transports(self) -> None:
        """Questions are counted by transport, and all together."""
        self.build()
        self.ask(WWW, 4)
        self.ask_over_tcp(WWW)
        status = self.authority.status()

        self.assertEqual(
            {"udp": 4, "tcp": 1, "tls": 0, "https": 0}, status["by_transport"]
        )
        self.assertEqual(5, status["queries"])
        self.assertEqual({"A": 5}, status["by_type"])

    def test_after_change(self) -> None:
        """A change of a zone forgets replies, but no counts."""
        self.build()
        self.ask(WWW, 10)
        self.authority.exact.clear()
        self.ask(WWW, 10)

        self.assertEqual(
            20, self.authority.status()["zones"]["example.com."]["queries"]
        )


class TopTests(WatchedCase):
    """The busiest clients and the most frequent questions."""

    def test_names(self) -> None:
        """Questions are counted by name and type, whatever their letter case."""
        self.build()
        for _ in range(3):
            self.clock.advance(1)
            self.ask(WWW)
        self.clock.advance(1)
        self.ask(MX)
        rows = self.top("names")

        self.assertEqual(
            [("www.example.com.", "A", 3), ("example.com.", "MX", 1)],
            [(row["name"], row["type"], row["queries"]) for row in rows],
        )

    def test_clients(self) -> None:
        """Clients are counted by address, over TCP too."""
        self.build()
        for address in ("192.0.2.1", "192.0.2.2", "192.0.2.2"):
            self.clock.advance(1)
            self.ask(WWW, address=address)
        rows = self.top("clients", 1)

        self.assertEqual([{"client": "192.0.2.2", "queries": 2, "error": 0}], rows)

    def test_refused_requests(self) -> None:
        """What asks for something else is told."""
        self.build()
        for request in ({}, {"of": "x"}, {"of": "names", "most": 0}):
            answer = self.authority.watch.verbs["top"](request)
            self.failureResultOf(Deferred.fromCoroutine(answer), ValueError)

    def test_off(self) -> None:
        """With no entries nothing is looked at."""
        self.build(top_entries=0)
        self.ask(WWW, 3)
        self.ask_over_tcp(WWW)

        self.assertEqual([], self.top("names"))

    def test_window(self) -> None:
        """What was asked long ago is forgotten."""
        now = [0.0]
        top = Top(10, 60.0, lambda: now[0])
        top.look(WWW, "192.0.2.1")
        now[0] = 61.0
        top.look(MX, "192.0.2.1")
        self.assertEqual(2, len(top.names(10)))
        now[0] = 122.0
        self.assertEqual(61, top.seconds())
        self.assertEqual(["MX"], [row["type"] for row in top.names(10)])
        now[0] = 999.0
        self.assertEqual(0, top.seconds())
        self.assertEqual([], top.names(10))

    def test_busy(self) -> None:
        """Of a flood few are looked at, and the counts are about right."""
        now = [0.0]
        top = Top(100, 600.0, lambda: now[0])
        seen = []

        def answer(data: bytes, address: Any, local: Any) -> None:
            now[0] += 1e-5

        def look(data: bytes, address: str) -> int:
            seen.append(1)
            return Top.look(top, data, address)

        top.look = look  # type: ignore[method-assign]
        watched = top.watching(answer)
        for _ in range(100_000):
            watched(WWW, ("192.0.2.1", 1), None)
        ((count, _),) = [(row["queries"], row["name"]) for row in top.names(5)]

        self.assertLess(len(seen), 10_000)
        self.assertGreater(count, 50_000)
        self.assertLess(count, 200_000)

    def test_unreadable(self) -> None:
        """A packet without a readable question counts for its client alone."""
        for data in (b"", WWW[:11], WWW[:14], WWW[:-3], WWW[:12] + b"\xc0\x0c\0\1\0\1"):
            self.assertIsNone(question_of(data), data)
        long = WWW[:12] + b"\x3f".join([b""] + [b"x" * 63] * 5) + b"\0\0\1\0\1"
        self.assertIsNone(question_of(long))
        self.assertEqual((parse_name("www.example.com."), 1), question_of(WWW))


class QueryLogTests(WatchedCase):
    """The query log."""

    def setUp(self) -> None:
        super().setUp()
        self.path = os.path.abspath(self.mktemp())

    def logged(self) -> list[dict[str, str]]:
        """The lines that are written by now."""
        self.clock.pump([0.1] * 3)
        self.clock.advance(1)
        with open(self.path, encoding="ascii") as file:
            lines = file.read().splitlines()
        matches = [LINE.fullmatch(line) for line in lines]
        self.assertNotIn(None, matches, lines)
        return [match.groupdict() for match in matches if match is not None]

    def test_line(self) -> None:
        """Each question is a line with its reply's code and size."""
        self.build(query_log=self.path)
        reply = self.authority.datagram(MX, ("192.0.2.7", 4711), None)
        (row,) = self.logged()

        self.assertEqual(
            {
                "client": "192.0.2.7",
                "way": "udp",
                "server": "-",
                "name": "Example.COM.",
                "class": "IN",
                "type": "MX",
                "flags": "-",
                "rcode": "NOERROR",
                "octets": str(len(reply)),
                "view": "-",
            },
            row,
        )

    def test_flags(self) -> None:
        """Flags of header and OPT are shown."""
        self.build(query_log=self.path)
        edns = Edns(udp_size=1232, is_do=True)
        self.ask(question("x.example.com.", "A", edns=edns, flags=RD | CD | AD))
        (row,) = self.logged()

        self.assertEqual(("RD,CD,AD,E,DO", "NXDOMAIN"), (row["flags"], row["rcode"]))

    def test_odd_packets(self) -> None:
        """Packets without a question, responses and other opcodes have lines too, and
        none has a space or an end of line more."""
        self.build(query_log=self.path)
        for data in (
            b"\n",
            WWW[:12],
            b"\0\0\x80" + WWW[3:],
            b"\0\0" + bytes((Opcode.STATUS << 3,)) + WWW[3:],
            question("\\010a\\032b\\127.example.com.", 65280, 4711),
        ):
            self.ask(data)
        rows = self.logged()

        self.assertEqual(5, len(rows))
        self.assertEqual("-", rows[2]["rcode"])
        self.assertEqual(("STATUS", "NOTIMP"), (rows[3]["type"], rows[3]["rcode"]))
        self.assertEqual("\\010a\\032b\\127.example.com.", rows[4]["name"])
        self.assertEqual(
            ("CLASS4711", "TYPE65280"), (rows[4]["class"], rows[4]["type"])
        )

    def test_tcp(self) -> None:
        """So have questions over TCP."""
        self.build(query_log=self.path)
        self.ask_over_tcp(WWW)

        self.assertEqual(["tcp"], [row["way"] for row in self.logged()])

    def test_sampled(self) -> None:
        """One of so many questions is written."""
        self.build(query_log=self.path, query_log_every=5)
        self.ask(WWW, 23)

        self.assertEqual(4, len(self.logged()))

    def test_flood(self) -> None:
        """What comes faster than it can be written is dropped and counted."""
        self.build(query_log=self.path)
        self.ask(WWW, 30_000)
        self.assertEqual(10_000, self.authority.status()["query_log_dropped"])
        self.assertEqual(20_000, len(self.logged()))

    def test_stop(self) -> None:
        """What waits at the stop is written."""
        self.build(query_log=self.path)
        self.ask(WWW, 3)
        self.successResultOf(self.authority.stop())
        with open(self.path, encoding="ascii") as file:
            self.assertEqual(3, len(file.readlines()))

    def test_reopened(self) -> None:
        """After a reload lines go to a new file: logrotate has moved the old one."""
        self.build(query_log=self.path)
        self.ask(WWW)
        self.assertEqual(1, len(self.logged()))
        os.rename(self.path, self.path + ".1")
        self.successResultOf(self.authority.reload())
        self.ask(WWW, 2)

        self.assertEqual(2, len(self.logged()))

    def test_unwritable(self) -> None:
        """A file that cannot be written is refused before anything starts."""
        path = os.path.join(self.path, "log")
        with open(self.path, "w"):
            pass
        self.assertRaises(ConfigurationError, self.build, query_log=path)


class SessionTests(WatchedCase):
    """TCP connections as ``netservices session`` sees them."""

    def test_listed(self) -> None:
        """Each connection is a session, until it ends."""
        self.build()
        connection = self.ask_over_tcp(WWW)
        (session,) = self.authority.streams.sessions()
        row = session.status()
        self.clock.advance(3)

        self.assertIs(connection, session)
        self.assertEqual(row["session"], session.status()["session"])
        self.assertEqual(3, session.status()["idle_seconds"])
        self.assertEqual("", row["tls"])

    def test_ended(self) -> None:
        """An administrator ends it."""
        self.build()
        connection = self.ask_over_tcp(WWW)
        connection.end()

        self.assertTrue(connection.transport.disconnected)
