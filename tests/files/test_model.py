"""A tree behaves as a dict of paths does, whatever is done to it."""

from __future__ import annotations

import shutil
import tempfile
from hashlib import sha256
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.files.service import Files
from netservices.files.settings import FilesSettings
from netservices.interfaces import FileProblem, QuotaExceeded, StoreError
from netservices.values import Account, NodeKind, WriteMode
from tests.files.trees import make_store

QUOTA = 2000

segments = st.sampled_from(["a", "b", "é", "\udcff"])
paths = st.lists(segments, min_size=1, max_size=3).map(tuple)
contents = st.one_of(
    st.binary(max_size=40), st.integers(0, 900).map(lambda n: b"\n" * n)
)

Path = tuple[str, ...]


class TreeMachine(RuleBasedStateMachine):
    """``model``: bytes for a file, None for a directory."""

    resolver = "auto"

    def __init__(self) -> None:
        super().__init__()
        self.state = tempfile.mkdtemp()
        options = FilesSettings(
            small_upload=64, durability="none", resolver=self.resolver, reserve_step=16
        )
        self.files = Files(self.state, make_store(), options, None)
        self.tree = self.files.home(Account(1, "a", "b", quota_octets=QUOTA))
        self.model: dict[Path, bytes | None] = {(): None}
        self.partials: dict[Path, bytes] = {}

    def teardown(self) -> None:
        """The disk as it was."""
        shutil.rmtree(self.state)

    def outcome(self, deferred: Any) -> Any:
        """The result, or the problem."""
        try:
            return value_of(deferred)
        except (FileProblem, StoreError) as problem:
            return problem

    def used(self) -> int:
        """Octets in files and partial uploads."""
        return sum(len(d or b"") for d in self.model.values()) + sum(
            map(len, self.partials.values())
        )

    def can_hold_file(self, path: Path) -> bool:
        """Whether a file may have that name."""
        parent_is_directory = self.model.get(path[:-1], b"") is None
        return parent_is_directory and self.model.get(path, b"") is not None

    def base(
        self, path: Path, mode: WriteMode, offset: int
    ) -> tuple[bytes, bytes] | None:
        """What an upload continues: before and beyond; None: refused."""
        target, partial = self.model.get(path), self.partials.get(path)
        if mode is WriteMode.REPLACE:
            return b"", b""
        if mode is WriteMode.CREATE:
            return None if target is not None else (b"", b"")
        if mode is WriteMode.APPEND:
            return (target if target is not None else partial or b""), b""
        if partial is not None and offset <= len(partial):
            return partial[:offset], b""
        whole = target or b""
        return (whole[:offset], whole[offset:]) if offset <= len(whole) else None

    @rule(
        path=paths,
        mode=st.sampled_from(WriteMode),
        offset=st.integers(0, 50),
        data=contents,
        cuts=st.lists(st.integers(0, 900), max_size=2),
        ending=st.sampled_from(["commit", "commit", "commit", "abort", "keep"]),
    )
    def upload(
        self,
        path: Path,
        mode: WriteMode,
        offset: int,
        data: bytes,
        cuts: list[int],
        ending: str,
    ) -> None:
        """An upload in pieces, ended somehow."""
        begun = self.outcome(self.tree.begin_write(path, mode, offset))
        base = self.base(path, mode, offset) if self.can_hold_file(path) else None
        if base is None:
            assert isinstance(begun, Exception)
            return
        assert not isinstance(begun, Exception), begun
        before, beyond = base
        fits = self.write_pieces(begun, data, cuts)
        finished = before + data + beyond[len(data) :]
        credit = len(self.model.get(path) or b"") + len(self.partials.get(path, b""))
        assert fits == (len(finished) - credit <= QUOTA - self.used())
        if ending == "commit" and fits:
            node = value_of(begun.commit())
            assert node.size == len(finished)
            self.model[path] = finished
            self.partials.pop(path, None)
            assert value_of(self.tree.digests(path)).sha256 == sha256(finished).digest()
        else:
            self.end(begun, path, before, data if fits else None, ending, mode)

    def write_pieces(self, upload: Any, data: bytes, cuts: list[int]) -> bool:
        """Whether the quota allowed it."""
        start = 0
        for cut in [*sorted(cuts), len(data)]:
            paused = upload.write(data[start:cut])
            if paused is not None and isinstance(self.outcome(paused), QuotaExceeded):
                return False
            start = max(start, cut)
        return True

    def end(
        self,
        upload: Any,
        path: Path,
        before: bytes,
        data: bytes | None,
        ending: str,
        mode: WriteMode,
    ) -> None:
        """Abort; what is kept can be resumed."""
        value_of(upload.abort(keep_partial=ending == "keep"))
        kept = value_of(self.tree.partial_octets(path))
        if data is None or mode in (WriteMode.APPEND, WriteMode.RESUME):
            # What is kept of these depends on where they broke off: take it from the
            # tree, and hold the tree to it from here on.
            self.partials.pop(path, None)
            if kept is not None:
                self.adopt_partial(path, kept)
            return
        if ending == "keep" and data:
            self.partials[path] = data
        assert kept == (len(self.partials[path]) if path in self.partials else None)

    def adopt_partial(self, path: Path, size: int) -> None:
        """Read it from the disk."""
        records = self.files.store.file_records
        found = value_of(records.partial(self.tree.name, path, 1))
        assert found is not None
        place = f"{self.tree.volume.disk.directory}/.ns-uploads/{found[0]}"
        with open(place, "rb") as file:
            self.partials[path] = file.read()
        assert len(self.partials[path]) == size

    @rule(path=paths)
    def make_directory(self, path: Path) -> None:
        """Works where the parent is a directory and the name is free."""
        made = self.outcome(self.tree.make_directory(path))
        if self.model.get(path[:-1], b"") is None and path not in self.model:
            assert made.kind is NodeKind.DIRECTORY
            self.model[path] = None
        else:
            assert isinstance(made, Exception)

    @rule(path=paths, directory=st.booleans())
    def remove(self, path: Path, directory: bool) -> None:
        """Works for a file, or an empty directory, as said."""
        removed = self.outcome(self.tree.remove(path, directory))
        is_there = path in self.model
        is_directory = is_there and self.model[path] is None
        is_empty = not any(p[: len(path)] == path and p != path for p in self.model)
        if is_there and is_directory == directory and is_empty:
            assert removed == len(self.model[path] or b"")
            del self.model[path]
        else:
            assert isinstance(removed, Exception)

    @rule(source=paths, goal=paths, replace=st.booleans())
    def rename(self, source: Path, goal: Path, replace: bool) -> None:
        """Moves a file, or a directory with what is in it."""
        renamed = self.outcome(self.tree.rename(source, goal, replace))
        if not self.may_rename(source, goal, replace):
            assert isinstance(renamed, Exception)
            return
        assert renamed is None, renamed
        moved = {p: d for p, d in self.model.items() if p[: len(source)] == source}
        for path in moved:
            del self.model[path]
        for path, data in moved.items():
            self.model[goal + path[len(source) :]] = data

    def may_rename(self, source: Path, target: Path, replace: bool) -> bool:
        """By the rules of the interface."""
        model = self.model
        if source not in model or model.get(target[:-1], b"") is not None:
            return False
        is_directory = model[source] is None
        if is_directory and target[: len(source)] == source:
            return False
        if target not in model:
            return True
        return replace and not is_directory and model[target] is not None

    @rule(path=paths, mtime=st.integers(0, 2**40))
    def touch(self, path: Path, mtime: int) -> None:
        """Sets the time of what is there."""
        node = self.outcome(self.tree.set_attributes(path, mtime_ns=mtime))
        assert isinstance(node, Exception) == (path not in self.model)
        if not isinstance(node, Exception):
            assert node.mtime_ns == mtime

    @rule()
    def sweep(self) -> None:
        """Nothing that is in use or kept is swept."""
        assert value_of(self.files.sweep(0)) == 0

    @invariant()
    def is_as_the_model(self) -> None:
        """Every directory, every file, and the sums."""
        for path, data in self.model.items():
            if data is None:
                below = {p[-1] for p in self.model if p and p[:-1] == path}
                listed = value_of(self.tree.list(path))
                names = [node.name for node in listed]
                octets = [n.encode("utf-8", "surrogateescape") for n in names]
                assert octets == sorted(octets)
                assert set(names) == below
            else:
                opened = value_of(self.tree.open(path))
                assert value_of(opened.read(0, 10_000)) == data
                opened.close()
        usage = value_of(self.tree.usage())
        files = sum(data is not None for data in self.model.values())
        assert (usage.used_octets, usage.file_count) == (self.used(), files)
        assert value_of(self.files.check()).findings == ()


class WalkMachine(TreeMachine):
    """The same by the walk."""

    resolver = "walk"


class ModelTests(SynchronousTestCase):
    """The machines."""

    def run_machine(self, machine: type[TreeMachine]) -> None:
        """Enough to find what is wrong, not more."""
        run_state_machine_as_test(
            machine,
            settings=settings(max_examples=60, stateful_step_count=20, deadline=None),
        )

    def test_openat2(self) -> None:
        """By ``openat2`` where there is one."""
        self.run_machine(TreeMachine)

    def test_walk(self) -> None:
        """By the walk."""
        self.run_machine(WalkMachine)
