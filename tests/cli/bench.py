"""A state directory for tests of the command, and the command run in it."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from netservices.accounts.bootstrap import first_start
from netservices.accounts.settings import AccountsSettings
from netservices.cli import main
from netservices.core.deferreds import value_of
from netservices.core.settings import with_values
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore

CHEAP_HASHES = """
[accounts]
argon2_time = 1
argon2_memory = "8K"
"""


class CommandTestCase(SynchronousTestCase):
    """Tests in a fresh state directory with the domain ``example.org``."""

    def setUp(self) -> None:
        """Make the state directory, as a first start does."""
        self.state = self.mktemp()
        store = SQLiteStore(self.state, StoreSettings(), None)
        value_of(store.open())
        cheap = with_values(AccountsSettings, argon2_time=1, argon2_memory=8192)
        value_of(first_start(store, "example.org", cheap))
        value_of(store.close())
        self.config = self.mktemp()
        with open(self.config, "w") as file:
            file.write(CHEAP_HASHES)

    def run_command(self, *words: str, given: str | None = None) -> Result:
        """The outcome of ``netservices WORDS``."""
        options = ["--state", self.state, "--config", self.config]
        return CliRunner().invoke(main, [*options, *words], input=given)

    def command(self, *words: str, given: str | None = None) -> str:
        """What a command that works prints."""
        result = self.run_command(*words, given=given)
        self.assertEqual(result.exit_code, 0, f"{words}: {result.output}")
        return result.stdout

    def rows(self, *words: str) -> Any:
        """What a command prints with ``--json``."""
        return json.loads(self.command(*words, "--json"))

    def refusal(self, *words: str, given: str | None = None) -> str:
        """The message of a command that must fail."""
        result = self.run_command(*words, given=given)
        self.assertNotEqual(result.exit_code, 0, result.output)
        self.assertNotIn("Traceback", result.output)
        self.assertIsInstance(result.exception, SystemExit)
        return result.stderr
