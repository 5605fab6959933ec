"""The manual says what is: links lead somewhere, examples run, nothing is missing.

Blocks of ``console`` are sessions, run by ``tests.interop.test_manual``; blocks of
``sh`` are only parsed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import attrs
import click
from twisted.trial.unittest import SynchronousTestCase

import netservices.plugin
import netservices.testing
from netservices.config.loading import CommandLine, load
from netservices.config.manual import sections
from netservices.events import SCHEMA
from netservices.ftp.dialogue.conversation import COMMANDS
from netservices.ftp.dialogue.site import SITE_COMMANDS
from netservices.plugin import ProtocolPlugin, Server, Services
from netservices.tap import Options
from tests.house.manual import (
    DOCS,
    PAGES,
    RUN_AS_SESSIONS,
    anchors_of,
    blocks,
    command_table,
    leaf_commands,
    own_commands,
    page_named,
    pages_about,
    parse,
    prose_of,
    quoted_messages,
    strings_of_the_source,
)
from tests.house.twistd import ROOT, environment

RUN_AS_TESTS = ("testing.md", "plugins.md")
"""Pages whose Python is run, and not only compiled."""

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_SETTING = re.compile(r"`([a-z]+)\.([a-z0-9_]+)(?![\w.(])")
_EVENT_ROW = re.compile(r"^\| `([a-z_]+)` \|(.*)\|$", re.MULTILINE)


class LinkTests(SynchronousTestCase):
    """Links inside the repository."""

    def test_links_lead_somewhere(self) -> None:
        """Every relative link names a file, and every anchor one of its headings."""
        wrong = []
        for page in PAGES:
            for link in _LINK.findall(prose_of(page)):
                if re.match(r"[a-z]+:", link):
                    continue
                name, _, anchor = link.partition("#")
                target = (page.parent / name).resolve() if name else page
                is_right = target.exists()
                if is_right and anchor:
                    is_right = anchor in anchors_of(target)
                if not is_right:
                    wrong.append(f"{page.relative_to(ROOT)}: {link}")

        self.assertEqual([], wrong)

    def test_every_page_is_in_the_index(self) -> None:
        """The table of pages names each one."""
        index = page_named("index.md")
        names = {page.name for page in DOCS.glob("*.md")} - {"index.md"}

        self.assertEqual([], [name for name in sorted(names) if name not in index])


class CompleteTests(SynchronousTestCase):
    """What exists is in the manual, and what the manual names exists."""

    def test_settings_that_are_named_exist(self) -> None:
        """``section.key`` in code letters is a setting, wherever it stands."""
        known = {f"{s.name}.{one.key}" for s in sections() for one in s.settings}
        tables = {section.name for section in sections()}
        wrong = []
        for page in PAGES:
            for section, key in _SETTING.findall(prose_of(page)):
                name = f"{section}.{key}"
                is_file = key in ("md", "py", "toml", "rst", "service", "lock")
                if section in tables and not is_file and name not in known:
                    wrong.append(f"{page.relative_to(ROOT)}: {name}")

        self.assertEqual([], wrong)

    def test_settings_of_protocols(self) -> None:
        """Each setting of a protocol stands on one of the protocol's own pages."""
        missing = [
            f"{section.name}.{setting.key}"
            for section in sections()
            if (told := pages_about(section.name))
            for setting in section.settings
            if setting.key not in ("enabled", "listen")
            and f"{section.name}.{setting.key}" not in told
        ]

        self.assertEqual([], missing)

    def test_command(self) -> None:
        """Each subcommand has its heading, and below it all its options and
        arguments."""
        page = page_named("command.md")
        parts = re.split(r"^### `(netservices [^`]*)`$", page, flags=re.MULTILINE)
        told = dict(zip(parts[1::2], parts[2::2], strict=True))
        missing = []
        for path, command in leaf_commands():
            name = " ".join(path)
            for parameter in command.params:
                spellings = (*parameter.opts, *parameter.secondary_opts)
                if isinstance(parameter, click.Argument):
                    spellings = (parameter.make_metavar(click.Context(command)),)
                for spelling in spellings:
                    wanted = spelling.strip("[].{}")
                    if wanted not in told.get(name, ""):
                        missing.append(f"{name}: {wanted}")

        self.assertEqual([], missing)
        surplus = set(told) - {" ".join(path) for path, _ in leaf_commands()}
        self.assertEqual(set(), surplus)

    def test_options_of_the_server(self) -> None:
        """Each option of ``twistd netservices`` is on the page about running."""
        page = page_named("running.md")
        names = [option.rstrip("=") for option in Options().longOpt]

        self.assertEqual([], [name for name in names if f"--{name}" not in page])

    def test_ftp_commands(self) -> None:
        """The tables of FTP commands are what the registry says."""
        page = page_named("ftp.md")
        for verbs in (COMMANDS.verbs, SITE_COMMANDS.verbs):
            table = command_table(verbs)
            self.assertIn(f"\n\n{table}\n\n", page, f"put this there:\n{table}")

    def test_messages_exist(self) -> None:
        """What the tables of messages quote is said somewhere in the source."""
        said = "\n".join(text for _, text in strings_of_the_source())
        pieces = [piece for quote in quoted_messages() for piece in quote.split("...")]
        wanted = {piece.strip() for piece in pieces if len(piece.strip()) > 5}

        self.assertEqual([], sorted(piece for piece in wanted if piece not in said))

    def test_messages_of_the_start(self) -> None:
        """Each error that stops the program has a row that says what to do."""
        quotes = [quote.split("...")[0] for quote in quoted_messages()]
        missing = [
            text
            for kind, text in strings_of_the_source()
            if kind in ("StartupError", "ConfigurationError", "CertificateProblem")
            and len(text.replace("{}", "").strip(": []")) > 16
            and not any(quote in text for quote in quotes)
        ]

        self.assertEqual([], missing)

    def test_events(self) -> None:
        """Each event is there with exactly its fields."""
        shared = ("protocol", "session", "address", "is_secure")
        told = {}
        for name, cells in _EVENT_ROW.findall(page_named("events.md")):
            fields = tuple(re.findall(r"`([a-z_]+)`", cells.split("|")[0]))
            told[name] = (*shared, *fields) if "*session*" in cells else fields

        self.assertEqual(dict(SCHEMA), told)

    def test_events_that_are_recorded(self) -> None:
        """The page knows which events are in the schema only."""
        page = page_named("events.md")
        recorded, _, reserved = page.partition("## Not recorded yet")
        source = "".join(
            path.read_text(encoding="utf-8")
            for path in (ROOT / "netservices").rglob("*.py")
            if path.name != "events.py"
        )
        emitted = {name for name in SCHEMA if re.search(rf'emit\(\s*"{name}"', source)}

        self.assertEqual(emitted, {n for n, _ in _EVENT_ROW.findall(recorded)})
        rest = set(SCHEMA) - emitted
        self.assertEqual(rest, {n for n, _ in _EVENT_ROW.findall(reserved)})

    def test_plugin_names(self) -> None:
        """All that a protocol author can use is on the page about plugins."""
        page = page_named("plugins.md")
        names = list(netservices.plugin.__all__)
        for values in (Server, ProtocolPlugin, Services):
            names += [field.name for field in attrs.fields(values)]

        self.assertEqual([], [name for name in names if f"`{name}`" not in page])

    def test_testing_names(self) -> None:
        """All names of the test kit are on its page."""
        page = page_named("testing.md")
        names = netservices.testing.__all__

        self.assertEqual([], [name for name in names if f"`{name}" not in page])


class ExampleTests(SynchronousTestCase):
    """Examples parse, compile, and run."""

    def test_toml(self) -> None:
        """Each example of a configuration is valid."""
        directory = Path(self.mktemp())
        directory.mkdir()
        count = 0
        for page in PAGES:
            for body in blocks(page, "toml"):
                count += 1
                file = directory / f"{page.stem}-{count}.toml"
                file.write_text(body, encoding="utf-8")
                load(CommandLine(file=str(file)))

        self.assertGreater(count, 0)

    def test_shell(self) -> None:
        """Commands that are shown and not run have subcommands and options that
        exist."""
        count = 0
        known = {option.rstrip("=") for option in Options().longOpt} | {"shout"}
        for page in PAGES:
            for body in blocks(page, "sh"):
                for line in body.splitlines():
                    self._check_line(f"{page.name}: {line}", line, known)
                    count += 1

        self.assertGreater(count, 5)

    def _check_line(self, place: str, line: str, known: set[str]) -> None:
        for arguments in own_commands(line):
            try:
                parse(arguments)
            except click.UsageError as problem:
                self.fail(f"{place}: {problem.format_message()}")
        before, found, after = line.partition(" netservices ")
        if found and ("twistd" in before or "twisted" in before):
            for name in re.findall(r"--([a-z-]+)", after):
                self.assertIn(name, known, place)

    def test_every_session_is_run(self) -> None:
        """No page has a console session that no test types."""
        pages = {page.name for page in PAGES if blocks(page, "console")}

        self.assertEqual({"README.md", *RUN_AS_SESSIONS}, pages)

    def test_python_compiles(self) -> None:
        """Every block of Python is Python."""
        for page in PAGES:
            for number, body in enumerate(blocks(page, "python")):
                compile(body, f"{page.name}:{number}", "exec")

    def test_python_runs(self) -> None:
        """The pages about tests and plugins are test modules that pass."""
        directory = Path(self.mktemp()).absolute()
        directory.mkdir()
        for name in RUN_AS_TESTS:
            module = directory / f"test_{Path(name).stem}.py"
            module.write_text("\n\n".join(blocks(DOCS / name, "python")))
            result = subprocess.run(
                [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
                + [str(module)],
                env=environment(),
                cwd=directory,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            self.assertEqual(0, result.returncode, result.stdout + result.stderr)
            self.assertRegex(result.stdout, r"\d passed")
