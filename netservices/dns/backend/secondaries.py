"""What is known of a secondary zone beside its records: when its primaries were heard
last, and when it expires.

It lies in a key-value namespace of its own, since it changes with every check; what is
configured lies in ``dns`` (``backend.shelf``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import attrs
from attrs import frozen

from netservices.interfaces import IStore
from netservices.units import DeleteValue, PutValue

NAMESPACE = "dns.secondary"
_PAGE = 500


@frozen
class SecondaryState:
    """The past of one secondary zone; times in seconds since 1970, 0: never."""

    checked: float = 0.0
    """The last time a primary was asked."""
    succeeded: float = 0.0
    """The last time one said what the newest version is, and we had it or got it."""
    expires: float = 0.0
    """When the zone is too old to be served; RFC 1035 3.3.13."""
    primary: str = ""
    """The one that said so."""

    def put(self, name: bytes) -> PutValue:
        """The operation that keeps it, by the zone's folded name."""
        text = json.dumps(attrs.asdict(self), sort_keys=True)
        return PutValue(NAMESPACE, name, text.encode())


def forget_state(name: bytes) -> DeleteValue:
    """The operation that forgets the past of a zone."""
    return DeleteValue(NAMESPACE, name)


async def load_states(store: IStore) -> dict[bytes, SecondaryState]:
    """The past of every secondary zone, by folded name; one that cannot be read counts
    as none.  StoreError."""
    found: dict[bytes, SecondaryState] = {}
    after = None
    while True:
        page = await store.values.scan(NAMESPACE, b"", after, _PAGE)
        found.update(_readable(page))
        if len(page) < _PAGE:
            return found
        after = page[-1][0]


def _readable(
    page: Iterable[tuple[bytes, bytes]],
) -> Iterable[tuple[bytes, SecondaryState]]:
    for key, value in page:
        try:
            yield key, SecondaryState(**json.loads(value))
        except (TypeError, ValueError):
            continue
