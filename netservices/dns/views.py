"""Views: which zones a client sees (split horizon).

A view is a line of ``dns.views``: its name, and whom it is for.  ``inside
clients=10.0.0.0/8,key:office`` is for clients by network or by the key of their
request, ``root server=127.0.0.11 zones=.`` for all who ask that address of ours; where
both are written, both must fit.  The first line that fits is the client's view.
``zones=`` limits a view to some zones; without it all are there.  Clients outside every
view see the zones as they are.

What a view shows of a zone is the zone itself under the view's overlay of it, if it has
one: see ``zone.overlay``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from netservices.core.networks import Network, parse_address, parse_networks
from netservices.dns.rules import AccessList
from netservices.dns.wire.names import fold, parse_name

if TYPE_CHECKING:
    from netservices.dns.policy import Client

_WORDS = ("clients", "server", "zones")
_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?")
_REMEMBERED = 4096


@frozen
class View:
    """One line: a name, and whom it is for."""

    name: str
    clients: AccessList | None = None
    """Who may ask; None: everybody."""
    servers: tuple[Network, ...] = ()
    """Which addresses of ours they ask; none: any."""
    zones: frozenset[bytes] | None = None
    """Folded names of the zones that are there; None: all."""

    @classmethod
    def parse(cls, line: str) -> View:
        """ValueError says what is wrong, in words for the person who wrote it."""
        name, *words = line.split() or [""]
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is no name of a view: lower-case letters, digits and "
                "hyphens, as in inside"
            )
        values = _conditions(name, words)
        clients = values.get("clients")
        servers = values.get("server")
        zones = values.get("zones")
        if clients is None and servers is None:
            raise ValueError(
                f"the view {name} is for nobody: write clients= or server= "
                "(clients=any is everybody)"
            )
        return cls(
            name,
            None if clients is None else AccessList(map(_check_client, clients)),
            () if servers is None else _servers(servers),
            None
            if zones is None
            else frozenset(fold(parse_name(zone)) for zone in zones),
        )

    def shows(self, apex: bytes) -> bool:
        """Whether the zone of that folded name is in the view."""
        return self.zones is None or apex in self.zones

    def fits(self, client: Client) -> bool:
        """Whether it is the view of that client."""
        if self.servers and not _is_in(client.server, self.servers):
            return False
        return self.clients is None or self.clients.allows(client)


class Views:
    """The lines of ``dns.views`` in their order."""

    def __init__(self, lines: Iterable[str]) -> None:
        """ValueError names the line."""
        self.views: tuple[View, ...] = ()
        for line in lines:
            try:
                view = View.parse(line)
                if view.name in self.names:
                    raise ValueError(f"the view {view.name} is there twice")
            except ValueError as problem:
                raise ValueError(f"dns.views: {line!r}: {problem}") from None
            self.views += (view,)
        self._of = lru_cache(maxsize=_REMEMBERED)(self._find)

    def __bool__(self) -> bool:
        return bool(self.views)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in order."""
        return tuple(view.name for view in self.views)

    def of(self, address: str, server: str) -> str:
        """The view of one who asks without a key; empty: none."""
        return self._of(address, server) if self.views else ""

    def see(self, client: Client) -> Client:
        """The same client with its view; to be asked anew when it has shown a key."""
        if client.key is None:
            view = self.of(client.address, client.server)
        else:
            view = self._first(client)
        return client if view == client.view else evolve(client, view=view)

    def _find(self, address: str, server: str) -> str:
        # Only here: the policy knows the settings, and those are read without it.
        from netservices.dns.policy import Client

        return self._first(Client(address, server=server))

    def _first(self, client: Client) -> str:
        return next((view.name for view in self.views if view.fits(client)), "")


def _conditions(name: str, words: list[str]) -> dict[str, list[str]]:
    """What stands behind the name of a view."""
    found: dict[str, list[str]] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise ValueError(f"{word!r} says nothing: write {_completed(word)}")
        if key not in _WORDS:
            near = get_close_matches(key, _WORDS, 1)
            instead = (
                f"did you mean {near[0]}=?"
                if near
                else "there are clients=, server= and zones="
            )
            raise ValueError(f"there is no {key}=; {instead}")
        if key in found:
            raise ValueError(f"{key}= is there twice; write one with commas")
        found[key] = value.split(",")
        if "" in found[key]:
            raise ValueError(f"{word!r} has nothing behind = or between two commas")
    return found


def _completed(word: str) -> str:
    """What somebody may have meant who left ``=`` out."""
    if word in _WORDS:
        return f"{word}=..."
    try:
        parse_networks([word])
    except ValueError:
        return "clients=..., server=... or zones=..."
    return f"clients={word} or server={word}"


def _check_client(word: str) -> str:
    """A word of an access list, or what may have been meant."""
    try:
        AccessList([word])
    except ValueError as problem:
        near = get_close_matches(word, ("any", "loopback"), 1)
        if near:
            raise ValueError(f"{word!r} is nobody; did you mean {near[0]}?") from None
        if "/" not in word and ":" not in word and not word[:1].isdigit():
            text = f"{word!r} is nobody; a key is written key:{word}"
            raise ValueError(text) from None
        raise ValueError(str(problem)) from None
    return word


def _servers(words: list[str]) -> tuple[Network, ...]:
    try:
        return parse_networks(words)
    except ValueError:
        text = f"server={','.join(words)}: an address such as 127.0.0.11 is wanted"
        raise ValueError(text) from None


def _is_in(text: str, networks: tuple[Network, ...]) -> bool:
    address = parse_address(text)
    return address is not None and any(
        address.version == network.version and address in network
        for network in networks
    )
