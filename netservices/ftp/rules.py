"""Rules of the configuration: who is meant, and what holds for him.

Theory
======

A line of ``ftp.rules`` is ``WHO OPTION=VALUE ...``, one of ``ftp.permissions`` is
``WHO PATH PERMISSIONS``; ``core.who`` tells what WHO is.

All lines that fit count, in their order, so that a later one wins; option by option in
the one case, path by path in the other.  Before the login only addresses are known, and
whatever a line says of logins and groups does not fit yet.

The lines are read once, when the server starts or is reloaded; a session asks once, at
its login, and keeps the answer until it logs out.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Container
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any

import attrs
from attrs import frozen

from netservices.core.networks import Address, parse_address
from netservices.core.who import ANONYMOUS, ANYBODY, Person, Who, instead, parse_who
from netservices.ftp.options import KINDS, Options, Share, options_from
from netservices.values import (
    EVERYTHING,
    READ_ONLY,
    Path,
    Permission,
    Permissions,
)

if TYPE_CHECKING:
    from netservices.ftp.settings import FTPSettings

WORDS: dict[str, Permission] = {
    "list": Permission.LIST,
    "read": Permission.READ,
    "create": Permission.CREATE,
    "upload": Permission.CREATE,
    "replace": Permission.REPLACE,
    "write": Permission.WRITE,
    "delete": Permission.DELETE,
    "rename": Permission.RENAME,
    "mkdir": Permission.MAKE_DIRECTORY,
    "attributes": Permission.ATTRIBUTES,
    "read-only": Permission.READ_ONLY,
    "all": Permission.ALL,
    "none": Permission.NONE,
}
"""The words of ``ftp.permissions``."""

_THE_SAME_EVERYWHERE = {one.everywhere: one for one in (EVERYTHING, READ_ONLY)}


@frozen
class Line:
    """One line: whom it means, and what it says."""

    text: str
    """WHO as it was written: the name of what its members share."""
    who: tuple[Who, ...]
    options: tuple[tuple[str, Any], ...] = ()
    path: Path = ()
    permission: Permission = Permission.NONE

    def fits(self, person: Person, address: Address | None) -> bool:
        """Whether the line is about that person."""
        return all(one.fits(person, address) for one in self.who)

    def values_of(self, option: str) -> list[Any]:
        """What it says of one option."""
        return [value for name, value in self.options if name == option]

    @property
    def needs_no_login(self) -> bool:
        """Whether it may fit somebody of whom only the address is known."""
        return all(one.network is not None or one.text == ANYBODY for one in self.who)

    @property
    def names_anonymous(self) -> bool:
        """Whether it says ``anonymous``."""
        return any(one.text == ANONYMOUS for one in self.who)


# --- reading ------------------------------------------------------------------------


def parse_rule(text: str) -> Line:
    """A line of ``ftp.rules``.  ValueError, in words for the person who wrote it."""
    return _told(_parse_rule, text)


def parse_permission(text: str) -> Line:
    """A line of ``ftp.permissions``.  ValueError."""
    return _told(_parse_permission, text)


def _told(parse: Callable[[str], Line], text: str) -> Line:
    try:
        return parse(text)
    except ValueError as problem:
        raise ValueError(f"{text!r}: {problem}") from None


def _parse_rule(text: str) -> Line:
    words = text.split()
    if len(words) < 2:
        raise ValueError("WHO OPTION=VALUE is wanted, such as 'alice umask=077'")
    who = parse_who(words[0])
    return Line(words[0], who, tuple(_option(word, words[0]) for word in words[1:]))


def _option(word: str, who: str) -> tuple[str, Any]:
    name, equals, written = word.partition("=")
    if name not in KINDS:
        raise ValueError(f"no option {name}{instead(name, KINDS)}")
    if not equals:
        raise ValueError(f"{name} needs a value: {name}={KINDS[name].shape}")
    try:
        value = KINDS[name].parse(written)
    except ValueError as problem:
        raise ValueError(f"{word}: {problem}") from None
    return name, value.named(who) if isinstance(value, Share) else value


def _parse_permission(text: str) -> Line:
    words = shlex.split(text)
    if len(words) < 3:
        raise ValueError("WHO PATH PERMISSIONS is wanted, such as 'bob /in upload'")
    if not words[1].startswith("/"):
        raise ValueError(f"the path {words[1]!r} does not begin with /")
    segments = parse_directory(words[1])
    named = " ".join(words[2:]).replace(",", " ").split()
    rights = reduce(or_, map(_permission, named), Permission.NONE)
    return Line(words[0], parse_who(words[0]), path=segments, permission=rights)


def parse_directory(text: str) -> Path:
    """The directory of a tree that is written so.  ValueError."""
    segments = tuple(part for part in text.split("/") if part not in ("", "."))
    if ".." in segments:
        raise ValueError(f"the path {text!r} goes up again")
    return segments


def _permission(word: str) -> Permission:
    if word not in WORDS:
        raise ValueError(f"no permission {word}{instead(word, WORDS)}")
    return WORDS[word]


# --- asking -------------------------------------------------------------------------


@frozen
class Rules:
    """All rules of one server."""

    settings: FTPSettings
    defaults: Options
    lines: tuple[Line, ...] = ()
    early_lines: tuple[Line, ...] = ()
    """Those that may fit before the login."""
    permission_lines: tuple[Line, ...] = ()
    needs_default_domain: bool = False
    """Whether some line names a login without its domain."""

    def options(self, person: Person) -> Options:
        """What holds for that person."""
        changes: dict[str, Any] = {}
        is_known = person.login or person.is_anonymous
        for line in _fitting(self.lines if is_known else self.early_lines, person):
            changes.update(line.options)
        return attrs.evolve(self.defaults, **changes) if changes else self.defaults

    def may_ask_for(self, option: str, values: Container[Any]) -> bool:
        """Whether somebody's ``option`` is one of the ``values``."""
        written = [value for line in self.lines for value in line.values_of(option)]
        return any(v in values for v in (getattr(self.defaults, option), *written))

    def permissions(self, person: Person, most: Permission) -> Permissions:
        """What that person may do in his tree, ``most`` where nothing is said."""
        lines = _fitting(self.permission_lines, person)
        if not lines:
            return _THE_SAME_EVERYWHERE.get(most) or Permissions(most)
        everywhere = most
        below: dict[Path, Permission] = {}
        for line in lines:
            permission = line.permission
            if person.is_anonymous and not line.names_anonymous:
                # What is said of everybody is no leave to write for strangers.
                permission &= most
            if line.path:
                below[line.path] = permission
            else:
                everywhere = permission
        return Permissions(everywhere, below)


def _fitting(lines: tuple[Line, ...], person: Person) -> list[Line]:
    if not lines:
        return []
    address = parse_address(person.address)
    return [line for line in lines if line.fits(person, address)]


def rules_from(settings: FTPSettings) -> Rules:
    """The rules that the settings hold.  ValueError."""
    lines = tuple(map(parse_rule, settings.rules))
    permission_lines = tuple(map(parse_permission, settings.permissions))
    every = [one for line in (*lines, *permission_lines) for one in line.who]
    return Rules(
        settings,
        options_from(settings),
        lines,
        tuple(line for line in lines if line.needs_no_login),
        permission_lines,
        any(one.needs_default_domain for one in every),
    )
