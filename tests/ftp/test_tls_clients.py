"""Programs that people use, where sessions must be resumed: curl and lftp."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.ftp.sockets import ServerCase
from tests.programs import located, run

SIZES = (0, 1, 1000, 16384, 100_000, 1 << 20)


class RequiredReuse(ServerCase):
    """``ftp.session_reuse = "require"``"""

    settings: dict[str, Any] = {"ftp.session_reuse": "require"}

    def with_files(self, work: Callable[[str], None]) -> Deferred[None]:
        """``work(directory)`` in a thread; the directory holds a file of each size."""

        def run_there() -> None:
            with tempfile.TemporaryDirectory() as directory:
                for size in SIZES:
                    path = os.path.join(directory, f"f{size}")
                    with open(path, "wb") as file:
                        file.write(os.urandom(size))
                work(directory)

        return deferToThread(run_there)

    def assert_same(self, directory: str, name: str, other: str = "") -> None:
        """What arrived is what was sent."""
        with open(os.path.join(directory, name), "rb") as file:
            self.assertEqual(file.read(), self.content_of(other or name), name)


class CurlTests(RequiredReuse):
    """curl: what its own tests against vsftpd check."""

    def curl(self, version: str, *arguments: str) -> str:
        """Run it over TLS of one version."""
        limit = ("--tlsv1.3",) if version == "1.3" else ("--tls-max", "1.2")
        common = ("-sS", "-k", "--ssl-reqd", "--max-time", "30", "-u", "alice:secret")
        return run(located("curl"), *common, *limit, *arguments)

    def test_session(self) -> Deferred[None]:
        """Uploads of each size, a listing, downloads one and ten at a time."""
        return self.with_files(self.session)

    def session(self, directory: str) -> None:
        """In a thread."""
        base = f"ftp://127.0.0.1:{self.port}/"
        for version in ("1.2", "1.3"):
            for size in SIZES:
                name = f"f{size}"
                self.curl(version, "-T", os.path.join(directory, name), base + name)
                self.assert_same(directory, name)
            listing = self.curl(version, "-l", base).split()
            self.assertEqual({f"f{size}" for size in SIZES}, set(listing))
            names = ",".join(f"f{size}" for size in SIZES)
            target = os.path.join(directory, "back-#1")
            self.curl(version, base + "{" + names + "}", "-o", target)
            for size in SIZES:
                self.assert_same(directory, f"back-f{size}", f"f{size}")
            for number in range(10):
                self.put(f"g{number}", b"%d" % number)
            self.curl(version, base + "g[0-9]", "-o", target)
            for number in range(10):
                self.assert_same(directory, f"back-{number}", f"g{number}")
                os.remove(os.path.join(self.home, f"g{number}"))

    def test_several_uploads(self) -> Deferred[None]:
        """Files over one control connection.  In TLS 1.3 curl uses each ticket once,
        and an upload may be over before it has read the next one."""

        def work(directory: str) -> None:
            names = [f"f{size}" for size in SIZES]
            paths = ",".join(os.path.join(directory, name) for name in names)
            base = f"ftp://127.0.0.1:{self.port}/"
            self.curl("1.2", "-T", "{" + paths + "}", base)
            for name in names:
                self.assert_same(directory, name)

        return self.with_files(work)

    def test_text_and_append(self) -> Deferred[None]:
        """TYPE A in both directions, and APPE."""

        def work(directory: str) -> None:
            path = os.path.join(directory, "text")
            with open(path, "wb") as file:
                file.write(b"one\ntwo\n")
            target = f"ftp://127.0.0.1:{self.port}/text"
            for version in ("1.2", "1.3"):
                self.curl(version, "-B", "-T", path, target)
                self.assertEqual(b"one\ntwo\n", self.content_of("text"))
                self.assertEqual("one\ntwo\n", self.curl(version, "-B", target))
                self.curl(version, "-a", "-T", path, target)
                self.assertEqual(b"one\ntwo\n" * 2, self.content_of("text"))

        return self.with_files(work)

    def test_implicit(self) -> Deferred[None]:
        """ftps://, where data is protected from the beginning."""

        def work(directory: str) -> None:
            port = self.server.port("ftp", "tls")
            path = os.path.join(directory, "f100000")
            target = f"ftps://127.0.0.1:{port}/f100000"
            for version in ("1.2", "1.3"):
                self.curl(version, "-T", path, target)
                self.assert_same(directory, "f100000")
                self.curl(version, target, "-o", path + "-back")
                self.assert_same(directory, "f100000-back", "f100000")

        return self.with_files(work)

    def test_refused(self) -> Deferred[None]:
        """Told not to reuse sessions, it is told why it fails."""

        def work(directory: str) -> None:
            path = os.path.join(directory, "f1000")
            target = f"ftp://127.0.0.1:{self.port}/f1000"
            self.assertRaises(
                AssertionError, self.curl, "1.2", "--no-sessionid", "-T", path, target
            )

        return self.with_files(work)


class ClearControlTests(RequiredReuse):
    """curl and CCC."""

    settings: dict[str, Any] = {"ftp.allow_clear_control": True}

    def test_both_ways(self) -> Deferred[None]:
        """It begins the end of TLS itself, or waits for the server's."""
        self.put("a", b"content")

        def work(directory: str) -> None:
            target = f"ftp://127.0.0.1:{self.port}/a"
            common = ("-sS", "-k", "--ssl-reqd", "--max-time", "20")
            for mode in ("active", "passive"):
                for limit in (("--tlsv1.3",), ("--tls-max", "1.2")):
                    options = ("-u", "alice:secret", "--ftp-ssl-ccc-mode", mode)
                    found = run(located("curl"), *common, *limit, *options, target)
                    self.assertEqual("content", found)

        return self.with_files(work)


class LftpTests(RequiredReuse):
    """lftp, which speaks TLS by GnuTLS."""

    def test_mirror(self) -> Deferred[None]:
        """Trees both ways, in parallel, on both ports."""

        def work(directory: str) -> None:
            lftp = located("lftp")
            for version in ("1.2", "1.3"):
                for kind, port in (
                    ("ftp", self.port),
                    ("ftps", self.server.port("ftp", "tls")),
                ):
                    remote = f"{kind}-{version}"
                    script = (
                        "set ssl:verify-certificate no; set net:max-retries 1; "
                        f"set ssl:priority NORMAL:-VERS-ALL:+VERS-TLS{version}; "
                        "set ftp:ssl-force true; set ftp:ssl-protect-data yes; "
                        f"open {kind}://alice:secret@127.0.0.1:{port}; "
                        f"mirror -R -P 3 {directory} {remote}; "
                    )
                    with tempfile.TemporaryDirectory() as back:
                        run(lftp, "-c", f"{script} mirror -P 3 {remote} {back}")
                        self.assertEqual("", run("diff", "-r", directory, back))

        return self.with_files(work)
