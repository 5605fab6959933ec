"""A store for tests: in memory, inline, open."""

from __future__ import annotations

import time
from collections.abc import Callable

from netservices.core.deferreds import value_of
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore


def MemoryStore(  # noqa: N802
    settings: StoreSettings | None = None,
    seconds: Callable[[], float] = time.time,
) -> SQLiteStore:
    """An open store without threads or files: every Deferred has fired when it is
    returned."""
    store = SQLiteStore(None, settings or StoreSettings(), None, seconds)
    value_of(store.open())
    return store
