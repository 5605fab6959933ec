"""Events: the schema, the sinks, and the file of JSON lines."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Mapping
from pathlib import Path

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from netservices.config.settings import LogSettings
from netservices.events import SCHEMA, Events

PACKAGE = Path(__file__).resolve().parent.parent / "netservices"


def _is_emit(call: ast.Call) -> bool:
    return (
        isinstance(call.func, ast.Attribute)
        and call.func.attr == "emit"
        and bool(call.args)
        and isinstance(call.args[0], ast.Constant)
    )


class EventsTests(SynchronousTestCase):
    """``Events`` with a clock that the test moves, and no threads."""

    def setUp(self) -> None:
        self.state = os.path.abspath(self.mktemp())
        self.clock = Clock()
        self.clock.advance(1000)

    def events(self, **settings: object) -> Events:
        """Started events."""
        events = Events(LogSettings(**settings), self.state, self.clock)
        events.start()
        return events

    def lines(self, name: str = "events.jsonl") -> list[dict[str, object]]:
        """What the file holds."""
        text = Path(self.state, "log", name).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def test_record(self) -> None:
        """A record has time, name and every field of the schema; those not given are
        null."""
        events = self.events()
        records: list[Mapping[str, object]] = []
        events.subscribe(records.append)

        events.emit("unlocked", login="joe")

        self.assertEqual(
            [{"time": 1000.0, "event": "unlocked", "login": "joe", "address": None}],
            records,
        )
        self.assertEqual(1, events.counters["unlocked"])

    def test_unknown_names(self) -> None:
        """An event or field that the schema does not know is a bug."""
        events = self.events()

        error = self.assertRaises(ValueError, events.emit, "unlokced")
        self.assertIn("'unlokced'", str(error))
        error = self.assertRaises(ValueError, events.emit, "unlocked", user="x")
        self.assertIn("user", str(error))

    def test_schema_has_no_secrets(self) -> None:
        """No field is a place for one, and every name is lower case."""
        fields = {field for names in SCHEMA.values() for field in names}

        self.assertEqual(set(), fields & {"password", "secret", "token", "key"})
        for name in (*SCHEMA, *fields):
            self.assertRegex(name, r"^[a-z][a-z_]*$")

    def test_emits_in_the_source(self) -> None:
        """Every ``emit`` with a literal name fits the schema, wherever it is."""
        wrong, seen = [], set()
        for path in sorted(PACKAGE.rglob("*.py")):
            for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not (isinstance(call, ast.Call) and _is_emit(call)):
                    continue
                name = ast.literal_eval(call.args[0])
                seen.add(name)
                given = {keyword.arg for keyword in call.keywords if keyword.arg}
                if name not in SCHEMA or given - set(SCHEMA[name]):
                    wrong.append(f"{path.name}:{call.lineno}: {name} {sorted(given)}")

        self.assertIn("server_started", seen)
        self.assertEqual([], wrong)

    def test_file(self) -> None:
        """Events are written together after the delay, and the rest at the stop."""
        events = self.events(events_delay=0.5)
        events.emit("unlocked", login="a")
        self.clock.advance(0.4)
        events.emit("unlocked", login="b")
        self.assertEqual([], self.lines())

        self.clock.advance(0.1)
        self.assertEqual(["a", "b"], [line["login"] for line in self.lines()])
        events.emit("unlocked", login="c")
        self.successResultOf(events.stop())

        self.assertEqual(["a", "b", "c"], [line["login"] for line in self.lines()])
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_reopen(self) -> None:
        """After a rotation the old file has what was before, a new one the rest."""
        events = self.events()
        events.emit("unlocked", login="a")
        path = Path(self.state, "log", "events.jsonl")
        path.rename(path.with_name("old"))

        self.successResultOf(events.reopen())
        events.emit("unlocked", login="b")
        self.successResultOf(events.stop())

        self.assertEqual(["a"], [line["login"] for line in self.lines("old")])
        self.assertEqual(["b"], [line["login"] for line in self.lines()])

    def test_moved_away(self) -> None:
        """A file that is moved or removed has a new one of its name, also where nobody
        says so."""
        events = self.events(events_delay=0.5)
        path = Path(self.state, "log", "events.jsonl")
        for login in ("a", "b"):
            events.emit("unlocked", login=login)
            self.clock.advance(0.5)
            path.rename(path.with_name(login))
        events.emit("unlocked", login="c")
        self.successResultOf(events.stop())

        for login, name in (("a", "a"), ("b", "b"), ("c", "events.jsonl")):
            self.assertEqual([login], [line["login"] for line in self.lines(name)])

    def test_reopen_in_vain(self) -> None:
        """Where there can be no new file, the old one goes on, and the log says so."""
        events = self.events()
        events.emit("unlocked", login="a")
        path = Path(self.state, "log", "events.jsonl")
        path.rename(path.with_name("old"))
        path.mkdir()

        with capturedLogs() as captured:
            self.successResultOf(events.reopen())

        self.assertEqual(1, len(captured))
        self.assertEqual(["a"], [line["login"] for line in self.lines("old")])
        self.successResultOf(events.stop())

    def test_slow_disk(self) -> None:
        """What does not fit in memory is dropped and counted."""
        events = self.events(events_waiting=2)
        for _ in range(5):
            events.emit("unlocked")

        self.assertEqual(3, events.dropped)
        self.assertEqual(5, events.counters["unlocked"])
        self.successResultOf(events.stop())
        self.assertEqual(2, len(self.lines()))

    def test_full_disk(self) -> None:
        """A disk that takes nothing is logged once; events are counted on."""
        events = self.events(events="/dev/full")
        with capturedLogs() as captured:
            for _ in range(3):
                events.emit("unlocked")
                self.clock.advance(1)

        self.assertEqual(1, len(captured))
        self.assertEqual(3, events.dropped)
        self.successResultOf(events.stop())

    def test_no_file(self) -> None:
        """An empty name means no file."""
        events = self.events(events="")
        events.emit("unlocked")
        self.successResultOf(events.stop())

        self.assertFalse(os.path.exists(self.state))

    def test_failing_sink(self) -> None:
        """A sink that fails is logged; the others get the event."""
        events = self.events()
        records: list[Mapping[str, object]] = []

        def fail(_record: Mapping[str, object]) -> None:
            raise KeyError("sink")

        events.subscribe(fail)
        unsubscribe = events.subscribe(records.append)

        events.emit("unlocked")
        unsubscribe()
        events.emit("unlocked")

        self.assertEqual(1, len(records))
        self.assertEqual(2, len(self.flushLoggedErrors(KeyError)))
