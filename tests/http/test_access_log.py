"""The access log: lines, numbers, files."""

from __future__ import annotations

import json
import os
import time

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.core.logfile import LINES_A_WRITE, LogFile
from netservices.http.server.access import Access
from netservices.http.server.accesslines import CombinedLines, Served, json_line
from netservices.http.wire.head import parse_head
from netservices.values import Origin
from netservices.web.request import Request
from netservices.web.response import Answer, text
from tests.http.talk import Talk

ORIGIN = Origin("http", "192.0.2.7", True, "s1")
WHEN = 1_795_000_000.25


def served(
    target: str = "/a?b=c", account: str = "", referer: str = "", agent: str = ""
) -> Served:
    """One request as it is noted."""
    lines = [f"GET {target} HTTP/1.1", "Host: example.org:8080"]
    lines += [f"Referer: {referer}"] if referer else []
    lines += [f"User-Agent: {agent}"] if agent else []
    raw = "\r\n".join([*lines, "", ""]).encode("latin-1")
    return WHEN, ORIGIN, account, parse_head(raw), 200, 512, 0.0123456


class CombinedTests(SynchronousTestCase):
    """Lines as Apache and nginx write them."""

    def line(self, what: Served) -> str:
        """The line, without the time."""
        line = CombinedLines()(what)
        before, _, rest = line.partition("[")
        return before + rest.partition("] ")[2]

    def test_line(self) -> None:
        """All that is known stands in its place, and a dash for the rest."""
        self.assertEqual(
            '192.0.2.7 - - "GET /a?b=c HTTP/1.1" 200 512 "-" "-"', self.line(served())
        )
        self.assertEqual(
            '192.0.2.7 - alice "GET / HTTP/1.1" 200 512 "http://x/" "curl/8.0"',
            self.line(served("/", "alice", "http://x/", "curl/8.0")),
        )

    def test_time(self) -> None:
        """The time is local time, with its distance from UTC."""
        line = CombinedLines()(served())
        found = line.partition("[")[2].partition("]")[0]

        self.assertEqual(
            int(WHEN), time.mktime(time.strptime(found[:-6], "%d/%b/%Y:%H:%M:%S"))
        )
        self.assertRegex(found, r"^18/Nov/2026:\d\d:06:40 [+-]\d\d\d\d$")

    def test_unreadable(self) -> None:
        """What could not be read has a line, too."""
        self.assertEqual(
            '192.0.2.7 - - "-" 400 0 "-" "-"',
            self.line((WHEN, ORIGIN, "", None, 400, 0, 0.0)),
        )

    def test_escaped(self) -> None:
        """Quotes, backslashes and what is no ASCII cannot be taken for anything
        else."""
        self.assertIn(r'"a\x22 b\x5C\xE4"', self.line(served(agent='a" b\\\xe4')))

    def test_account_is_a_word(self) -> None:
        """A login with spaces or controls in it is one word of one line."""
        self.assertTrue(
            self.line(served(account="a b\n")).startswith(r"192.0.2.7 - a\x20b\x0A ")
        )

    def test_secrets(self) -> None:
        """Values that sound secret are not written, in targets and referrers."""
        line = self.line(
            served(
                "/a?access_token=one&b=c&Password=two", referer="http://x/?sig=three"
            )
        )

        self.assertIn("/a?access_token=***&b=c&Password=***", line)
        self.assertIn('"http://x/?sig=***"', line)

    def test_each_head_has_its_own_line(self) -> None:
        """What is remembered of a head is not taken for another one's."""
        lines = CombinedLines()
        for number in range(2000):
            self.assertIn(f" /{number} ", lines(served(f"/{number}")))


class JSONTests(SynchronousTestCase):
    """Lines that are objects."""

    def test_line(self) -> None:
        """An object tells what combined lines do, and more."""
        self.assertEqual(
            {
                "time": WHEN,
                "address": "192.0.2.7",
                "account": "alice",
                "method": "GET",
                "target": "/?key=1&token=***",
                "version": "1.1",
                "host": "example.org",
                "status": 200,
                "octets": 512,
                "seconds": 0.012346,
                "tls": True,
                "referer": "http://x/",
                "user_agent": None,
                "session": "s1",
            },
            json.loads(json_line(served("/?key=1&token=2", "alice", "http://x/"))),
        )

    def test_unreadable(self) -> None:
        """What could not be read is null."""
        record = json.loads(json_line((WHEN, ORIGIN, "", None, 400, 0, 0.0)))

        self.assertEqual((None, 400), (record["target"], record["status"]))


class LogTests(SynchronousTestCase):
    """From the connection to the file."""

    def setUp(self) -> None:
        """A log in a directory of its own."""
        self.path = os.path.join(self.mktemp(), "access.log")
        self.clock = Clock()
        file: LogFile[Served] = LogFile(
            self.path, "test", CombinedLines(), self.clock, 0.2, 3
        )
        self.access = Access(file, lambda: WHEN)
        self.access.start()
        self.addCleanup(self.access.stop)

    def lines(self, path: str) -> list[str]:
        """What the file holds."""
        with open(path) as file:
            return file.read().splitlines()

    def test_requests(self) -> None:
        """Each request has a line, and counts."""

        def answer(request: Request) -> Answer:
            return text(request.path, 404 if request.path == "/no" else 200)

        talk = Talk(answer)
        talk.shared.access = self.access
        talk.send(b"GET /yes HTTP/1.1\r\nHost: h\r\n\r\n")
        talk.send(b"GET /no HTTP/1.1\r\nHost: h\r\n\r\n")
        talk.send(b"GARBAGE\r\n\r\n")
        self.clock.advance(1)

        words = [line.split('"')[1:3] for line in self.lines(self.path)]
        self.assertEqual(["GET /yes HTTP/1.1", " 200 4 "], words[0])
        self.assertEqual(["GET /no HTTP/1.1", " 404 3 "], words[1])
        self.assertEqual("-", words[2][0])
        status = self.access.status()
        self.assertEqual(
            (3, 1, 2),
            (status["requests"], status["answers_2xx"], status["answers_4xx"]),
        )

    def test_reopened(self) -> None:
        """After logrotate has moved the file, lines go to a new one."""
        self.access.note(*served()[1:])
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        reopened = self.access.reopen()
        assert reopened is not None
        value_of(reopened)
        os.rename(self.path, f"{self.path}.1")
        reopened = self.access.reopen()
        assert reopened is not None
        value_of(reopened)
        self.access.note(*served("/second")[1:])
        self.clock.advance(1)

        self.assertEqual(1, len(self.lines(f"{self.path}.1")))
        self.assertIn("/second", self.lines(self.path)[0])

    def test_long_batch(self) -> None:
        """Many lines that come at once are all written, in their order."""
        file: LogFile[str] = LogFile(self.path, "test", str, self.clock, 0.2, 10_000)
        file.start()
        for number in range(3 * LINES_A_WRITE + 1):
            file.append(f"{number}")
        stopped = file.stop()
        value_of(stopped)

        wanted = [f"{number}" for number in range(3 * LINES_A_WRITE + 1)]
        self.assertEqual(wanted, self.lines(self.path))

    def test_full_disk(self) -> None:
        """Lines that cannot be written are counted, all of them."""
        file: LogFile[str] = LogFile("/dev/full", "test", str, self.clock, 0.2, 10_000)
        file.start()
        for number in range(3 * LINES_A_WRITE + 1):
            file.append(f"{number}")
        value_of(file.stop())
        self.flushLoggedErrors()

        self.assertEqual(3 * LINES_A_WRITE + 1, file.dropped)

    def test_slow_disk(self) -> None:
        """Lines that would take too much memory are counted."""
        for _ in range(5):
            self.access.note(*served()[1:])

        self.assertEqual(2, self.access.status()["access_log_dropped"])
