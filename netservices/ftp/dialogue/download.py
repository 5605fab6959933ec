"""RETR: a file on its way to the client (RFC 959 4.1.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netservices.core.dialogue import Reply as AnyReply
from netservices.ftp.backend import Permission
from netservices.ftp.dialogue.channels import DataChannel
from netservices.ftp.dialogue.moving import Sending, send_file
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.dialogue.representation import Restart, take_restart
from netservices.ftp.dialogue.transfer import (
    BEYOND_END,
    Move,
    Transfer,
    carry,
)
from netservices.ftp.wire import Reply
from netservices.interfaces import IOpenFile

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

NOT_OF_DOWNLOADS = Reply(554, "That is a marker of uploads")

COMMANDS = Commands()


@COMMANDS.verb(
    "RETR",
    argument=Argument.REQUIRED,
    help="<path>: download a file",
    permission=Permission.READ,
)
async def retr(talk: Conversation, argument: bytes) -> AnyReply:
    """The file as it was when it was opened, from the restart position on."""
    restart = take_restart(talk)
    if restart.holds_cr:
        return NOT_OF_DOWNLOADS
    path = talk.path(argument)
    file = await talk.view.tree.open(path)
    try:
        offset, end = _part_of(file, restart)
        if offset > end:
            return BEYOND_END
        text = f"Sending {end - offset} octets"
        transfer = Transfer("RETR", path, talk.policy.seconds(), offset, text)
        transfer.total = end - offset if talk.representation.is_exact else None
        return await carry(talk, transfer, _mover(talk, file, offset, end))
    finally:
        file.close()


def _mover(talk: Conversation, file: IOpenFile, offset: int, end: int) -> Move:
    """What sends the file; only exact representations end before its end."""
    settings, chosen = talk.policy.settings, talk.representation

    async def move(channel: DataChannel) -> None:
        if chosen.is_exact:
            await channel.send_file(file, offset, end)
            await channel.finish()
        else:
            chunk, period = settings.transfer_chunk, settings.restart_markers
            await send_file(Sending(channel, chosen), file, offset, chunk, period)

    return move


def _part_of(file: IOpenFile, restart: Restart) -> tuple[int, int]:
    """Where to begin and to end; REST beyond the end of the file ends before it
    begins."""
    size = file.node.size
    if restart.end is None:
        return restart.offset, size
    # draft-bryan-ftp-range-08 4.3: what lies beyond the file is empty, not an error.
    return min(restart.offset, size), min(restart.end, size)
