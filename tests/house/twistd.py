"""Run ``twistd netservices`` as a child process, on loopback and free ports."""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from netservices.control.client import ask

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 60
"""When a child that says nothing is given up."""

_TWISTD = "from twisted.scripts.twistd import run; run()"


def environment(*paths: str | Path, **more: str) -> dict[str, str]:
    """The environment of a child that finds this checkout, and ``paths``."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("LISTEN_", "NOTIFY_", "WATCHDOG_", "STATE_DIRECTORY"))
    }
    found = [str(path) for path in (ROOT, *paths)]
    return {**kept, "PYTHONPATH": os.pathsep.join(found), **more}


def run_twistd(
    *arguments: str,
    paths: tuple[str | Path, ...] = (),
    twistd: tuple[str, ...] = (),
    cwd: str = ".",
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run ``twistd -n netservices ARGUMENTS`` to its end."""
    command = [sys.executable, "-c", _TWISTD, "-n", "--pidfile=", *twistd]
    return subprocess.run(
        [*command, "netservices", *arguments],
        env=environment(*paths, **(env or {})),
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


class Running:
    """A server in a child process, from READY until the end of the ``with``."""

    def __init__(
        self,
        state: str,
        *arguments: str,
        paths: tuple[str | Path, ...] = (),
        twistd: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
        pass_fds: tuple[int, ...] = (),
        starter: tuple[str, ...] = (),
    ) -> None:
        self.state = os.path.abspath(state)
        self.output = ""
        self.first_words = "#info] ready: "
        command = [sys.executable, "-c", _TWISTD, "-n", "--pidfile=", *twistd]
        arguments = ("--state", self.state, *arguments)
        self.child = subprocess.Popen(
            [*starter, *command, "netservices", *arguments],
            env=environment(*paths, **(env or {})),
            cwd=os.path.dirname(self.state),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=pass_fds,
        )

    @classmethod
    def quiet(cls, state: str, *arguments: str) -> Running:
        """One that says nothing when it is ready, but for the words of the start."""
        running = cls(state, *arguments)
        running.first_words = "netservices on "
        return running

    def __enter__(self) -> Running:
        self.wait_for(self.first_words)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self.child.poll() is None:
            self.child.kill()
        self.child.communicate()

    def wait_for(self, words: str) -> None:
        """Read the output until ``words`` are in it.  AssertionError at its end."""
        assert self.child.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self.child.stdout, selectors.EVENT_READ)
            while words not in self.output:
                assert selector.select(SECONDS), f"no {words!r} in:\n{self.output}"
                piece = os.read(self.child.stdout.fileno(), 65536).decode()
                assert piece, f"it ended without {words!r}:\n{self.output}"
                self.output += piece

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and wait for the end; the exit status."""
        self.child.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Wait for the end; the exit status."""
        rest, _ = self.child.communicate(timeout=SECONDS)
        self.output += rest.decode()
        return self.child.returncode

    def status(self) -> dict[str, Any]:
        """What the control socket says."""
        return ask(self.state, {"verb": "status"})

    def port(self, protocol: str, kind: str) -> int:
        """The bound port of a protocol's listener."""
        for row in self.status()["listeners"]:
            if row["protocol"] == protocol and row["endpoint"].startswith(kind):
                return int(row["port"])
        raise LookupError((protocol, kind))

    @property
    def password(self) -> str:
        """The password that the first start printed."""
        match = re.search(r"password  (\S+)", self.output)
        assert match is not None, self.output
        return match[1]
