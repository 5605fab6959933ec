"""``netservices backup``, ``restore`` and ``check``."""

from __future__ import annotations

import os
import shutil

from twisted.internet.defer import Deferred

from netservices.cli.bench import TREES
from netservices.core.deferreds import value_of
from netservices.core.settings import with_values
from netservices.files.service import Files
from netservices.files.settings import FilesSettings
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from tests.cli.bench import CommandTestCase


class CareTests(CommandTestCase):
    """The whole state goes into a backup and comes back."""

    def upload(self, login: str, name: str, content: bytes) -> None:
        """Put a file into an account's home, as a server would."""
        store = SQLiteStore(self.state, StoreSettings(), None)
        value_of(store.open())
        files = Files(self.state, store, with_values(FilesSettings), None)
        value_of(files.start())
        account = value_of(store.records.account(login, "example.org"))
        assert account is not None

        async def put() -> None:
            upload = await files.home(account).begin_write((name,))
            upload.write(content)
            await upload.commit()

        value_of(Deferred.fromCoroutine(put()))
        value_of(files.stop())
        value_of(store.close())

    def test_round_trip(self) -> None:
        """Accounts, zones and files of a restored backup are those that were."""
        self.command("account", "add", "alice", "--quota", "5M")
        self.command("domain", "add", "example.net")
        self.upload("alice", "letter", b"Dear Bob")
        shown = self.rows("account", "show", "alice")
        zone = self.command("zone", "export", "example.net")
        target = os.path.abspath(self.mktemp())
        self.command("backup", target)
        self.state = self.mktemp()
        self.command("restore", target)
        home = os.path.join(self.state, "files", "alice@example.org")

        self.assertEqual(shown, self.rows("account", "show", "alice"))
        self.assertEqual("8 in 1 files", shown["stored"])
        self.assertEqual(zone, self.command("zone", "export", "example.net"))
        with open(os.path.join(home, "letter"), "rb") as file:
            self.assertEqual(b"Dear Bob", file.read())
        self.assertIn("No damage", self.command("check"))

    def test_every_tree(self) -> None:
        """Each directory of the state but logs and work areas is in a backup."""
        for tree in TREES:
            os.makedirs(os.path.join(self.state, tree), exist_ok=True)
            with open(os.path.join(self.state, tree, "mark"), "w") as file:
                file.write(tree)
        target = os.path.abspath(self.mktemp())
        self.command("backup", target)
        self.state = self.mktemp()
        self.command("restore", target)
        for tree in TREES:
            with open(os.path.join(self.state, tree, "mark")) as file:
                self.assertEqual(tree, file.read())

    def test_damaged_backup(self) -> None:
        """A backup in which one octet changed is refused, and nothing is left."""
        self.command("account", "add", "alice")
        self.upload("alice", "letter", b"Dear Bob")
        target = os.path.abspath(self.mktemp())
        self.command("backup", target)
        for directory, _, names in os.walk(target):
            if "letter" in names:
                with open(os.path.join(directory, "letter"), "r+b") as file:
                    file.write(b"d")
        self.state = self.mktemp()

        self.assertIn("damaged", self.refusal("restore", target))
        self.assertFalse(os.path.exists(self.state))

    def test_restore_over_something(self) -> None:
        """A state directory that holds something is never restored over."""
        target = os.path.abspath(self.mktemp())
        self.command("backup", target)

        self.assertIn("not empty", self.refusal("restore", target))

    def test_check_finds_and_repairs(self) -> None:
        """Sums that do not match the disk are found, mended, and then right."""
        self.command("account", "add", "alice")
        self.upload("alice", "letter", b"Dear Bob")
        home = os.path.join(self.state, "files", "alice@example.org")
        shutil.copy(os.path.join(home, "letter"), os.path.join(home, "copy"))
        result = self.run_command("check")

        self.assertEqual(1, result.exit_code)
        self.assertIn("alice@example.org", result.stdout)

        repaired = self.run_command("check", "--repair")

        self.assertEqual(0, repaired.exit_code, repaired.output)
        self.assertIn("No damage", self.command("check"))
        stored = self.rows("account", "show", "alice")["stored"]
        self.assertEqual("16 in 2 files", stored)

    def test_no_state(self) -> None:
        """A directory without state is named, with the ways out."""
        self.state = self.mktemp()

        self.assertIn("--state", self.refusal("check"))
        self.assertFalse(os.path.exists(self.state))
