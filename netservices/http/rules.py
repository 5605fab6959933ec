"""Rules of the configuration: who may see and change what.

Theory
======

A line of ``http.access`` is ``WHO WHERE VERDICT [METHOD ...]``.  ``core.who`` tells
what WHO is; ``anonymous`` is who has not logged in.  WHERE is a path, maybe behind a
host (``www.example.org/private/``); the line holds for the path and all below it, and a
star stands for any letters within a segment.  VERDICT is one of ``WORDS``.  Methods
make the line one for these alone.

Of all lines that fit, the one with the longest path counts; of several the last.  Where
none fits, the handler decides.

Paths are compared segment by segment when they have been decoded and ``.`` and ``..``
are resolved, so that no spelling of a path slips past its rule.  A request that takes a
whole directory along (DELETE, MOVE, COPY, a PROPFIND of all that is below) needs the
right for what is below, too; one with a ``Destination`` the right to write there.

Who has not logged in is asked to where a login could help, and is refused where it
could not; whether anything exists at the path has no part in that.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import lru_cache

from attrs import field, frozen

from netservices.core.networks import Address, parse_address
from netservices.core.who import Person, Who, instead, parse_who
from netservices.values import Path
from netservices.web.csrf import SAFE


class Verdict(Enum):
    """What a line says."""

    ALLOW = "allow"
    DENY = "deny"
    LOGIN = "login"
    READ_ONLY = "read-only"
    ANY_ORIGIN = "any-origin"


WORDS = {one.value: one for one in Verdict} | {"write": Verdict.ALLOW}
"""The verdicts as they are written; ``write`` reads better beside ``read-only``."""

METHODS = (
    *("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"),
    *("PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK"),
)
_RECURSIVE = {"DELETE", "MOVE", "COPY"}
_METHOD = re.compile(r"[A-Z][A-Z\-]*")
_WHERE = re.compile(r"((?:\*\.)?[a-z0-9.\-]*|\[[0-9a-f:]+\])(/.*)")


class Outcome(Enum):
    """What becomes of a request."""

    PASS = "allowed"  # noqa: S105
    LOGIN = "allowed after a login"
    REFUSE = "refused"


@frozen
class Line:
    """One line."""

    text: str
    who: tuple[Who, ...]
    host: str
    """Empty: any; ``*.example.org``: any below."""
    path: Path
    verdict: Verdict
    methods: frozenset[str] = frozenset()
    """Empty: all."""
    _pattern: tuple[re.Pattern[str] | str, ...] = field(
        eq=False, repr=False, default=()
    )

    def is_about(self, host: str, path: Path) -> bool:
        """Whether the line holds for what is at ``path``."""
        if self.host.startswith("*."):
            if not host.endswith(self.host[1:]):
                return False
        elif self.host and host != self.host:
            return False
        return len(path) >= len(self._pattern) and all(
            one == segment if isinstance(one, str) else one.fullmatch(segment)
            for one, segment in zip(self._pattern, path, strict=False)
        )

    def takes(self, method: str) -> bool:
        """Whether it is about that method; HEAD is as GET."""
        asked = "GET" if method == "HEAD" else method
        return not self.methods or asked in self.methods

    def fits(self, person: Person, address: Address | None) -> bool:
        """Whether that person is meant."""
        return all(one.fits(person, address) for one in self.who)

    def could_fit(self, person: Person, address: Address | None) -> bool:
        """Whether it fits that person, or could if he logged in."""
        return all(one.needs_login or one.fits(person, address) for one in self.who)

    def outcome(self, method: str, has_login: bool) -> Outcome:
        """What it says of a request."""
        if self.verdict is Verdict.LOGIN:
            return Outcome.PASS if has_login else Outcome.LOGIN
        if self.verdict is Verdict.DENY:
            return Outcome.REFUSE
        if self.verdict is Verdict.READ_ONLY and method not in SAFE:
            return Outcome.REFUSE
        return Outcome.PASS

    @property
    def needs_account(self) -> bool:
        """Whether what it says depends on who has logged in."""
        words = (one for one in self.who if one.network is None and one.text != "*")
        return self.verdict is Verdict.LOGIN or any(words)

    @property
    def needs_address(self) -> bool:
        """Whether it depends on where somebody is."""
        return any(one.network is not None for one in self.who)


# --- reading ------------------------------------------------------------------------


def parse_line(text: str) -> Line:
    """A line of ``http.access``.  ValueError, in words for the person who wrote it."""
    try:
        return _parse_line(text)
    except ValueError as problem:
        raise ValueError(f"{text!r}: {problem}") from None


def _parse_line(text: str) -> Line:
    words = shlex.split(text)
    if len(words) < 3:
        raise ValueError("WHO WHERE VERDICT is wanted, such as '@staff /in/ allow'")
    who = parse_who(words[0])
    match = _WHERE.fullmatch(words[1])
    if match is None:
        raise ValueError(f"{words[1]!r} is no path such as /in/ or example.org/in/")
    host = match[1].strip("[]")
    if host and not set(host) & set(".:") and host != "localhost":
        # Somebody has forgotten the first slash, and the rule would hold for nothing.
        raise ValueError(
            f"{words[1]!r}: a path begins with a slash (/{words[1]}), a host of one"
            f" word ends with a dot ({host}.{match[2]})"
        )
    if words[2] not in WORDS:
        raise ValueError(f"no verdict {words[2]}{instead(words[2], WORDS)}")
    verdict = WORDS[words[2]]
    if verdict is Verdict.ANY_ORIGIN and (len(words) > 3 or words[0] != "*"):
        raise ValueError("any-origin is said for everybody: * WHERE any-origin")
    path = tuple(one for one in match[2].split("/") if one not in ("", "."))
    if ".." in path:
        raise ValueError(f"the path {words[1]!r} goes up again")
    methods = frozenset(map(_method, " ".join(words[3:]).replace(",", " ").split()))
    pattern = tuple(_segment(one) for one in path)
    return Line(text, who, host.removesuffix("."), path, verdict, methods, pattern)


def _method(word: str) -> str:
    if not _METHOD.fullmatch(word) or (word not in METHODS and instead(word, METHODS)):
        # A slip of the pen would make a rule that holds for nothing.
        raise ValueError(f"no method {word}{instead(word.upper(), METHODS)}")
    return word


def _segment(text: str) -> re.Pattern[str] | str:
    if "*" not in text:
        return text
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)


# --- asking -------------------------------------------------------------------------


@frozen
class Judgement:
    """What becomes of a request, and the line that says so; None: no line does."""

    outcome: Outcome
    line: Line | None = None


_NOTHING_SAID = Judgement(Outcome.PASS)


class Rules:
    """All lines of one server."""

    def __init__(self, lines: Iterable[str]) -> None:
        """ValueError."""
        written = [parse_line(text) for text in lines]
        # The longest path first, and of several the last.
        written.reverse()
        written.sort(key=lambda line: len(line.path), reverse=True)
        self._lines = tuple(o for o in written if o.verdict is not Verdict.ANY_ORIGIN)
        self._open = tuple(o for o in written if o.verdict is Verdict.ANY_ORIGIN)
        self.needs_default_domain = any(
            one.needs_default_domain for line in written for one in line.who
        )
        self.about = lru_cache(maxsize=512)(self._about)

    def __bool__(self) -> bool:
        return bool(self._lines)

    def takes_any_origin(self, host: str, path: Path) -> bool:
        """Whether pages of all sites may change something there."""
        return any(line.is_about(host, path) for line in self._open)

    def _about(self, host: str, path: Path) -> tuple[Line, ...]:
        """The lines that hold for a path, the one that counts most first."""
        return tuple(line for line in self._lines if line.is_about(host, path))

    def below(self, host: str, path: Path) -> tuple[Path, ...]:
        """The paths below one for which something is said."""
        depth = len(path)
        found = (
            (*path, *line.path[depth:])
            for line in self._lines
            if len(line.path) > depth
            and line.is_about(host or line.host, (*path, *line.path[depth:]))
        )
        return tuple(dict.fromkeys(found))

    def judge(
        self, host: str, path: Path, method: str, person: Person, is_deep: bool = False
    ) -> Judgement:
        """What becomes of a request; ``is_deep``: it is about all that is below, too.

        ``path`` may end with an empty segment.
        """
        if path and not path[-1]:
            path = path[:-1]
        address = parse_address(person.address)
        found = judge(self.about(host, path), method, person, address)
        if not is_deep or found.outcome is not Outcome.PASS:
            return found
        for deeper in self.below(host, path):
            other = judge(self.about(host, deeper), method, person, address)
            if other.outcome is not Outcome.PASS:
                return other
        return found


def judge(
    lines: Sequence[Line], method: str, person: Person, address: Address | None
) -> Judgement:
    """What the lines about a path say; the one that counts most is the first."""
    could_help = False
    for line in lines:
        if not line.takes(method):
            continue
        if line.fits(person, address):
            outcome = line.outcome(method, not person.is_anonymous)
            if outcome is Outcome.REFUSE and could_help:
                outcome = Outcome.LOGIN
            return Judgement(outcome, line)
        if person.is_anonymous and line.could_fit(person, address):
            could_help |= line.outcome(method, True) is Outcome.PASS
    return _NOTHING_SAID


def is_deep(method: str, depth: str) -> bool:
    """Whether a request is about all that is below its path (RFC 4918 9)."""
    return method in _RECURSIVE or (method == "PROPFIND" and depth not in ("0", "1"))
