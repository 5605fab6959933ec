"""Where the next data connection goes: PASV EPSV PORT EPRT.  RFC 959 4.1.2, 2428."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netservices.core.dialogue import Answer
from netservices.core.dialogue import Reply as AnyReply
from netservices.core.errors import Refused
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.dialogue.upload import keep_promise
from netservices.ftp.wire import (
    HostPort,
    Reply,
    format_epsv,
    format_pasv,
    parse_eprt,
    parse_epsv_argument,
    parse_port,
)

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

COMMANDS = Commands()

WRONG_FAMILY = {
    4: Reply(522, "Network protocol not supported, use (1)"),
    6: Reply(522, "Network protocol not supported, use (2)"),
}
"""RFC 2428 2: the family that can be used is that of the control connection."""


@COMMANDS.verb("PASV", argument=Argument.NONE, help=": listen for a data connection")
def pasv(talk: Conversation, argument: bytes) -> Answer:
    """Where this client may connect to (RFC 959 4.1.2); IPv4 only."""
    _check_epsv_only(talk)
    if _version(talk) == 6:
        return Reply(425, "PASV is for IPv4; use EPSV")
    listening = talk.data.listen(talk.options.allow_foreign)
    host = talk.options.masquerade_address or listening.host
    talk.data.advertise(host)
    return Reply(227, format_pasv(HostPort(host, listening.port)))


@COMMANDS.verb(
    "EPSV",
    argument=Argument.OPTIONAL,
    help="[1|2|ALL]: listen for a data connection",
    feature="EPSV",
)
def epsv(talk: Conversation, argument: bytes) -> Answer:
    """The port only: the host is that of the control connection (RFC 2428 3)."""
    version = _version(talk)
    try:
        asked = parse_epsv_argument(argument)
    except Refused:
        return WRONG_FAMILY[version]
    if asked == "ALL":
        talk.is_epsv_only = True
        return Reply(200, "Only EPSV from now on")
    if asked is not None and asked != version:
        return WRONG_FAMILY[version]
    return Reply(229, format_epsv(talk.data.listen(talk.options.allow_foreign).port))


@COMMANDS.verb("PORT", argument=Argument.REQUIRED, help="<h1,h2,h3,h4,p1,p2>: connect")
def port(talk: Conversation, argument: bytes) -> Answer:
    """Where to connect at the transfer command."""
    _check_epsv_only(talk)
    target = parse_port(argument)
    if _version(talk) == 6:
        return Reply(425, "PORT is for IPv4; use EPRT")
    return _aim(talk, target)


@COMMANDS.verb(
    "EPRT",
    argument=Argument.REQUIRED,
    help="<|family|address|port|>: connect",
    feature="EPRT",
)
def eprt(talk: Conversation, argument: bytes) -> Answer:
    """As PORT, for both families (RFC 2428 2)."""
    _check_epsv_only(talk)
    version = _version(talk)
    try:
        target = parse_eprt(argument, version)
    except Refused:
        return WRONG_FAMILY[version]
    return _aim(talk, target)


def _aim(talk: Conversation, target: HostPort) -> Answer:
    talk.policy.check_target(target, talk.data.peer, talk.options.allow_foreign)
    if talk.policy.settings.active_connect == "early":
        return _connect(talk, target)
    talk.data.aim(target)
    return Reply(200, "The data connection goes there")


async def _connect(talk: Conversation, target: HostPort) -> AnyReply:
    # Not RFC 959 3.2: the connection belongs to the transfer command; some old clients
    # accept it before they send that.
    await talk.data.connect(target)
    reply = Reply(200, "The data connection is open")
    path, talk.promised = talk.promised, None
    if path is None:
        return reply
    talk.say(reply)
    return await keep_promise(talk, path)


def _version(talk: Conversation) -> int:
    return 6 if ":" in talk.data.peer else 4


def _check_epsv_only(talk: Conversation) -> None:
    # RFC 2428 4: after EPSV ALL every other set-up command must be rejected.
    if talk.is_epsv_only:
        raise Refused("EPSV ALL", Reply(501, "Not allowed after EPSV ALL"))
