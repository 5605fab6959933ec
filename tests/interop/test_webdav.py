"""The WebDAV clients that people have, and a suite that judges servers."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from ftplib import FTP, all_errors
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from netservices.core.deferreds import as_deferred
from netservices.testing import running
from tests.interop import dav_programs
from tests.interop.dav_programs import LOGIN, PASSWORD, Program

ODD_NAMES = ("with space.txt", "ümläut ☃.txt", "a&b=c;d%20e.txt", "#hash+plus.txt")
SIZE = 300_000


class DAVCase(TestCase):
    """A server with WebDAV and FTP, and an account."""

    timeout = 300

    @as_deferred
    async def setUp(self) -> None:
        """Both on the loopback interface."""
        self.server = await running(
            ftp=True,
            http=True,
            accounts=[(LOGIN, PASSWORD)],
            settings={
                "ftp.listen": "tcp:0:interface=127.0.0.1",
                "http.listen": "tcp:0:interface=127.0.0.1",
                "ftp.passive_ports": "0",
                "files.durability": "none",
                "limits.exempt": "127.0.0.0/8",
            },
        )
        self.addCleanup(self.server.stop)
        self.home = Path(self.server.state_directory, "files/alice@localhost")
        self.home.mkdir(parents=True, exist_ok=True)
        ports = {protocol: port for protocol, _, _, port in self.server.addresses}
        self.url = f"http://127.0.0.1:{ports['http']}/dav/"
        self.ftp_port = ports["ftp"]

    def in_thread(self, function: Callable[[Path], None]) -> Deferred[None]:
        """Call ``function`` with a directory that goes afterwards."""

        def call() -> None:
            with tempfile.TemporaryDirectory() as directory:
                function(Path(directory))

        return deferToThread(call)

    def names(self) -> set[str]:
        """What is in the home."""
        return set(os.listdir(self.home)) - {".ns-uploads"}


class LitmusTests(DAVCase):
    """litmus, the suite of tests for WebDAV servers."""

    def test_complete(self) -> None:
        """Every test of every group passes, without a warning."""

        def judge(scratch: Path) -> None:
            said = dav_programs.litmus(self.url, scratch)
            groups = re.findall(r"summary for `(\w+)'.* (\d+)\.\d% *$", said, re.M)
            self.assertEqual(
                [
                    (name, "100")
                    for name in ("basic", "copymove", "props", "locks", "http")
                ],
                groups,
                said,
            )
            self.assertNotIn("WARNING", said)
            self.assertNotIn("SKIPPED", said)

        return self.in_thread(judge)  # type: ignore[return-value]


class ProgramCase(DAVCase):
    """Everything that people do with a client."""

    program: type[Program]

    def test_files(self) -> Deferred[None]:
        """Upload, list, download, copy, move, delete; names of all kinds."""
        return self.in_thread(self.files)

    def files(self, scratch: Path) -> None:
        """All of that."""
        program = self.program(self.url, scratch)
        content = os.urandom(SIZE)
        local, back = scratch / "local", scratch / "back"
        local.write_bytes(content)
        for name in ("plain.txt", *self.odd_names()):
            program.put(local, name)
            self.assertTrue((self.home / name).read_bytes() == content, name)
            program.get(name, back)
            self.assertTrue(back.read_bytes() == content, name)
            back.unlink()
        listing = program.list()
        for name in ("plain.txt", "with space.txt"):
            self.assertIn(name, listing)
        program.make_directory("dir")
        self.assertTrue((self.home / "dir").is_dir())
        program.copy("plain.txt", "dir/copy.txt")
        program.move("plain.txt", "dir/moved.txt")
        self.assertEqual({"copy.txt", "moved.txt"}, set(os.listdir(self.home / "dir")))
        program.delete("dir/moved.txt")
        program.delete("dir")
        self.assertEqual(set(self.odd_names()), self.names())

    def odd_names(self) -> tuple[str, ...]:
        """Names that the program can write."""
        return ODD_NAMES


class CurlTests(ProgramCase):
    """curl."""

    program = dav_programs.Curl


class CadaverTests(ProgramCase):
    """cadaver."""

    program = dav_programs.Cadaver

    def test_edit(self) -> Deferred[None]:
        """A file is locked while it is edited: FTP does not overwrite it."""
        return self.in_thread(self.edit)

    def edit(self, scratch: Path) -> None:
        """The editor tries it."""
        (self.home / "text.txt").write_bytes(b"before\n")
        editor = scratch / "editor"
        url = f"ftp://{LOGIN}:{PASSWORD}@127.0.0.1:{self.ftp_port}/text.txt"
        editor.write_text(
            "#!/bin/sh\n"
            f'curl -s -T "$1" "{url}"; echo "curl $?" >> {scratch}/said\n'
            'echo after >> "$1"\n'
            # It looks at whole seconds to see whether there is a change.
            'touch -d "@$(($(stat -c %Y "$1") + 10))" "$1"\n'
        )
        editor.chmod(0o755)
        program = dav_programs.Cadaver(self.url, scratch)
        program.edit("text.txt", str(editor))
        # 25: the upload was refused.
        self.assertEqual("curl 25\n", (scratch / "said").read_text())
        self.assertEqual(b"before\nafter\n", (self.home / "text.txt").read_bytes())
        with FTP() as client:
            client.connect("127.0.0.1", self.ftp_port)
            client.login(LOGIN, PASSWORD)
            try:
                client.delete("text.txt")
            except all_errors as error:
                self.fail(f"the lock has not ended: {error}")


class RcloneTests(ProgramCase):
    """rclone."""

    program = dav_programs.Rclone

    def test_sync(self) -> Deferred[None]:
        """A tree there and back, twice."""
        return self.in_thread(self.sync)

    def sync(self, scratch: Path) -> None:
        """And what is gone here goes there."""
        program = dav_programs.Rclone(self.url, scratch)
        tree = scratch / "tree"
        for name in ("a/b/c.bin", "a/d.bin", "e f.bin", "ü/☃.bin"):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes(os.urandom(5000))
        program.sync(str(tree), ":webdav:tree")
        self.assertFalse(program.differs(tree, "tree"))
        (tree / "a/d.bin").unlink()
        (tree / "e f.bin").write_bytes(b"other")
        program.sync(str(tree), ":webdav:tree")
        self.assertFalse(program.differs(tree, "tree"))
        self.assertFalse((self.home / "tree/a/d.bin").exists())
        program.sync(":webdav:tree", str(scratch / "back"))
        self.assertFalse(program.differs(scratch / "back", "tree"))


class LibraryTests(ProgramCase):
    """webdavclient3."""

    program = dav_programs.WebDAVClient


del ProgramCase
