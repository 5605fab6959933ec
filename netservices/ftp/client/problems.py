"""What can go wrong between a client and its server."""

from __future__ import annotations

import os

from twisted.internet.error import (
    ConnectError,
    ConnectionClosed,
    ConnectionDone,
    ConnectionLost,
    DNSLookupError,
)
from twisted.internet.error import TimeoutError as ConnectTimeout

from netservices.core.errors import SyntaxProblem
from netservices.ftp.dialogue.channels import DataBroken, NoDataConnection
from netservices.ftp.wire import Reply
from netservices.tls.layer import TLSFailed

_TEMPORARY = range(400, 500)


class Unexpected(Exception):
    """The server said something else than what was hoped for."""

    def __init__(self, command: str, reply: Reply) -> None:
        super().__init__(f"{command.partition(' ')[0]}: {reply.code} {reply.lines[-1]}")
        self.reply = reply


class Aborted(Exception):
    """The transfer was given up by ``abort``, and the server knows."""


class TooMuch(Exception):
    """The server sends more than the client's limits allow."""


class TooLate(Exception):
    """The server does not answer in time."""


class TLSRefused(Exception):
    """The server's certificate is not trusted, or there is no TLS with it."""


def is_temporary(error: BaseException) -> bool:
    """Whether the same may well succeed later, on a new connection if need be."""
    if isinstance(error, Unexpected):
        # RFC 959 4.2.1: 4yz is a transient negative reply.
        return error.reply.code in _TEMPORARY
    if isinstance(error, TLSFailed | TLSRefused):
        return False
    broken = (DataBroken, NoDataConnection, TooLate, ConnectionClosed)
    return isinstance(error, (*broken, ConnectError, DNSLookupError))


def in_words(error: BaseException) -> str:
    """What people are told of an error; Twisted's own words are for programmers."""
    if isinstance(error, DNSLookupError):
        return "no such host"
    if isinstance(error, ConnectTimeout):
        return "the host does not answer"
    if isinstance(error, ConnectError) and isinstance(error.osError, int):
        return os.strerror(error.osError).lower()
    if type(error) is ConnectionDone:
        return "the server closed the connection"
    if type(error) is ConnectionLost:
        return "the connection broke off"
    return str(error) or type(error).__name__


def has_lost_connection(error: BaseException) -> bool:
    """Whether the control connection cannot be used any more."""
    if isinstance(error, Unexpected):
        # RFC 959 5.4: 421 comes before the server closes the connection.
        return error.reply.code == 421
    return isinstance(
        error,
        TooLate | TooMuch | SyntaxProblem | ConnectionClosed | ConnectError,
    )
