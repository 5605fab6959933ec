"""SITE and its commands (RFC 959 4.1.3): CHMOD, HELP, UTIME.

A plugin adds one with ``SITE_COMMANDS.verb(...)``; SITE HELP shows it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netservices.core.dialogue import Answer
from netservices.core.errors import SyntaxProblem
from netservices.ftp.backend import Permission
from netservices.ftp.dialogue.information import explained, overview
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.dialogue.states import LOG_IN_FIRST
from netservices.ftp.wire import Reply, parse_time

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

COMMANDS = Commands()
SITE_COMMANDS = Commands()
"""What follows SITE.  All but HELP need a login."""

_MODE = re.compile(rb"[0-7]{3,4}\Z")
_UTIME_BEFORE = re.compile(rb"(\d{12})(\d\d)? (.+)\Z", re.DOTALL)
_UTIME_AFTER = re.compile(rb"(.+) \d{14} (\d{14}) \d{14} UTC\Z", re.DOTALL)


@COMMANDS.verb("SITE", argument=Argument.REQUIRED, help="<command>: see SITE HELP")
def site(talk: Conversation, argument: bytes) -> Answer:
    """Carry out a command of this server's own."""
    word, _, rest = argument.lstrip().partition(b" ")
    verb = SITE_COMMANDS.verbs.get(word.decode("ascii", "replace").upper())
    if talk.user is None and (verb is None or verb.name != "HELP"):
        return LOG_IN_FIRST
    if verb is None:
        return Reply(504, "No such SITE command")
    if verb.argument is Argument.REQUIRED and not rest.strip():
        return Reply(501, "The command needs an argument")
    if verb.permission is not None and not talk.view.may(verb.permission):
        return Reply(550, "Permission denied")
    return verb.run(talk, rest)


@SITE_COMMANDS.verb("HELP", argument=Argument.OPTIONAL, help="[<command>]: explain")
def help_(talk: Conversation, argument: bytes) -> Answer:
    """All SITE commands, or one of them."""
    name = argument.strip().decode("ascii", "replace").upper()
    if name:
        return explained(SITE_COMMANDS.verbs, name)
    return overview("These SITE commands are known:", SITE_COMMANDS.verbs)


@SITE_COMMANDS.verb(
    "CHMOD",
    argument=Argument.REQUIRED,
    help="<octal mode> <path>: change permissions",
    permission=Permission.ATTRIBUTES,
)
async def chmod(talk: Conversation, argument: bytes) -> Reply:
    """Permission bits as an octal number."""
    mode, _, name = argument.partition(b" ")
    if not _MODE.match(mode) or not name:
        raise SyntaxProblem("SITE CHMOD takes an octal mode and a path")
    path = talk.path(name)
    changing = talk.view.tree.set_attributes(path, mode=int(mode, 8))
    await talk.carry_out(changing, "attributes", path)
    return Reply(200, "Permissions changed")


@SITE_COMMANDS.verb(
    "UTIME",
    argument=Argument.REQUIRED,
    help="<YYYYMMDDhhmm[ss]> <path>: set the modification time",
    permission=Permission.ATTRIBUTES,
)
async def utime(talk: Conversation, argument: bytes) -> Reply:
    """Both dialects: time and path, or path and three times that end in UTC."""
    after = _UTIME_AFTER.match(argument)
    before = _UTIME_BEFORE.match(argument)
    if after is not None:
        name, written = after[1], after[2]
    elif before is not None:
        name, written = before[3], before[1] + (before[2] or b"00")
    else:
        raise SyntaxProblem("SITE UTIME takes a time and a path")
    mtime_ns = parse_time(written.decode("ascii"))
    path = talk.path(name)
    changing = talk.view.tree.set_attributes(path, mtime_ns=mtime_ns)
    await talk.carry_out(changing, "attributes", path)
    return Reply(200, "Time changed")
