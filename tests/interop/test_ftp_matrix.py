"""The FTP clients that people have, each in every way it knows, against one server."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from netservices.core.deferreds import as_deferred
from netservices.testing import running
from tests.interop import ftp_programs
from tests.interop.ftp_programs import Program

ODD_NAMES = ("with space.txt", "ümläut ☃.txt")
SIZE = 300_000


class MatrixCase(TestCase):
    """A server, a program, and everything that people do with it."""

    timeout = 300
    program: type[Program]

    @as_deferred
    async def setUp(self) -> None:
        """A server for IPv4 and IPv6 with one account."""
        self.server = await running(
            ftp=True,
            accounts=[("alice", "secret")],
            settings={
                "ftp.listen": "tcp:0:interface=127.0.0.1,tcp:0:interface=[::1]",
                "ftp.passive_ports": "0",
                "files.durability": "none",
                "limits.exempt": "127.0.0.0/8,::1/128",
            },
        )
        self.addCleanup(self.server.stop)
        self.home = Path(self.server.state_directory, "files/alice@localhost")
        self.home.mkdir(parents=True, exist_ok=True)

    def session(self, way: str) -> Deferred[None]:
        """Everything that the program can do, in one way to connect."""
        host = "::1" if way == "ipv6" else "127.0.0.1"
        port = next(
            port for _, _, address, port in self.server.addresses if address == host
        )

        def run() -> None:
            with tempfile.TemporaryDirectory() as directory:
                scratch = Path(directory)
                program = self.program(host, port, way, scratch)
                self.single_files(program, scratch)
                self.resumed(program, scratch)
                self.trees(program, scratch)

        return deferToThread(run)

    def single_files(self, program: Program, scratch: Path) -> None:
        """List, get, put, rename, delete; names with spaces and letters of Unicode."""
        content = os.urandom(SIZE)
        local, back = scratch / "local", scratch / "back"
        local.write_bytes(content)
        for name in ("plain", *ODD_NAMES):
            if "put" in program.can:
                program.put(local, name)
            else:
                (self.home / name).write_bytes(content)
            self.assertTrue((self.home / name).read_bytes() == content, name)
            program.get(name, back)
            self.assertTrue(back.read_bytes() == content, name)
            back.unlink()
        if "list" in program.can:
            listing = program.list()
            for name in ("plain", *ODD_NAMES):
                self.assertIn(name, listing)
        if "rename" in program.can:
            program.rename("plain", "renamed")
            self.assertEqual(
                {"renamed", *ODD_NAMES}, set(os.listdir(self.home)) - {".ns-uploads"}
            )
            os.rename(self.home / "renamed", self.home / "plain")
        if "delete" in program.can:
            program.delete("plain")
            self.assertFalse((self.home / "plain").exists())

    def resumed(self, program: Program, scratch: Path) -> None:
        """A file of which a third is there, in both directions."""
        content = os.urandom(SIZE)
        local = scratch / "resumed"
        if "resume_get" in program.can:
            (self.home / "down").write_bytes(content)
            local.write_bytes(content[: SIZE // 3])
            program.resume_get("down", local)
            self.assertTrue(local.read_bytes() == content)
        if "resume_put" in program.can:
            local.write_bytes(content)
            (self.home / "up").write_bytes(content[: SIZE // 3])
            program.resume_put(local, "up")
            self.assertTrue((self.home / "up").read_bytes() == content)

    def trees(self, program: Program, scratch: Path) -> None:
        """A directory with everything below it, there and back."""
        if not {"tree", "get_tree"} & program.can:
            return
        tree = scratch / "tree"
        wanted = {
            "a": b"a" * 1000,
            "sub dir/ö": b"",
            "sub dir/deep/c": os.urandom(5000),
        }
        parent = tree if "tree" in program.can else self.home / "tree"
        for name, content in wanted.items():
            (parent / name).parent.mkdir(parents=True, exist_ok=True)
            (parent / name).write_bytes(content)
        if "tree" in program.can:
            program.put_tree(tree, "tree")
        self.assertEqual(wanted, contents(self.home / "tree"))
        back = scratch / "back"
        back.mkdir()
        program.get_tree("tree", back)
        found = contents(back)
        # Some put the directory itself there, some what is in it.
        self.assertEqual(wanted, {k.removeprefix("tree/"): v for k, v in found.items()})


def contents(directory: Path) -> dict[str, bytes]:
    """The files below a directory."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def _case(program: type[Program]) -> type[MatrixCase]:
    """The tests of a program, one for each way."""

    def test(way: str) -> object:
        def method(self: MatrixCase) -> Deferred[None]:
            return self.session(way)

        method.__doc__ = f"{program.__name__}, {way}."
        return method

    tests = {f"test_{way}": test(way) for way in program.ways}
    name = f"{program.__name__}Tests"
    return type(
        name,
        (MatrixCase,),
        {
            "program": program,
            "__doc__": program.__doc__,
            "__module__": __name__,
            **tests,
        },
    )


CurlTests = _case(ftp_programs.Curl)
LftpTests = _case(ftp_programs.Lftp)
WgetTests = _case(ftp_programs.Wget)
TnftpTests = _case(ftp_programs.Tnftp)
InetutilsTests = _case(ftp_programs.Inetutils)
NcftpTests = _case(ftp_programs.Ncftp)
RcloneTests = _case(ftp_programs.Rclone)
FtplibTests = _case(ftp_programs.Ftplib)
AioftpTests = _case(ftp_programs.Aioftp)
