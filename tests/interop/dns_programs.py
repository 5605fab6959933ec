"""named, nsd and knotd as processes on loopback, each in a directory of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

SECONDS = 30.0
"""How long anything may take that is waited for."""

WORDS = {"named": ("-g", "-n", "1", "-c"), "nsd": ("-d", "-c"), "knotd": ("-c",)}
"""What each program wants before its configuration to stay in the foreground."""


def free_port() -> int:
    """A port of loopback that nobody has, over UDP and TCP."""
    while True:
        with (
            socket.socket() as stream,
            socket.socket(type=socket.SOCK_DGRAM) as packets,
        ):
            stream.bind(("127.0.0.1", 0))
            port: int = stream.getsockname()[1]
            try:
                packets.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def short_place() -> Path:
    """A new directory; knotd's socket lies there, so its path is short."""
    return Path(tempfile.mkdtemp())


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Ask again and again; AssertionError in the end."""
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


class Program:
    """A program that runs with the file ``conf`` of its directory."""

    def __init__(self, path: str, place: Path) -> None:
        self._place = place
        self._log = (place / "log").open("wb")
        self.process = subprocess.Popen(
            [path, *WORDS[os.path.basename(path)], str(place / "conf")],
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )

    def said(self) -> str:
        """Its log."""
        return (self._place / "log").read_text(errors="replace")

    def stop(self) -> None:
        """End it, and its children."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
                self.process.wait(5)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue
        self._log.close()
