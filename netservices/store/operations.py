"""What the handlers of operations share: the transaction they work in.

A handler is a plain function ``(transaction, operation) -> result`` that runs inside
the SAVEPOINT of its unit, in whatever thread writes.  It raises the errors of
``interfaces`` and nothing else on purpose; each area's module lists its handlers in a
dict ``HANDLERS``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from sqlite3 import Connection
from typing import Any, TypeAlias

from attrs import define, field

from netservices.store.blobfiles import BlobFiles
from netservices.store.settings import StoreSettings
from netservices.units import Operation
from netservices.values import Topic


@define
class Transaction:
    """One database transaction, shared by the units of a group."""

    connection: Connection
    now: float
    settings: StoreSettings
    blob_files: BlobFiles | None
    """None in memory, where all content lives in rows."""
    notices: list[tuple[Topic, str]] = field(factory=list)
    after_commit: list[Callable[[], None]] = field(factory=list)
    """Run once the commit is durable, while other processes still wait."""

    def notify(self, topic: Topic, name: str) -> None:
        """Tell readers that ``name`` changed."""
        self.notices.append((topic, name))


Handler: TypeAlias = Callable[[Transaction, Any], Any]
Handlers: TypeAlias = Mapping[type[Operation], Handler]
