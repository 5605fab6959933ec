"""How many sessions are open at once: in all, by account, by address, by network."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field, frozen


@frozen
class TooMany:
    """A refusal to open one more session."""

    what: str
    """``server``, ``account``, ``address`` or ``network``."""
    limit: int


@define(eq=False)
class Slot:
    """The right to one session; ``leave`` gives it back."""

    protocol: str
    _counts: SessionCounts = field(repr=False)
    _keys: list[tuple[str, str]] = field(factory=list)
    _has_left: bool = False

    def name_account(self, account: str) -> TooMany | None:
        """The session has logged in: count it under ``account`` from now on."""
        if self._has_left:
            return None
        for key in [key for key in self._keys if key[0] == "account"]:
            self._keys.remove(key)
            self._counts.lower(key)
        return self._counts.claim(self, (("account", account),))

    def leave(self) -> None:
        """The session has ended; safe to call twice."""
        if not self._has_left:
            self._has_left = True
            self._counts.release(self)


class SessionCounts:
    """Counters of open sessions; memory is bounded by the limit for the server."""

    def __init__(self, limits: Mapping[str, int]) -> None:
        self._limits = limits
        self._counts: dict[tuple[str, str], int] = {}
        self._by_protocol: dict[str, int] = {}

    def open(self, protocol: str, keys: tuple[tuple[str, str], ...]) -> Slot | TooMany:
        """A slot counted under every key, or the limit that forbids it."""
        slot = Slot(protocol, self)
        refusal = self.claim(slot, (("server", ""), *keys))
        if refusal is not None:
            return refusal
        self._by_protocol[protocol] = self._by_protocol.get(protocol, 0) + 1
        return slot

    def claim(self, slot: Slot, keys: tuple[tuple[str, str], ...]) -> TooMany | None:
        """Count ``slot`` under all keys, or under none and say which is full."""
        for key in keys:
            limit = self._limits[key[0]]
            if self._counts.get(key, 0) >= limit:
                return TooMany(key[0], limit)
        for key in keys:
            self._counts[key] = self._counts.get(key, 0) + 1
            slot._keys.append(key)
        return None

    def release(self, slot: Slot) -> None:
        """Take ``slot`` out of every counter."""
        for key in slot._keys:
            self.lower(key)
        slot._keys = []
        self._by_protocol[slot.protocol] -= 1

    def lower(self, key: tuple[str, str]) -> None:
        """One less under ``key``; a counter at zero is gone."""
        left = self._counts[key] - 1
        if left:
            self._counts[key] = left
        else:
            del self._counts[key]

    def __len__(self) -> int:
        return len(self._counts)

    def by_protocol(self) -> Mapping[str, int]:
        """How many sessions each protocol has open, for ``status``."""
        return dict(self._by_protocol)
