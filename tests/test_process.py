"""The process: exit statuses, signals, privileges, words at the terminal."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import ssl
import stat
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.house.twistd import ROOT, Running, environment, run_twistd

LOOPBACK = ("--interface", "127.0.0.1")
SHOUT = Path(__file__).resolve().parent.parent / "examples" / "shout"
DNS = ("--dns", "--dns-listen", "udp:0", "--dns-listen", "tcp:0", *LOOPBACK)


class ProcessTests(SynchronousTestCase):
    """``twistd netservices`` in a process of its own."""

    def setUp(self) -> None:
        directory = Path(self.mktemp()).absolute()
        directory.mkdir(parents=True)
        self.state = str(directory / "state")

    def test_clean_stop(self) -> None:
        """SIGTERM and SIGINT drain and leave with 0; the first start shows the login
        and the addresses once."""
        with Running(self.state, *DNS) as server:
            server.wait_for("dig @127.0.0.1 -p")
            self.assertIn("login     admin@", server.output)
            self.assertIn(f"127.0.0.1:{server.port('dns', 'udp')}", server.output)
            self.assertEqual(0, server.stop(signal.SIGTERM))
            self.assertIn("connections may finish", server.output)

        with Running(self.state, *DNS) as server:
            self.assertNotIn("password", server.output)
            self.assertEqual(0, server.stop(signal.SIGINT))

    def test_python_m_twisted(self) -> None:
        """``python -m twisted`` serves as ``twistd`` does."""
        child = subprocess.Popen(
            [sys.executable, "-m", "twisted", "netservices", *DNS]
            + ["--state", self.state],
            cwd=ROOT,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        output = ""
        assert child.stdout is not None
        for line in child.stdout:
            output += line
            if "ready: " in line:
                child.terminate()
        self.assertEqual(0, child.wait(60), output)
        child.stdout.close()

    def test_second_signal(self) -> None:
        """While connections drain, a second signal cuts them; the status is 0."""
        arguments = ("--ftp", "--ftp-listen", "tcp:0", *LOOPBACK)
        limits = ("--set", "server.drain_deadline=1h")
        with (
            Running(self.state, *arguments, *limits) as server,
            socket.create_connection(("127.0.0.1", server.port("ftp", "tcp"))) as slow,
        ):
            slow.settimeout(30)
            slow.recv(100)
            server.child.send_signal(signal.SIGTERM)
            server.wait_for("connections may finish")

            self.assertEqual(0, server.stop(signal.SIGTERM))

    def test_port_in_use(self) -> None:
        """A port in use is one line and status 1, before anything is made."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.1", 0))
            port = other.getsockname()[1]
            endpoint = f"udp:{port}"

            done = run_twistd(
                *("--dns", "--dns-listen", endpoint, *LOOPBACK),
                *("--state", self.state),
            )

        self.assertEqual(1, done.returncode)
        self.assertEqual(1, len(done.stderr.splitlines()), done.stderr)
        self.assertIn(f"dns: cannot listen on port {port}", done.stderr)
        self.assertIn("--port-offset", done.stderr)
        self.assertFalse(os.path.exists(self.state))

    def test_failure_after_the_reactor_started(self) -> None:
        """A second server on the same state directory is one line and status 1."""
        with Running(self.state, *DNS):
            done = run_twistd(*DNS, "--state", self.state)

        self.assertEqual(1, done.returncode)
        self.assertEqual(1, len(done.stderr.splitlines()), done.stderr)
        self.assertIn("is in use by process", done.stderr)

    def test_wrong_configuration(self) -> None:
        """What a start refuses, ``--check`` refuses in the same line: status 2, no
        state directory, no account, no password."""
        wrong = (
            ("--set", "accounts.checker=file:/nope"),
            ("--set", "log.events=/proc/x/y"),
            ("--dns-listen", "systemd:nope"),
            ("--dns-listen", "tcp:0:role=nobody"),
        )
        for arguments in wrong:
            command = ["--dns", *arguments, *LOOPBACK, "--state", self.state]
            checked = run_twistd(*command, "--check")
            started = run_twistd(*command)

            for done in (checked, started):
                self.assertEqual(2, done.returncode, (arguments, done.stderr))
                self.assertNotIn("password", done.stdout)
            self.assertEqual(checked.stderr, started.stderr)
            self.assertEqual(1, len(checked.stderr.splitlines()), checked.stderr)
            self.assertFalse(os.path.exists(self.state), arguments)

    def test_unreadable_certificates(self) -> None:
        """Certificates that are not there are one line and status 2, by ``--check``."""
        done = run_twistd(
            *DNS, "--check", "--set", f"tls.certificates={self.state}/certificates"
        )

        self.assertEqual(2, done.returncode, done.stdout)
        self.assertEqual(1, len(done.stderr.splitlines()), done.stderr)
        self.assertIn("certificates", done.stderr)

    def test_foreign_state_directory(self) -> None:
        """A state directory of somebody else is refused with the ways out."""
        if os.geteuid() != 0:
            raise SkipTest("only root can give a directory away")
        os.mkdir(self.state)
        os.chown(self.state, 65534, 65534)

        done = run_twistd(*DNS, "--state", self.state)

        self.assertEqual(1, done.returncode)
        self.assertIn("belongs to nobody, and this server runs as root", done.stderr)
        self.assertEqual([], os.listdir(self.state))

    def test_privileges(self) -> None:
        """With ``--uid`` ports are bound as root, and files belong to the user."""
        if os.geteuid() != 0:
            raise SkipTest("only root can change its user")
        user = pwd.getpwnam("nobody")
        for place in (sys.executable, ssl.__file__):
            if not os.stat(place).st_mode & stat.S_IROTH or not _others_reach(place):
                raise SkipTest("this Python is for root only")
        parent = Path("/tmp", f"netservices-{os.getpid()}")
        parent.mkdir(mode=0o755)
        self.addCleanup(_remove, parent)
        state = str(parent / "state")
        path = parent / "ftp.sock"
        arguments = ("--ftp", "--ftp-listen", "tcp:0", "--ftp-listen", f"unix:{path}")

        with Running(
            state, *arguments, *LOOPBACK, twistd=("--uid", "nobody")
        ) as server:
            words = Path(f"/proc/{server.child.pid}/status").read_text()
            self.assertIn(f"Uid:\t{user.pw_uid}\t{user.pw_uid}", words)
            self.assertIn(f"Gid:\t{user.pw_gid}\t{user.pw_gid}", words)
            owners = {
                (entry.stat().st_uid, entry.stat().st_gid)
                for entry in Path(state).rglob("*")
            }
            self.assertEqual({(user.pw_uid, user.pw_gid)}, owners)
            self.assertEqual(0o700, stat.S_IMODE(os.stat(state).st_mode))
            self.assertEqual(user.pw_uid, path.stat().st_uid)
            self.assertEqual(0, server.stop())

    def test_hangup(self) -> None:
        """SIGHUP reads the file again: what waits for a restart is named, a wrong file
        is refused, and the server goes on."""
        path = Path(self.state + ".toml")
        path.write_text("[log]\ntrace = false\n")
        with Running(self.state, "--config", str(path), *DNS) as server:
            path.write_text("[log]\ntrace = true\n")
            server.child.send_signal(signal.SIGHUP)
            server.wait_for("wait for a restart: log.trace")

            path.write_text("[log]\ntrace = 1\n")
            server.child.send_signal(signal.SIGHUP)
            server.wait_for("not reloaded: ")

            self.assertEqual("running", server.status()["phase"])
            self.assertEqual(0, server.stop())

    def test_log_rotation(self) -> None:
        """After SIGHUP events go into a new file of the same name."""
        events = Path(self.state, "log", "events.jsonl")
        with Running(self.state, *DNS) as server:
            events.rename(events.with_suffix(".1"))
            server.child.send_signal(signal.SIGHUP)
            server.wait_for("reloaded")
            server.stop()

        self.assertIn('"server_started"', events.with_suffix(".1").read_text())
        self.assertIn('"server_stopped"', events.read_text())

    def test_log_level(self) -> None:
        """``log.level`` silences what is less important, and only that."""
        with Running.quiet(self.state, *DNS, "--set", "log.level=error") as server:
            server.wait_for("dig @127.0.0.1 -p")
            self.assertEqual(0, server.stop())
            self.assertNotIn("#info]", server.output)

    def test_shout(self) -> None:
        """The example: lower case in, capitals out, on an offset; it is at most 40
        lines."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            offset = probe.getsockname()[1] - 12000
        if offset < 0:
            raise SkipTest("the free port lies below the default one")
        arguments = ("--shout", "--port-offset", str(offset), *LOOPBACK)
        with (
            Running(self.state, *arguments, paths=(SHOUT,)) as server,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        ):
            client.settimeout(30)
            client.sendto(b"a line\n", ("127.0.0.1", 12000 + offset))

            self.assertEqual(b"A LINE\n", client.recv(100))
            self.assertEqual(0, server.stop())

        lines = [
            line
            for path in SHOUT.rglob("*")
            if path.suffix in (".py", ".toml")
            for line in path.read_text().splitlines()
        ]
        self.assertLessEqual(len(lines), 40)


def _others_reach(place: str) -> bool:
    """Whether every directory above ``place`` lets others through."""
    parents = Path(os.path.realpath(place)).parents
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in parents)


def _remove(directory: Path) -> None:
    import shutil

    shutil.rmtree(directory)
