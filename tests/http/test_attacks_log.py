"""Requests that are made to cost the access log dear."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.core.logfile import MOST_OCTETS, LogFile
from netservices.http.server.access import Access
from netservices.http.server.accesslines import (
    CombinedLines,
    Served,
    json_line,
    without_secrets,
)
from netservices.http.wire.head import Head, parse_head
from netservices.values import Origin

ORIGIN = Origin("http", "192.0.2.7", False, "s1")


def head_of(referer: str) -> Head:
    """A head that is as long as heads may be."""
    raw = f"GET / HTTP/1.1\r\nHost: h\r\nReferer: {referer}\r\n\r\n"
    return parse_head(raw.encode("latin-1"))


class LineTests(SynchronousTestCase):
    """Lines are made in time that grows with their length, and no faster."""

    def test_question_marks(self) -> None:
        """Words that sound secret, over and over and never with a value, are looked
        for once; with expressions that look from each of them on this takes hours."""
        for word in ("?", "??token", "?auth", "&a", ";", "?a=", "?token=?", "sig&"):
            target = "/?" + word * (30_000 // len(word))
            for line in (CombinedLines(), json_line):
                served: Served = 1.0, ORIGIN, "", head_of(target), 200, 0, 0.0

                self.assertIn("GET", line(served))

    def test_names(self) -> None:
        """A name is all up to its first equals sign, question marks included."""
        for target, shown in (
            ("/a?b?token=c?d=e&f=g", "/a?b?token=***&f=g"),
            ("/a?b=c;api_key=d#token=e", "/a?b=c;api_key=***#token=***"),
            ("/token=a?b", "/token=a?b"),
            ("/?token", "/?token"),
            ("/?a=token", "/?a=token"),
            ("/?=a&code=", "/?=a&code=***"),
        ):
            self.assertEqual(shown, without_secrets(target))


class QueueTests(SynchronousTestCase):
    """What waits for a slow disk is bounded in octets, not only in lines."""

    def test_long_heads(self) -> None:
        """Long heads fill the queue sooner than short ones."""
        written: list[Any] = []

        def encode(served: Served) -> str:
            written.append(served)
            return "x"

        path = os.path.join(self.mktemp(), "access.log")
        file = LogFile(path, "log", encode, Clock(), 1.0, 100_000)
        file.start()
        access = Access(file)
        head = head_of("x" * 31_000)
        for _ in range(10_000):
            access.note(ORIGIN, "", head, 200, 0, 0.0)
        value_of(file.stop())

        self.assertLess(len(written), MOST_OCTETS // 31_000 + 2)
        self.assertEqual(10_000, len(written) + file.dropped)
