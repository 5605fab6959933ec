"""The console sessions of the manual, typed at a terminal.

``...`` in what a page prints stands for anything.
"""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.house.manual import page_named
from tests.house.twistd import ROOT, Running, environment
from tests.interop.test_readme import matches, steps_of

PATIENCE = 500
"""How often a file is looked at for what is about to be written to it."""

KINDS = {"ftp": ("tcp",), "dns": ("udp", "tcp"), "http": ("tcp", "tls")}
PORTS = {
    "8021": ("ftp", "tcp"),
    "8053": ("dns", ""),
    "8080": ("http", "tcp"),
    "8443": ("http", "tls"),
}
"""The ports that the manual says, and what listens there."""


class Terminal(SynchronousTestCase):
    """A server, and commands typed at a terminal beside it."""

    def setUp(self) -> None:
        """A fresh server, as its first start leaves it, for each page."""
        missing = [name for name in ("curl", "dig") if shutil.which(name) is None]
        if missing and not os.environ.get("CI"):
            raise SkipTest(f"not installed: {', '.join(missing)}")
        self.directory = Path(self.mktemp()).absolute()
        self.directory.mkdir(parents=True)
        for name in ("etc", "examples"):
            (self.directory / name).symlink_to(ROOT / name)
        self.server = Running(str(self.directory / "state"), *self.options())
        self.server.__enter__()
        self.addCleanup(self.server.__exit__, None, None, None)

    protocols: tuple[str, ...] = ("ftp", "dns")

    def options(self) -> list[str]:
        """Its protocols on free ports."""
        options = ["--interface", "127.0.0.1", "--set", "server.hostname=example.net"]
        for protocol in self.protocols:
            options.append(f"--{protocol}")
            for kind in KINDS[protocol]:
                options += [f"--{protocol}-listen", f"{kind}:0"]
        return options

    def type(self, command: str) -> tuple[str, int]:
        """What a terminal shows, and the exit status."""
        prelude = 'netservices() { "$PYTHON" -m netservices.cli "$@"; }\n'
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            ["timeout", "60", "bash", "-c", prelude + command],
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=subprocess.PIPE,
            cwd=self.directory,
            env=environment(
                NETSERVICES_STATE=self.server.state,
                PYTHON=sys.executable,
                TERM="dumb",
                COLUMNS="100",
                LC_ALL="C.UTF-8",
            ),
        )
        os.close(theirs)
        assert process.stderr is not None
        printed = _read_terminal(ours)
        printed += process.stderr.read().decode()
        process.stderr.close()
        lines = printed.replace("\r\n", "\n").split("\n")
        return "\n".join(line.rstrip() for line in lines), process.wait()

    def check_page(self, name: str) -> None:
        """Run the sessions of a page in order."""
        steps = steps_of(page_named(name))
        self.assertGreater(len(steps), 0, name)
        for step in steps:
            command = step.command
            for port, (protocol, kind) in PORTS.items():
                if port in command:
                    number = self.server.port(protocol, kind)
                    command = command.replace(port, str(number))
            printed, status = self.type(command)
            for _ in range(PATIENCE if command.startswith("grep ") else 0):
                if matches(step.expected, printed):
                    break
                printed, status = self.type(command)  # events are written behind
            is_meant = status == 0 or "Error:" in step.expected

            self.assertTrue(
                matches(step.expected, printed) and is_meant,
                f"{name}: $ {command}\n{printed}\nexpected:\n{step.expected}",
            )


class SessionTests(Terminal):
    """The console sessions of the manual, page by page."""

    def test_command(self) -> None:
        """docs/command.md"""
        self.check_page("command.md")

    def test_accounts(self) -> None:
        """docs/accounts.md"""
        self.check_page("accounts.md")

    def test_dns(self) -> None:
        """docs/dns.md"""
        self.check_page("dns.md")

    def test_dns_answers(self) -> None:
        """docs/dns-answers.md"""
        self.check_page("dns-answers.md")

    def test_dns_servers(self) -> None:
        """docs/dns-servers.md"""
        self.check_page("dns-servers.md")

    def test_dns_updates(self) -> None:
        """docs/dns-updates.md"""
        self.check_page("dns-updates.md")

    def test_storage(self) -> None:
        """docs/storage.md"""
        self.check_page("storage.md")

    def test_events(self) -> None:
        """docs/events.md"""
        self.check_page("events.md")


class WebTests(Terminal):
    """Those of the pages about the web."""

    protocols = ("http",)

    def test_http(self) -> None:
        """docs/http.md"""
        self.check_page("http.md")


def _read_terminal(descriptor: int) -> str:
    """Everything until the other side is closed."""
    found = b""
    try:
        while piece := os.read(descriptor, 65536):
            found += piece
    except OSError:
        pass  # Linux says EIO at the end of a terminal
    finally:
        os.close(descriptor)
    return found.decode("utf-8", "replace")
