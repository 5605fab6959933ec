"""The settings of the DNS server: each is obeyed, and what is wrong is named early."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
from twisted.trial.unittest import SynchronousTestCase

import netservices.dns
from netservices.config.loading import CommandLine, load
from netservices.core.errors import ConfigurationError
from netservices.dns.settings import DNSSettings

PACKAGE = Path(netservices.dns.__file__).parent
SHARED = {"enabled", "listen"}
"""Those that every protocol has."""


class SettingTests(SynchronousTestCase):
    """``[dns]`` in a configuration file."""

    def test_each_is_read(self) -> None:
        """No setting is there that the server does not look at."""
        source = "".join(
            path.read_text(encoding="utf-8")
            for path in [*PACKAGE.rglob("*.py"), PACKAGE.parent / "cli" / "domain.py"]
            if path.name != "settings.py"
        )
        names = {field.name for field in attrs.fields(DNSSettings)} - SHARED
        unread = {n for n in names if not re.search(rf"settings\.{n}\b", source)}

        self.assertEqual(set(), unread)

    def test_mistakes(self) -> None:
        """A line that means nobody is named with its file before the server starts."""
        path = Path(self.mktemp())
        for key in ("views", "allow_query", "allow_transfer", "allow_update", "notify"):
            path.write_text(f'[dns]\n\n{key} = ["nobody here"]\n', encoding="utf-8")

            problem = self.assertRaises(
                ConfigurationError, load, CommandLine(file=str(path))
            )
            self.assertIn(f"{path}:3: [dns] {key}", str(problem))
