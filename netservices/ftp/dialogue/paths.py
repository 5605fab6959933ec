"""Directories and names: CWD, CDUP, PWD, MKD, RMD, DELE, RNFR, RNTO."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netservices.core.dialogue import Answer
from netservices.core.errors import Refused
from netservices.ftp.backend import Permission, path_text
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.dialogue.states import State
from netservices.ftp.wire import Reply, quoted
from netservices.interfaces import Exists, IsADirectory, NotADirectory
from netservices.values import NodeKind

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

COMMANDS = Commands()


@COMMANDS.verb(
    "CWD", "XCWD", argument=Argument.OPTIONAL, help="[<path>]: change the directory"
)
async def cwd(talk: Conversation, argument: bytes) -> Reply:
    """Without an argument the root, as several clients expect."""
    return await _change(talk, talk.decode(argument) or "/")


@COMMANDS.verb("CDUP", "XCUP", argument=Argument.NONE, help=": go up a directory")
async def cdup(talk: Conversation, argument: bytes) -> Reply:
    """As CWD to the parent (RFC 959 4.1.1); at the root it stays there."""
    return await _change(talk, "..")


async def _change(talk: Conversation, text: str) -> Reply:
    path = talk.view.path(text)
    if path:
        node = await talk.view.tree.stat(path)
        if node.kind is not NodeKind.DIRECTORY:
            raise NotADirectory(text)
    talk.view.directory = path
    return Reply(250, f"{quoted(path_text(path))} is the current directory")


@COMMANDS.verb("PWD", "XPWD", argument=Argument.NONE, help=": name the directory")
def pwd(talk: Conversation, argument: bytes) -> Answer:
    """The name in quotes (RFC 959 A II)."""
    path = quoted(path_text(talk.view.directory))
    return Reply(257, f"{path} is the current directory")


@COMMANDS.verb(
    "MKD",
    "XMKD",
    argument=Argument.REQUIRED,
    help="<path>: make a directory",
    permission=Permission.MAKE_DIRECTORY,
)
async def mkd(talk: Conversation, argument: bytes) -> Reply:
    """The full name of the new directory, in quotes."""
    path = talk.path(argument)
    if not path:
        raise Exists("/")
    await talk.carry_out(talk.view.tree.make_directory(path), "made", path)
    return Reply(257, f"{quoted(path_text(path))} created")


@COMMANDS.verb(
    "RMD",
    "XRMD",
    argument=Argument.REQUIRED,
    help="<path>: remove an empty directory",
    permission=Permission.DELETE,
)
async def rmd(talk: Conversation, argument: bytes) -> Reply:
    """The root stays."""
    path = talk.path(argument)
    if not path:
        raise Refused("RMD /", Reply(550, "The root cannot be removed"))
    await talk.carry_out(talk.view.tree.remove(path, directory=True), "removed", path)
    return Reply(250, "Directory removed")


@COMMANDS.verb(
    "DELE",
    argument=Argument.REQUIRED,
    help="<path>: delete a file",
    permission=Permission.DELETE,
)
async def dele(talk: Conversation, argument: bytes) -> Reply:
    """A file; directories go with RMD."""
    path = talk.path(argument)
    if not path:
        raise IsADirectory("/")
    await talk.carry_out(talk.view.tree.remove(path), "deleted", path)
    return Reply(250, "File deleted")


@COMMANDS.verb(
    "RNFR",
    argument=Argument.REQUIRED,
    help="<path>: what to rename",
    permission=Permission.RENAME,
)
async def rnfr(talk: Conversation, argument: bytes) -> Reply:
    """The source must exist."""
    path = talk.path(argument)
    if not path:
        raise Refused("RNFR /", Reply(550, "The root cannot be renamed"))
    await talk.view.tree.stat(path, follow=False)
    talk.rename_source = path
    talk.state = State.RENAMING
    return Reply(350, "Say RNTO with the new name")


@COMMANDS.verb(
    "RNTO",
    argument=Argument.REQUIRED,
    help="<path>: the new name",
    permission=Permission.RENAME,
)
async def rnto(talk: Conversation, argument: bytes) -> Reply:
    """Atomic; a file in the way is replaced, a directory is not."""
    talk.state = State.LOGGED_IN
    target = talk.path(argument)
    try:
        if not target:
            raise IsADirectory("/")
        source = talk.rename_source
        renaming = talk.view.tree.rename(source, target)
        await talk.carry_out(renaming, "renamed", source, target)
    except (Exists, IsADirectory):
        # RFC 959 5.4: 553, the name is not allowed; the source is all right.
        return Reply(553, "The new name is that of a directory")
    return Reply(250, "Renamed")
