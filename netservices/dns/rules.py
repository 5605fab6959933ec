"""Who may: lists of networks, keys and accounts.

An access list is a list of words, and whoever one of them means is allowed:

- ``192.0.2.0/24``, ``2001:db8::1``: a client with such an address;
- ``loopback``: a client on this machine;
- ``any``: everybody;
- ``key:NAME``: a request signed with that key (RFC 8945);
- ``account:LOGIN``: a request signed with a key of that account.

``!`` before a network shuts it out, whatever else is in the list.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from netservices.core.networks import is_loopback, parse_address, parse_networks
from netservices.dns.wire.names import fold, parse_name

if TYPE_CHECKING:
    from netservices.dns.policy import Client

_LOOPBACK = ("127.0.0.0/8", "::1/128")
_ANY = ("0.0.0.0/0", "::/0")


class AccessList:
    """Whom a list of words means."""

    def __init__(self, words: Iterable[str], remembered: int = 4096) -> None:
        """ValueError names the word that means nobody."""
        self.words = tuple(words)
        self._is_loopback = False
        self._keys: set[bytes] = set()
        self._accounts: set[str] = set()
        allowed: list[str] = []
        refused: list[str] = []
        for word in self.words:
            if word.startswith("key:"):
                self._keys.add(fold(parse_name(word[4:])))
            elif word.startswith("account:"):
                self._accounts.add(word[8:].lower())
            elif word.startswith("!"):
                refused += _networks(word[1:])
            else:
                self._is_loopback |= word in ("loopback", "any")
                allowed += _networks(word)
        self._allowed = parse_networks(allowed)
        self._refused = parse_networks(refused)
        self._is_address_allowed = lru_cache(maxsize=remembered)(self._look_up)

    def allows(self, client: Client) -> bool:
        """Whether the list means this client, or the key of its request."""
        key = client.key
        if not (self._allowed or self._keys or self._accounts):
            return False
        if self._refused and self._is_shut_out(client.address):
            return False
        if key is not None and (
            key.name in self._keys or key.account.lower() in self._accounts
        ):
            return True
        return self._is_address_allowed(client.address)

    def allows_key(self, client: Client) -> bool:
        """Whether the list means the key of the request, wherever it comes from: the
        address of a datagram may be forged."""
        key = client.key
        if key is None or (self._refused and self._is_shut_out(client.address)):
            return False
        return key.name in self._keys or key.account.lower() in self._accounts

    def _look_up(self, text: str) -> bool:
        address = parse_address(text)
        if address is None:
            return self._is_loopback and is_loopback(text)
        return any(
            address.version == network.version and address in network
            for network in self._allowed
        )

    def _is_shut_out(self, text: str) -> bool:
        address = parse_address(text)
        return address is not None and any(
            address.version == network.version and address in network
            for network in self._refused
        )


def narrowed(words: Iterable[str]) -> AccessList | None:
    """The list, or None where it means everybody.  ValueError."""
    listed = tuple(words)
    if "any" in listed and not any(word.startswith("!") for word in listed):
        return None
    return AccessList(listed)


@lru_cache(maxsize=1024)
def access_list(words: tuple[str, ...]) -> AccessList:
    """The list of these words, made once.  ValueError."""
    return AccessList(words)


def _networks(word: str) -> tuple[str, ...]:
    if word == "loopback":
        return _LOOPBACK
    if word == "any":
        return _ANY
    return (word,)
