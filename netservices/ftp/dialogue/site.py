"""SITE (RFC 959 4.1.3), and those of its commands that are about the session: HELP,
IDLE, UMASK.

Others are in ``attributes`` and ``copying``; a plugin adds one by
``netservices.ftp.site``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netservices.core.dialogue import Answer
from netservices.core.errors import SyntaxProblem
from netservices.ftp.dialogue import attributes, copying
from netservices.ftp.dialogue.information import explained, overview
from netservices.ftp.dialogue.problems import usage
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.dialogue.states import LOG_IN_FIRST
from netservices.ftp.wire import Reply

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

COMMANDS = Commands()
SITE_COMMANDS = Commands()
"""What follows SITE.  All but HELP need a login."""

for _group in (attributes, copying):
    SITE_COMMANDS.include(_group.SITE)

_UMASK = re.compile(rb"0?[0-7]{3}\Z")
_SECONDS = re.compile(rb"\d{1,9}\Z")


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
        return usage(verb)
    if verb.argument is Argument.NONE and rest.strip():
        return Reply(501, "The command takes no argument")
    if verb.permission is not None and not talk.view.may(verb.permission):
        return Reply(550, "Permission denied")
    return talk.run(verb, rest)


@SITE_COMMANDS.verb("HELP", argument=Argument.OPTIONAL, help="[<command>]: explain")
def help_(talk: Conversation, argument: bytes) -> Answer:
    """All SITE commands, or one of them."""
    name = argument.strip().decode("ascii", "replace").upper()
    if name:
        return explained(SITE_COMMANDS.verbs, name)
    return overview("These SITE commands are known:", SITE_COMMANDS.verbs)


@SITE_COMMANDS.verb(
    "UMASK",
    argument=Argument.OPTIONAL,
    help="[<octal mask>]: permissions that new files lack, in this session",
)
def umask(talk: Conversation, argument: bytes) -> Answer:
    """Tell it, or set it, for files and directories that are made from now on."""
    word = argument.strip()
    if not word:
        return Reply(200, f"The umask is {talk.view.tree.umask:03o}")
    if not _UMASK.match(word):
        raise SyntaxProblem("SITE UMASK takes three octal digits")
    talk.view.tree = talk.view.tree.with_umask(int(word, 8))
    return Reply(200, f"The umask is {talk.view.tree.umask:03o}")


@SITE_COMMANDS.verb(
    "IDLE",
    argument=Argument.OPTIONAL,
    help="[<seconds>]: how long this session may be silent",
)
def idle(talk: Conversation, argument: bytes) -> Answer:
    """Tell it, or set it, up to ``ftp.longest_idle``."""
    word = argument.strip()
    longest = talk.longest_idle
    if word:
        if not _SECONDS.match(word) or not 1 <= int(word) <= longest:
            text = f"The idle time is between 1 and {longest:.0f} seconds"
            return Reply(501, text)
        talk.set_idle(int(word))
    seconds = f"{talk.idle_seconds:.0f} seconds, at most {longest:.0f}"
    return Reply(200, f"The idle time is {seconds}")
