"""The store keeps its contract, in memory, inline on disk, and with threads."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from tests.contract.contents import (
    BlobsContract,
    FileRecordsContract,
    ZonesContract,
)
from tests.contract.marks import LockRecordsContract, PropertyRecordsContract
from tests.contract.provision import Inline, InMemory, Threaded
from tests.contract.records import AccountRecordsContract, KeyValueContract
from tests.contract.store import ChangeContract, LeaseContract


class WholeContract(
    ChangeContract,
    LeaseContract,
    AccountRecordsContract,
    KeyValueContract,
    FileRecordsContract,
    PropertyRecordsContract,
    LockRecordsContract,
    ZonesContract,
    BlobsContract,
):
    """All contracts of a store."""


class MemoryTests(WholeContract, InMemory, TestCase):
    """A store in memory."""


class InlineTests(WholeContract, Inline, TestCase):
    """A store on disk without threads."""


class ThreadedTests(WholeContract, Threaded, TestCase):
    """A store on disk with threads."""
