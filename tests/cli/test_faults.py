"""The command where something about its place or its output is wrong."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile

from netservices.core.deferreds import value_of
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from tests.cli.bench import CommandTestCase

NOBODY = 65534


class OutputTests(CommandTestCase):
    """Standard streams that are closed, full, or no longer read."""

    def shell(self, script: str, *words: str) -> subprocess.CompletedProcess[str]:
        """The end of ``script``, whose ``"$@"`` is the command with ``words``."""
        command = [sys.executable, "-m", "netservices.cli", "--state", self.state]
        arguments = ["sh", "-c", script, "sh", *command, "--config", self.config]
        return subprocess.run([*arguments, *words], capture_output=True, text=True)

    def test_closed_input(self) -> None:
        """A password cannot come from a closed standard input."""
        ended = self.shell('"$@" <&-', "account", "passwd", "admin", "--password-stdin")

        self.assertEqual("Error: no password on standard input\n", ended.stderr)
        self.assertEqual(1, ended.returncode)

    def test_unprintable(self) -> None:
        """A password that was made but cannot be printed is a failure, and the message
        says that the account is there."""
        for number, redirection in enumerate((">&-", ">/dev/full")):
            name = f"u{number}"
            ended = self.shell(f'"$@" {redirection}', "account", "add", name)
            self.assertEqual(1, ended.returncode, ended)
            self.assertNotIn("Traceback", ended.stderr)
            self.assertIn("the answer cannot be printed", ended.stderr)
            self.assertIn("is done", ended.stderr)
            self.command("account", "show", name)

    def test_closed_streams(self) -> None:
        """With all streams closed the work is done all the same, and the database is
        not written over by what would be printed."""
        self.shell('"$@" <&- >&- 2>&-', "account", "add", "quiet")
        self.command("account", "show", "quiet")
        self.assertIn("No damage", self.command("check"))

    def test_reader_that_leaves(self) -> None:
        """Whoever reads only the first line of a long list ends the command quietly."""
        targets = [f"t{number}@example.net" for number in range(900)]
        for number in range(9):
            self.command("account", "alias", "add", f"list{number}", *targets)
        ended = self.shell('"$@" | head -c 10', "account", "alias", "list")

        self.assertEqual("list0@exam", ended.stdout)
        self.assertEqual("", ended.stderr)


class PlaceTests(CommandTestCase):
    """State directories that are somebody else's, or nowhere."""

    def test_empty_name(self) -> None:
        """An empty --state, as of an unset shell variable, is not the default one."""
        self.state = ""
        result = self.run_command("account", "list")

        self.assertEqual(2, result.exit_code)
        self.assertIn("--state: the name of a directory is wanted", result.output)

    def test_directory_that_is_gone(self) -> None:
        """A relative name below a working directory that was removed is one line."""
        here = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
        gone = self.mktemp()
        self.config = os.path.abspath(self.config)
        os.mkdir(gone)
        os.chdir(gone)
        try:
            os.rmdir(os.path.join("..", os.path.basename(gone)))
            self.state = "state"
            message = self.refusal("account", "list")
        finally:
            os.fchdir(here)
            os.close(here)
        self.assertIn("No such file or directory", message)

    def test_root_backs_up(self) -> None:
        """Root backs up the state of another user to a place of its own, and leaves
        nothing of its own in the state."""
        self.give_away()
        target = os.path.abspath(self.mktemp())
        self.command("backup", target)

        self.assertEqual(0, os.stat(os.path.join(target, "manifest.json")).st_uid)
        found = [
            os.path.join(above, name)
            for above, directories, names in os.walk(self.state)
            for name in (*directories, *names)
        ]
        self.assertEqual([], [path for path in found if os.stat(path).st_uid == 0])
        self.assertIn("store.lock", os.listdir(self.state))
        self.assertEqual((0, 0), (os.geteuid(), os.getegid()))

    def test_no_permission(self) -> None:
        """Who may not look into the state directory is told so, not that it is
        empty."""
        self.give_away()
        os.chown(self.state, 0, 0)
        os.seteuid(NOBODY)
        try:
            message = self.refusal("account", "list")
        finally:
            os.seteuid(0)
        self.assertIn("Permission denied; run this as root", message)

    def test_behind_a_closed_door(self) -> None:
        """Root reaches the state of a systemd DynamicUser, which lies in a directory
        of root's alone, and files of its own; what it makes is the owner's."""
        self.give_away()
        door = os.path.dirname(self.state)
        os.chmod(door, 0o700)
        file = os.path.join(door, "zone")
        with open(file, "w", encoding="utf-8") as zone:
            zone.write("@ 60 SOA ns1 joe 1 1 1 1 1\n@ NS ns1\nns1 A 192.0.2.1\n")
        for words in (["zone", "import", "example.org", file], ["check"]):
            result = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "netservices.cli",
                    "--state",
                    self.state,
                    *words,
                ],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            self.assertEqual((0, ""), (result.returncode, result.stderr))
        made = os.path.join(self.state, "store.lock")
        self.assertEqual(NOBODY, os.stat(made).st_uid)
        self.command("backup", os.path.abspath(self.mktemp()))

    def give_away(self) -> None:
        """Let the state be another user's, without what is made when it is opened."""
        if os.geteuid() != 0:
            self.skipTest("only root can give things away")
        reachable = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, reachable)
        os.chmod(reachable, 0o755)
        self.state = shutil.move(self.state, os.path.join(reachable, "state"))
        self.config = shutil.move(self.config, os.path.join(reachable, "config"))
        store = SQLiteStore(self.state, StoreSettings(), None)
        value_of(store.open())
        value_of(store.close())
        for name in ("store.lock", "spare"):
            os.unlink(os.path.join(self.state, name))
        for above, directories, names in os.walk(self.state):
            for name in (*directories, *names):
                os.chown(os.path.join(above, name), NOBODY, NOBODY)
        os.chown(self.state, NOBODY, NOBODY)
