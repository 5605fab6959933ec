"""ALLO, the size of the next upload, and OPTS (RFC 959 4.1.3, RFC 2389 4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netservices.core.dialogue import Answer
from netservices.core.errors import SyntaxProblem
from netservices.ftp.dialogue.hashes import opts_hash
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.wire import Reply, chosen_facts
from netservices.interfaces import DiskFull, QuotaExceeded

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

COMMANDS = Commands()

_SIZE = re.compile(rb"(\d{1,18})(?: R \d{1,18})?\Z")
_FACT_NAMES = re.compile(r"(?:[!-:<-~]+;)*\Z")


@COMMANDS.verb("ALLO", argument=Argument.REQUIRED, help="<octets>: announce an upload")
async def allo(talk: Conversation, argument: bytes) -> Reply:
    """Refused early where the upload cannot fit; nothing is set aside."""
    match = _SIZE.match(argument.strip())
    if match is None:
        # RFC 959 4.1.3: "a dummy value in the first argument" is accepted and ignored.
        return Reply(202, "No space needs to be set aside")
    octets = int(match[1])
    usage = await talk.view.tree.usage()
    if octets > usage.free_octets:
        quota = usage.quota_octets
        if quota is not None and octets > quota - usage.used_octets:
            raise QuotaExceeded(f"ALLO {octets}")
        raise DiskFull(f"ALLO {octets}")
    talk.expected_octets = octets
    return Reply(202, "Space is not set aside, but there is enough now")


@COMMANDS.verb("OPTS", argument=Argument.REQUIRED, help="<verb> [<options>]: options")
def opts(talk: Conversation, argument: bytes) -> Answer:
    """UTF8 and MLST have options (RFC 2389 4)."""
    verb, _, options = argument.strip().decode("ascii", "replace").partition(" ")
    verb = verb.upper()
    if verb == "UTF8":
        return _opts_utf8(talk, options.strip().upper())
    if verb == "MLST":
        if not _FACT_NAMES.match(options):
            raise SyntaxProblem("OPTS MLST without semicolons")
        talk.facts = chosen_facts(options)
        talk.has_chosen_facts = True
        names = "".join(name + ";" for name in talk.facts)
        return Reply(200, f"MLST OPTS {names}".rstrip())
    if verb == "HASH":
        return opts_hash(talk, options.strip())
    return Reply(501, "That command has no options")


def _opts_utf8(talk: Conversation, option: str) -> Reply:
    # Not RFC 2640: names are UTF-8 anyway, but where a rule says that this user's
    # programs speak an older encoding; clients ask all the same.
    if option in ("", "ON", "NLST"):
        talk.has_chosen_utf8 = True
        talk.learn_names()
        return Reply(200, "UTF-8 is on")
    if option == "OFF":
        talk.has_chosen_utf8 = False
        talk.learn_names()
        if talk.names.is_utf8:
            return Reply(504, "UTF-8 is always on")
        return Reply(200, f"UTF-8 is off; names travel as {talk.names.encoding}")
    return Reply(501, "UTF8 is ON or OFF")
