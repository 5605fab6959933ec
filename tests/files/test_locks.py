"""Locks and properties of a tree: who may change what, and what follows a file."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from netservices.core.deferreds import value_of
from netservices.files.tree import FileTree
from netservices.interfaces import (
    Conflict,
    Exists,
    Locked,
    NotAllowed,
    NotFound,
    QuotaExceeded,
)
from netservices.values import FileLock, Path, WriteMode
from tests.files.trees import FilesCase

A, B, D, E = ("d", "a"), ("d", "b"), ("d",), ("e",)


def put(tree: FileTree, path: Path, content: bytes = b"x", **more: Any) -> None:
    """Write a file."""
    upload = value_of(tree.begin_write(path, **more))
    upload.write(content)
    value_of(upload.commit())


class MarksCase(FilesCase):
    """A tree with some files, and strangers in it."""

    def setUp(self) -> None:
        """``d/a``, ``d/b`` and ``e``."""
        super().setUp()
        self.tree = self.make_tree()
        value_of(self.tree.make_directory(D))
        for path in (A, B, E):
            put(self.tree, path)

    def lock(self, path: Path, **more: Any) -> FileLock:
        """A lock for an hour."""
        return value_of(self.tree.lock(path, "", time.time() + 3600, **more))

    def holding(self, *locks: FileLock) -> FileTree:
        """The tree for one who tells these locks."""
        tree: FileTree = self.tree.with_tokens(frozenset(one.token for one in locks))
        return tree

    def assert_locked(self, function: Callable[[], Deferred[Any]], *at: Path) -> None:
        """It is refused for a lock on these paths."""
        refused = self.failureResultOf(function(), Locked)
        self.assertEqual(at, refused.value.paths)


class LockTests(MarksCase):
    """Who may change what."""

    def changes(self, tree: FileTree, path: Path) -> list[Callable[[], Deferred[Any]]]:
        """All that changes a file itself."""
        return [
            lambda: tree.begin_write(path),
            lambda: tree.begin_write(path, WriteMode.APPEND),
            lambda: tree.remove(path),
            lambda: tree.rename(path, ("z",)),
            lambda: tree.rename(E, path),
            lambda: tree.copy(E, path),
            lambda: tree.set_attributes(path, mtime_ns=1),
            lambda: tree.change_properties(path, {"x": "y"}),
        ]

    def test_file(self) -> None:
        """A locked file is changed by its holder alone, however it is changed; it is
        read by all."""
        lock = self.lock(A)
        for change in self.changes(self.tree, A):
            self.assert_locked(change, A)
        value_of(self.tree.open(A)).close()
        put(self.tree, B)
        put(self.tree, ("d", "new"))
        put(self.holding(lock), A, b"changed")
        value_of(self.holding(lock).remove(A))
        put(self.tree, A)

    def test_locked_meanwhile(self) -> None:
        """An upload that began before the lock does not end after it."""
        upload = value_of(self.tree.begin_write(A))
        upload.write(b"late")
        self.lock(A)
        self.assert_locked(upload.commit, A)
        value_of(upload.abort())

    def test_directory(self) -> None:
        """A lock on a directory keeps its names, and what is noted about it.  RFC 4918
        7.4."""
        lock = self.lock(D)
        tree = self.tree
        put(tree, A)
        value_of(tree.set_attributes(A, mtime_ns=1))
        for change in (
            lambda: tree.begin_write(("d", "new")),
            lambda: tree.make_directory(("d", "new")),
            lambda: tree.remove(A),
            lambda: tree.rename(A, ("z",)),
            lambda: tree.rename(E, ("d", "z")),
            lambda: tree.change_properties(D, {"x": "y"}),
            lambda: tree.rename(D, ("z",)),
        ):
            self.assert_locked(change, D)
        put(self.holding(lock), ("d", "new"))
        value_of(self.holding(lock).remove(A))

    def test_deep(self) -> None:
        """A deep lock is on all below, and on what comes there."""
        lock = self.lock(D, is_deep=True)
        for change in self.changes(self.tree, A):
            self.assert_locked(change, D)
        put(self.holding(lock), ("d", "new"))
        self.assert_locked(lambda: self.tree.begin_write(("d", "new")), D)
        value_of(self.holding(lock).rename(A, ("z",)))
        put(self.tree, ("z",))

    def test_below(self) -> None:
        """A directory does not go, or move, with what others have locked in it."""
        lock = self.lock(A)
        self.assert_locked(lambda: self.tree.rename(D, ("z",)), A)
        value_of(self.holding(lock).rename(D, ("z",)))
        put(self.tree, ("z", "a"))

    def test_shared(self) -> None:
        """Of shared locks on one thing, one is enough."""
        first, second = (self.lock(A, is_exclusive=False) for _ in "12")
        self.assert_locked(lambda: self.tree.begin_write(A), A)
        put(self.holding(second), A)
        value_of(self.tree.unlock(A, first.token))
        self.assert_locked(lambda: self.tree.begin_write(A), A)

    def test_exclude(self) -> None:
        """Locks exclude each other.  RFC 4918 6.1."""
        self.lock(A)
        later = time.time() + 60
        self.assert_locked(lambda: self.tree.lock(A, "", later, False), A)
        self.assert_locked(lambda: self.tree.lock(D, "", later, True, True), A)
        self.lock(D)

    def test_other_account(self) -> None:
        """A token counts for the account that has the lock.  RFC 4918 6.4."""
        lock = self.lock(A)
        other = FileTree(self.tree.volume, self.tree.permissions, 99)
        other = other.with_tokens(frozenset((lock.token,)))
        self.assert_locked(lambda: other.begin_write(A), A)
        self.failureResultOf(other.unlock(A, lock.token), NotAllowed)
        self.failureResultOf(other.renew_lock(A, lock.token, 0.0), NotAllowed)

    def test_end(self) -> None:
        """A lock ends when it is given back, or when its time is over."""
        lock = self.lock(A)
        self.failureResultOf(self.tree.unlock(B, lock.token), NotFound)
        renewed = value_of(self.tree.renew_lock(A, lock.token, time.time() - 1))
        self.assertEqual(lock.token, renewed.token)
        put(self.tree, A)
        self.failureResultOf(self.tree.unlock(A, lock.token), NotFound)
        self.assertEqual((), value_of(self.tree.locks(A)))
        lock = self.lock(A)
        self.assertEqual((lock,), value_of(self.tree.locks(D, True)))
        value_of(self.tree.unlock(A, lock.token))
        put(self.tree, A)


class PropertyTests(MarksCase):
    """What is noted about files."""

    def noted(self, path: Path) -> Any:
        """Values by name."""
        return value_of(self.tree.properties(path)).get(path, {})

    def test_follow(self) -> None:
        """Notes stay with a file that is written anew, follow it to another name or a
        copy, and go with it."""
        value_of(self.tree.change_properties(A, {"x": "1", "y": "2"}))
        value_of(self.tree.change_properties(A, {"y": None}))
        put(self.tree, A, b"other" * 100)
        value_of(self.tree.rename(A, B))
        value_of(self.tree.copy(B, ("copy",)))
        self.assertEqual(
            [{}, {"x": "1"}, {"x": "1"}], [*map(self.noted, (A, B, ("copy",)))]
        )
        value_of(self.tree.remove(B))
        put(self.tree, B)
        self.assertEqual({}, self.noted(B))
        value_of(self.tree.copy(E, ("copy",)))
        self.assertEqual({}, self.noted(("copy",)))

    def test_directories(self) -> None:
        """Notes about directories can be copied on their own."""
        value_of(self.tree.change_properties(D, {"x": "1"}))
        value_of(self.tree.make_directory(("f",)))
        value_of(self.tree.copy_properties(D, ("f",)))
        self.assertEqual({"x": "1"}, self.noted(("f",)))

    def test_refused(self) -> None:
        """Only about what is there, and not too much."""
        self.failureResultOf(self.tree.change_properties(("no",), {"x": "1"}), NotFound)
        long = {"x": "1" * (self.settings.property_octets + 1)}
        self.failureResultOf(self.tree.change_properties(A, long), QuotaExceeded)


class VersionTests(MarksCase):
    """Changes of a version that was seen."""

    def test_commit(self) -> None:
        """An upload replaces the version that it is meant to, or nothing."""
        seen = value_of(self.tree.stat(A)).etag
        late, later = (value_of(self.tree.begin_write(A)) for _ in "12")
        value_of(late.commit(if_etag=seen))
        self.failureResultOf(later.commit(if_etag=seen), Conflict)
        value_of(later.abort())
        made = value_of(self.tree.begin_write(("n",)))
        put(self.tree, ("n",))
        self.failureResultOf(made.commit(if_etag=""), Conflict, Exists)
        value_of(made.abort())

    def test_remove(self) -> None:
        """A file is removed in the version that was seen."""
        seen = value_of(self.tree.stat(A)).etag
        put(self.tree, A)
        self.failureResultOf(self.tree.remove(A, if_etag=seen), Conflict)
        value_of(self.tree.remove(A, if_etag=value_of(self.tree.stat(A)).etag))
