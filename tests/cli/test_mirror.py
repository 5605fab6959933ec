"""``netservices mirror``, run as a program."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from netservices.cli.ftp_address import FTPAddress, parse_address
from netservices.testing import running_process
from tests.house.twistd import environment

SETTINGS = {"limits.exempt": "127.0.0.0/8", "files.durability": "none"}


class AddressTests(SynchronousTestCase):
    """Addresses on the command line."""

    def test_parts(self) -> None:
        """Scheme, login, password, host, port and path are told apart; the password is
        not printed."""
        found = parse_address("ftps://al%40x:s%2Fe@[::1]:2121/a%20b/%C3%A9?#")
        wanted = FTPAddress("::1", 2121, "implicit", "a b/é?#", "al@x", "s/e")
        self.assertEqual(wanted, found)
        self.assertNotIn("s/e", repr(found))

    def test_paths(self) -> None:
        """A path is below the login's directory; %2F begins an absolute one (RFC 1738
        3.2.2)."""
        for text, path in (
            ("ftp://h", ""),
            ("ftp://h/", ""),
            ("ftp://h/a", "a"),
            ("ftp://h/%2Fa/b", "/a/b"),
            ("ftp://h//a", "/a"),
        ):
            self.assertEqual(path, parse_address(text).path)


class MirrorTests(SynchronousTestCase):
    """Against our own server."""

    def setUp(self) -> None:
        """Start it."""
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.server = stack.enter_context(
            running_process(ftp=True, accounts=[("alice", "secret")], settings=SETTINGS)
        )
        self.place = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.copy = self.place / "copy"
        port = self.server.port("ftp", "tcp")
        self.address = f"ftp://alice:secret@127.0.0.1:{port}/"
        self.home = Path(self.server.state_directory) / "files/alice@localhost"
        (self.home / "d").mkdir(parents=True)
        (self.home / "d/a").write_bytes(b"hello")

    def run_mirror(
        self, *words: str, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """The outcome of ``netservices mirror WORDS``."""
        return subprocess.run(
            [sys.executable, "-m", "netservices.cli", "mirror", *words],
            env=environment(HOME=str(self.place), **variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def test_both_ways(self) -> None:
        """Down and up; the summary is one line, and JSON has the numbers."""
        done = self.run_mirror(self.address, str(self.copy))
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual("", done.stderr)
        self.assertRegex(done.stdout, r"^1 file \(5 bytes\) downloaded, 0 up to date")
        self.assertEqual(b"hello", (self.copy / "d/a").read_bytes())
        (self.copy / "new").write_bytes(b"x")
        done = self.run_mirror(
            self.address, str(self.copy), "--upload", "--json", "--parallel", "3"
        )
        report = json.loads(done.stdout)
        self.assertEqual(
            (1, 1, 1), tuple(map(report.get, ("files", "octets", "up_to_date")))
        )
        self.assertEqual(b"x", (self.home / "new").read_bytes())

    def test_checksum(self) -> None:
        """What differs in content only is found with --checksum, down and up."""
        self.run_mirror(self.address, str(self.copy))
        ours = self.copy / "d/a"
        times = ours.stat().st_atime_ns, ours.stat().st_mtime_ns
        for words, content in (([], b"hello"), (["--upload"], b"HELLO")):
            ours.write_bytes(b"HELLO")
            os.utime(ours, ns=times)
            done = self.run_mirror(self.address, str(self.copy), *words)
            self.assertIn("1 up to date", done.stdout)
            done = self.run_mirror(self.address, str(self.copy), "--checksum", *words)
            self.assertEqual(0, done.returncode, done.stderr)
            self.assertRegex(done.stdout, r"^1 file \(5 bytes\)")
            self.assertEqual(content, ours.read_bytes())
            self.assertEqual(content, (self.home / "d/a").read_bytes())

    def test_dry_run(self) -> None:
        """A dry run names everything."""
        done = self.run_mirror(self.address, str(self.copy), "--dry-run", "--delete")
        self.assertEqual(["mkdir d", "get d/a"], done.stdout.splitlines()[:2])
        self.assertFalse(self.copy.exists())

    def test_passwords(self) -> None:
        """From the environment and from ~/.netrc; without one there is an error, not a
        question that nobody can answer.  None is ever printed."""
        bare = self.address.replace(":secret", "")
        done = self.run_mirror(bare, str(self.copy), NETSERVICES_PASSWORD="secret")
        self.assertEqual(0, done.returncode, done.stderr)
        done = self.run_mirror(bare, str(self.copy))
        self.assertEqual(1, done.returncode)
        self.assertIn("no password for alice", done.stderr)
        netrc = self.place / ".netrc"
        netrc.write_text("machine 127.0.0.1 login alice password secret\n")
        netrc.chmod(0o600)
        done = self.run_mirror(bare.replace("alice@", ""), str(self.copy))
        self.assertEqual(0, done.returncode, done.stderr)
        wrong = self.address.replace("secret", "wrong-one")
        done = self.run_mirror(wrong, str(self.copy))
        self.assertEqual(1, done.returncode)
        self.assertIn("530", done.stderr)
        self.assertNotIn("wrong-one", done.stdout + done.stderr)

    def test_nobody_there(self) -> None:
        """Where no server is, the message names the host and says so in few words."""
        for host, words in (
            (f"127.0.0.1:{self.closed_port()}", "127.0.0.1: connection refused"),
            ("nowhere.invalid", "nowhere.invalid: no such host"),
        ):
            url = f"ftp://alice:secret@{host}/"
            done = self.run_mirror(url, str(self.copy), "--retries", "0")
            self.assertEqual((1, f"Error: {words}\n"), (done.returncode, done.stderr))

    def closed_port(self) -> int:
        """A port at which nobody listens: it is bound, and stays so for this test."""
        taken = socket.socket()
        self.addCleanup(taken.close)
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port

    def test_tls(self) -> None:
        """A certificate that is not trusted ends it before the password is sent, unless
        any will do, or this one is named."""
        done = self.run_mirror(self.address, str(self.copy), "--tls")
        self.assertEqual(1, done.returncode)
        self.assertIn("TLS handshake failed", done.stderr)
        self.assertIn("--insecure accepts any", done.stderr)
        done = self.run_mirror(self.address, str(self.copy), "--tls", "--insecure")
        self.assertEqual(0, done.returncode, done.stderr)
        authority = next(Path(self.server.state_directory, "tls").rglob("*.pem"))
        named = self.address.replace("127.0.0.1", "localhost")
        done = self.run_mirror(
            named, str(self.copy), "--tls", "--ca", str(authority), "--active"
        )
        self.assertEqual(0, done.returncode, done.stderr)

    def test_failures(self) -> None:
        """1 when something could not be done, 2 when the command line is wrong."""
        (self.copy / "d/a").mkdir(parents=True)
        done = self.run_mirror(self.address, str(self.copy))
        self.assertEqual(1, done.returncode)
        self.assertIn("d/a: ", done.stderr)
        self.assertIn("1 failed", done.stdout)
        for words in (
            ["http://localhost/", "x"],
            ["ftp:///x", "x"],
            ["ftp://localhost:0/", "x"],
            ["ftp://localhost/%0a", "x"],
            [self.address, "x", "--parallel", "0"],
            [self.address, "x", "--insecure"],
            [self.address, "x", "--limit", "none"],
            [self.address],
        ):
            done = self.run_mirror(*words)
            self.assertEqual(2, done.returncode, f"{words}: {done.stderr}")
            self.assertNotIn("Traceback", done.stderr)

    def test_no_directory(self) -> None:
        """A local directory that is not there cannot be uploaded."""
        missing = os.path.join(self.place, "missing")
        done = self.run_mirror(self.address, missing, "--upload")
        self.assertEqual(1, done.returncode)
        self.assertIn("No such file or directory", done.stderr)
