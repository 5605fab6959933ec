"""STOR, APPE and STOU: a file on its way from the client (RFC 959 4.1.3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from attrs import define

from netservices.core.deferreds import as_deferred, shielded
from netservices.core.dialogue import Reply as AnyReply
from netservices.ftp.backend import Permission
from netservices.ftp.dialogue.channels import DataBroken, DataChannel
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.dialogue.transfer import (
    BEYOND_END,
    RESTART_PENDING,
    Transfer,
    carry,
    take_restart,
)
from netservices.ftp.wire import FromNVT, Reply
from netservices.interfaces import (
    Conflict,
    Exists,
    FileProblem,
    IsADirectory,
    IUpload,
    StoreError,
)
from netservices.values import WriteMode

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

_UNIQUE_TRIES = 5

COMMANDS = Commands()


@COMMANDS.verb(
    "STOR",
    argument=Argument.REQUIRED,
    help="<path>: upload a file",
    permission=Permission.WRITE,
)
async def stor(talk: Conversation, argument: bytes) -> AnyReply:
    """A new file takes the name at the end; after REST, the old one is continued."""
    offset = take_restart(talk)
    path = talk.path(argument)
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
    path = talk.path(argument)
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
    prefix = talk.decode(argument) or "upload"
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
    transfer.offset, transfer.total = upload.offset, expected
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
