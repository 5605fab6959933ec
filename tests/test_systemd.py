"""systemd: socket activation, readiness, and the units that we ship."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from netservices.notify import Notifier
from tests.house.twistd import Running

UNITS = Path(__file__).resolve().parent.parent / "etc" / "systemd"
SHOUT = UNITS.parent.parent / "examples" / "shout"

_ACTIVATE = """
import os, sys
wanted = [int(number) for number in sys.argv[1].split(",")]
spare = [os.dup2(number, 50 + index) for index, number in enumerate(wanted)]
for index, number in enumerate(spare):
    os.dup2(number, 3 + index, inheritable=True)
os.environ.update(
    LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(wanted)), LISTEN_FDNAMES=sys.argv[2]
)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""What systemd does between fork and exec; sd_listen_fds(3)."""


class ActivationTests(SynchronousTestCase):
    """A real child that gets its sockets as systemd gives them."""

    def test_stream_and_datagram(self) -> None:
        """Sockets passed by name are served, UDP and TCP, IPv4 and UNIX."""
        directory = Path(self.mktemp()).absolute()
        directory.mkdir(parents=True)
        path = f"/tmp/netservices-{os.getpid()}-activated.sock"
        datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stream = socket.socket()
        local = socket.socket(socket.AF_UNIX)
        self.addCleanup(os.unlink, path)
        for one, address in (
            (datagram, ("127.0.0.1", 0)),
            (stream, ("127.0.0.1", 0)),
            (local, path),
        ):
            self.addCleanup(one.close)
            one.bind(address)
        stream.listen()
        local.listen()
        passed = (datagram.fileno(), stream.fileno(), local.fileno())
        starter = (sys.executable, "-c", _ACTIVATE, ",".join(map(str, passed)))

        with Running(
            str(directory / "state"),
            *("--shout", "--shout-listen", "systemd:loud"),
            *("--ftp", "--ftp-listen", "systemd:files"),
            paths=(SHOUT,),
            pass_fds=passed,
            starter=(*starter, "loud:files:files"),
        ) as server:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.settimeout(30)
                client.sendto(b"hello", datagram.getsockname())
                self.assertEqual(b"HELLO", client.recv(100))
            for family, address in (
                (socket.AF_INET, stream.getsockname()),
                (socket.AF_UNIX, path),
            ):
                with socket.socket(family) as client:
                    client.settimeout(30)
                    client.connect(address)
                    self.assertEqual(b"220", client.recv(3))
            self.assertEqual(0, server.stop())
        self.assertTrue(os.path.exists(path), "systemd's socket is not ours to remove")


class NotifierTests(SynchronousTestCase):
    """What systemd hears; sd_notify(3)."""

    def setUp(self) -> None:
        self.path = f"/tmp/netservices-{os.getpid()}-notify.sock"
        self.ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ear.bind(self.path)
        self.ear.setblocking(False)
        self.addCleanup(os.unlink, self.path)
        self.addCleanup(self.ear.close)

    def heard(self) -> list[str]:
        """The lines that have come."""
        lines: list[str] = []
        while True:
            try:
                lines += self.ear.recv(4096).decode().splitlines()
            except BlockingIOError:
                return lines

    def notifier(self, **environ: str) -> Notifier:
        """One that speaks to this test."""
        return Notifier({"NOTIFY_SOCKET": self.path, **environ})

    def test_states(self) -> None:
        """Ready, reloading with its time, stopping, and words of status."""
        notifier = self.notifier()
        notifier.status("starting")
        notifier.ready("5 listeners")
        notifier.reloading()
        notifier.stopping("draining")

        lines = self.heard()
        times = [line for line in lines if line.startswith("MONOTONIC_USEC=")]
        self.assertEqual(1, len(times))
        self.assertEqual(
            [
                *("STATUS=starting", "READY=1", "STATUS=5 listeners", "RELOADING=1"),
                *(times[0], "STATUS=reloading", "STOPPING=1", "STATUS=draining"),
            ],
            lines,
        )

    def test_abstract_socket(self) -> None:
        """A leading ``@`` means the abstract name space."""
        name = f"netservices-{os.getpid()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ear:
            ear.bind(f"\0{name}")
            ear.settimeout(30)
            Notifier({"NOTIFY_SOCKET": f"@{name}"}).tell("READY=1")
            self.assertEqual(b"READY=1", ear.recv(100))

    def test_nobody_listens(self) -> None:
        """Without the variable, or with nobody behind it, nothing happens."""
        for environ in ({}, {"NOTIFY_SOCKET": "/nowhere/x"}, {"NOTIFY_SOCKET": "x"}):
            Notifier(environ).ready("")
        self.assertFalse(Notifier({}).is_wanted)
        self.assertEqual(0, Notifier({"WATCHDOG_USEC": "5"}).watchdog_seconds)

    def test_watchdog(self) -> None:
        """A sign of life twice in each period, until it is stopped."""
        notifier = self.notifier(
            WATCHDOG_USEC="10000000", WATCHDOG_PID=str(os.getpid())
        )
        clock: Any = Clock()
        notifier.start_watchdog(clock)
        self.assertEqual(["WATCHDOG=1"], self.heard())
        clock.advance(4.9)
        self.assertEqual([], self.heard())
        clock.advance(0.1)
        self.assertEqual(["WATCHDOG=1"], self.heard())

        notifier.stop_watchdog()
        clock.advance(100)

        self.assertEqual([], self.heard())

    def test_somebody_elses_watchdog(self) -> None:
        """A period that is meant for another process is not ours."""
        notifier = self.notifier(WATCHDOG_USEC="10000000", WATCHDOG_PID="1")

        self.assertEqual(0, notifier.watchdog_seconds)

    def test_whole_life(self) -> None:
        """A server says READY when it serves, RELOADING and READY around a reload, and
        STOPPING."""
        directory = Path(self.mktemp()).absolute()
        directory.mkdir(parents=True)
        with Running(
            str(directory / "state"),
            *("--shout", "--shout-listen", "udp:0", "--interface", "127.0.0.1"),
            paths=(SHOUT,),
            env={"NOTIFY_SOCKET": self.path, "WATCHDOG_USEC": "60000000"},
        ) as server:
            first = self.heard()
            self.assertIn("READY=1", first)
            self.assertIn("WATCHDOG=1", first)
            server.child.send_signal(1)
            server.wait_for("#info] reloaded")
            self.assertEqual(0, server.stop())
        rest = [line for line in self.heard() if line.endswith("=1")]
        self.assertEqual(["RELOADING=1", "READY=1", "STOPPING=1"], rest)


class UnitTests(SynchronousTestCase):
    """The unit files."""

    def analyze(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run systemd-analyze."""
        if shutil.which("systemd-analyze") is None:
            raise SkipTest("there is no systemd-analyze")
        return subprocess.run(
            ["systemd-analyze", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_verify(self) -> None:
        """Both are without errors and warnings."""
        units = [str(path) for path in sorted(UNITS.iterdir())]

        done = self.analyze("verify", *units)

        self.assertEqual((0, "", ""), (done.returncode, done.stdout, done.stderr))

    def test_exposure(self) -> None:
        """The service is exposed by 2.0 at most, on systemd's scale of 10."""
        done = self.analyze(
            *("security", "--offline=yes", "--threshold=20"),
            str(UNITS / "netservices.service"),
        )

        self.assertEqual(0, done.returncode, done.stdout)

    def test_wrong_configuration_does_not_loop(self) -> None:
        """Status 2 is not restarted, and the stop outlasts the default deadline."""
        text = (UNITS / "netservices.service").read_text(encoding="utf-8")

        self.assertIn("\nRestartPreventExitStatus=2\n", text)
        self.assertIn("\nTimeoutStopSec=60\n", text)
        self.assertIn("--check\n", text)
