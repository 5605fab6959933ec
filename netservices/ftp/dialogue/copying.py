"""SITE CPFR and CPTO: a copy of a file that the server makes itself, as other servers
name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netservices.core.dialogue import Reply as AnyReply
from netservices.core.errors import Refused
from netservices.ftp.backend import Permission, path_text
from netservices.ftp.dialogue.labour import Labour, labour
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.wire import Reply, quoted
from netservices.interfaces import IsADirectory
from netservices.values import NodeKind

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

SITE = Commands()


@SITE.verb(
    "CPFR",
    argument=Argument.REQUIRED,
    help="<path>: the file to copy",
    permission=Permission.READ,
)
async def cpfr(talk: Conversation, argument: bytes) -> Reply:
    """Of files only; remembered until CPTO, or another login."""
    path = talk.path(argument)
    node = await talk.view.tree.stat(path)
    if node.kind is not NodeKind.FILE:
        raise Refused("CPFR of no file", Reply(550, "Not a plain file"))
    talk.copy_source = path
    return Reply(350, "Say SITE CPTO with the name of the copy")


@SITE.verb(
    "CPTO",
    argument=Argument.REQUIRED,
    help="<path>: the name of the copy",
    permission=Permission.WRITE,
)
async def cpto(talk: Conversation, argument: bytes) -> AnyReply:
    """250 when the whole copy is on stable storage under its name."""
    source, talk.copy_source = talk.copy_source, None
    if source is None:
        return Reply(503, "Say SITE CPFR first")
    target = talk.path(argument)
    if not target:
        raise IsADirectory("/")
    work = Labour("CPTO", target, talk.policy.seconds())
    copying = talk.view.tree.copy(source, target, work.advance)
    doing = talk.carry_out(copying, "copied", source, target)
    text = f"Copied to {quoted(path_text(target))}"
    return await labour(talk, work, doing, lambda _node: Reply(250, text))
