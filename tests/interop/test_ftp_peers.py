"""The client against FTP servers of others, and against ours: each does the same."""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.internet import reactor, tcp
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from netservices.core.deferreds import as_deferred
from netservices.ftp.client import (
    Aborted,
    ClientLimits,
    FTPClient,
    TLSRefused,
    Unexpected,
    open_client,
)
from netservices.ftp.mirror import Mirror, Report, Watcher, Wishes
from netservices.testing import running
from netservices.values import NodeKind
from tests.interop.ftp_peers import (
    LOGIN,
    PASSWORD,
    Missing,
    Running,
    made_place,
    started,
)
from tests.tls.authority import Authority

AUTHORITY = Authority()
MTIME_NS = 1_600_000_000 * 10**9
CONTENT = bytes(range(256)) * 4000
NAMES = ("café.txt", "a b  c", " lead", "日本", "plus+%41#?", "-l", "[x]*", "caf\udce9")


@as_deferred
async def parted() -> None:
    """Once every connection has ended: some servers are slow to say goodbye in TLS."""
    clock: Any = reactor
    while any(isinstance(one, tcp.Connection) for one in clock.getReaders()):
        await deferLater(clock, 0.01)


class PeerCase:
    """What every server has to do for the client; subclasses say which server."""

    program = ""
    host = "127.0.0.1"
    tls = ""
    is_active = False
    version: ssl.TLSVersion | None = None
    peer: Running
    needs_session = False
    """Whether the server wants data connections to resume the session."""

    @as_deferred
    async def setUp(self) -> None:
        """Start the server."""
        self.addCleanup(parted)
        self.stack = contextlib.ExitStack()
        self.addCleanup(self.stack.close)
        directory = Path(
            self.stack.enter_context(tempfile.TemporaryDirectory(prefix="ftp-peer-"))
        )
        place = made_place(directory, self.host, AUTHORITY)
        try:
            self.peer = self.stack.enter_context(started(self.program, place))
        except Missing as problem:
            # Without root's rights they cannot run at all.
            if os.environ.get("CI") and os.geteuid() == 0:
                raise
            raise SkipTest(f"{problem}; .ci/peers unpacks it") from None

    def context(self) -> ssl.SSLContext:
        """One that trusts the authority."""
        return AUTHORITY.client_context(self.version)

    async def greeted(self, **options: Any) -> FTPClient:
        """A client that has not logged in."""
        kind = TCP6ClientEndpoint if ":" in self.host else TCP4ClientEndpoint
        endpoint = kind(reactor, self.peer.host, self.peer.port)
        limits = ClientLimits(connect_seconds=20, reply_seconds=20)
        wanted = {"tls": self.tls, "context": self.context(), **options}
        client = await open_client(
            reactor, endpoint, limits, hostname="localhost", **wanted
        )
        self.addCleanup(client.close)
        return client

    async def client(self) -> FTPClient:
        """A client that has logged in."""
        client = await self.greeted()
        client.data.is_active = self.is_active
        await client.login(self.peer.login, self.peer.password.encode())
        return client

    def check_sessions(self, client: FTPClient) -> None:
        """Where the server wants it, data connections have resumed the session."""
        if self.tls and self.needs_session:
            self.assertGreater(client.data.sessions_resumed, 0)

    @as_deferred
    async def test_files(self) -> None:
        """Upload, list, download, rename, delete: what comes back is what went out."""
        client = await self.client()
        await client.store("/up/one", [CONTENT[:1000], CONTENT[1000:]])
        await client.store("/up/empty", [])
        self.assertEqual(len(CONTENT), await client.size("/up/one"))
        self.assertEqual(CONTENT, await client.retrieve("/up/one"))
        self.assertEqual(b"", await client.retrieve("/up/empty"))
        self.assertEqual(CONTENT, (self.peer.directory / "one").read_bytes())
        await client.rename("/up/one", "/up/two")
        found = {entry.name: entry for entry in (await client.list("/up")).entries}
        self.assertEqual({"two", "empty"}, set(found))
        self.assertEqual(len(CONTENT), found["two"].size)
        self.assertIs(NodeKind.FILE, found["two"].kind)
        await client.delete("/up/two")
        await client.delete("/up/empty")
        self.assertEqual((), (await client.list("/up")).entries)
        self.check_sessions(client)
        await client.quit()

    @as_deferred
    async def test_resume(self) -> None:
        """Downloads and uploads go on where they stopped, and APPE adds."""
        client = await self.client()
        await client.store("/up/file", [CONTENT[:700_001]])
        offset = await client.size("/up/file")
        self.assertEqual(700_001, offset)
        await client.store("/up/file", [CONTENT[offset:]], offset)
        self.assertEqual(
            CONTENT[-99:], await client.retrieve("/up/file", len(CONTENT) - 99)
        )
        await client.store("/up/file", [b"more"], is_append=True)
        self.assertEqual(CONTENT + b"more", (self.peer.directory / "file").read_bytes())
        await client.quit()

    @as_deferred
    async def test_directories(self) -> None:
        """Directories are made, entered, listed and removed; times are set and told."""
        client = await self.client()
        await client.make_directory("/up/a")
        await client.make_directory("/up/a/b c")
        await client.store("/up/a/b c/file", [b"x" * 10])
        await client.set_modified("/up/a/b c/file", MTIME_NS)
        self.assertEqual(MTIME_NS, await client.modified("/up/a/b c/file"))
        (entry,) = (await client.list("/up/a/b c")).entries
        self.assertEqual(("file", 10), (entry.name, entry.size))
        self.assertIs(NodeKind.DIRECTORY, (await client.entry("/up/a/b c")).kind)
        self.assertIs(NodeKind.FILE, (await client.entry("/up/a/b c/file")).kind)
        await client.change_directory("/up/a")
        self.assertEqual("/up/a", await client.working_directory())
        self.assertEqual((), (await client.list("/up/a/b c")).not_understood)
        await client.delete("/up/a/b c/file")
        await client.change_directory("/")
        await client.remove_directory("/up/a/b c")
        await client.remove_directory("/up/a")
        await client.quit()

    @as_deferred
    async def test_names(self) -> None:
        """Names keep their octets, whatever they are."""
        client = await self.client()
        names = [name for name in NAMES if name not in self.refused_names]
        for name in names:
            await client.store(f"/up/{name}", [name.encode("utf-8", "surrogateescape")])
        found = await client.list("/up")
        self.assertEqual(set(names), {entry.name for entry in found.entries})
        for name in names:
            content = await client.retrieve(f"/up/{name}")
            self.assertEqual(name.encode("utf-8", "surrogateescape"), content)
        await client.quit()

    refused_names: tuple[str, ...] = ()

    @as_deferred
    async def test_refusals(self) -> None:
        """A refusal carries the reply, and the session goes on after it."""
        client = await self.client()
        for attempt in (
            client.retrieve("/up/nowhere"),
            client.delete("/up/nowhere"),
            client.store("/up/no/where", [b"x"]),
        ):
            with self.assertRaises(Unexpected) as caught:
                await attempt
            self.assertIn(caught.exception.reply.code, (550, 553))
        await client.noop()
        await client.quit()

    @as_deferred
    async def test_abort(self) -> None:
        """A download that is given up, by ABOR or by an error of ours, leaves a session
        that works."""
        with open(self.peer.directory / "big", "wb") as file:
            file.truncate(200_000_000)
        client = await self.client()

        def give_up(data: bytes) -> None:
            client.abort()

        with self.assertRaises((Aborted, Unexpected)):
            await client.retrieve_into("/up/big", give_up)

        client = await self.usable(client)

        def fail(data: bytes) -> None:
            raise KeyError("our own")

        with self.assertRaises(KeyError):
            await client.retrieve_into("/up/big", fail)
        client = await self.usable(client)
        await client.store("/up/after", [b"x"])
        self.assertEqual(b"x", await client.retrieve("/up/after"))
        await client.quit()

    async def usable(self, client: FTPClient) -> FTPClient:
        """The same client, but for Pure-FTPd, which may never answer for a broken
        transfer with TLS."""
        if client.control.is_usable:
            return client
        self.assertEqual("pure-ftpd", self.program)
        return await self.client()

    @as_deferred
    async def test_mirror(self) -> None:
        """A tree goes up and comes back as it was, with its times; a second run finds
        nothing to do; what is gone on one side goes on the other."""
        source = Path(self.mktemp()).absolute()
        copy = Path(self.mktemp()).absolute()
        files = {f"d/{name}": name.encode("utf-8", "surrogateescape") for name in NAMES}
        files |= {"big": CONTENT, "d/e/empty": b""}
        for name, content in files.items():
            path = source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            os.utime(path, ns=(MTIME_NS, MTIME_NS))
        for directory, is_upload in ((source, True), (copy, False)):
            report = await self.mirror(directory, is_upload)
            self.assertEqual((len(files), []), (report.files, report.failed))
            report = await self.mirror(directory, is_upload)
            self.assertEqual((0, len(files)), (report.files, report.same))
        found = {
            str(path.relative_to(copy)): path.read_bytes()
            for path in copy.rglob("*")
            if path.is_file()
        }
        self.assertEqual(files, found)
        self.assertEqual(MTIME_NS, (copy / "big").stat().st_mtime_ns)
        (source / "big").unlink()
        (source / "d/e/empty").unlink()
        (source / "d/e").rmdir()
        for directory, is_upload in ((source, True), (copy, False)):
            report = await self.mirror(directory, is_upload)
            self.assertEqual((2, []), (report.deleted, report.failed))
        self.assertFalse((copy / "d/e").exists())

    async def mirror(self, directory: Path, is_upload: bool) -> Report:
        """A run that deletes."""
        wishes = Wishes(is_upload=is_upload, wants_delete=True, retries=1)
        path, watcher = "/up/mirror", Watcher()
        run = Mirror(reactor, self.client, path, str(directory), wishes, watcher)
        return await run.run()


class TLSCase(PeerCase):
    """The same with AUTH TLS and PROT P."""

    tls = "explicit"

    @as_deferred
    async def test_strangers(self) -> None:
        """A certificate of an authority that is not trusted ends the session before
        the password is sent."""
        context = ssl.create_default_context()
        with self.assertRaises(TLSRefused):
            await self.greeted(context=context)


class VsftpdTests(PeerCase, TestCase):
    """vsftpd, passive."""

    program = "vsftpd"


class VsftpdActiveTests(PeerCase, TestCase):
    """vsftpd, active."""

    program = "vsftpd"
    is_active = True


class VsftpdV6Tests(PeerCase, TestCase):
    """vsftpd by IPv6."""

    program = "vsftpd"
    host = "::1"


class VsftpdTLSTests(TLSCase, TestCase):
    """vsftpd with TLS 1.3, which wants the session resumed."""

    program = "vsftpd"
    needs_session = True


class VsftpdTLS12Tests(TLSCase, TestCase):
    """vsftpd with TLS 1.2, active, by IPv6."""

    program = "vsftpd"
    needs_session = True
    version = ssl.TLSVersion.TLSv1_2
    is_active = True
    host = "::1"


class ProFTPDTests(PeerCase, TestCase):
    """ProFTPD, passive."""

    program = "proftpd"


class ProFTPDActiveTests(PeerCase, TestCase):
    """ProFTPD, active, by IPv6."""

    program = "proftpd"
    is_active = True
    host = "::1"


class ProFTPDTLSTests(TLSCase, TestCase):
    """ProFTPD with TLS 1.3, which wants the session resumed."""

    program = "proftpd"
    needs_session = True


class ProFTPDTLS12Tests(TLSCase, TestCase):
    """ProFTPD with TLS 1.2, active."""

    program = "proftpd"
    needs_session = True
    version = ssl.TLSVersion.TLSv1_2
    is_active = True


class PureFTPdTests(PeerCase, TestCase):
    """Pure-FTPd, passive."""

    program = "pure-ftpd"


class PureFTPdTLSTests(TLSCase, TestCase):
    """Pure-FTPd with TLS, active."""

    program = "pure-ftpd"
    is_active = True


class OursTests(PeerCase, TestCase):
    """Our own server, with TLS."""

    tls = "explicit"
    needs_session = True

    @as_deferred
    async def setUp(self) -> None:
        """Start it in this process."""
        self.addCleanup(parted)
        server = await running(
            ftp=True,
            accounts=[(LOGIN, PASSWORD)],
            settings={"ftp.passive_ports": "0", "limits.exempt": "127.0.0.0/8"},
        )
        self.addCleanup(server.stop)
        directory = Path(server.state_directory) / f"files/{LOGIN}@localhost/up"
        directory.mkdir(parents=True)
        self.peer = Running(self.host, server.port("ftp", "tcp"), directory)

    def context(self) -> ssl.SSLContext:
        """Its certificate is its own."""
        context = super().context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
