"""The secret of the cookies, which the store keeps over restarts (RFC 9018 5)."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from attrs import field, frozen

from netservices.dns.backend.shelf import Kind, Shelf
from netservices.dns.wire.cookies import SECRET_OCTETS
from netservices.interfaces import IStore
from netservices.units import Unit


@frozen
class CookieSecrets:
    """The secret in use, and the one before it."""

    current: bytes = field(repr=False)
    made: float
    """Seconds since 1970."""
    previous: bytes = field(default=b"", repr=False)
    """Empty: there was none."""

    def to_json(self) -> Mapping[str, Any]:
        """Octets in hexadecimal."""
        return {
            "current": self.current.hex(),
            "made": self.made,
            "previous": self.previous.hex(),
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> CookieSecrets:
        """ValueError, KeyError or TypeError."""
        current = bytes.fromhex(fields["current"])
        previous = bytes.fromhex(fields["previous"])
        if len(current) != SECRET_OCTETS or len(previous) not in (0, SECRET_OCTETS):
            raise ValueError("a secret has 16 octets")
        return cls(current, float(fields["made"]), previous)

    def in_force(self, now: float, overlap_seconds: float) -> tuple[bytes, ...]:
        """What makes cookies, and what still checks them: the previous one does for
        as long as cookies made with it may be around."""
        if self.previous and now - self.made <= overlap_seconds:
            return (self.current, self.previous)
        return (self.current,)


COOKIE_SECRETS: Kind[CookieSecrets] = Kind(
    b"cookie/", CookieSecrets.to_json, CookieSecrets.from_json
)
_KEY = b"server"


class SecretKeeper:
    """Makes a secret when there is none, and a new one when it is old."""

    def __init__(
        self,
        store: IStore,
        shelf: Shelf[CookieSecrets],
        lifetime_seconds: float,
        now: Callable[[], float],
    ) -> None:
        """``now`` gives seconds since 1970."""
        self._store = store
        self._shelf = shelf
        self._lifetime = lifetime_seconds
        self._now = now

    @property
    def secrets(self) -> CookieSecrets | None:
        """What the store has told last."""
        return self._shelf.things.get(_KEY)

    async def renew(self) -> None:
        """See to it that there is a secret that is not too old.  StoreError.

        Servers on one store may all do this at once; the first one wins, and the others
        take over what it has put."""
        held = self.secrets
        now = self._now()
        if held is not None and now - held.made < self._lifetime:
            return
        previous = held.current if held is not None else b""
        made = CookieSecrets(os.urandom(SECRET_OCTETS), now, previous)
        await self._store.apply(Unit((self._put(made, held),)))
        await self._shelf.load()

    def _put(self, made: CookieSecrets, held: CookieSecrets | None) -> Any:
        kind = self._shelf.kind
        before = kind.put(_KEY, held).value if held is not None else None
        return kind.put(_KEY, made, if_absent=held is None, if_value=before)
