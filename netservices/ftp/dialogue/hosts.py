"""Which of several hosts, in which language, to what client: HOST (RFC 7151), LANG
(RFC 2640 4), CLNT and CSID.

The accounts of a domain are one virtual host: ``HOST example.org``, or ``HOST
ftp.example.org``, makes ``alice`` mean ``alice@example.org``.  The host name of the
server and its addresses stand for the default domain.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from netservices.core.dialogue import Answer
from netservices.core.errors import SyntaxProblem
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.dialogue.states import State
from netservices.ftp.wire import Reply, normal_address

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

COMMANDS = Commands()

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?\Z")
_LONGEST_NAME = 254
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}\Z")
_IPV6 = re.compile(r"\[[0-9A-Fa-f:.]{2,45}\]\Z")
_LANGUAGE = re.compile(rb"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*\Z")
_FIRST_LABEL = "ftp."
_CLIENT_FACT = re.compile(r"(?:\A|[; ])Name=([^;]*)", re.IGNORECASE)
_LONGEST_CLIENT_NAME = 80

NO_SUCH_HOST = Reply(504, "That host is not served here")


def parse_host(argument: bytes) -> tuple[str, bool]:
    """A host as ``HOST`` names it, in its normal form, and whether it is an address.

    SyntaxProblem: also for a port, which has no meaning here (RFC 7151 3.1).
    """
    text = argument.strip().decode("ascii", "replace")
    try:
        if _IPV4.match(text) or _IPV6.match(text):
            return normal_address(text.strip("[]")), True
    except ValueError:
        raise SyntaxProblem("no such address") from None
    if len(text) > _LONGEST_NAME or not _NAME.match(text):
        raise SyntaxProblem("neither a host name nor an address")
    return text.rstrip(".").lower(), False


@COMMANDS.verb(
    "HOST",
    argument=Argument.REQUIRED,
    help="<host>: which host's accounts are meant, before USER",
    feature="HOST",
)
async def host(talk: Conversation, argument: bytes) -> Reply:
    """The last HOST before the login counts (RFC 7151 3)."""
    name, is_address = parse_host(argument)
    domain = await _domain_of(talk, name, is_address)
    if domain is None or not _agrees(talk, name, is_address):
        return NO_SUCH_HOST
    talk.host_domain, talk.host_name = domain, "" if is_address else name
    # RFC 7151 4: what was said of a user was said to another host.
    talk.state, talk.login = State.CONNECTED, ""
    return Reply(220, f"{name} FTP server ready")


async def _domain_of(talk: Conversation, name: str, is_address: bool) -> str | None:
    """The domain whose accounts a host has; empty for the default one."""
    if is_address:
        return "" if name == talk.data.local else None
    if name == talk.policy.hostname.lower():
        return ""
    domains = await talk.policy.accounts.domains()
    for domain in (name, name.removeprefix(_FIRST_LABEL)):
        if domain in domains:
            return domain
    return None


def _agrees(talk: Conversation, name: str, is_address: bool) -> bool:
    """RFC 7151 3.2.2: the name is the one that TLS was asked for, if it was."""
    asked = talk.server_name()
    return is_address or not asked or asked.lower().rstrip(".") == name


def check_host(talk: Conversation) -> None:
    """Forget a host that was named before TLS, and is not the one that TLS was asked
    for."""
    # RFC 7151 3.2.2: the two must match; 3.3: else as if HOST had not been sent.
    if talk.host_name and not _agrees(talk, talk.host_name, False):
        forget_host(talk)


def forget_host(talk: Conversation) -> None:
    """As if HOST had not been sent."""
    talk.host_domain = talk.host_name = ""


def full_login(login: str, domain: str) -> str:
    """The login that a name means at the host of ``domain``."""
    return f"{login}@{domain}" if domain and "@" not in login else login


@COMMANDS.verb(
    "LANG",
    argument=Argument.OPTIONAL,
    help="[<language>]: the language of replies",
    feature="LANG EN*",
)
def lang(talk: Conversation, argument: bytes) -> Answer:
    """English, which is also what an empty argument means (RFC 2640 4.1)."""
    tag = argument.strip()
    if tag and not _LANGUAGE.match(tag):
        raise SyntaxProblem("no language tag")
    # RFC 2640 4.1: en-GB is served with English where nothing nearer is there.
    if tag and tag.upper().partition(b"-")[0] != b"EN":
        return Reply(504, "Only English is spoken here")
    return Reply(200, "Replies are in English")


@COMMANDS.verb(
    "CLNT", argument=Argument.REQUIRED, help="<name>: name your program", feature="CLNT"
)
def clnt(talk: Conversation, argument: bytes) -> Answer:
    """Noted; ``netservices status`` shows it."""
    talk.client_name = talk.decode(argument).strip()[:_LONGEST_CLIENT_NAME]
    return Reply(200, "Noted")


@COMMANDS.verb(
    "CSID",
    argument=Argument.OPTIONAL,
    help="[<facts>]: tell programs, and name yours",
    feature="CSID",
)
def csid(talk: Conversation, argument: bytes) -> Answer:
    """What the server is and how its names work (draft-peterson-streamlined-ftp)."""
    match = _CLIENT_FACT.search(talk.decode(argument))
    if match is not None:
        talk.client_name = match[1].strip()[:_LONGEST_CLIENT_NAME]
    facts = f"Name=netservices; Version={talk.policy.version}; OS=Unix; OSVer=; "
    return Reply(200, facts + "CaseSensitive=1; DirSep=/;")
