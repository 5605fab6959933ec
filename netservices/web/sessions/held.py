"""A session as it was read, and the operations that keep and end it.

Three kinds of keys: ``session/`` and the hash of the name; ``account/ID/`` and the
hash, to find the sessions of an account; ``slot/`` and a number, for those without a
login (see ``storage``).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from attrs import field, frozen

from netservices.units import AssertValue, DeleteValue, Operation, PutValue, Unit
from netservices.values import Account
from netservices.web.sessions.record import Record, digest_of, label_of

NAMESPACE = "web"
SESSION = b"session/"
MOVED = b"moved"
"""In place of a session whose browser has just logged in."""


@frozen
class Held:
    """A session as it was read."""

    digest: bytes
    record: Record
    value: bytes = field(repr=False)
    """What the store held."""

    @property
    def label(self) -> str:
        """What it is called in lists."""
        return label_of(self.digest)

    def copied_data(self) -> dict[str, Any]:
        """The data, for somebody who alters them."""
        return deepcopy(dict(self.record.data))


def puts(held: Held) -> tuple[Operation, ...]:
    """Session and index; they expire together."""
    rows = [(SESSION + held.digest, held.value), *_index(held)]
    expires = held.record.expires
    return tuple(PutValue(NAMESPACE, key, value, expires) for key, value in rows)


def replacement(old: Held, new: Held) -> Unit:
    """Conflict where the store holds something else than ``old``."""
    condition = AssertValue(NAMESPACE, SESSION + old.digest, old.value)
    return Unit((condition, *puts(new)))


def _index(held: Held) -> list[tuple[bytes, bytes]]:
    found = []
    if held.record.account:
        found.append((account_key(held.record.account) + held.digest, b""))
    if held.record.slot >= 0:
        found.append((slot_key(held.record.slot), held.digest))
    return found


def inherited(held: Held | None, account: Account) -> Mapping[str, Any]:
    """What the next session of a browser finds of the one before."""
    if held is None or held.record.account not in (0, account.id):
        return {}
    return held.record.data


def ending(held: Held) -> Unit:
    """Conflict where the store holds something else: another session may have the slot
    by now."""
    condition = AssertValue(NAMESPACE, SESSION + held.digest, held.value)
    return Unit((condition, *removal(held)))


def removal(held: Held) -> tuple[Operation, ...]:
    """The operations that end a session that is as it was read."""
    keys = [SESSION + held.digest, *(key for key, _ in _index(held))]
    return tuple(DeleteValue(NAMESPACE, key) for key in keys)


def moving(held: Held, until: float) -> tuple[Operation, ...]:
    """The operations that end a session whose browser has another one now, and leave a
    mark of that for a while."""
    mark = PutValue(NAMESPACE, SESSION + held.digest, MOVED, until)
    return (*removal(held), mark)


def known_digest(name: str) -> bytes:
    """The hash of a name that we have made."""
    digest = digest_of(name)
    assert digest is not None
    return digest


def account_key(account_id: int) -> bytes:
    """Where the hashes of an account's sessions begin."""
    return b"account/%d/" % account_id


def slot_key(number: int) -> bytes:
    """Where the hash of the session in a slot is."""
    return b"slot/%d" % number
