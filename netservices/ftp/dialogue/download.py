"""RETR: a file on its way to the client (RFC 959 4.1.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netservices.core.dialogue import Reply as AnyReply
from netservices.ftp.backend import Permission
from netservices.ftp.dialogue.channels import DataBroken, DataChannel
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.dialogue.transfer import (
    BEYOND_END,
    Transfer,
    carry,
    take_restart,
)
from netservices.ftp.wire import ToNVT
from netservices.interfaces import IOpenFile

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

COMMANDS = Commands()


@COMMANDS.verb(
    "RETR",
    argument=Argument.REQUIRED,
    help="<path>: download a file",
    permission=Permission.READ,
)
async def retr(talk: Conversation, argument: bytes) -> AnyReply:
    """The file as it was when it was opened, from the restart position on."""
    offset = take_restart(talk)
    path = talk.path(argument)
    file = await talk.view.tree.open(path)
    try:
        if offset > file.node.size:
            return BEYOND_END
        text = f"Sending {file.node.size - offset} octets"
        transfer = Transfer("RETR", path, talk.policy.seconds(), offset, text)
        chunk = talk.policy.settings.transfer_chunk
        is_ascii = talk.is_ascii
        transfer.total = None if is_ascii else file.node.size - offset

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
