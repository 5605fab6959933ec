"""Three families of errors; each knows what to tell the peer and what to tell the log.

A reply never contains the log text: the peer learns the protocol's answer, the operator
learns the reason.  Only ``server.py`` modules catch ``Exception``; whatever else
escapes a dialogue is a bug and is answered with the protocol's "local error".
"""

from __future__ import annotations


class ProtocolError(Exception):
    """Base of the three families.

    ``reply`` is the protocol's own reply value (a ``Reply``, an RCODE, ...), or
    ``None`` where the dialogue chooses its default for the family; ``log_text`` is for
    people who run the server.
    """

    def __init__(self, log_text: str = "", reply: object | None = None) -> None:
        super().__init__(log_text)
        self.log_text = log_text
        self.reply = reply


class SyntaxProblem(ProtocolError):
    """The peer wrote nonsense."""


class Refused(ProtocolError):
    """Policy said no."""


class Trouble(ProtocolError):
    """Ours, and temporary: the peer may try again."""


class StartupError(Exception):
    """The program cannot start; the message is one line for the person at the terminal.

    ``exit_status`` is 2 where the configuration is wrong and 1 for anything else.
    """

    def __init__(self, message: str, exit_status: int = 1) -> None:
        super().__init__(message)
        self.exit_status = exit_status


class ConfigurationError(StartupError):
    """The configuration is wrong: the message names file, key, value and the way
    out."""

    def __init__(self, message: str) -> None:
        super().__init__(message, exit_status=2)
