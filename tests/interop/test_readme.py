"""The transcripts of the README, run as a reader would type them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from unittest import SkipTest

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parents[2]
PROGRAMS = ("curl", "lftp", "dig")
PATIENCE_SECONDS = 30


@frozen
class Step:
    """One command and what the README says that it prints."""

    command: str
    expected: str


def steps_of(text: str) -> list[Step]:
    """The commands of all ``console`` blocks, in order."""
    found: list[Step] = []
    for block in re.findall(r"^```console\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Step(line[2:], ""))
            elif line.startswith("> "):
                last = found.pop()
                found.append(Step(f"{last.command}\n{line[2:]}", ""))
            else:
                last = found.pop()
                found.append(Step(last.command, f"{last.expected}{line}\n"))
    return found


def matches(expected: str, printed: str) -> bool:
    """Whether the output is the expected one, where ``...`` stands for anything."""
    pattern = ".*".join(map(re.escape, expected.split("...")))
    return re.fullmatch(pattern, printed, re.DOTALL) is not None


def free_offset() -> int:
    """A port offset at which all protocols can listen on both loopback addresses."""
    for offset in range(21000, 60000, 211):
        sockets = []
        try:
            for family, address in (
                (socket.AF_INET, "127.0.0.1"),
                (socket.AF_INET6, "::1"),
            ):
                for port, kind in (
                    (21, socket.SOCK_STREAM),
                    (80, socket.SOCK_STREAM),
                    (53, socket.SOCK_STREAM),
                    (53, socket.SOCK_DGRAM),
                ):
                    probe = socket.socket(family, kind)
                    sockets.append(probe)
                    probe.bind((address, offset + port))
        except OSError:
            continue
        finally:
            for probe in sockets:
                probe.close()
        return offset
    raise SkipTest("no free ports")


class ReadmeTests(SynchronousTestCase):
    """A newcomer's first two minutes."""

    def setUp(self) -> None:
        """Start the server as ``make run`` does, in a directory like a checkout."""
        missing = [name for name in PROGRAMS if shutil.which(name) is None]
        if missing and not os.environ.get("CI"):
            raise SkipTest(f"not installed: {', '.join(missing)}")
        self.offset = free_offset()
        self.directory = Path(self.mktemp())
        self.directory.mkdir(parents=True)
        (self.directory / "etc").symlink_to(ROOT / "etc")
        activate = self.directory / ".venv" / "bin" / "activate"
        activate.parent.mkdir(parents=True)
        activate.write_text("")
        self.server = subprocess.Popen(
            [sys.executable, "-m", "twisted", "netservices", *self.options()],
            cwd=self.directory,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.addCleanup(self.stop)
        self.wait_until_ready()

    def options(self) -> list[str]:
        """Both loopback addresses, and nothing else."""
        options = ["--state", "state", "--set", "server.hostname=localhost"]
        for address in ("127.0.0.1", r"\:\:1"):
            ftp = f"tcp:{self.offset + 21}:interface={address}"
            http = f"tcp:{self.offset + 80}:interface={address}"
            options += ["--ftp-listen", ftp, "--http-listen", http]
            for kind in ("tcp", "udp"):
                dns = f"{kind}:{self.offset + 53}:interface={address}"
                options += ["--dns-listen", dns]
        return options

    def stop(self) -> None:
        """End the server."""
        self.server.terminate()
        self.server.wait(PATIENCE_SECONDS)

    def wait_until_ready(self) -> None:
        """Return when ``netservices status`` says that all listeners answer."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.shell("netservices --state state status").returncode:
            if time.monotonic() > deadline or self.server.poll() is not None:
                self.fail("the server did not start")

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        """What a shell makes of ``script``, with our commands on its path."""
        prelude = 'netservices() { "$PYTHON" -m netservices.cli "$@"; }\n'
        return subprocess.run(
            ["bash", "-c", prelude + script],
            cwd=self.directory,
            env={
                "PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}",
                "PYTHON": sys.executable,
                "PYTHONPATH": str(ROOT),
                "HOME": str(self.directory),
                "LC_ALL": "C.UTF-8",
            },
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
        )

    def test_transcripts(self) -> None:
        """Every command of the README prints what the README says."""
        steps = steps_of((ROOT / "README.md").read_text())
        self.assertGreater(len(steps), 12)
        exports = ""
        for step in steps:
            command = step.command.replace("8021", str(self.offset + 21))
            command = command.replace("8053", str(self.offset + 53))
            command = command.replace("8080", str(self.offset + 80))
            result = self.shell(exports + command)
            if command.startswith("export "):
                exports += f"{command}\n"

            self.assertTrue(
                matches(step.expected, result.stdout) and result.returncode == 0,
                f"$ {command}\n{result.stdout}{result.stderr}\n"
                f"expected:\n{step.expected}",
            )
