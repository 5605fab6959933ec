"""RETR, STOR, APPE, STOU, LIST, NLST, MLSD and ABOR.

Every transfer is one coroutine: open the file, say 125 or 150, open the data
connection, move the octets, end with one final reply.  The rules that all share:

* 226 for an upload is said only after ``IUpload.commit()`` has fired, so what the
  client was told is complete, synced and under its name;
* whatever goes wrong before that leaves the file that had the name untouched, and what
  arrived is kept for REST and APPE to continue where the peer or the network was at
  fault;
* a data connection that breaks (a reset, a stall, ABOR) is 426, never an end of file.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import attrs
from attrs import define

from netservices.core.deferreds import as_deferred, shielded
from netservices.core.dialogue import Answer, Then
from netservices.core.dialogue import Reply as AnyReply
from netservices.core.errors import ProtocolError, Refused
from netservices.ftp.backend import Permission, path_text
from netservices.ftp.dialogue.channels import DataBroken, DataChannel
from netservices.ftp.dialogue.problems import reply_for
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.wire import (
    FromNVT,
    Replies,
    Reply,
    ToNVT,
    decode_path,
    encode_path,
    facts_of,
    format_facts,
    list_line,
    printable,
    split_list_options,
)
from netservices.interfaces import (
    Conflict,
    Exists,
    FileProblem,
    IOpenFile,
    IsADirectory,
    IUpload,
    StoreError,
)
from netservices.values import Node, NodeKind, Path, WriteMode

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation
    from netservices.ftp.policy import User

COMMANDS = Commands()

NOT_PREPARED = Reply(425, "Say PASV, EPSV, PORT or EPRT first")
ABORTED = Reply(426, "Transfer aborted")
ABOR_DONE = Reply(226, "Abort complete")
NOTHING_TO_ABORT = Reply(225, "No transfer is in progress")
BEYOND_END = Reply(554, "Restart position > file size")
RESTART_PENDING = Reply(450, "Not after REST")

_UNIQUE_TRIES = 5

Move: TypeAlias = Callable[[DataChannel], Awaitable[None]]


@define(eq=False)
class Transfer:
    """A transfer under way."""

    verb: str
    path: Path
    started: float
    offset: int = 0
    opening: str = ""
    """Text of the 125 or 150."""
    channel: DataChannel | None = None
    is_given_up: bool = False
    aborts: int = 0
    """How many ABORs came; each is answered after the transfer."""
    is_last: bool = False
    """Whether the session ends with it: QUIT came, or the server stops."""
    is_committing: bool = False
    report: Callable[[int], None] | None = None
    """Takes the code of a commit that outlives the session."""

    @property
    def octets(self) -> int:
        """How many octets have moved."""
        return 0 if self.channel is None else self.channel.octets

    def status(self, now: float) -> dict[str, object]:
        """What ``netservices status`` shows of it."""
        return {
            "verb": self.verb,
            "path": path_text(self.path),
            "octets": self.octets,
            "seconds": round(now - self.started, 1),
        }

    @property
    def is_upload(self) -> bool:
        """Whether the client sends."""
        return self.verb in ("STOR", "APPE", "STOU")

    @property
    def is_listing(self) -> bool:
        """Whether it is LIST, NLST or MLSD."""
        return self.verb in ("LIST", "NLST", "MLSD")

    def abort(self) -> None:
        """The client wants no more of it, or has gone."""
        self.is_given_up = True
        self.break_channel()

    def break_channel(self) -> None:
        """Reset the data connection, where there is one."""
        if self.channel is not None:
            self.channel.abort()


async def carry(talk: Conversation, transfer: Transfer, move: Move) -> AnyReply:
    """Open the data connection, let ``move`` use it, and say how that ended."""
    if not talk.data.is_prepared:
        return NOT_PREPARED
    talk.transfer = transfer
    user = talk.user
    reply = ABORTED
    try:
        reply = await _attempt(talk, transfer, move)
    finally:
        talk.data.close()
        talk.transfer_ended()
        if transfer.is_committing:
            # The client has left, but the file comes: how that ends is the truth.
            transfer.report = partial(_report, talk, user, transfer)
        else:
            _report(talk, user, transfer, reply.code)
    return _last_words(transfer, reply)


def _report(
    talk: Conversation, user: User | None, transfer: Transfer, code: int
) -> None:
    if user is None or transfer.is_listing:
        return
    talk.policy.transferred(
        user,
        talk.origin,
        "up" if transfer.is_upload else "down",
        transfer.path,
        transfer.octets,
        transfer.offset,
        talk.policy.seconds() - transfer.started,
        code,
    )


async def _attempt(talk: Conversation, transfer: Transfer, move: Move) -> Reply:
    code = 125 if talk.data.is_connected else 150
    talk.say(Reply(code, transfer.opening or "Here comes the transfer"))
    try:
        transfer.channel = await talk.data.open()
        await move(transfer.channel)
    except (ProtocolError, FileProblem, StoreError) as error:
        transfer.break_channel()
        return ABORTED if transfer.is_given_up else reply_for(error)
    except BaseException:
        transfer.break_channel()
        raise
    return Reply(226, f"Transfer complete, {transfer.octets} octets")


def _last_words(transfer: Transfer, reply: Reply) -> AnyReply:
    """The transfer's reply, those to ABOR, and the end of the session if it is due."""
    replies = [reply, *(ABOR_DONE for _ in range(transfer.aborts))]
    if transfer.is_last:
        replies[-1] = attrs.evolve(replies[-1], then=Then.CLOSE)
    return replies[0] if len(replies) == 1 else Replies(tuple(replies))


@COMMANDS.verb("ABOR", argument=Argument.NONE, help=": stop a transfer", overtakes=True)
def abor(talk: Conversation, argument: bytes) -> Answer:
    """426 for the transfer, then 226; 225 where there is none (RFC 959 5.4)."""
    if talk.transfer is None:
        talk.data.close()
        return NOTHING_TO_ABORT
    talk.transfer.aborts += 1
    talk.transfer.abort()
    talk.data.close()
    return None


# --- downloads ----------------------------------------------------------------------


@COMMANDS.verb(
    "RETR",
    argument=Argument.REQUIRED,
    help="<path>: download a file",
    permission=Permission.READ,
)
async def retr(talk: Conversation, argument: bytes) -> AnyReply:
    """The file as it was when it was opened, from the restart position on."""
    offset = _take_restart(talk)
    path = talk.view.path(decode_path(argument))
    file = await talk.view.tree.open(path)
    try:
        if offset > file.node.size:
            return BEYOND_END
        text = f"Sending {file.node.size - offset} octets"
        transfer = Transfer("RETR", path, talk.policy.seconds(), offset, text)
        chunk = talk.policy.settings.transfer_chunk
        is_ascii = talk.is_ascii

        async def move(channel: DataChannel) -> None:
            if is_ascii:
                await _send_text(channel, file, offset, chunk)
            else:
                await channel.send_file(file, offset)
            await channel.finish()

        return await carry(talk, transfer, move)
    finally:
        file.close()


async def _send_text(
    channel: DataChannel, file: IOpenFile, offset: int, chunk: int
) -> None:
    encoder = ToNVT()
    end = file.node.size
    while offset < end:
        data = await file.read(offset, min(chunk, end - offset))
        if not data:
            raise DataBroken("the file became shorter while it was sent")
        offset += len(data)
        await channel.send(encoder.feed(data))


def _take_restart(talk: Conversation) -> int:
    """The position that REST gave; it counts once, for the next transfer."""
    offset, talk.restart = talk.restart, 0
    if offset and talk.is_ascii:
        raise Refused("REST before TYPE A", Reply(501, "Restart needs TYPE I"))
    return offset


# --- uploads ------------------------------------------------------------------------


@COMMANDS.verb(
    "STOR",
    argument=Argument.REQUIRED,
    help="<path>: upload a file",
    permission=Permission.WRITE,
)
async def stor(talk: Conversation, argument: bytes) -> AnyReply:
    """A new file takes the name at the end; after REST, the old one is continued."""
    offset = _take_restart(talk)
    path = talk.view.path(decode_path(argument))
    mode = WriteMode.RESUME if offset else WriteMode.REPLACE
    return await _store(
        talk, Transfer("STOR", path, talk.policy.seconds()), mode, offset
    )


@COMMANDS.verb(
    "APPE",
    argument=Argument.REQUIRED,
    help="<path>: append to a file",
    permission=Permission.WRITE,
)
async def appe(talk: Conversation, argument: bytes) -> AnyReply:
    """Continue a file, or an upload of it that broke off."""
    if talk.restart:
        talk.restart = 0
        return RESTART_PENDING
    path = talk.view.path(decode_path(argument))
    transfer = Transfer("APPE", path, talk.policy.seconds())
    return await _store(talk, transfer, WriteMode.APPEND)


@COMMANDS.verb(
    "STOU",
    argument=Argument.OPTIONAL,
    help="[<prefix>]: upload under a new name",
    permission=Permission.WRITE,
)
async def stou(talk: Conversation, argument: bytes) -> AnyReply:
    """The name is in the 125 or 150 (RFC 1123 4.1.2.9)."""
    if talk.restart:
        talk.restart = 0
        return RESTART_PENDING
    prefix = decode_path(argument) or "upload"
    for _ in range(_UNIQUE_TRIES):
        path = talk.view.path(talk.policy.unique_name(prefix))
        text = f"FILE: {path[-1]}"
        transfer = Transfer("STOU", path, talk.policy.seconds(), 0, text)
        try:
            return await _store(talk, transfer, WriteMode.CREATE)
        except Exists:
            continue
    return Reply(451, "No free name was found")


async def _store(
    talk: Conversation, transfer: Transfer, mode: WriteMode, offset: int = 0
) -> AnyReply:
    expected, talk.expected_octets = talk.expected_octets, None
    if not transfer.path:
        raise IsADirectory("/")
    tree = talk.view.tree
    try:
        upload = await tree.begin_write(transfer.path, mode, offset, expected)
    except Conflict:
        return BEYOND_END
    decoder = FromNVT() if talk.is_ascii else None
    taking = _Upload(upload, decoder, talk.data.keeps_client, transfer)
    transfer.offset = upload.offset
    try:
        if mode is WriteMode.RESUME and upload.offset != offset:
            return BEYOND_END
        return await carry(talk, transfer, taking.move)
    finally:
        await taking.settle()


@define
class _Upload:
    """An upload and what has become of it."""

    upload: IUpload
    decoder: FromNVT | None
    keeps_client: Callable[[], Awaitable[bool]]
    transfer: Transfer
    is_committing: bool = False
    may_be_resumed: bool = True

    async def move(self, channel: DataChannel) -> None:
        """Receive everything, then commit."""
        upload, decoder = self.upload, self.decoder
        try:
            if decoder is None:
                await channel.receive(upload.write)
            else:
                await channel.receive(lambda data: upload.write(decoder.feed(data)))
                waiting = upload.write(decoder.finish())
                if waiting is not None:
                    await waiting
        except (FileProblem, StoreError):
            # A full disk or quota is no reason to hold on to what came.
            self.may_be_resumed = False
            raise
        if not await self.keeps_client():
            # Not RFC 959 3.4.1: the end of the stream is that of the file, but a client
            # that was killed ends all its streams, in the middle of the file too.
            raise DataBroken("the client has left")
        # Once begun, a commit goes on even if the client leaves meanwhile.
        self.is_committing = True
        try:
            await shielded(as_deferred(self._commit)())
        except (FileProblem, StoreError):
            self.is_committing = False
            raise

    async def _commit(self) -> None:
        transfer = self.transfer
        transfer.is_committing = True
        code = 451
        try:
            await self.upload.commit()
            code = 226
        finally:
            transfer.is_committing = False
            if transfer.report is not None:
                transfer.report(code)

    async def settle(self) -> None:
        """Give up what was not committed; keep what the client may continue."""
        if not self.is_committing:
            has_octets = self.upload.offset + self.upload.received_octets > 0
            await self.upload.abort(keep_partial=self.may_be_resumed and has_octets)


# --- listings -----------------------------------------------------------------------


@COMMANDS.verb(
    "LIST",
    argument=Argument.OPTIONAL,
    help="[<path>]: list as ls -l does",
    permission=Permission.LIST,
)
async def list_(talk: Conversation, argument: bytes) -> AnyReply:
    """A directory, a file, or what a pattern matches."""
    text = split_list_options(decode_path(argument))
    now = talk.policy.seconds()
    pages = talk.view.nodes(text)
    return await _send_pages(
        talk, "LIST", text, pages, lambda node: list_line(node, now)
    )


@COMMANDS.verb(
    "NLST",
    argument=Argument.OPTIONAL,
    help="[<path>]: list the names only",
    permission=Permission.LIST,
)
async def nlst(talk: Conversation, argument: bytes) -> AnyReply:
    """Names that RETR takes as they are (RFC 1123 4.1.2.7)."""
    text = split_list_options(decode_path(argument))
    prefix = await _name_prefix(talk, text)
    pages = talk.view.nodes(text)
    return await _send_pages(
        talk, "NLST", text, pages, lambda node: prefix + printable(node.name)
    )


async def _name_prefix(talk: Conversation, text: str) -> str:
    """What stands before each name so that it is a path from the current directory."""
    path = talk.view.path(text)
    if path == talk.view.directory:
        return ""
    try:
        is_directory = (await talk.view.tree.stat(path)).kind is NodeKind.DIRECTORY
    except (FileProblem, StoreError):
        is_directory = False
    if is_directory:
        return printable(text if text.endswith("/") else text + "/")
    parent, slash, _ = text.rpartition("/")
    return printable(parent + slash)


@COMMANDS.verb(
    "MLSD",
    argument=Argument.OPTIONAL,
    help="[<path>]: list a directory for programs",
    permission=Permission.LIST,
)
async def mlsd(talk: Conversation, argument: bytes) -> AnyReply:
    """Facts of each entry (RFC 3659 7)."""
    view, wanted = talk.view, talk.facts
    text = decode_path(argument)
    path = view.path(text)
    if (await view.tree.stat(path)).kind is not NodeKind.DIRECTORY:
        # RFC 3659 7.2.1: 501 where the argument is no directory.
        raise Refused("MLSD of a file", Reply(501, "Not a directory"))

    async def pages() -> AsyncIterator[tuple[Node, ...]]:
        async for page in view.entries(path):
            yield tuple(await view.resolved(path, page))

    def line(node: Node) -> str:
        return format_facts(
            facts_of(node, view.perm_fact(node.kind), wanted), node.name
        )

    return await _send_pages(talk, "MLSD", text, pages(), line)


async def _send_pages(
    talk: Conversation,
    verb: str,
    text: str,
    pages: AsyncIterator[tuple[Node, ...]],
    line: Callable[[Node], str],
) -> AnyReply:
    """Send a listing page by page; what is wrong with the path comes before the 150."""
    talk.restart = 0
    first: tuple[Node, ...] = ()
    # Not anext() with a default: in Python 3.11 that cannot wait for a Deferred.
    with suppress(StopAsyncIteration):
        first = await anext(pages)

    def octets(page: tuple[Node, ...]) -> bytes:
        return encode_path("".join(line(node) + "\r\n" for node in page))

    async def move(channel: DataChannel) -> None:
        await channel.send(octets(first))
        async for page in pages:
            await channel.send(octets(page))
        await channel.finish()

    path = talk.view.path(text)
    opening = f"Listing of {path_text(path)}"
    transfer = Transfer(verb, path, talk.policy.seconds(), 0, opening)
    return await carry(talk, transfer, move)
