"""What the server tells of itself and of files: FEAT HELP NOOP STAT SYST MLST SIZE
AVBL (RFC 959 4.1.3, RFC 2389, RFC 3659)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netservices.core.dialogue import Answer
from netservices.core.errors import Refused
from netservices.ftp.backend import Permission, path_text
from netservices.ftp.dialogue.registry import Argument, Commands, Verb
from netservices.ftp.dialogue.states import LOG_IN_FIRST
from netservices.ftp.wire import (
    FACTS,
    Reply,
    facts_of,
    format_facts,
    list_line,
    split_list_options,
)
from netservices.interfaces import NotADirectory, NotFound
from netservices.values import Node, NodeKind

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation
    from netservices.ftp.dialogue.transfer import Transfer

COMMANDS = Commands()

_COLUMNS = 8
_FACTS_OF_PARTIAL = ("type", "size", "perm")
"""What is known of an upload that broke off."""


@COMMANDS.verb("NOOP", argument=Argument.NONE, help=": do nothing", overtakes=True)
def noop(talk: Conversation, argument: bytes) -> Answer:
    """Keep the session awake."""
    return Reply(200, "OK")


@COMMANDS.verb("SYST", argument=Argument.NONE, help=": name the system")
def syst(talk: Conversation, argument: bytes) -> Answer:
    """What tells clients that LIST looks like ls -l."""
    return Reply(215, "UNIX Type: L8")


@COMMANDS.verb("FEAT", argument=Argument.NONE, help=": list the extensions")
def feat(talk: Conversation, argument: bytes) -> Answer:
    """One line an extension, after a space (RFC 2389 3.2)."""
    lines = {"UTF8", "TVFS", "AUTH SSL"}
    for verb in talk.commands.verbs.values():
        feature = verb.feature
        lines.add(feature if isinstance(feature, str) else feature(talk))
    lines.discard("")
    return Reply(211, ("Extensions:", *sorted(lines), "End"))


@COMMANDS.verb("HELP", argument=Argument.OPTIONAL, help="[<verb>]: explain commands")
def help_(talk: Conversation, argument: bytes) -> Answer:
    """All verbs, or one of them."""
    name = argument.strip().decode("ascii", "replace").upper()
    verb, _, rest = name.partition(" ")
    if verb == "SITE" and rest:
        # RFC 959 4.1.3: as SITE HELP.
        return talk.run(talk.commands.verbs["SITE"], b"HELP " + rest.encode())
    if name:
        return explained(talk.commands.verbs, name)
    return overview("These commands are known:", talk.commands.verbs)


def explained(verbs: dict[str, Verb], name: str) -> Reply:
    """What one command takes and does."""
    verb = verbs.get(name)
    if verb is None:
        return Reply(502, "No such command")
    return Reply(214, f"{verb.syntax} - {verb.purpose}")


def overview(title: str, verbs: dict[str, Verb]) -> Reply:
    """The names of all commands, in columns."""
    names = sorted(verbs)
    rows = [names[at : at + _COLUMNS] for at in range(0, len(names), _COLUMNS)]
    lines = ("".join(f"{name:<9}" for name in row).rstrip() for row in rows)
    return Reply(214, (title, *lines, "End"))


# --- STAT ---------------------------------------------------------------------------


@COMMANDS.verb(
    "STAT",
    argument=Argument.OPTIONAL,
    help="[<path>]: status of the session, or a listing",
    overtakes=True,
)
def stat(talk: Conversation, argument: bytes) -> Answer:
    """Of the session, of the transfer that runs, or of a path (RFC 959 4.1.3)."""
    if argument.strip():
        if talk.user is None:
            return LOG_IN_FIRST
        return _stat_path(talk, talk.decode(argument))
    return Reply(211, ("Status:", *_status_lines(talk), "End"))


def _status_lines(talk: Conversation) -> list[str]:
    lines = [f"Connected from {talk.data.peer}"]
    if talk.user is None:
        lines.append("Not logged in")
    else:
        lines.append(f"Logged in as {talk.user.login}")
        lines.append(str(talk.representation))
    if talk.transfer is None:
        lines.append("No transfer")
    else:
        lines.append(_progress(talk.transfer))
    return lines


def _progress(transfer: Transfer) -> str:
    """How far the transfer is."""
    octets, total = transfer.octets, transfer.total
    words = [f"{transfer.verb} {path_text(transfer.path)}: {octets} octets so far"]
    if total:
        words.append(f"{octets * 100 // total}% of {total}")
    words.append(f"{transfer.rate} octets a second")
    return ", ".join(words)


async def _stat_path(talk: Conversation, argument: str) -> Reply:
    if not talk.view.may(Permission.LIST):
        return Reply(550, "Permission denied")
    now = talk.policy.seconds()
    most = talk.policy.settings.status_entries
    text = split_list_options(argument)
    lines: list[str] = []
    async for page in talk.view.nodes(text, may_match=False):
        lines += [list_line(node, now) for node in page[: most - len(lines)]]
        if len(lines) >= most:
            lines.append("... (use LIST for more)")
            break
    return Reply(213, (f"Status of {text or '.'}:", *lines, "End"))


# --- files --------------------------------------------------------------------------


def _facts_feature(talk: Conversation) -> str:
    # RFC 3659 7.8: an asterisk marks the facts that are on.
    return "MLST " + "".join(n + ("*;" if n in talk.facts else ";") for n in FACTS)


@COMMANDS.verb(
    "MLST",
    argument=Argument.OPTIONAL,
    help="[<path>]: describe a file for programs",
    permission=Permission.LIST,
    feature=_facts_feature,
)
async def mlst(talk: Conversation, argument: bytes) -> Reply:
    """The facts of one name, with its full path (RFC 3659 7.2)."""
    view = talk.view
    text = talk.decode(argument)
    path = view.path(text)
    wanted = talk.facts
    try:
        node = await view.tree.stat(path)
    except NotFound:
        octets = await _resumable(talk, path)
        if octets is None:
            raise
        node = Node(path[-1], NodeKind.FILE, octets, 0, 0, "")
        wanted = tuple(name for name in wanted if name in _FACTS_OF_PARTIAL)
    perm = view.perm_fact(node.kind, path)
    facts = facts_of(node, perm, wanted, talk.has_chosen_facts)
    entry = format_facts(facts, path_text(path))
    return Reply(250, (f"Facts of {text or '.'}", entry, "End"))


@COMMANDS.verb(
    "SIZE",
    argument=Argument.REQUIRED,
    help="<path>: octets that RETR would send",
    permission=Permission.READ,
    feature="SIZE",
)
async def size(talk: Conversation, argument: bytes) -> Reply:
    """Exact in both types (RFC 3659 4): in ASCII each bare line feed gets a CR."""
    if not talk.representation.is_stream:
        # RFC 3659 4: the octets on the wire depend on STRU and MODE as well, and
        # "estimates of the file transfer size MUST NOT be returned".
        return Reply(550, "SIZE is for STRU F and MODE S")
    path = talk.path(argument)
    try:
        node = await _file(talk, path)
    except NotFound:
        partial = await _resumable(talk, path)
        if partial is None:
            raise
        return Reply(213, str(partial))
    octets = node.size
    if talk.is_ascii and talk.policy.settings.ascii_size == "refuse":
        # Not RFC 3659 4: several servers answer so, and some clients count on it.
        return Reply(550, "SIZE is for TYPE I")
    if talk.is_ascii and octets:
        octets += (await talk.view.tree.digests(path)).lf_count
    return Reply(213, str(octets))


@COMMANDS.verb(
    "AVBL",
    argument=Argument.OPTIONAL,
    help="[<directory>]: octets that can still be stored",
    permission=Permission.LIST,
    feature="AVBL",
)
async def avbl(talk: Conversation, argument: bytes) -> Reply:
    """What the quota and the disk leave (draft-peterson-streamlined-ftp 4)."""
    tree = talk.view.tree
    if argument.strip():
        node = await tree.stat(talk.path(argument))
        if node.kind is not NodeKind.DIRECTORY:
            raise NotADirectory("AVBL of no directory")
    return Reply(213, str((await tree.usage()).free_octets))


async def _resumable(talk: Conversation, path: tuple[str, ...]) -> int | None:
    """The octets of this account's upload of ``path`` that broke off.

    Not RFC 3659 4: clients ask SIZE for where to go on with an upload, and would begin
    again if they were not told of one that has no name yet.
    """
    may_resume = talk.view.may(Permission.WRITE) and not talk.is_ascii
    if not may_resume or not talk.policy.settings.resume_visible:
        return None
    return await talk.view.tree.partial_octets(path)


async def _file(talk: Conversation, path: tuple[str, ...]) -> Node:
    """The node of a plain file; directories have neither SIZE nor MDTM."""
    node = await talk.view.tree.stat(path)
    if node.kind is not NodeKind.FILE:
        raise Refused("not a plain file", Reply(550, "Not a plain file"))
    return node
