"""What may differ from user to user, address to address: the options of a session.

Each option is one line of ``Options``: its name, its type, what the server as a whole
has where no rule says otherwise, and its help.  An option that is also a setting
(``ftp.download_rate``) takes that setting's value first.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any

import attrs
from attrs import frozen

from netservices.core.settings import Duration, Size

if TYPE_CHECKING:
    from netservices.ftp.settings import FTPSettings

_TRUE = ("yes", "true", "on", "1")
_FALSE = ("no", "false", "off", "0")
_UMASK = re.compile(r"(?:0o?)?[0-7]{3}")


@frozen
class Kind:
    """How the value of an option is written."""

    shape: str
    """What the manual shows: ``SIZE``, ``yes|no``."""
    parse: Callable[[str], Any]
    """Raises ``ValueError`` that says what is wanted."""


def _option(default: Any, kind: Kind, help: str) -> Any:  # noqa: A002
    return attrs.field(default=default, metadata={"kind": kind, "help": help})


def _choice(*words: str) -> Kind:
    shape = "|".join(words)

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"one of {shape} is wanted")
        return text

    return Kind(shape, parse)


def _parse_switch(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError("yes or no is wanted")


def _parse_count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("a number is wanted")
    return int(text)


def _parse_rate(text: str) -> int:
    return int(Size.parse(text))


@frozen
class Share:
    """A rate that several users have together."""

    octets: int = 0
    """A second; 0: no limit."""
    name: str = ""
    """Whose it is: WHO of the rule, as it was written."""

    def named(self, name: str) -> Share:
        """The same, belonging to those."""
        return attrs.evolve(self, name=name)


def _parse_share(text: str) -> Share:
    return Share(_parse_rate(text))


def _parse_duration(text: str) -> float:
    found = Duration.parse(text)
    if found < 1:
        raise ValueError("one second at least is wanted")
    return found


def parse_umask(text: str) -> int:
    """The mode bits that a new file does not get.  ValueError."""
    if not _UMASK.fullmatch(text):
        raise ValueError("three octal digits such as 022 are wanted")
    return int(text[-3:], 8)


def parse_encoding(text: str) -> str:
    """The name of a character encoding that extends ASCII.  ValueError."""
    # The controls as well: where ESC or a backslash changes what comes after it, a name
    # could not be cut into lines and segments, nor could every octet be kept.
    octets = bytes(range(128)) + b"\\u0041\\x41\x1b$B0!\x1b(B"
    try:
        found = codecs.lookup(text).name
        # RFC 959 5.3.1: a path has neither CR nor LF, and the slash stays the slash.
        text = octets.decode("ascii")
        extends_ascii = octets.decode(found) == text and text.encode(found) == octets
    except (LookupError, UnicodeError, AttributeError, TypeError):
        extends_ascii = False
    if not extends_ascii:
        raise ValueError("an encoding such as utf-8, latin-1, cp1251 or gbk is wanted")
    return found


def parse_ipv4(text: str) -> str:
    """An IPv4 address, or nothing.  ValueError."""
    if text:
        try:
            IPv4Address(text)
        except ValueError:
            raise ValueError("an IPv4 address is wanted") from None
    return text


@frozen
class Limit:
    """A bandwidth limit, and the name under which it is shared."""

    name: tuple[str, str, str]
    """``account``, ``class`` or ``server``; of whom; ``up`` or ``down``."""
    octets: int
    """A second."""


RATE = Kind("SIZE", _parse_rate)
SHARE = Kind("SIZE", _parse_share)
SWITCH = Kind("yes|no", _parse_switch)
COUNT = Kind("NUMBER", _parse_count)
DURATION = Kind("DURATION", _parse_duration)
UMASK = Kind("OCTAL", parse_umask)
ENCODING = Kind("ENCODING", parse_encoding)
IPV4 = Kind("ADDRESS", parse_ipv4)


@frozen
class Options:
    """What holds for one session."""

    login: bool = _option(
        True, SWITCH, "Whether they may log in; 530 as to a wrong password where not."
    )
    session_reuse: str = _option(
        "prefer",
        _choice("prefer", "require", "off"),
        "Whether the data connection resumes the TLS session of the control "
        "connection.",
    )
    tls_required: bool = _option(
        False, SWITCH, "Log in over TLS only; also without a password."
    )
    protect_data: bool = _option(
        False, SWITCH, "Transfers and listings need PROT P; 521 without."
    )
    allow_clear_control: bool = _option(
        False, SWITCH, "CCC may end TLS on the control connection."
    )
    lenient_tls_end: bool = _option(
        False,
        SWITCH,
        "An upload over TLS may end without close_notify; it may be incomplete then.",
    )
    allow_foreign: bool = _option(
        False,
        SWITCH,
        "Data connections may come from, and go to, other hosts than the client's.",
    )
    masquerade_address: str = _option(
        "", IPV4, "IPv4 address that PASV names to these clients."
    )
    umask: int | None = _option(
        None, UMASK, "Mode bits that new files and directories do not get."
    )
    encoding: str = _option(
        "utf-8", ENCODING, "How names travel until the client says OPTS UTF8 ON."
    )
    download_rate: int = _option(
        0,
        RATE,
        "Octets a second that the sessions of one account, or those of anonymous "
        "users from one address, download together; 0: no limit.",
    )
    upload_rate: int = _option(0, RATE, "The same for uploads.")
    class_download_rate: Share = _option(
        Share(),
        SHARE,
        "Octets a second that all whom this rule fits download together; 0: no limit.",
    )
    class_upload_rate: Share = _option(Share(), SHARE, "The same for uploads.")
    sessions: int = _option(
        0,
        COUNT,
        "Sessions of each of these accounts or addresses at once; 0: no limit.",
    )
    idle_timeout: float = _option(
        0.0, DURATION, "A session without a command or transfer ends."
    )


DEFAULTS = Options()

_OF_RULES_ONLY = frozenset(("sessions",))
"""The setting of that name counts something else."""

KINDS: dict[str, Kind] = {
    field.name: field.metadata["kind"] for field in attrs.fields(Options)
}
"""Every option, and how its value is written."""


def options_from(settings: FTPSettings) -> Options:
    """What holds where no rule says otherwise."""
    found = {
        field.name: getattr(settings, field.name)
        for field in attrs.fields(Options)
        if hasattr(settings, field.name) and field.name not in _OF_RULES_ONLY
    }
    found["encoding"] = parse_encoding(settings.encoding)
    found["masquerade_address"] = parse_ipv4(settings.masquerade_address)
    return attrs.evolve(DEFAULTS, **found)
