"""What the peer is told of each kind of failure: the one table (notes, RFC 959 5.4)."""

from __future__ import annotations

from netservices.core.errors import ProtocolError, Refused, SyntaxProblem
from netservices.ftp.dialogue.channels import (
    DataBroken,
    NoDataConnection,
    NotProtected,
)
from netservices.ftp.dialogue.registry import Verb
from netservices.ftp.wire import Reply
from netservices.interfaces import (
    BadName,
    Conflict,
    DiskFull,
    Exists,
    IsADirectory,
    Locked,
    NotADirectory,
    NotAllowed,
    NotEmpty,
    NotFound,
    OutcomeUnknown,
    QuotaExceeded,
    StoreReadOnly,
    StoreUnavailable,
    TooLarge,
)

REPLIES: tuple[tuple[type[BaseException], Reply], ...] = (
    (NoDataConnection, Reply(425, "The data connection could not be opened")),
    # RFC 4217 10.2: 522, the TLS negotiation failed or was unacceptable.
    (NotProtected, Reply(522, "No TLS on the data connection, which PROT P needs")),
    (DataBroken, Reply(426, "The data connection broke; transfer aborted")),
    (NotFound, Reply(550, "No such file or directory")),
    (TooLarge, Reply(550, "The file is too large for that")),
    (Locked, Reply(450, "Somebody has locked it; try again later")),
    (NotAllowed, Reply(550, "Permission denied")),
    (NotADirectory, Reply(550, "Not a directory")),
    (IsADirectory, Reply(550, "Is a directory")),
    (NotEmpty, Reply(550, "The directory is not empty")),
    (Exists, Reply(550, "The name is taken")),
    (BadName, Reply(553, "That name is not allowed")),
    (QuotaExceeded, Reply(552, "Quota exceeded")),
    (DiskFull, Reply(452, "No space left on the server")),
    (StoreReadOnly, Reply(452, "No space left on the server")),
    (Conflict, Reply(450, "The file was changed meanwhile; try again")),
    (OutcomeUnknown, Reply(451, "It is unknown whether that happened; look again")),
    (StoreUnavailable, Reply(450, "The file store is busy; try again later")),
    (SyntaxProblem, Reply(501, "Syntax error in the argument")),
    (Refused, Reply(550, "Refused")),
)
"""In this order: the first class that fits."""

LOCAL_ERROR = Reply(451, "Local error; the action was not taken")


def reply_for(error: BaseException) -> Reply:
    """The reply to an error: its own, its kind's, or 451."""
    if isinstance(error, ProtocolError) and isinstance(error.reply, Reply):
        return error.reply
    for kind, reply in REPLIES:
        if isinstance(error, kind):
            return reply
    return LOCAL_ERROR


def reply_to(verb: Verb, error: BaseException) -> Reply:
    """The reply to an error of one command."""
    if isinstance(error, SyntaxProblem) and error.reply is None:
        return usage(verb)
    return reply_for(error)


def usage(verb: Verb) -> Reply:
    """501, and how the command is written."""
    return Reply(501, f"Syntax: {verb.syntax}")
