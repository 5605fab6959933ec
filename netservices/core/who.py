"""Whom a rule of the configuration means.

WHO is a login, a group (``@staff``), ``anonymous``, an address or network, or ``*``;
several joined by ``+`` must all fit: ``@staff+10.0.0.0/8`` is the staff at the office.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from attrs import frozen

from netservices.core.networks import Address, Network, parse_address, parse_networks

ANYBODY = "*"
ANONYMOUS = "anonymous"


@frozen
class Person:
    """Whom rules are asked about."""

    address: str
    login: str = ""
    """``name@domain``; empty before the login, and for anonymous users."""
    groups: frozenset[str] = frozenset()
    is_anonymous: bool = False
    default_domain: str = ""


@frozen
class Who:
    """One word of those before the first space of a line."""

    text: str
    network: Network | None = None

    def fits(self, person: Person, address: Address | None) -> bool:
        """Whether that person is meant; ``address`` is his, parsed."""
        if self.network is not None:
            return (
                address is not None
                and address.version == self.network.version
                and address in self.network
            )
        if self.text == ANYBODY:
            return True
        if self.text == ANONYMOUS:
            return person.is_anonymous
        if self.text.startswith("@"):
            return self.text[1:] in person.groups
        if "@" in self.text:
            return self.text == person.login
        return f"{self.text}@{person.default_domain}" == person.login

    @property
    def needs_login(self) -> bool:
        """Whether it can only fit somebody who has logged in."""
        return self.network is None and self.text not in (ANYBODY, ANONYMOUS)

    @property
    def needs_default_domain(self) -> bool:
        """Whether it is a login without its domain."""
        return self.needs_login and "@" not in self.text


def instead(wrong: str, words: Iterable[str]) -> str:
    """The question that ends an error text, if something similar is right."""
    near = get_close_matches(wrong, list(words), 1)
    return f"; did you mean {near[0]}?" if near else ""


def parse_who(text: str) -> tuple[Who, ...]:
    """Whom the first word of a line means.  ValueError."""
    who = tuple(_one(word) for word in text.split("+"))
    logins = [one.text for one in who if one.network is None]
    names = {login.partition("@")[0] for login in logins if login[0] not in "*@"}
    if len(names) > 1:
        both = " and ".join(sorted(names))
        raise ValueError(f"nobody is {both} at once; give each a line")
    return who


def _one(word: str) -> Who:
    if word in ("", "@") or word.count("@") > 1:
        raise ValueError(
            f"{word!r} is not a login, @group, network, {ANONYMOUS} or {ANYBODY}"
        )
    if "/" in word or (parse_address(word) is not None):
        return Who(word, parse_networks([word])[0])
    if word.startswith("@"):
        return Who(word)
    name = word.lower()
    if name != ANONYMOUS and get_close_matches(name, [ANONYMOUS], 1, 0.85):
        raise ValueError(f"{word!r} is nobody{instead(name, [ANONYMOUS])}")
    return Who(name)
