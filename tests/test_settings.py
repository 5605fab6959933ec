"""Every setting is documented, generated and of a type that can be written."""

from __future__ import annotations

import tomllib
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from netservices.config.conversion import structure, written
from netservices.config.discovery import Found
from netservices.config.manual import (
    PAGE_PATH,
    TOML_PATH,
    page_text,
    sections,
    toml_text,
)
from tests.house.configurations import load_text

ROOT = Path(__file__).resolve().parent.parent


class DocumentTests(SynchronousTestCase):
    """The files in etc/ and docs/ say what the source says."""

    def test_toml_is_current(self) -> None:
        """etc/netservices.toml is what ``make docs`` would write."""
        content = (ROOT / TOML_PATH).read_text(encoding="utf-8")

        self.assertEqual(toml_text(), content, "run: make docs")

    def test_page_is_current(self) -> None:
        """docs/settings.md is what ``make docs`` would write."""
        content = (ROOT / PAGE_PATH).read_text(encoding="utf-8")

        self.assertEqual(page_text(), content, "run: make docs")

    def test_every_option_is_documented(self) -> None:
        """Each setting has a sentence of help and its place in both documents."""
        page = (ROOT / PAGE_PATH).read_text(encoding="utf-8")
        missing = [
            f"{section.name}.{setting.key}"
            for section in sections()
            for setting in section.settings
            if len(setting.help.split()) < 3
            or f"### `{section.name}.{setting.key}`\n" not in page
        ]

        self.assertEqual([], missing)

    def test_every_section_is_introduced(self) -> None:
        """Each section says in a sentence what it is about."""
        self.assertEqual([], [s.name for s in sections() if len(s.summary) < 10])

    def test_uncommented_toml_is_valid(self) -> None:
        """The file with every setting uncommented loads, and changes nothing."""
        lines = toml_text().splitlines()
        text = "\n".join(
            line[1:] if line.startswith("#") and line[1:2].isalpha() else line
            for line in lines
        )
        keys = sum(len(section.settings) for section in sections())

        self.assertEqual(keys, sum(len(t) for t in tomllib.loads(text).values()))
        full, empty = load_text(text), load_text("")
        for section in sections():
            self.assertEqual(getattr(empty, section.name), getattr(full, section.name))


class DefaultTests(SynchronousTestCase):
    """Defaults obey the rules that they announce."""

    def test_defaults_are_within_their_limits(self) -> None:
        """Each default can be written, read back, and lies within its limits."""
        for section in sections():
            for setting in section.settings:
                text = f"value = {written(setting.default)}"
                value = tomllib.loads(text)["value"]
                try:
                    structure(value, setting)
                except ValueError as error:
                    self.fail(f"{section.name}.{setting.key} = {value!r}: {error}")

    def test_framework_settings_are_not_redefined(self) -> None:
        """No protocol's settings class has an ``enabled`` or ``listen`` of its own."""
        from netservices.config.discovery import find_plugins, load_settings_class
        from netservices.core.settings import settings_of

        found: Found = find_plugins()
        for name, plugin in found.plugins.items():
            own = load_settings_class(plugin)
            keys = {setting.key for setting in settings_of(own)} if own else set()
            self.assertEqual(set(), keys & {"enabled", "listen"}, name)
