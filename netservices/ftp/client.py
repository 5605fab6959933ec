"""An FTP client: passive transfers in image type, listings by MLSD.

It speaks the same wire as the server and uses the same data connections::

    client = await connect(reactor, "ftp.example.org", 21)
    await client.login("alice", b"secret")
    content = await client.retrieve("a.txt")

Every method raises ``Unexpected`` where the server refuses, with its reply.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IConnector
from twisted.internet.protocol import ClientFactory, Protocol, connectionDone
from twisted.python.failure import Failure

from netservices.core.errors import SyntaxProblem
from netservices.core.lines import LineBuffer
from netservices.core.write import connect_tcp
from netservices.ftp.dialogue.channels import DataBroken, NoDataConnection
from netservices.ftp.server.channels import DataConnection
from netservices.ftp.wire import (
    Reply,
    ReplyReader,
    encode_path,
    is_preliminary,
    parse_epsv_reply,
    parse_facts,
    parse_pasv_reply,
    unquoted,
)

_LONGEST_LINE = 16 * 1024
_CHUNK = 256 * 1024
_MOST_IN_MEMORY = 64 * 1024 * 1024


class Unexpected(Exception):
    """The server said something else than what was hoped for."""

    def __init__(self, command: str, reply: Reply) -> None:
        super().__init__(f"{command.partition(' ')[0]}: {reply.code} {reply.lines[-1]}")
        self.reply = reply


class FTPClient(Protocol):
    """One control connection, and one command at a time."""

    def __init__(self, reactor: Any, open_seconds: float = 30.0) -> None:
        self._reactor = reactor
        self._open_seconds = open_seconds
        self._lines = LineBuffer(_LONGEST_LINE)
        self._reader = ReplyReader()
        self._replies: list[Reply] = []
        self._waiter: Deferred[Reply] | None = None
        self._problem: Failure | None = None
        self.opened: Deferred[FTPClient] = Deferred()

    # --- replies --------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Lines of replies."""
        self._lines.feed(data)
        try:
            while (line := self._lines.next_line()) is not None:
                if not isinstance(line, bytes):
                    raise SyntaxProblem("an overlong line")
                reply = self._reader.take(line)
                if reply is not None:
                    self._take(reply)
        except SyntaxProblem:
            self._fail(Failure())
            transport: Any = self.transport
            transport.abortConnection()

    def _take(self, reply: Reply) -> None:
        if not self.opened.called:
            if reply.code == 220:
                self.opened.callback(self)
            elif not is_preliminary(reply):
                self.opened.errback(Failure(Unexpected("connect", reply)))
        elif self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            waiter.callback(reply)
        else:
            self._replies.append(reply)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Whoever waits is told."""
        self._fail(reason)

    def _fail(self, reason: Failure) -> None:
        self._problem = self._problem or reason
        waiter, self._waiter = self._waiter, None
        if not self.opened.called:
            self.opened.errback(reason)
        elif waiter is not None:
            waiter.errback(reason)

    async def reply(self) -> Reply:
        """The next reply, preliminary ones included."""
        if self._replies:
            return self._replies.pop(0)
        if self._problem is not None:
            self._problem.raiseException()
        self._waiter = Deferred()
        return await self._waiter

    def send(self, command: str) -> None:
        """Send a command line without waiting.  ValueError for one with a line end."""
        if "\n" in command:
            raise ValueError("a line feed in a command")
        # RFC 2640 3.1, RFC 854: CR within a name, and the octet 255.
        octets = encode_path(command).replace(b"\r", b"\r\0")
        transport: Any = self.transport
        transport.write(octets.replace(b"\xff", b"\xff\xff") + b"\r\n")

    async def command(self, command: str, *codes: int) -> Reply:
        """The reply to a command; Unexpected where its code is none of ``codes``
        (none given: 2yz and 3yz are fine)."""
        self.send(command)
        return await self.expect(command, *codes)

    async def expect(self, command: str, *codes: int) -> Reply:
        """The next reply, if it is as hoped for.  Unexpected."""
        reply = await self.reply()
        if reply.code not in codes if codes else not 200 <= reply.code < 400:
            raise Unexpected(command, reply)
        return reply

    # --- commands -------------------------------------------------------------------

    async def login(self, login: str, password: bytes) -> None:
        """USER and PASS, then image type."""
        reply = await self.command(f"USER {login}", 230, 331)
        if reply.code == 331:
            text = password.decode("utf-8", "surrogateescape")
            await self.command(f"PASS {text}", 230, 202)
        await self.command("TYPE I", 200)

    async def size(self, path: str) -> int:
        """Octets of a file."""
        return int((await self.command(f"SIZE {path}", 213)).lines[-1])

    async def rename(self, source: str, target: str) -> None:
        """RNFR and RNTO."""
        await self.command(f"RNFR {source}", 350)
        await self.command(f"RNTO {target}", 250)

    async def delete(self, path: str) -> None:
        """Delete a file."""
        await self.command(f"DELE {path}", 250)

    async def make_directory(self, path: str) -> str:
        """Make a directory; its full name."""
        return unquoted((await self.command(f"MKD {path}", 257)).lines[-1])

    async def remove_directory(self, path: str) -> None:
        """Remove an empty directory."""
        await self.command(f"RMD {path}", 250)

    async def change_directory(self, path: str) -> None:
        """CWD."""
        await self.command(f"CWD {path}", 250)

    async def quit(self) -> None:
        """Say goodbye."""
        await self.command("QUIT", 221)
        transport: Any = self.transport
        transport.loseConnection()

    # --- transfers ------------------------------------------------------------------

    async def retrieve(self, path: str, offset: int = 0) -> bytes:
        """A file of at most 64 MiB, from ``offset`` on."""
        pieces: list[bytes] = []
        await self.retrieve_into(path, pieces.append, offset, _MOST_IN_MEMORY)
        return b"".join(pieces)

    async def retrieve_into(
        self,
        path: str,
        take: Callable[[bytes], Awaitable[None] | None],
        offset: int = 0,
        most: int | None = None,
    ) -> None:
        """Hand a file to ``take`` piece by piece; DataBroken beyond ``most`` octets."""

        async def move(channel: DataConnection) -> None:
            def bounded(data: bytes) -> Awaitable[None] | None:
                if most is not None and channel.octets > most:
                    raise DataBroken("the file is larger than expected")
                return take(data)

            await channel.receive(bounded)

        await self._transfer(f"RETR {path}", move, offset)

    async def store(self, path: str, pieces: Iterable[bytes], offset: int = 0) -> None:
        """Upload; returns once the server says that the file is complete."""

        async def move(channel: DataConnection) -> None:
            for piece in pieces:
                await channel.send(piece)
            await channel.finish()

        await self._transfer(f"STOR {path}", move, offset)

    async def entries(self, path: str = "") -> dict[str, dict[str, str]]:
        """Facts by name of a directory's entries (RFC 3659 7)."""
        pieces: list[bytes] = []

        async def move(channel: DataConnection) -> None:
            await channel.receive(pieces.append)

        await self._transfer(f"MLSD {path}".rstrip(), move)
        text = b"".join(pieces).decode("utf-8", "surrogateescape")
        return dict(parse_facts(line) for line in text.split("\r\n") if line)

    async def _transfer(
        self,
        command: str,
        move: Callable[[DataConnection], Awaitable[None]],
        offset: int = 0,
    ) -> None:
        channel = await self._passive()
        try:
            if offset:
                await self.command(f"REST {offset}", 350)
            await self.command(command, 125, 150)
            await move(channel)
            await self.expect(command, 226, 250)
        finally:
            channel.abort()

    async def _passive(self) -> DataConnection:
        """A data connection to the server's host, whatever host the server names."""
        reply = await self.command("EPSV", 229, 500, 501, 502, 522)
        if reply.code == 229:
            port = parse_epsv_reply(reply.lines[-1])
        else:
            port = parse_pasv_reply((await self.command("PASV", 227)).lines[-1]).port
        transport: Any = self.transport
        factory = _Opening(DataConnection(_CHUNK, self._reactor))
        host = transport.getPeer().host
        connect_tcp(self._reactor, host, port, factory, self._open_seconds)
        opened: DataConnection = await factory.opened
        return opened


class _Opening(ClientFactory):
    """One connection on its way."""

    noisy = False

    def __init__(self, protocol: Any) -> None:
        self.protocol_made = protocol
        self.opened: Deferred[Any] = getattr(protocol, "opened", None) or Deferred()
        if isinstance(protocol, DataConnection):
            protocol.made = self.opened.callback

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """The one protocol of this factory."""
        return self.protocol_made

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        """Refused, unreachable or too late."""
        if isinstance(self.protocol_made, DataConnection):
            reason = Failure(NoDataConnection(reason.getErrorMessage()))
        self.opened.errback(reason)


def connect(
    reactor: Any, host: str, port: int = 21, seconds: float = 30.0
) -> Deferred[FTPClient]:
    """A client that has been greeted."""
    client = FTPClient(reactor, seconds)
    connect_tcp(reactor, host, port, _Opening(client), seconds)
    return client.opened
