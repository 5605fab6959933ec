"""Hooks: what runs when, what it is told, and how it ends."""

from __future__ import annotations

import json
import os
import stat
import sys
from threading import Event
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from netservices.config.loading import CommandLine, load
from netservices.core.deferreds import as_deferred
from netservices.core.errors import ConfigurationError
from netservices.core.programs import Ended, check_program, run_program
from netservices.ftp.hooks import (
    OCCASIONS,
    environment_of,
    occasion_of,
    parse_hook,
    programs_by_occasion,
)
from netservices.service.parts import check
from tests.ftp.sockets import ServerCase, Wire, reset
from tests.ftp.test_xferlog import deletion, transfer

TELL = """
import json, os, sys
told = {k: v for k, v in os.environ.items() if k.startswith("NETSERVICES_")}
told["arguments"] = sys.argv[1:]
told["input"] = sys.stdin.read()
line = json.dumps(told) + "\\n"
with open(os.path.join(os.path.dirname(sys.argv[0]), "told"), "a") as file:
    file.write(line)
"""
"""A program that notes what it is told."""


def make_program(directory: str, body: str, name: str = "hook") -> str:
    """A program in Python; its path."""
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(os.path.abspath(directory), name)
    with open(path, "w") as file:
        file.write(f"#!{sys.executable}\n{body}")
    os.chmod(path, 0o700)
    return path


class SettingTests(SynchronousTestCase):
    """``ftp.hooks``."""

    def test_written(self) -> None:
        """Occasions, a colon, a program; several programs of one occasion run in the
        order in which they are written."""
        self.assertEqual((("upload",), "/a b"), parse_hook("upload: /a b"))
        self.assertEqual(
            {"upload": ("/a", "/b"), "rename": ("/a",)},
            programs_by_occasion(["upload rename: /a", "upload:/b"]),
        )

    def test_wrong(self) -> None:
        """What is not written so is refused, and the occasions are named."""
        for text in ("", "/a", "upload", "upload:", ": /a", "uploads: /a"):
            error = self.assertRaises(ValueError, parse_hook, text)
        self.assertIn("upload_incomplete", str(error))

    def test_programs(self) -> None:
        """``--check`` refuses a program that is not there, or cannot be executed."""
        directory = os.path.abspath(self.mktemp())
        program = make_program(directory, "")
        check_program(program)
        plain = make_program(directory, "", "plain")
        os.chmod(plain, stat.S_IRUSR)
        for path, problem in (
            ("hook", "whole path"),
            (program + "x", "no such file"),
            (directory, "no such file"),
            (plain, "may not execute"),
        ):
            settings = (f"server.state={self.mktemp()}", f"ftp.hooks=upload: {path}")
            configuration = load(CommandLine(assignments=settings, protocols=("ftp",)))
            error = self.assertRaises(ConfigurationError, check, configuration, Clock())
            self.assertIn(problem, str(error))
            self.assertIn("ftp.hooks", str(error))


class OccasionTests(SynchronousTestCase):
    """Which events are occasions, and what a program hears of them."""

    def test_occasions(self) -> None:
        """Every occasion has its event."""
        found = [
            occasion_of(transfer(direction=direction, outcome=outcome))
            for direction in ("up", "down")
            for outcome in ("complete", "426")
        ]
        for change in ("deleted", "renamed", "made", "removed", "attributes"):
            found.append(occasion_of(deletion(change=change)))
        for name in ("login", "login_refused", "logout"):
            found.append(occasion_of({"event": name}))

        self.assertEqual(sorted(OCCASIONS), sorted(found))
        self.assertEqual("", occasion_of({"event": "zone_changed"}))

    def test_environment(self) -> None:
        """Names are octets as on the disk; what is empty is left out."""
        record = transfer(
            path="/caf\udce9 $(reboot)\n;", disk_path="/s/caf\udce9", is_secure=False
        )
        found = environment_of(record, "upload")

        self.assertEqual(b"upload", found[b"NETSERVICES_EVENT"])
        self.assertEqual(b"/s/caf\xe9", found[b"NETSERVICES_PATH"])
        self.assertEqual(b"/caf\xe9 $(reboot)\n;", found[b"NETSERVICES_VIRTUAL_PATH"])
        self.assertEqual(b"0", found[b"NETSERVICES_IS_SECURE"])
        self.assertEqual(b"5120", found[b"NETSERVICES_SIZE"])
        self.assertNotIn(b"NETSERVICES_EMAIL", found)


class ProgramTests(SynchronousTestCase):
    """``run_program``, which blocks."""

    def run_body(self, body: str, seconds: float = 60.0, most: int = 100) -> Ended:
        """How a program ends."""
        path = make_program(self.mktemp(), body)
        return run_program(path, {}, seconds, most, self.shall_stop)

    def setUp(self) -> None:
        self.shall_stop = Event()

    def test_status_and_output(self) -> None:
        """Exit status, and what it wrote on both streams, up to the limit."""
        ended = self.run_body(
            "import sys\n"
            "print('out', flush=True)\n"
            "print('x' * 1000000, file=sys.stderr)\n"
            "sys.exit(3)\n"
        )
        self.assertEqual((3, ""), (ended.status, ended.reason))
        self.assertEqual(b"out\n" + b"x" * 96, ended.output)

    def test_too_long(self) -> None:
        """One that takes too long is killed, with what it has begun."""
        ended = self.run_body(
            "import os, time\n"
            "if os.fork():\n"
            "    print('begun', flush=True)\n"
            "time.sleep(1000)\n",
            seconds=1.0,
        )
        self.assertEqual((-9, "it took too long"), (ended.status, ended.reason))
        self.assertLess(ended.seconds, 60)

    def test_daemon(self) -> None:
        """What a program leaves running with its output open is not waited for."""
        directory = os.path.abspath(self.mktemp())
        os.mkdir(directory)
        os.mkfifo(os.path.join(directory, "fifo"))
        ended = self.run_body(
            f"import os\nif not os.fork():\n    open({directory + '/fifo'!r}).read()\n"
        )
        with open(os.path.join(directory, "fifo"), "w"):
            pass
        self.assertEqual((0, ""), (ended.status, ended.reason))

    def test_closed_output(self) -> None:
        """A program that closes its output is waited for all the same."""
        ended = self.run_body(
            "import os, sys, time\n"
            "os.close(1); os.close(2)\n"
            "time.sleep(0.2)\n"
            "os._exit(4)\n"
        )
        self.assertEqual((4, ""), (ended.status, ended.reason))

    def test_stop(self) -> None:
        """When the server stops, one that runs is killed, one that waits not begun."""
        path = make_program(self.mktemp(), "import time\ntime.sleep(1000)\n")

        class Soon(Event):
            looks = 0

            def is_set(self) -> bool:
                self.looks += 1
                return self.looks > 2

        ended = run_program(path, {}, 60.0, 100, Soon())
        self.assertEqual((-9, "the server stops"), (ended.status, ended.reason))
        self.shall_stop.set()
        ended = run_program(path, {}, 60.0, 100, self.shall_stop)
        self.assertIn("not begun", ended.reason)

    def test_gone(self) -> None:
        """A program that has gone since the start is a reason, no error."""
        ended = run_program("/nowhere/at/all", {}, 60.0, 100, self.shall_stop)
        self.assertIn("not begun: ", ended.reason)


class HookCase(ServerCase):
    """A server with a program for all occasions."""

    body = TELL
    more: dict[str, Any] = {}

    def setUp(self) -> Deferred[None]:
        """Make the program first."""
        self.directory = os.path.abspath(self.mktemp())
        self.program = make_program(self.directory, self.body)
        hook = f"{' '.join(OCCASIONS)}: {self.program}"
        self.settings = {"ftp.hooks": hook, "ftp.hooks_at_once": 1, **self.more}
        started: Deferred[None] = super().setUp()
        return started

    def told(self) -> list[dict[str, Any]]:
        """What the program was told, in order."""
        with open(os.path.join(self.directory, "told")) as file:
            return [json.loads(line) for line in file]


class HookTests(HookCase):
    """From the command of a client to the program."""

    @as_deferred
    async def test_session(self) -> None:
        """Each thing that happens has its program, after it has happened; all have
        run when the server has stopped."""

        def conversation(wire: Wire) -> None:
            data = wire.data("STOR a")
            data.sendall(b"hello")
            data.close()
            wire.reply()
            data = wire.data("STOR b")
            reset(data)
            wire.reply()
            wire.data("RETR a").close()
            wire.reply()
            for command in ("RNFR a", "RNTO $(x) y", "MKD d", "RMD d", "DELE $(x) y"):
                self.assertIn(wire.say(command)[0], "23")
            self.assertEqual("550", wire.say("DELE nothing")[:3])
            wire.say("QUIT")

        await self.talk(conversation)
        await self.server.house.stop()

        told = self.told()
        names = [one["NETSERVICES_EVENT"] for one in told]
        downloads = {"download", "download_incomplete"}
        self.assertIn(names.pop(3), downloads)
        expected = ["login", "upload", "upload_incomplete", "rename", "mkdir"]
        self.assertEqual([*expected, "rmdir", "delete", "logout"], names)
        upload, rename = told[1], told[4]
        self.assertEqual("alice@localhost", upload["NETSERVICES_ACCOUNT"])
        self.assertEqual("127.0.0.1", upload["NETSERVICES_ADDRESS"])
        self.assertEqual("5", upload["NETSERVICES_SIZE"])
        self.assertEqual("complete", upload["NETSERVICES_OUTCOME"])
        self.assertEqual(os.path.join(self.home, "a"), upload["NETSERVICES_PATH"])
        self.assertEqual(
            os.path.join(self.home, "$(x) y"), rename["NETSERVICES_TARGET"]
        )
        self.assertEqual("/$(x) y", rename["NETSERVICES_VIRTUAL_TARGET"])
        for one in told:
            self.assertEqual(([], ""), (one["arguments"], one["input"]))

    @as_deferred
    async def test_file_is_there(self) -> None:
        """The program of an upload finds the whole file under its name."""
        make_program(
            self.directory,
            "import os, sys\n"
            "if os.environ['NETSERVICES_EVENT'] == 'upload':\n"
            "    sys.exit(os.stat(os.environ['NETSERVICES_PATH']).st_size)\n",
        )

        def conversation(wire: Wire) -> None:
            data = wire.data("STOR a")
            data.sendall(b"12345")
            data.close()
            wire.reply()

        with capturedLogs() as captured:
            failed: list[Any] = []
            self.server.house.services.events.subscribe(failed.append)
            await self.talk(conversation)
            await self.server.house.stop()

        (event,) = [one for one in failed if one["event"] == "hook_failed"]
        self.assertEqual(
            ("upload", 5, "/a"), (event["hook"], event["status"], event["path"])
        )
        ends = [one["how"] for one in captured if "how" in one]
        self.assertEqual(["exit status 0", "exit status 5", "exit status 0"], ends)


class SlowHookTests(HookCase):
    """Programs that take their time."""

    body = "import time\ntime.sleep(1000)\n"
    more = {"ftp.hooks_waiting": 1, "ftp.hooks_grace": "100ms"}

    @as_deferred
    async def test_nobody_waits(self) -> None:
        """Replies come while programs run and wait; what is too much is dropped and
        counted; a stop kills the rest."""

        def conversation(wire: Wire) -> None:
            for number in range(4):
                self.assertEqual("257", wire.say(f"MKD d{number}")[:3])

        await self.talk(conversation)
        hooks = self.server.house.status()["protocols"]["ftp"]["hooks"]
        self.assertEqual(2, hooks["waiting"])
        # The login, four directories, and the logout, if that has been seen yet.
        self.assertIn(hooks["dropped"], (3, 4))
        with capturedLogs() as captured:
            await self.server.house.stop()
        ends = [one["how"] for one in captured if "how" in one]
        self.assertEqual("the server stops", ends[0])
        self.assertIn("not begun", ends[1])
