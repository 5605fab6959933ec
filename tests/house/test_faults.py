"""A server in a process of its own, in places and with signals that go wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from netservices.accounts.bootstrap import unseen_login
from netservices.core.deferreds import value_of
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from tests.house.twistd import Running, environment, run_twistd

DNS = ("--dns", "--dns-listen", "udp:0", "--interface", "127.0.0.1")


class FaultTestCase(SynchronousTestCase):
    """A state directory that is not there yet."""

    def setUp(self) -> None:
        """A place for it."""
        self.place = Path(self.mktemp()).absolute()
        self.place.mkdir(parents=True)
        self.state = str(self.place / "state")

    def refusal(self, status: int, *arguments: str, cwd: str = ".") -> str:
        """The one line of a start that must fail, with that exit status."""
        ended = run_twistd("--state", self.state, *DNS, *arguments, cwd=cwd)
        self.assertEqual(status, ended.returncode, ended.stdout + ended.stderr)
        self.assertNotIn("Traceback", ended.stdout + ended.stderr)
        lines = ended.stderr.splitlines()
        self.assertEqual(1, len(lines), ended.stderr)
        return lines[0]


class PlaceTests(FaultTestCase):
    """State directories and files that will not do."""

    def test_parts_in_the_way(self) -> None:
        """What lies in the state directory and is of the wrong kind is named."""
        with Running(self.state, *DNS) as server:
            self.assertEqual(0, server.stop())
        for name in ("blobs", "files", "store.lock"):
            path = Path(self.state, name)
            if path.is_dir():
                path.rmdir()
                path.touch()
            else:
                path.unlink()
                path.mkdir()
            self.assertIn(f"{path}: a ", self.refusal(1))
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink()

    def test_small_disk(self) -> None:
        """A first start on a disk without room leaves nothing behind."""
        line = self.refusal(1, "--set", "store.free_space_floor=1000T")
        self.assertIn("make room", line)
        self.assertFalse(os.path.exists(self.state))

    def test_few_files(self) -> None:
        """Where too few files may be open, one line says so; the soft limit is no
        limit."""
        limited = ("sh", "-c", 'ulimit -n 20; exec "$@"', "sh")
        child = Running(self.state, *DNS, starter=limited)
        self.addCleanup(child.child.kill)
        self.assertEqual(1, child.ended())
        self.assertIn("netservices: this process may have 20 files open", child.output)
        self.assertNotIn("Traceback", child.output)
        self.assertFalse(os.path.exists(self.state))

        limited = ("sh", "-c", 'ulimit -Sn 20; exec "$@"', "sh")
        with Running(self.state, *DNS, starter=limited) as server:
            self.assertEqual(0, server.stop())


class SignalTests(FaultTestCase):
    """Signals at odd moments."""

    def test_wrong_file_at_hangup(self) -> None:
        """A configuration that became wrong is one line of the log; a relative name is
        still that of the directory in which twistd was started."""
        path = self.place / "server.toml"
        path.write_text("[log]\ntrace = false\n")
        arguments = (*DNS, "--config", "server.toml")
        with Running(self.state, *arguments, twistd=("--rundir=/",)) as server:
            server.child.send_signal(signal.SIGHUP)
            server.wait_for("#info] reloaded")
            path.write_text("[log]\ntrace = 1\n")
            server.child.send_signal(signal.SIGHUP)
            server.wait_for("not reloaded: server.toml:2: [log] trace = 1: ")
            self.assertEqual(0, server.stop())
            self.assertNotIn("Traceback", server.output)

    def test_other_signals(self) -> None:
        """SIGUSR1 and SIGPIPE stop nothing."""
        with Running(self.state, *DNS) as server:
            server.child.send_signal(signal.SIGUSR1)
            server.child.send_signal(signal.SIGPIPE)
            self.assertEqual("running", server.status()["phase"])
            self.assertEqual(0, server.stop())


class FirstPasswordTests(FaultTestCase):
    """Nobody is left without the password of the first account."""

    def unseen(self) -> str | None:
        """Whose first password nobody may have seen."""
        store = SQLiteStore(self.state, StoreSettings(), None)
        value_of(store.open())
        try:
            return value_of(unseen_login(store))
        finally:
            value_of(store.close())

    def command(self, *words: str) -> None:
        """Run ``netservices WORDS``, which must work."""
        subprocess.run(
            [sys.executable, "-m", "netservices.cli", "--state", self.state, *words],
            env=environment(),
            check=True,
            capture_output=True,
        )

    def test_shown(self) -> None:
        """A password that was printed is not spoken of again."""
        with Running(self.state, *DNS) as server:
            self.assertEqual(0, server.stop())
        self.assertIsNone(self.unseen())
        with Running(self.state, *DNS) as server:
            self.assertNotIn("passwd", server.output)

    def test_unseen(self) -> None:
        """After a first start whose words were lost, each start tells the way out,
        until somebody has gone it."""
        script = 'exec "$@" >/dev/full'
        child = Running(self.state, *DNS, starter=("sh", "-c", script, "sh"))
        while not os.path.exists(os.path.join(self.state, "control")):
            self.assertIsNone(child.child.poll())
        child.stop()
        login = self.unseen()
        assert login is not None

        with Running(self.state, *DNS) as server:
            self.assertIn(f"netservices account passwd {login}`", server.output)
        self.command("account", "passwd", login)
        self.assertIsNone(self.unseen())


class CrashTests(SynchronousTestCase):
    """What a start does after a process that did not close the store."""

    def test_check_after_kill(self) -> None:
        """After kill -9 the store is looked over, which is said and recorded; after a
        clean stop it is not."""
        state = os.path.abspath(self.mktemp())
        os.makedirs(os.path.dirname(state), exist_ok=True)
        with Running(state, *DNS) as server:
            server.child.kill()
            server.child.wait()
        with Running(state, *DNS) as server:
            server.wait_for("the store is sound")
            self.assertEqual(0, server.stop())
        with open(os.path.join(state, "log", "events.jsonl")) as file:
            events = [json.loads(line) for line in file]
        checks = [one for one in events if one["event"] == "store_checked"]

        self.assertEqual([[]], [one["findings"] for one in checks])
        with Running(state, *DNS) as server:
            self.assertEqual(0, server.stop())
        self.assertNotIn("not closed", server.output)
