"""A client's session: login, transfers, listings."""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Any

from attrs import frozen

from netservices.core.errors import SyntaxProblem
from netservices.core.lines import LineBuffer
from netservices.ftp.client.channel import ClientChannel
from netservices.ftp.client.commands import Commands
from netservices.ftp.client.control import Control
from netservices.ftp.client.data import DataConnections, Prepared
from netservices.ftp.client.limits import ClientLimits
from netservices.ftp.client.problems import (
    Aborted,
    TLSRefused,
    TooMuch,
    Unexpected,
)
from netservices.ftp.datastream import Take
from netservices.ftp.dialogue.channels import DataBroken
from netservices.ftp.wire import Reply, is_preliminary
from netservices.ftp.wire.listed import Entry, parse_list_line, parse_mlsd_line

_COMPLETE = (226, 250)


@frozen
class Listing:
    """What a server says is in a directory."""

    entries: tuple[Entry, ...]
    not_understood: tuple[str, ...] = ()
    """Lines, at most 100 octets each, that name nothing we could use; where there are
    any, the directory holds more than ``entries``."""


class FTPClient(Commands):
    """One session with a server; one command, and one transfer, at a time."""

    def __init__(self, control: Control, reactor: Any, hostname: str = "") -> None:
        self.control = control
        self.data = DataConnections(reactor, control, hostname=hostname)
        self.limits: ClientLimits = control.limits
        self._reactor = reactor
        self._context: ssl.SSLContext | None = None
        self._hostname = hostname
        self._channel: ClientChannel | None = None
        self._is_aborting = False

    # --- the beginning --------------------------------------------------------------

    async def secure(self, context: ssl.SSLContext, is_implicit: bool = False) -> None:
        """Protect the control connection, by AUTH TLS unless it is the implicit kind;
        the login then protects the data connections.  Unexpected, TLSRefused."""
        if not is_implicit:
            try:
                await self.command("AUTH TLS", 234)
            except Unexpected as problem:
                raise TLSRefused(f"the server has no TLS: {problem}") from problem
        await self.control.secure(context, self._hostname)
        self._context = context
        self._features = None

    async def login(self, login: str, password: bytes, account: str = "") -> None:
        """USER, PASS and ACCT as far as the server wants them; then TLS for data where
        the control connection has it, image type, and UTF-8."""
        reply = await self.command(f"USER {login}", 230, 331, 332)
        if reply.code == 331:
            text = password.decode("utf-8", "surrogateescape")
            reply = await self.command(f"PASS {text}", 230, 202, 332)
        if reply.code == 332:
            await self.command(f"ACCT {account}", 230, 202)
        self._features = None
        if self._context is not None:
            await self.protect_data(True)
        await self.command("TYPE I", 200)
        if "UTF8" in await self.features():
            # Not RFC 2640: some servers wait for it before they send UTF-8.
            await self._try("OPTS UTF8 ON")
        await self._ask_for_facts()

    async def protect_data(self, is_wanted: bool) -> None:
        """PBSZ and PROT: whether data connections speak TLS (RFC 4217 9)."""
        await self.command("PBSZ 0", 200)
        await self.command("PROT P" if is_wanted else "PROT C", 200)
        self.data.protection = self._context if is_wanted else None
        self.data.hostname = self._hostname

    # --- files ----------------------------------------------------------------------

    async def retrieve(self, path: str, offset: int = 0) -> bytes:
        """A file of at most ``memory_octets``, from ``offset`` on."""
        pieces: list[bytes] = []
        most = self.limits.memory_octets
        await self.retrieve_into(path, pieces.append, offset, most)
        return b"".join(pieces)

    async def retrieve_into(
        self, path: str, take: Take, offset: int = 0, most: int | None = None
    ) -> None:
        """Hand a file to ``take`` piece by piece, waiting for what it returns.
        TooMuch beyond ``most`` octets."""
        octets = 0

        def bounded(data: bytes) -> Awaitable[None] | None:
            nonlocal octets
            octets += len(data)
            if most is not None and octets > most:
                raise TooMuch("the file is larger than it should be")
            return take(data)

        await self._transfer(
            f"RETR {path}", lambda channel: channel.receive(bounded), offset
        )

    async def store(
        self,
        path: str,
        pieces: Iterable[bytes] | AsyncIterable[bytes],
        offset: int = 0,
        is_append: bool = False,
    ) -> None:
        """Upload from ``offset`` on, or append; returns once the server says that the
        file is complete."""

        async def move(channel: ClientChannel) -> None:
            if isinstance(pieces, AsyncIterable):
                async for piece in pieces:
                    await channel.send(piece)
            else:
                for piece in pieces:
                    await channel.send(piece)
            await channel.finish()

        await self._transfer(f"{'APPE' if is_append else 'STOR'} {path}", move, offset)

    def abort(self) -> None:
        """Give up the transfer that runs; who waits for it gets ``Aborted``."""
        if self._channel is not None and not self._is_aborting:
            self._is_aborting = True
            self.control.interrupt()
            self._channel.abort()

    # --- listings -------------------------------------------------------------------

    async def list(self, path: str = "") -> Listing:
        """The entries of a directory: by MLSD, or by LIST where there is none."""
        if "MLST" in await self.features():
            return await self._entries(f"MLSD {path}".rstrip(" "), parse_mlsd_line)
        return await self._list_by_list(path)

    async def _list_by_list(self, path: str) -> Listing:
        """By LIST from inside the directory: servers take parts of a path for options
        and patterns."""
        now = time.time()

        def parse(line: str) -> Entry | None:
            return parse_list_line(line, now)

        before = await self.working_directory() if path else ""
        if path:
            await self.change_directory(path)
        try:
            # Not RFC 959: the option shows names that begin with a dot.
            return await self._entries("LIST -a", parse)
        except Unexpected as problem:
            if problem.reply.code < 500:
                raise
            return await self._entries("LIST", parse)
        finally:
            if path and self.control.is_usable:
                await self.change_directory(before)

    async def _entries(
        self, command: str, parse: Callable[[str], Entry | None]
    ) -> Listing:
        reading = _ListingReader(self.limits, parse)
        await self._transfer(
            command, lambda channel: channel.receive(reading.take), is_listing=True
        )
        return reading.listing()

    # --- transfers ------------------------------------------------------------------

    async def _transfer(
        self,
        command: str,
        move: Callable[[ClientChannel], Awaitable[None]],
        offset: int = 0,
        is_listing: bool = False,
    ) -> None:
        prepared = await self.data.prepare()
        try:
            if offset:
                await self.command(f"REST {offset}", 350)
            reply = await self.command(command, 125, 150, *_COMPLETE)
            try:
                await self._move(prepared, move)
            except Exception as problem:
                prepared.close()
                await self._settle(command, reply, problem)
                raise
            if is_preliminary(reply):
                await self._complete(command)
        finally:
            self._channel = None
            self._is_aborting = False
            prepared.close()

    async def _move(
        self, prepared: Prepared, move: Callable[[ClientChannel], Awaitable[None]]
    ) -> None:
        channel = self._channel = await prepared.connected()
        await self.data.secure(channel)
        watch = _StallWatch(self._reactor, channel, self.limits.stall_seconds)
        try:
            await move(channel)
        finally:
            watch.stop()

    async def _complete(self, command: str) -> None:
        """The reply that ends a transfer which went well for us."""
        seconds = self.limits.completion_seconds
        reply = await self.control.reply(seconds)
        if self._is_aborting:
            await self._catch_up()
        if reply.code not in _COMPLETE:
            raise Unexpected(command, reply)

    async def _settle(self, command: str, reply: Reply, problem: Exception) -> None:
        """Read the replies that a broken transfer still brings, so that the session can
        go on; raise what tells more than ``problem``."""
        if not is_preliminary(reply) or not self.control.is_usable:
            return
        final = None
        # Without an answer the session is over, but that is not what went wrong first.
        with suppress(Exception):
            final = await self.control.reply(self.limits.settle_seconds)
            if self._is_aborting:
                await self._catch_up()
        if self._is_aborting:
            raise Aborted(f"{command.partition(' ')[0]} was given up") from problem
        if final is None or final.code in _COMPLETE:
            return
        if isinstance(problem, DataBroken):
            raise Unexpected(command, final) from problem

    async def _catch_up(self) -> None:
        """Read the reply to ABOR, if there is one."""
        # RFC 959 4.1.3 has a reply to the transfer and one to ABOR.
        # Not RFC 959: Pure-FTPd may send one for both; the one to NOOP is known by its
        # code.
        self.control.send("NOOP")
        for _ in range(self.limits.pending_replies):
            if (await self.control.reply()).code == 200:
                return
        raise TooMuch("the server sends replies that nobody asked for")


class _StallWatch:
    """Ends a data connection on which nothing moves."""

    def __init__(self, reactor: Any, channel: ClientChannel, seconds: float) -> None:
        self._reactor = reactor
        self._channel = channel
        self._seconds = seconds
        self._look()

    def _look(self) -> None:
        self._timer = self._reactor.callLater(self._seconds, self._look)
        self._channel.look()

    def stop(self) -> None:
        """The transfer is over."""
        if self._timer.active():
            self._timer.cancel()


class _ListingReader:
    """Takes a listing apart while it arrives, within the limits."""

    def __init__(
        self, limits: ClientLimits, parse: Callable[[str], Entry | None]
    ) -> None:
        self._limits = limits
        self._parse = parse
        self._lines = LineBuffer(limits.line_octets)
        self._octets = 0
        self._entries: list[Entry] = []
        self._names: set[str] = set()
        self._not_understood: list[str] = []

    def take(self, data: bytes) -> None:
        """The next octets.  TooMuch."""
        self._octets += len(data)
        if self._octets > self._limits.listing_octets:
            raise TooMuch("the server sends an endless listing")
        self._lines.feed(data)
        while (line := self._lines.next_line()) is not None:
            if not isinstance(line, bytes):
                raise TooMuch("the server sends an overlong line in a listing")
            self._take_line(line.decode("utf-8", "surrogateescape"))

    def _take_line(self, line: str) -> None:
        if len(self._names) + len(self._not_understood) >= (
            self._limits.listing_entries
        ):
            raise TooMuch("the server sends too many entries")
        try:
            entry = self._parse(line) if line else None
        except SyntaxProblem:
            self._not_understood.append(line[:100])
            return
        if entry is None:
            return
        if entry.name in self._names:
            self._not_understood.append(line[:100])
            return
        self._names.add(entry.name)
        self._entries.append(entry)

    def listing(self) -> Listing:
        """What has arrived."""
        rest = self._lines.take(self._limits.line_octets)
        if rest:
            self._take_line(rest.decode("utf-8", "surrogateescape").rstrip("\r"))
        return Listing(tuple(self._entries), tuple(self._not_understood))
