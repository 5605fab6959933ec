"""Passwords verified lately: so that a mail client's fifth connection costs no hash.

Theory.  An entry's key is a BLAKE2 hash, under a random key that exists only in this
process, over account, credential id, the stored secret and the password given.  So the
cache holds no password, a copy of the memory file of another process is worthless, and
a changed or removed credential can never match an old entry: its secret is part of the
key, and is read from the store at each login.  Notices of change and the time only
make entries go earlier.
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

from netservices.values import Credential


class VerifiedCredentials:
    """A bounded memory of verified passwords; every call is O(1)."""

    def __init__(
        self, lifetime_seconds: float, most: int, seconds: Callable[[], float]
    ) -> None:
        self._lifetime = lifetime_seconds
        self._most = most
        self._seconds = seconds
        self._key = secrets.token_bytes(32)
        self._entries: OrderedDict[bytes, tuple[float, str]] = OrderedDict()
        self._by_login: dict[str, set[bytes]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def mark_of(self, credential: Credential, password: bytes) -> bytes:
        """The keyed hash of this password for this credential as it is stored."""
        digest = blake2b(key=self._key, digest_size=16)
        secret_octets = len(credential.secret)
        digest.update(b"%d,%d,%d;" % (credential.account, credential.id, secret_octets))
        digest.update(credential.secret)
        digest.update(password)
        return digest.digest()

    def evidence_of(self, password: bytes) -> int:
        """A number that tells one wrong password from another, here and now."""
        digest = blake2b(password, key=self._key, digest_size=8, person=b"evidence")
        return int.from_bytes(digest.digest(), "big")

    def is_verified(self, mark: bytes) -> bool:
        """Whether that password was verified lately."""
        entry = self._entries.get(mark)
        if entry is None:
            return False
        if entry[0] <= self._seconds():
            self._discard(mark)
            return False
        return True

    def add(self, mark: bytes, login: str) -> None:
        """Remember a verified password of ``login``."""
        if self._lifetime <= 0:
            return
        self._discard(mark)
        self._entries[mark] = (self._seconds() + self._lifetime, login)
        self._by_login.setdefault(login, set()).add(mark)
        while len(self._entries) > self._most:
            # All live equally long, so the oldest is also the first to end.
            self._discard(next(iter(self._entries)))

    def forget(self, login: str) -> None:
        """The account or a credential of it changed."""
        for mark in tuple(self._by_login.get(login, ())):
            self._discard(mark)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._by_login.clear()

    def _discard(self, mark: bytes) -> None:
        entry = self._entries.pop(mark, None)
        if entry is None:
            return
        marks = self._by_login[entry[1]]
        marks.discard(mark)
        if not marks:
            del self._by_login[entry[1]]
