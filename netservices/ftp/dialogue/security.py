"""AUTH, PBSZ and PROT: TLS on the control and the data connections (RFC 2228, RFC
4217)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from netservices.core.dialogue import Answer, Then
from netservices.core.errors import SyntaxProblem
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.wire import Reply

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

COMMANDS = Commands()

_PROTECTS_DATA = {"TLS": False, "TLS-C": False, "SSL": True, "TLS-P": True}
"""Names of the mechanism, and whether the data channel is protected at once (RFC 4217
17)."""

_LARGEST_BUFFER = (1 << 32) - 1


@COMMANDS.verb(
    "AUTH",
    argument=Argument.REQUIRED,
    help="TLS: protect the session",
    feature="AUTH TLS",
)
def auth(talk: Conversation, argument: bytes) -> Answer:
    """234, and what the client sends after it is TLS (RFC 4217 4)."""
    name = argument.strip().decode("ascii", "replace").upper()
    if name not in _PROTECTS_DATA:
        return Reply(504, "Only TLS is known")
    if talk.is_secure:
        return Reply(503, "TLS is on already")
    # RFC 2228 3: whatever was said before in the clear no longer counts.
    talk.forget_user()
    talk.data.is_protected = _PROTECTS_DATA[name]
    return Reply(234, "Begin the TLS handshake", Then.START_TLS)


@COMMANDS.verb(
    "PBSZ", argument=Argument.REQUIRED, help="0: before PROT", feature="PBSZ"
)
def pbsz(talk: Conversation, argument: bytes) -> Answer:
    """TLS is a stream and needs no buffer: the answer is always 0 (RFC 4217 9)."""
    if not talk.is_secure:
        return Reply(503, "Say AUTH TLS first")
    digits = argument.strip()
    if not digits.isdigit() or len(digits) > 10 or int(digits) > _LARGEST_BUFFER:
        raise SyntaxProblem("PBSZ without a number")
    talk.has_buffer_size = True
    return Reply(200, "PBSZ=0")


@COMMANDS.verb(
    "PROT", argument=Argument.REQUIRED, help="C|P: protect transfers", feature="PROT"
)
def prot(talk: Conversation, argument: bytes) -> Answer:
    """Clear or private data connections (RFC 4217 9)."""
    if not talk.has_buffer_size:
        return Reply(503, "Say PBSZ first")
    level = argument.strip().decode("ascii", "replace").upper()
    if level in ("C", "P"):
        talk.data.is_protected = level == "P"
        return Reply(200, f"Protection level is {level}")
    if level in ("S", "E"):
        return Reply(536, "That level needs another mechanism than TLS")
    return Reply(504, "No such level")
