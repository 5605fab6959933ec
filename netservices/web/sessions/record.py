"""What is kept of one session, and how its name becomes the key under which it is."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Any

from attrs import asdict, field, frozen

_NAME_OCTETS = 32
_NAME = re.compile(r"[A-Za-z0-9_\-]{43}")
LONGEST_AGENT = 200
"""Characters of what a browser calls itself that are kept."""


def new_name() -> str:
    """A name that nobody can guess: 256 random bits."""
    return secrets.token_urlsafe(_NAME_OCTETS)


def digest_of(name: str) -> bytes | None:
    """The hash under which a session of that name is kept; None where it can be no
    name."""
    return sha256(name.encode()).digest() if _NAME.fullmatch(name) else None


def label_of(digest: bytes) -> str:
    """What a session is called in lists: the beginning of its hash, which opens
    nothing."""
    return digest[:6].hex()


@frozen
class Record:
    """One session; times are seconds since 1970."""

    created: float
    seen: float
    """When it was last used, within a minute or so."""
    ends: float
    """When it ends, however busy it is."""
    idle_seconds: float
    """It ends after so long without use."""
    account: int = 0
    """The id of the account that has logged in; 0: nobody has."""
    login: str = ""
    generation: int = 0
    """That of the account's password at the login."""
    logged_in: float = 0.0
    site: str = ""
    """Scheme and host for which it counts."""
    address: str = ""
    """Whence it began."""
    agent: str = ""
    """What the browser calls itself."""
    slot: int = -1
    """Its place among the sessions without a login; -1: it has none."""
    data: Mapping[str, Any] = field(factory=dict, repr=False)

    @property
    def expires(self) -> float:
        """When it ends if it is not used any more."""
        return min(self.ends, self.seen + self.idle_seconds)

    def encode(self) -> bytes:
        """As the store keeps it."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()


@lru_cache(maxsize=256)
def decode(value: bytes) -> Record | None:
    """From what the store keeps; None for what another version of this program may
    have put there.  Nobody may alter the data in it."""
    try:
        return Record(**json.loads(value))
    except (ValueError, TypeError):
        return None
