"""Random units against a plain model: whatever is done, both hold the same."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.interfaces import StoreError
from netservices.store.sqlite import SQLiteStore
from netservices.units import (
    AddToValue,
    AddUsage,
    AssertValue,
    CreateAccount,
    CreateDomain,
    CreateZone,
    DeleteAccount,
    DeleteDomain,
    DeleteValue,
    DeleteZone,
    Operation,
    PutAlias,
    PutFileRecord,
    PutValue,
    RemoveAlias,
    RemoveFileRecords,
    RenameFileRecords,
    ReplaceZone,
    Unit,
    UpdateAccount,
    UpdateZone,
)
from netservices.values import RRset
from tests.contract.provision import SMALL, FakeTime
from tests.store.model import Model

NAMES = st.sampled_from(["a", "B", "c"])
DOMAINS = st.sampled_from(["x.example", "Y.example"])
IDS = st.integers(1, 6)
KEYS = st.sampled_from([b"", b"k", b"l\xff"])
TEXTS = st.sampled_from([b"", b"1", b"-7", b"text"])
PATHS = st.lists(st.sampled_from(["a", "b", "a\udcff"]), min_size=1, max_size=3).map(
    tuple
)
ZONES = st.sampled_from([b"\1a\0", b"\1A\0", b"\1b\0"])
OWNERS = st.sampled_from([b"\1a\0", b"\1w\1a\0", b"\1W\1a\0"])
RRSETS = st.builds(
    RRset,
    OWNERS,
    st.sampled_from([1, 16]),
    st.integers(0, 2),
    st.lists(st.binary(max_size=3), min_size=1, max_size=2).map(tuple),
)
MANY = st.lists(RRSETS, max_size=4).map(tuple)
REVISIONS = st.none() | st.integers(1, 4)
EXPIRES = st.none() | st.sampled_from([1_800_000_005.0, 1_800_000_050.0])

OPERATIONS: st.SearchStrategy[Operation] = st.one_of(
    st.builds(CreateDomain, DOMAINS),
    st.builds(DeleteDomain, DOMAINS),
    st.builds(
        CreateAccount,
        NAMES,
        DOMAINS,
        st.booleans(),
        st.none() | st.integers(0, 9),
        st.lists(NAMES, max_size=2).map(tuple),
    ),
    st.builds(
        UpdateAccount,
        IDS,
        st.none() | st.booleans(),
        st.none() | st.booleans(),
        st.none() | st.integers(-1, 9),
        st.none() | st.lists(NAMES, max_size=2).map(tuple),
        REVISIONS,
    ),
    st.builds(DeleteAccount, IDS),
    st.builds(PutAlias, NAMES, st.lists(NAMES, max_size=2).map(tuple)),
    st.builds(RemoveAlias, NAMES),
    st.builds(
        PutValue,
        NAMES,
        KEYS,
        TEXTS,
        EXPIRES,
        if_absent=st.booleans(),
        if_value=st.none() | TEXTS,
    ),
    st.builds(DeleteValue, NAMES, KEYS),
    st.builds(AddToValue, NAMES, KEYS, st.integers(-3, 3), EXPIRES),
    st.builds(AssertValue, NAMES, KEYS, st.none() | TEXTS),
    st.builds(
        PutFileRecord,
        st.just("home"),
        PATHS,
        st.just("key"),
        st.binary(min_size=1, max_size=1),
        st.just(0),
        st.just(1),
        st.just(1),
    ),
    st.builds(RemoveFileRecords, st.just("home"), PATHS | st.just(())),
    st.builds(RenameFileRecords, st.just("home"), PATHS, PATHS),
    st.builds(
        AddUsage,
        st.just("home"),
        st.integers(-9, 9),
        st.integers(-2, 2),
        st.none() | st.integers(0, 20),
    ),
    st.builds(CreateZone, ZONES, MANY),
    st.builds(ReplaceZone, ZONES, MANY, REVISIONS),
    st.builds(
        UpdateZone,
        ZONES,
        st.lists(st.tuples(OWNERS, st.sampled_from([1, 16])), max_size=2).map(tuple),
        MANY,
        REVISIONS,
    ),
    st.builds(DeleteZone, ZONES),
)
TOKENS = st.none() | st.sampled_from([b"1" * 16, b"2" * 16, b"3" * 16])


class StoreMachine(RuleBasedStateMachine):
    """A store and a model, side by side."""

    is_on_disk: ClassVar[bool] = False

    @initialize()
    def begin(self) -> None:
        """An empty store."""
        self.place = tempfile.mkdtemp(prefix="netservices-model-")
        self.time = FakeTime()
        self.model = Model()
        self.open()

    def open(self) -> None:
        """Open the store, anew."""
        directory = os.path.join(self.place, "state") if self.is_on_disk else None
        self.store = SQLiteStore(directory, SMALL, None, self.time)
        value_of(self.store.open())

    @rule(operations=st.lists(OPERATIONS, min_size=1, max_size=3), token=TOKENS)
    def apply(self, operations: list[Operation], token: bytes | None) -> None:
        """Both answer alike, with results or with an error."""
        unit = Unit(tuple(operations), token)
        expected: Any
        answer: Any
        try:
            expected = self.model.apply(unit, self.time.now)
        except StoreError as error:
            expected = type(error)
        try:
            answer = value_of(self.store.apply(unit))
        except StoreError as error:
            answer = type(error)
        assert answer == expected, (unit, answer, expected)

    @rule(seconds=st.sampled_from([1.0, 10.0]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.time.now += seconds

    @rule()
    def reopen(self) -> None:
        """A store on disk is closed and opened."""
        if self.is_on_disk:
            value_of(self.store.close())
            self.open()

    @rule()
    def keep_house(self) -> None:
        """What has expired goes, and nothing else."""
        value_of(self.store.keep_house())

    @invariant()
    def same(self) -> None:
        """Everything that can be read is what the model holds."""
        if hasattr(self, "store"):
            self.model.compare(self.store, self.time.now)

    def teardown(self) -> None:
        """No finding at the end."""
        if hasattr(self, "store"):
            assert value_of(self.store.admin.check("full")).findings == ()
            value_of(self.store.close())
            shutil.rmtree(self.place)


class DiskMachine(StoreMachine):
    """The same on disk."""

    is_on_disk = True


def run(machine: type[StoreMachine], examples: int) -> None:
    """Random sequences of rules."""
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


class ModelTests(SynchronousTestCase):
    """The machines."""

    def test_memory(self) -> None:
        """A store in memory does what the model does."""
        run(StoreMachine, 100)

    def test_disk(self) -> None:
        """A store on disk does too, and keeps it when it is opened anew."""
        run(DiskMachine, 25)
