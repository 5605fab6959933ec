"""``netservices session`` and the sessions in ``netservices status``."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from netservices.cli import main
from netservices.cli.session import octets, shortened
from netservices.core.deferreds import as_deferred
from tests.ftp.sockets import ServerCase, Wire, read_all
from tests.house.twistd import environment


class WordsTests(SynchronousTestCase):
    """Numbers and names for people."""

    def test_octets(self) -> None:
        """Few letters, powers of 1024."""
        for number, words in (
            (0, "0"),
            (1023, "1023"),
            (1024, "1.0K"),
            (1536 << 10, "1.5M"),
            (5 << 30, "5.0G"),
            (3 << 40, "3.0T"),
        ):
            self.assertEqual(words, octets(number))

    def test_shortened(self) -> None:
        """A long name keeps its beginning and its end."""
        self.assertEqual("/short", shortened("/short"))
        name = shortened("/pub/" + "x" * 100 + "/end.iso")
        self.assertLessEqual(len(name), 40)
        self.assertTrue(name.startswith("/pub/x") and name.endswith("x/end.iso"))


class SessionTests(ServerCase):
    """The command, beside a server with sessions."""

    def run_command(self, *words: str) -> Result:
        """The outcome of ``netservices WORDS``; from a thread."""
        state = self.server.state_directory
        return CliRunner().invoke(main, ["--state", state, *words])

    def output(self, *words: str) -> str:
        """What a command that works prints."""
        result = self.run_command(*words)
        self.assertEqual(0, result.exit_code, result.output)
        return result.stdout

    def rows(self, *words: str) -> list[list[str]]:
        """The columns of a listing in a pipe."""
        lines = self.output("session", "list", *words).splitlines()
        return [line.split("\t") for line in lines]

    @as_deferred
    async def test_list(self) -> None:
        """One line a session: who, from where, and what moves."""
        self.put("big file", bytes(1 << 26))

        def conversation(wire: Wire) -> None:
            ((_, *row),) = self.rows()
            since, idle = row.pop(3), row.pop(3)
            self.assertRegex(since, r"^\d\d:\d\d:\d\d$")
            self.assertRegex(idle, r"^\d+s$")
            self.assertEqual(
                ["ftp", "alice@localhost", "127.0.0.1", "-", "/", "-"], row
            )
            data = wire.data("RETR big file")
            data.recv(1)
            ((*_, transfer),) = self.rows("--account", "alice")
            self.assertRegex(
                transfer, r"^RETR /big file \d+% of 64\.0M at [\d.]+[KMG]?/s$"
            )
            (found,) = json.loads(self.output("session", "list", "--json"))
            self.assertEqual("/big file", found["transfer"]["path"])
            self.assertEqual([], self.rows("--address", "192.0.2.1"))
            self.assertIn("RETR /big file", self.output("status"))
            read_all(data)
            wire.reply()

        await self.talk(conversation)

    @as_deferred
    async def test_limit(self) -> None:
        """Those that are not shown are counted."""

        def conversation(_wire: Wire) -> None:
            others = [Wire(self.port) for _ in range(2)]
            result = self.run_command("session", "list", "--limit", "1")
            self.assertEqual(1, len(result.stdout.splitlines()))
            self.assertEqual("... and 2 more\n", result.stderr)
            for other in others:
                other.close()

        await self.talk(conversation)

    def ended(self, wire: Wire, end: Callable[[], Result]) -> None:
        """A command that ends the session of ``wire``."""
        result = end()
        self.assertEqual(0, result.exit_code, result.output)
        self.assertRegex(result.stdout, r"^[a-z2-7]{8} has ended\n$")
        self.assertEqual("421", wire.reply()[:3])
        self.assertEqual(b"", wire.file.read())

    @as_deferred
    async def test_end(self) -> None:
        """A session is ended by its id."""

        def conversation(wire: Wire) -> None:
            ((name, *_),) = self.rows()
            self.ended(wire, lambda: self.run_command("session", "end", name))

        await self.talk(conversation)

    @as_deferred
    async def test_end_of_an_account(self) -> None:
        """Or all those of an account."""

        def conversation(wire: Wire) -> None:
            words = ("session", "end", "--account", "alice")
            self.ended(wire, lambda: self.run_command(*words))

        await self.talk(conversation)

    @as_deferred
    async def test_mistakes(self) -> None:
        """Who does not say which session gets the usage; one that there is not is an
        error, and the others end."""

        def conversation(wire: Wire) -> None:
            self.assertEqual(2, self.run_command("session", "end").exit_code)
            for words in (("nobody",), ("--account", "bob")):
                result = self.run_command("session", "end", *words)
                self.assertEqual(1, result.exit_code)
                self.assertIn("there is no session", result.stderr)
            self.assertEqual("200", wire.say("NOOP")[:3])
            ((name, *_),) = self.rows()
            result = self.run_command("session", "end", "nobody", name)
            self.assertEqual(1, result.exit_code)
            self.assertIn(f"{name} has ended", result.stdout)
            self.assertIn("no session nobody", result.stderr)

        await self.talk(conversation)

    @as_deferred
    async def test_terminal(self) -> None:
        """At a terminal it is a table with a heading, and long names are short."""
        name = "x" * 100
        os.mkdir(os.path.join(self.home, name))

        def conversation(wire: Wire) -> None:
            wire.say(f"CWD {name}")
            shown = at_terminal(
                "--state", self.server.state_directory, "session", "list"
            )
            self.assertRegex(shown, r"session +protocol +account +address")
            self.assertNotIn("tls", shown)
            self.assertIn("/" + "x" * 17 + "..." + "x" * 18, shown)

        await self.talk(conversation)


def at_terminal(*words: str) -> str:
    """What the command shows on a wide terminal."""
    ours, theirs = pty.openpty()
    surroundings: dict[str, Any] = {
        **environment(),
        "COLUMNS": "250",
        "TERM": "xterm",
        "NO_COLOR": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "netservices.cli", *words],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        env=surroundings,
    )
    os.close(theirs)
    pieces = []
    try:
        while piece := os.read(ours, 65536):
            pieces.append(piece)
    except OSError:
        pass  # the other end is closed
    os.close(ours)
    process.wait()
    return re.sub(r"\x1b\[[0-9;]*m", "", b"".join(pieces).decode())
