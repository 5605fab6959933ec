"""AUTH, PBSZ, PROT and CCC: TLS on the control and the data connections (RFC 2228, RFC
4217), and what is demanded of it.

A data connection proves whose it is by resuming the TLS session of its control
connection, which nobody else can; its address proves little, for many share one.
``prefer`` demands it of a client that has shown that it can, as long as it is sure to
have a ticket: TLS 1.3 wants each to be used once (RFC 8446 C.4), and a client that has
uploaded may have closed before it read the next one.  Nor is one sure that has several
control connections and keeps what it got last on any of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netservices.core.dialogue import Answer, Then
from netservices.core.errors import Refused, SyntaxProblem
from netservices.ftp.dialogue.channels import DataChannel
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.wire import Reply

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

COMMANDS = Commands()

_PROTECTS_DATA = {"TLS": False, "TLS-C": False, "SSL": True, "TLS-P": True}
"""Names of the mechanism, and whether the data channel is protected at once (RFC 4217
17)."""

_LARGEST_BUFFER = (1 << 32) - 1

TICKET_SECONDS = 7200 - 60
"""How long a client can resume the TLS session of a control connection; OpenSSL keeps
to 7200 seconds."""

UNPROTECTED = Reply(521, "Data connections need PROT P here")
NOT_RESUMED = Reply(
    522,
    (
        "The data connection did not resume the TLS session of the control connection",
        "Let the client reuse TLS sessions, or ask for ftp.session_reuse = off",
    ),
)
TOO_OLD = Reply(
    522, "The TLS session is too old to be resumed, which is demanded; connect anew"
)


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
    talk.prepare_tls()
    # RFC 2228 3: whatever was said before in the clear no longer counts.
    talk.forget_user()
    forget_protection(talk)
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
    # RFC 4217 5: after CCC neither PBSZ nor PROT.
    if not talk.is_secure or not talk.has_buffer_size:
        return Reply(503, "Say PBSZ first, in TLS")
    level = argument.strip().decode("ascii", "replace").upper()
    if level == "C" and talk.options.protect_data:
        return Reply(534, "Data connections must be protected here")
    if level in ("C", "P"):
        talk.data.is_protected = level == "P"
        return Reply(200, f"Protection level is {level}")
    if level in ("S", "E"):
        return Reply(536, "That level needs another mechanism than TLS")
    return Reply(504, "No such level")


def _clear_feature(talk: Conversation) -> str:
    return "CCC" if talk.options.allow_clear_control else ""


@COMMANDS.verb(
    "CCC",
    argument=Argument.NONE,
    help=": leave TLS on the control connection",
    feature=_clear_feature,
)
def ccc(talk: Conversation, argument: bytes) -> Answer:
    """200, and both sides end TLS; data connections stay as they are (RFC 4217 5)."""
    if not talk.is_secure:
        return Reply(533, "The control connection is not protected")
    if not talk.options.allow_clear_control:
        return Reply(534, "The control connection stays protected here")
    # RFC 4217 15.3: strangers could ask for one handshake after the other.
    if talk.user is None:
        return Reply(534, "Log in first")
    talk.is_secure = False
    return Reply(200, "The control connection goes on in the clear", Then.STOP_TLS)


@COMMANDS.verb("ADAT", argument=Argument.REQUIRED, help="<data>: not needed for TLS")
def adat(talk: Conversation, argument: bytes) -> Answer:
    """TLS exchanges nothing by commands (RFC 2228 3: 503, none is under way)."""
    return Reply(503, "TLS needs no ADAT")


@COMMANDS.verb(
    "MIC",
    "CONF",
    "ENC",
    argument=Argument.REQUIRED,
    help="<command>: not needed with TLS",
)
def wrapped_command(talk: Conversation, argument: bytes) -> Answer:
    """TLS protects the connection, not commands one by one."""
    # RFC 2228 3: 503 before a security exchange, 537 where the mechanism lacks it.
    if not talk.is_secure and not talk.has_buffer_size:
        return Reply(503, "Say AUTH TLS first")
    return Reply(537, "TLS protects all commands; send them as they are")


# --- what is demanded ---------------------------------------------------------------


def forget_protection(talk: Conversation) -> None:
    """As after connecting (RFC 2228 3, RFC 4217 9): PBSZ and PROT are to be said."""
    talk.has_buffer_size = talk.has_resumed = False
    talk.data.is_protected = False


def ends_with_rein(talk: Conversation) -> bool:
    """Whether REIN takes TLS off the control connection."""
    # Not RFC 4217 13: the implicit port knows no other beginning than TLS.
    return (
        talk.is_secure and not talk.is_implicit and talk.policy.settings.rein_ends_tls
    )


def begin_anew(talk: Conversation) -> Then | None:
    """What REIN does to the protection, and to the connection after its reply."""
    is_last = ends_with_rein(talk)
    forget_protection(talk)
    if is_last:
        talk.is_secure = False
        talk.data.leave()
        return Then.STOP_TLS
    talk.data.is_protected = talk.is_implicit and talk.is_secure
    return None


def check_login(talk: Conversation) -> None:
    """Refused where a login needs TLS, whoever it is."""
    if talk.options.tls_required and not talk.is_secure:
        # RFC 4217 10.1, 11.1: 534, denied for policy reasons.
        raise Refused("login without TLS", Reply(534, "Say AUTH TLS before the login"))


def check_protection(talk: Conversation) -> None:
    """Refused where the next data connection would be in the clear and may not be."""
    # RFC 4217 10.2: to be checked at the transfer command, and answered with 521.
    if talk.options.protect_data and not talk.data.is_protected:
        raise Refused("a transfer in the clear", UNPROTECTED)


def check_session(talk: Conversation, channel: DataChannel) -> None:
    """Refused where the data connection has a TLS session of its own and may not.

    RFC 4217 10.2 allows servers to insist; the reply is 522 then.
    """
    if channel.protection is None or talk.options.session_reuse == "off":
        return
    version, is_resumed = channel.protection
    if is_resumed:
        # A client that uses each ticket once is sure of its next one after downloads.
        talk.has_resumed = version != "TLSv1.3" or not talk.data.is_upload
        return
    is_old = talk.policy.seconds() - talk.secured_at > TICKET_SECONDS
    if talk.options.session_reuse == "require":
        raise Refused("not resumed", TOO_OLD if is_old else NOT_RESUMED)
    if talk.has_resumed and not is_old and not talk.data.has_kin:
        raise Refused("not resumed, as before", NOT_RESUMED)
