"""``control.sessions``: those of any protocol, however many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.control.sessions import MOST_LISTED, ORDERS, Sessions, Wanted
from netservices.plugin import OpenSession, Server


class Talk:
    """A session of some protocol, which tells of itself what it likes."""

    def __init__(self, name: str, **facts: Any) -> None:
        self.facts = {"session": name, **facts}
        self.has_ended = False

    def status(self) -> Mapping[str, Any]:
        """Whatever the test says."""
        return self.facts

    def end(self) -> None:
        """Note it."""
        self.has_ended = True


class SessionsTests(SynchronousTestCase):
    """A house with several protocols."""

    def setUp(self) -> None:
        self.clock = Clock()
        moving = {"verb": "RETR", "path": "/a", "rate": 5}
        self.talks: list[OpenSession] = [
            Talk("a", account="joe", address="192.0.2.1", since=3.0, idle_seconds=9),
            Talk("b", account="ann", address="192.0.2.1", since=1.0, transfer=moving),
            Talk("c", since=2.0, transfer={**moving, "rate": 7}),
        ]
        self.others: list[OpenSession] = [Talk("d", account="joe", idle_seconds=1)]
        self.sessions = Sessions(
            {
                "ftp": Server(sessions=lambda: self.talks),
                "imap": Server(sessions=lambda: self.others),
                "dns": Server(),
            },
            self.clock,
        )

    def names(self, *args: Any) -> tuple[str, int]:
        """What is listed, in order, and of how many."""
        done = Deferred.fromCoroutine(self.sessions.first(*args))
        while not done.called:
            self.clock.advance(0)
        rows, total = self.successResultOf(done)
        return "".join(row["session"] for row in rows), total

    def test_orders(self) -> None:
        """Fast transfers, new sessions, or those that were busy last, come first."""
        found = {order: self.names(Wanted(), order)[0] for order in ORDERS}
        self.assertEqual("cbda", found["rate"])
        self.assertEqual("acbd", found["since"])
        self.assertEqual("da", found["idle"][-2:])

    def test_wanted(self) -> None:
        """Those that fit all that is said."""
        for wanted, names in (
            (Wanted(account="joe"), "da"),
            (Wanted(account="joe", protocol="ftp"), "a"),
            (Wanted(address="192.0.2.1"), "ba"),
            (Wanted(frozenset("ad"), protocol="imap"), "d"),
            (Wanted(protocol="dns"), ""),
            (Wanted(protocol="none"), ""),
        ):
            self.assertEqual((names, len(names)), self.names(wanted), wanted)

    def test_end(self) -> None:
        """Those and no others end."""
        done = Deferred.fromCoroutine(self.sessions.end(Wanted(account="joe")))
        ended = [row["session"] for row in self.successResultOf(done)]
        self.assertEqual(["a", "d"], ended)
        talks: list[Any] = [*self.talks, *self.others]
        self.assertEqual(
            "ad", "".join(t.status()["session"] for t in talks if t.has_ended)
        )

    def test_many(self) -> None:
        """Of thousands the first ones are listed, others are counted, and meanwhile
        the reactor has its turns."""
        self.talks = [Talk(str(n), since=float(n)) for n in range(5000)]
        done = Deferred.fromCoroutine(self.sessions.first(Wanted(), "since"))
        turns = 0
        while not done.called:
            turns += 1
            # Not advance: that would go on with what this call asks for.
            call = self.clock.calls.pop(0)
            call.func(*call.args, **call.kw)
        rows, total = self.successResultOf(done)
        self.assertEqual((MOST_LISTED, 5001), (len(rows), total))
        self.assertEqual("4999", rows[0]["session"])
        self.assertGreater(turns, 10)
        self.assertEqual(("49994998", 5001), self.names(Wanted(), "since", 2))

    def test_wrong_order(self) -> None:
        """An order that there is not is refused in words."""
        done = Deferred.fromCoroutine(self.sessions.first(Wanted(), "size"))
        self.assertIn("rate, since", str(self.failureResultOf(done, ValueError).value))
