"""What all users of one tree share in this process."""

from __future__ import annotations

from attrs import define, field

from netservices.files.disk import Disk
from netservices.files.intents import Intents
from netservices.files.listing import Snapshots
from netservices.files.permissions import Guard
from netservices.files.quota import Ledger
from netservices.files.settings import FilesSettings
from netservices.files.work import Hops, Pace
from netservices.interfaces import IStore, StoreReadOnly, StoreUnavailable


@define(eq=False)
class Volume:
    """A tree on disk, its sums, and who is changing it."""

    name: str
    disk: Disk
    store: IStore
    hops: Hops
    pace: Pace
    snapshots: Snapshots
    settings: FilesSettings
    intents: Intents = field(factory=Intents)
    ledger: Ledger = field(factory=Ledger)
    guards: list[Guard] = field(factory=list)
    """Each may refuse a change of a path: see ``permissions.Guard``."""

    def check_store(self, is_deletion: bool = False) -> None:
        """Whether records can be written, asked before the disk is changed; where it is
        full, those of deletions can.  StoreReadOnly, StoreUnavailable."""
        if self.store.state == "readonly":
            if is_deletion:
                return
            raise StoreReadOnly("the disk is nearly full")
        if self.store.state != "ready":
            raise StoreUnavailable(f"the store is {self.store.state}")
