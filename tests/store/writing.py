"""Another process that writes to a store: ``python -m tests.store.writing DIR N``."""

from __future__ import annotations

import sys

from netservices.core.deferreds import value_of
from netservices.store.sqlite import SQLiteStore
from netservices.units import AddToValue, Unit
from tests.contract.provision import SMALL


def main(directory: str, count: int) -> None:
    """Add one to a counter, so often."""
    store = SQLiteStore(directory, SMALL, None)
    value_of(store.open())
    for _ in range(count):
        value_of(store.apply(Unit((AddToValue("other", b"c", 1),))))
    value_of(store.close())


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
