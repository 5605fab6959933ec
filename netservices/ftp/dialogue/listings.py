"""LIST, NLST and MLSD: directories on their way to the client, a page at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import TYPE_CHECKING

from netservices.core.dialogue import Reply as AnyReply
from netservices.core.errors import Refused
from netservices.ftp.backend import Permission, path_text
from netservices.ftp.dialogue.channels import DataChannel
from netservices.ftp.dialogue.moving import Sending
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.dialogue.representation import (
    BEGINNING,
    representation_of_listings,
)
from netservices.ftp.dialogue.transfer import Transfer, carry
from netservices.ftp.wire import (
    Reply,
    facts_of,
    format_facts,
    list_line_of,
    printable,
    split_list_options,
)
from netservices.interfaces import FileProblem, StoreError
from netservices.values import Node, NodeKind

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

COMMANDS = Commands()


@COMMANDS.verb(
    "LIST",
    argument=Argument.OPTIONAL,
    help="[<path>]: list as ls -l does",
    permission=Permission.LIST,
)
async def list_(talk: Conversation, argument: bytes) -> AnyReply:
    """A directory, a file, or what a pattern matches."""
    text = split_list_options(talk.decode(argument))
    line_of = list_line_of(talk.policy.seconds())
    return await _send_pages(talk, "LIST", text, talk.view.lines(text, line_of))


@COMMANDS.verb(
    "NLST",
    argument=Argument.OPTIONAL,
    help="[<path>]: list the names only",
    permission=Permission.LIST,
)
async def nlst(talk: Conversation, argument: bytes) -> AnyReply:
    """Names that RETR takes as they are (RFC 1123 4.1.2.7)."""
    text = split_list_options(talk.decode(argument))
    prefix = await _name_prefix(talk, text)

    def line_of(name: str, *_: object) -> str:
        return f"{prefix}{printable(name)}\n"

    return await _send_pages(talk, "NLST", text, talk.view.lines(text, line_of))


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
    text = talk.decode(argument)
    path = view.path(text)
    if (await view.tree.stat(path)).kind is not NodeKind.DIRECTORY:
        # RFC 3659 7.2.1: 501 where the argument is no directory.
        raise Refused("MLSD of a file", Reply(501, "Not a directory"))

    def line(node: Node) -> str:
        perm = view.perm_fact(node.kind, (*path, node.name))
        facts = facts_of(node, perm, wanted, talk.has_chosen_facts)
        return format_facts(facts, node.name) + "\n"

    async def pages() -> AsyncIterator[str]:
        async for page in view.entries(path):
            nodes = await view.resolved(path, page)
            yield "".join([line(node) for node in nodes])

    return await _send_pages(talk, "MLSD", text, pages())


async def _send_pages(
    talk: Conversation, verb: str, text: str, pages: AsyncIterator[str]
) -> AnyReply:
    """Send a listing page by page; what is wrong with the path comes before the 150."""
    talk.restart = BEGINNING
    first = ""
    # Not anext() with a default: in Python 3.11 that cannot wait for a Deferred.
    with suppress(StopAsyncIteration):
        first = await anext(pages)
    chosen = representation_of_listings(talk.representation)

    async def move(channel: DataChannel) -> None:
        sending = Sending(channel, chosen)
        await sending.send(talk.encode(first))
        async for page in pages:
            await sending.send(talk.encode(page))
        await sending.finish()

    path = talk.view.path(text)
    opening = f"Listing of {path_text(path)}"
    transfer = Transfer(verb, path, talk.policy.seconds(), 0, opening)
    return await carry(talk, transfer, move, chosen)
