"""The mirror, against a server whose answers the test chooses."""

from __future__ import annotations

import os
from collections import deque
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from netservices.core.deferreds import as_deferred
from netservices.ftp.client import ClientLimits, FTPClient, Unexpected, connect
from netservices.ftp.mirror import Mirror, Report, Watcher, Wishes
from tests.ftp.stub_server import MTIME_NS, StubServer

BIG = bytes(range(256)) * 8000


class MirrorCase(TestCase):
    """A server and a directory."""

    def setUp(self) -> None:
        """Start it, empty."""
        self.server = StubServer()
        listening = self.server.start()
        self.addCleanup(listening.stopListening)
        self.port = listening.getHost().port
        self.directory = Path(self.mktemp()).absolute() / "copy"
        self.warnings: list[str] = []
        self.log: list[str] = []

    def serve(self, files: dict[str, bytes]) -> None:
        """Files of the server."""
        for path, content in files.items():
            self.server.files[path] = content
            self.server.add_parents(path)

    def have(self, files: dict[str, bytes]) -> None:
        """Local files, of the time that the server's have."""
        for name, content in files.items():
            path = self.directory / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            os.utime(path, ns=(MTIME_NS, MTIME_NS))

    def found(self) -> dict[str, bytes]:
        """All local files."""
        return {
            str(path.relative_to(self.directory)): path.read_bytes()
            for path in self.directory.rglob("*")
            if path.is_file()
        }

    async def session(self) -> FTPClient:
        """A client that has logged in."""
        limits = ClientLimits(reply_seconds=20)
        client = await connect(reactor, "127.0.0.1", self.port, limits)
        try:
            await client.login("alice", b"secret")
        except BaseException:
            client.close()
            raise
        return client

    async def mirror(self, path: str = "/", **wishes: Any) -> Report:
        """Run it."""
        watcher = Watcher(
            done=lambda verb, item: self.log.append(f"{verb.value} {item.text}"),
            warned=self.warnings.append,
        )
        wanted = Wishes(**{"retries": 2, **wishes})
        mirror = Mirror(
            reactor, self.session, path, str(self.directory), wanted, watcher
        )
        return await mirror.run()

    def retrieved(self) -> list[str]:
        """What was asked for, with offsets."""
        return [s for s in self.server.said if s.startswith(("RETR", "REST", "STOR"))]


class DownloadTests(MirrorCase):
    """From the server."""

    @as_deferred
    async def test_tree(self) -> None:
        """Files, directories and times are copied; a second run does nothing."""
        files = {"a": b"1", "d/e/big": BIG, "d/caf\udce9": b"x", "empty": b""}
        self.serve({f"/{name}": content for name, content in files.items()})
        self.server.directories.add("/none")
        report = await self.mirror()
        self.assertEqual(files, self.found())
        self.assertTrue((self.directory / "none").is_dir())
        self.assertEqual(MTIME_NS, (self.directory / "a").stat().st_mtime_ns)
        self.assertEqual((4, 0, []), (report.files, report.same, report.failed))
        report = await self.mirror()
        self.assertEqual((0, 4, 0), (report.files, report.same, report.octets))

    @as_deferred
    async def test_changes(self) -> None:
        """What differs in size or time is fetched anew."""
        self.serve({"/size": b"12", "/time": b"new", "/same": b"x"})
        self.have({"size": b"1", "time": b"old", "same": b"x"})
        self.server.times["/time"] = MTIME_NS + 10**9
        report = await self.mirror()
        self.assertEqual((2, 1), (report.files, report.same))
        self.assertEqual({"size": b"12", "time": b"new", "same": b"x"}, self.found())

    @as_deferred
    async def test_ways_to_compare(self) -> None:
        """Times can be left out of it, and what is newer here can stay."""
        self.serve({"/a": b"new"})
        self.have({"a": b"old"})
        os.utime(self.directory / "a", ns=(MTIME_NS + 10**10, MTIME_NS + 10**10))
        for wishes in ({"ignores_time": True}, {"only_newer": True}):
            report = await self.mirror(**wishes)
            self.assertEqual((0, 1), (report.files, report.same))

    @as_deferred
    async def test_delete(self) -> None:
        """What the server has not is deleted if that is wished for; links are removed
        and not followed."""
        outside = self.directory.parent / "outside"
        outside.mkdir(parents=True)
        (outside / "precious").touch()
        self.serve({"/a": b"1"})
        self.have({"a": b"1", "b": b"2", "d/e/f": b"3", "keep/x": b"4"})
        (self.directory / "link").symlink_to(outside)
        (self.directory / "d/link").symlink_to(outside)
        await self.mirror()
        self.assertEqual(4, len(self.found()))
        report = await self.mirror(wants_delete=True, excludes=("keep/",))
        self.assertEqual({"a": b"1", "keep/x": b"4"}, self.found())
        self.assertEqual(3, report.deleted)
        self.assertTrue((outside / "precious").exists())

    @as_deferred
    async def test_dry_run(self) -> None:
        """A dry run tells everything and does nothing, not even make the directory."""
        self.serve({"/d/a": b"12"})
        report = await self.mirror(is_dry_run=True, wants_delete=True)
        self.assertEqual((1, 2, 1), (report.files, report.octets, report.directories))
        self.assertEqual(["mkdir d", "get d/a"], self.log)
        self.assertFalse(self.directory.exists())

    @as_deferred
    async def test_excludes(self) -> None:
        """Patterns of names hold anywhere, those of paths below the top, and those
        with a slash at their end for directories."""
        names = ("a.tmp", "d/b.tmp", "drafts/x", "d/drafts/y", "cache", "d/cache/z")
        self.serve({f"/{name}": b"x" for name in names})
        await self.mirror(excludes=("*.tmp", "/drafts", "drafts/*", "cache/"))
        self.assertEqual({"d/drafts/y", "cache"}, set(self.found()))

    @as_deferred
    async def test_resume(self) -> None:
        """A download that breaks off goes on where it stopped, on a new session."""
        self.serve({"/big": BIG})
        self.server.cuts["/big"] = deque([500_000, 1_000_000])
        report = await self.mirror(parallel=1)
        self.assertEqual({"big": BIG}, self.found())
        self.assertEqual(len(BIG), report.octets)
        wanted = ["RETR /big", "REST 500000", "RETR /big", "REST 1000000", "RETR /big"]
        self.assertEqual(wanted, self.retrieved())

    @as_deferred
    async def test_resume_next_time(self) -> None:
        """What one run has left over the next one goes on with; another version is
        fetched from its beginning."""
        self.serve({"/big": BIG})
        self.server.cuts["/big"] = deque([500_000])
        report = await self.mirror(retries=0)
        self.assertEqual(["big"], [path for path, _reason in report.failed])
        self.assertFalse((self.directory / "big").exists())
        await self.mirror()
        self.assertEqual(["RETR /big", "REST 500000", "RETR /big"], self.retrieved())
        self.server.cuts["/big"] = deque([500_000])
        self.server.times["/big"] = MTIME_NS + 10**9
        await self.mirror(retries=0)
        self.server.said.clear()
        self.server.times["/big"] = MTIME_NS + 2 * 10**9
        await self.mirror(wants_delete=True)
        self.assertEqual(["RETR /big"], self.retrieved())
        self.assertEqual({"big": BIG}, self.found())

    @as_deferred
    async def test_refused_file(self) -> None:
        """A file that cannot be had does not stop the others."""
        self.serve({"/a": b"1", "/b": b"2", "/c": b"3"})
        self.server.refusals["RETR /b"] = deque(["550 no"])
        report = await self.mirror()
        self.assertEqual({"a": b"1", "c": b"3"}, self.found_files())
        self.assertEqual([("b", "RETR: 550 no")], report.failed)

    def found_files(self) -> dict[str, bytes]:
        """Without parts."""
        return {n: c for n, c in self.found().items() if not n.endswith(".part")}

    @as_deferred
    async def test_busy(self) -> None:
        """What fails for a while is tried again."""
        self.serve({"/a": b"1"})
        self.server.refusals["RETR /a"] = deque(["450 busy", "<closes>"])
        report = await self.mirror()
        self.assertEqual([], report.failed)
        self.assertEqual({"a": b"1"}, self.found())

    @as_deferred
    async def test_few_sessions(self) -> None:
        """A server that allows one session gets all done with one."""
        self.server.most_sessions = 1
        self.serve({f"/{number}": b"x" for number in range(20)})
        report = await self.mirror(parallel=4)
        self.assertEqual(20, report.files)
        self.assertEqual([], report.failed)

    @as_deferred
    async def test_server_gone(self) -> None:
        """When no session can be had any more, what is left fails at once."""
        self.serve({f"/{number}": b"x" for number in range(50)})
        self.server.refusals["RETR"] = deque(["<closes>"])
        self.server.refusals["PASS secret"] = deque(["230 x", *["530 no"] * 5])
        report = await self.mirror(parallel=1, retries=1)
        self.assertEqual(50, len(report.failed))
        self.assertEqual(4, len(self.server.refusals["PASS secret"]))

    @as_deferred
    async def test_missing(self) -> None:
        """A directory that the server has not is an error, and nothing is deleted."""
        self.have({"a": b"1"})
        with self.assertRaises(Unexpected):
            await self.mirror("/nowhere", wants_delete=True)
        self.assertEqual({"a": b"1"}, self.found())

    @as_deferred
    async def test_rate(self) -> None:
        """A limit lets everything through, a little later."""
        self.serve({"/a": b"x" * 1000, "/b": b"x" * 1000})
        report = await self.mirror(octets_per_second=100_000)
        self.assertEqual(2, report.files)


class HostileTests(MirrorCase):
    """Servers and local trees that lead astray."""

    @as_deferred
    async def test_names(self) -> None:
        """Names that lead out of the directory are reported, and nothing is written
        there nor deleted."""
        self.serve({"/good": b"1"})
        self.have({"surplus": b"2"})
        bad = ("../evil", "/tmp/evil", "a/../../evil", "nul\0evil", "..")
        self.server.lines["/"] = [
            b"type=file;size=4;modify=20200101000000; " + name.encode() for name in bad
        ]
        report = await self.mirror(wants_delete=True)
        self.assertEqual({"good": b"1", "surplus": b"2"}, self.found())
        self.assertEqual(1, len(report.failed))
        self.assertIn("4 entries", report.failed[0][1])
        self.assertEqual(["copy"], os.listdir(self.directory.parent))

    @as_deferred
    async def test_links_in_the_local_tree(self) -> None:
        """A link in the place of a directory is not followed; one in the place of a
        file is replaced."""
        outside = self.directory.parent / "outside"
        outside.mkdir(parents=True)
        (outside / "f").write_bytes(b"precious")
        self.directory.mkdir()
        (self.directory / "d").symlink_to(outside)
        (self.directory / "f").symlink_to(outside / "f")
        self.serve({"/d/f": b"evil", "/f": b"good"})
        report = await self.mirror()
        self.assertEqual(b"precious", (outside / "f").read_bytes())
        self.assertEqual(["f"], os.listdir(outside))
        self.assertEqual(["d/f"], [path for path, _reason in report.failed])
        self.assertFalse((self.directory / "f").is_symlink())
        self.assertEqual(b"good", (self.directory / "f").read_bytes())
        await self.mirror(wants_delete=True)
        self.assertFalse((self.directory / "d").is_symlink())
        self.assertEqual(b"evil", (self.directory / "d/f").read_bytes())

    @as_deferred
    async def test_pipe_in_place_of_a_part(self) -> None:
        """Nothing blocks on what is no file."""
        self.serve({"/f": b"x" * 10})
        self.server.cuts["/f"] = deque([5])
        await self.mirror(retries=0)
        (part,) = self.directory.iterdir()
        part.unlink()
        os.mkfifo(part)
        report = await self.mirror(retries=0)
        self.assertEqual(["f"], [path for path, _reason in report.failed])

    @as_deferred
    async def test_endless_levels(self) -> None:
        """A tree without a bottom is given up."""
        path = ""
        for _ in range(20):
            path += "/d"
            self.server.directories.add(path)
        report = await self.mirror(most_levels=10)
        self.assertEqual(1, len(report.failed))
        self.assertIn("10 levels", report.failed[0][1])

    @as_deferred
    async def test_many_entries(self) -> None:
        """A tree of too many entries is given up."""
        self.serve({f"/{number}": b"" for number in range(20)})
        report = await self.mirror(most_entries=10)
        self.assertIn("10 entries", report.failed[0][1])

    @as_deferred
    async def test_wrong_size(self) -> None:
        """A file that is shorter than the server says never gets its name."""
        self.serve({"/f": b"x" * 10})
        self.server.listed_sizes["/f"] = 20
        report = await self.mirror(retries=1)
        self.assertEqual(["f"], [path for path, _reason in report.failed])
        self.assertFalse((self.directory / "f").exists())

    @as_deferred
    async def test_kinds(self) -> None:
        """A directory in the place of a file, and the reverse, give way only where
        deleting is wished for."""
        self.serve({"/x": b"1", "/y/z": b"2"})
        self.have({"x/old": b"3", "y": b"4"})
        report = await self.mirror()
        self.assertEqual({"x", "y/z"}, {path for path, _reason in report.failed})
        self.assertEqual(b"3", (self.directory / "x/old").read_bytes())
        report = await self.mirror(wants_delete=True)
        self.assertEqual([], report.failed)
        self.assertEqual({"x": b"1", "y/z": b"2"}, self.found())

    @as_deferred
    async def test_links_of_the_server(self) -> None:
        """Links and special files are skipped, and told of."""
        self.server.lines["/"] = [
            b"type=OS.unix=slink:/etc; link",
            b"type=OS.unix=special; pipe",
        ]
        report = await self.mirror()
        self.assertEqual(["link", "pipe"], report.skipped)
        self.assertEqual({}, self.found())


class UploadTests(MirrorCase):
    """To the server."""

    @as_deferred
    async def test_tree(self) -> None:
        """Files, directories and times are copied; a second run does nothing."""
        self.have({"a": b"1", "d/e/big": BIG, "d/caf\udce9": b"x", "empty": b""})
        (self.directory / "none").mkdir()
        (self.directory / "link").symlink_to("/etc")
        report = await self.mirror("/up/in", is_upload=True)
        self.assertEqual([], report.failed)
        self.assertEqual(BIG, self.server.files["/up/in/d/e/big"])
        self.assertEqual(4, len(self.server.files))
        self.assertIn("/up/in/none", self.server.directories)
        self.assertEqual(MTIME_NS, self.server.times["/up/in/a"])
        self.assertEqual(["link"], report.skipped)
        report = await self.mirror("/up/in", is_upload=True)
        self.assertEqual((0, 4), (report.files, report.same))

    @as_deferred
    async def test_appears_whole(self) -> None:
        """A file is sent under another name first; one that fails leaves the old one
        as it was."""
        self.have({"a": b"new"})
        self.serve({"/a": b"old!"})
        self.server.refusals["RNTO /a"] = deque(["451 no"] * 9)
        report = await self.mirror("/", is_upload=True, retries=0)
        self.assertEqual(["a"], [path for path, _reason in report.failed])
        self.assertEqual(b"old!", self.server.files["/a"])
        self.server.refusals.clear()
        self.server.said.clear()
        await self.mirror("/", is_upload=True)
        self.assertEqual({"/a": b"new"}, self.server.files)
        # All of it was there already.
        self.assertEqual([], self.retrieved())

    @as_deferred
    async def test_no_replacing(self) -> None:
        """Where a rename replaces nothing, the old file is deleted before; where there
        is no renaming, files can be sent in place."""
        self.have({"a": b"new"})
        self.serve({"/a": b"old!"})
        self.server.refusals["RNTO /a"] = deque(["553 exists"])
        await self.mirror("/", is_upload=True)
        self.assertEqual({"/a": b"new"}, self.server.files)
        self.server.said.clear()
        self.have({"a": b"newer"})
        await self.mirror("/", is_upload=True, in_place=True)
        self.assertEqual(["STOR /a"], self.retrieved())
        self.assertEqual({"/a": b"newer"}, self.server.files)

    @as_deferred
    async def test_delete(self) -> None:
        """What is not here is deleted there, and what is excluded stays."""
        self.have({"a": b"1"})
        self.serve({"/a": b"1", "/b": b"2", "/d/e": b"3", "/keep/x": b"4"})
        report = await self.mirror(
            "/", is_upload=True, wants_delete=True, excludes=("keep/",)
        )
        self.assertEqual({"/a": b"1", "/keep/x": b"4"}, self.server.files)
        self.assertEqual(2, report.deleted)

    @as_deferred
    async def test_no_times(self) -> None:
        """A server that does not set times is told of once."""
        self.have({"a": b"1", "b": b"2"})
        self.server.refusals["MFMT"] = deque(["502 x"] * 9)
        report = await self.mirror("/", is_upload=True)
        self.assertEqual([], report.failed)
        self.assertEqual(1, len(self.warnings))

    @as_deferred
    async def test_no_directory(self) -> None:
        """A local directory that is not there is an error before anything is done."""
        with self.assertRaises(FileNotFoundError):
            await self.mirror("/up", is_upload=True)
        self.assertEqual({"/"}, self.server.directories)
