"""Which logins, addresses and domains there can be, and in which form they are kept.

A login is ``name`` (in the default domain) or ``name@domain``; both parts are kept
folded to lower case, the domain as A-labels.  The name of an account is also the name
of a directory, of an Atom feed and of half a dozen things to come, so it is stricter
than an address may be; addresses (aliases and their targets) follow RFC 5321 4.1.2 and
RFC 6531, without quoted strings.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import idna

from netservices.accounts.precis import BadString, username_case_mapped

LONGEST_NAME = 64
"""Octets of a local part; RFC 5321 4.5.3.1.1."""
LONGEST_DOMAIN = 253
LONGEST_LOGIN = LONGEST_NAME + 1 + LONGEST_DOMAIN
DEEPEST_ALIAS = 10
MOST_TARGETS = 1000

RESERVED_NAMES = frozenset(
    # anonymous, ftp: RFC 1635; mailer-daemon: the sender of bounces; the rest would
    # read like an operator's word on a directory or in a log.
    ("anonymous", "ftp", "mailer-daemon", "nobody", "default", "pub", "system")
)
"""Names that no account may have; an alias may."""

# RFC 5321 4.1.2: atext, and by RFC 6531 3.3 whatever is not ASCII.  Written as what it
# leaves out: a set of all that is not ASCII takes 5 ms to compile, at each start.
_ATOM = r"[^\x00-\x20\"(),.:;<>@\[\\\]\x7f]+"
_DOT_STRING = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_ASCII_NAME = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_-])?")


class BadName(ValueError):
    """The name is not allowed; ``str()`` says why, in one line for people."""


def normalised_domain(text: str) -> str:
    """A domain as it is kept: lower case, A-labels, no final dot.  BadName."""
    name = text.removesuffix(".").lower()
    if not name.isascii():
        try:
            # RFC 5890 2.3.2.1: an A-label is what DNS knows of a name.
            name = idna.encode(name, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError) as problem:
            raise BadName(f"{text!r} is not a domain name: {problem}") from None
    labels = name.split(".")
    if len(name) > LONGEST_DOMAIN or not all(map(_LABEL.fullmatch, labels)):
        raise BadName(f"{text[:300]!r} is not a domain name")
    if labels[-1].isdigit():
        # RFC 3696 2: a name whose last label is a number reads like an address.
        raise BadName(f"{text!r} ends in a number")
    if "xn--" in name:
        try:
            idna.decode(name)
        except (idna.IDNAError, UnicodeError) as problem:
            raise BadName(f"{text!r} is not a domain name: {problem}") from None
    return name


def folded_name(text: str) -> str:
    """A local part as it is compared.  BadName."""
    try:
        return username_case_mapped(text)
    except BadString as problem:
        raise BadName(f"{text[:80]!r} is not a name: {problem}") from None


def split_login(login: str, default_domain: str) -> tuple[str, str]:
    """``(name, domain)``, both folded, of what a person typed.  BadName."""
    if len(login) > LONGEST_LOGIN:
        raise BadName("the login is too long")
    name, at, domain = login.strip().rpartition("@")
    if not at:
        return folded_name(domain), default_domain
    return folded_name(name), normalised_domain(domain)


def new_account_name(text: str) -> str:
    """The name of an account to be created, folded.  BadName."""
    name = folded_name(text)
    if len(name.encode()) > LONGEST_NAME:
        raise BadName(f"{text[:80]!r} is longer than {LONGEST_NAME} octets")
    ascii_part = "".join(char if char.isascii() else "x" for char in name)
    if not _ASCII_NAME.fullmatch(ascii_part) or ".." in name:
        raise BadName(
            f"{text!r}: a name is made of letters, digits, '.', '_' and '-', "
            "and does not start with '.' or '-'"
        )
    if name in RESERVED_NAMES:
        raise BadName(f"the name {name!r} is reserved")
    return name


def normalised_address(text: str) -> str:
    """``local@domain`` as an alias or a target is kept.  BadName.

    The local part may hold all that RFC 5321 4.1.2 calls a Dot-string, except for a
    leading ``|`` or ``/``, which other mailers take for a program or a file.
    """
    local, at, domain = text.strip().rpartition("@")
    if not at:
        raise BadName(f"{text[:300]!r} has no domain")
    if len(local.encode("utf-8", "replace")) > LONGEST_NAME:
        raise BadName(f"{text[:300]!r} is longer than {LONGEST_NAME} octets")
    if not _DOT_STRING.fullmatch(local) or local[0] in "|/":
        raise BadName(f"{text[:300]!r} is not an address")
    return f"{folded_name(local)}@{normalised_domain(domain)}"


def check_alias(
    address: str,
    targets: tuple[str, ...],
    targets_of: Callable[[str], tuple[str, ...]],
) -> None:
    """Refuse an alias that leads back to itself, or too far.  BadName.

    ``targets_of`` gives the targets of an existing alias, or nothing; all addresses are
    normalised.  An address that is its own target is fine: it keeps a copy.
    """
    if not targets:
        raise BadName(f"{address} needs a target")
    if len(targets) > MOST_TARGETS:
        raise BadName(f"{address} has more than {MOST_TARGETS} targets")
    _follow(address, targets, targets_of, (address,), set())


def _follow(
    address: str,
    targets: tuple[str, ...],
    targets_of: Callable[[str], tuple[str, ...]],
    path: tuple[str, ...],
    finished: set[str],
) -> None:
    """Walk every way from ``path``'s end, each address once."""
    for target in targets:
        if target == path[-1] or target in finished:
            continue
        if target in path:
            raise BadName("the alias would be a loop: " + " -> ".join((*path, target)))
        if len(path) >= DEEPEST_ALIAS:
            raise BadName(f"{address} leads through more than {DEEPEST_ALIAS} aliases")
        _follow(address, targets_of(target), targets_of, (*path, target), finished)
        finished.add(target)
