"""The keys (TSIG, RFC 8945) and grants that the store keeps, ready for use."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from typing import Any

from netservices.dns.backend.shelf import Kind, Shelf
from netservices.dns.grants import Grant, Grants, make_grant
from netservices.dns.wire.names import fold, name_text, parse_name
from netservices.dns.wire.tsig import ALGORITHMS, Key, algorithm_text, find_algorithm
from netservices.interfaces import IStore


def _to_json(key: Key) -> Mapping[str, Any]:
    return {
        "name": name_text(key.name),
        "algorithm": algorithm_text(key.algorithm),
        "secret": base64.b64encode(key.secret).decode("ascii"),
        "account": key.account,
        "account_id": key.account_id,
    }


def _from_json(fields: Mapping[str, Any]) -> Key:
    return make_key(**fields)


def make_key(
    name: str, algorithm: str, secret: str, account: str = "", account_id: int = 0
) -> Key:
    """A key as people write it, its secret in base64.  ValueError."""
    if algorithm not in ALGORITHMS:
        known = ", ".join(ALGORITHMS)
        raise ValueError(f"{algorithm!r} is none of {known}")
    try:
        octets = base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the secret is no base64") from None
    if not octets:
        raise ValueError("the secret is empty")
    wire_algorithm = parse_name(algorithm)
    return Key(key_name(name), wire_algorithm, octets, account, account_id)


def key_name(text: str) -> bytes:
    """The folded name that a person typed, with or without the final dot.
    ValueError."""
    return fold(parse_name(text))


KEYS: Kind[Key] = Kind(b"key/", _to_json, _from_json)
"""By the folded name."""


def _grant_from_json(fields: Mapping[str, Any]) -> Grant:
    return make_grant(**fields)


GRANTS: Kind[Grant] = Kind(b"grant/", Grant.to_json, _grant_from_json)
"""By ``Grant.id``."""


class KeyShelf(Shelf[Key]):
    """Keys, without those of accounts that are gone or disabled."""

    async def load(self) -> None:
        """Read them all.  StoreError."""
        things = await self._read()
        for name, key in tuple(things.items()):
            if key.account_id and not await self._is_enabled(key.account_id):
                del things[name]
        self._put(things)

    async def _is_enabled(self, account_id: int) -> bool:
        account = await self._store.records.account_by_id(account_id)
        return account is not None and account.is_enabled


class KeyRing:
    """All keys that may be used, by folded name, and what they may change."""

    def __init__(
        self,
        store: IStore,
        allows_md5: bool = False,
        complain: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._keys = KeyShelf(store, KEYS, self._changed, complain)
        self._granted: Shelf[Grant] = Shelf(store, GRANTS, self._changed, complain)
        self.keys: dict[bytes, Key] = {}
        self.grants = Grants()
        self._allows_md5 = allows_md5

    @property
    def shelves(self) -> tuple[Shelf[Any], ...]:
        """What is to be kept up to date."""
        return self._keys, self._granted

    def current(self) -> Mapping[bytes, Key]:
        """The keys as they are now."""
        return self.keys

    def find(self, name: str) -> Key | None:
        """The key of that name, as a person or an option writes it."""
        try:
            return self.keys.get(key_name(name))
        except ValueError:
            return None

    def _changed(self) -> None:
        self.keys = {
            name: key for name, key in self._keys.things.items() if self._is_usable(key)
        }
        self.grants = Grants(self._granted.things.values())

    def _is_usable(self, key: Key) -> bool:
        # RFC 8945 6: MD5 must not be used.
        algorithm = find_algorithm(key.algorithm)
        if algorithm is None:
            return False
        return algorithm.digest != "md5" or self._allows_md5
