"""Who is changing which names of a tree: changes of one name happen one after another.

Theory
======

A change takes the paths that it concerns, and gives them back when its record is
committed.  A *deep* intent (renaming a directory, recounting a tree) concerns all paths
below as well.  Two intents conflict when they name the same path, or when one is deep
and a prefix of the other.  Who waits is served in the order of arrival, and a newcomer
waits behind those that wait for what it wants: nobody starves.

Uploads hold no intent while data flows, only during their commit.  So, for one name:

* two uploads: both succeed, the one that commits last has the name (APPEND and RESUME
  fail with Conflict where the file they continued is no longer the same);
* the file is removed or renamed during an upload: the upload makes it anew;
* its directory is removed or renamed during an upload: the commit fails with NotFound,
  and the upload may be kept as partial.
"""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen
from twisted.internet.defer import Deferred, succeed

from netservices.values import Path


@frozen(eq=False)
class Intent:
    """Paths that one change concerns; deep ones with all that is below."""

    paths: tuple[Path, ...]
    deep: tuple[Path, ...] = ()


_Waiting: TypeAlias = tuple[Intent, Deferred[Intent]]


class Intents:
    """The intents of one tree: held and waiting."""

    def __init__(self) -> None:
        self.changes = 0
        """How many changes have been made."""
        self._shallow: set[Path] = set()
        self._deep: list[Path] = []
        self._waiting: list[_Waiting] = []

    def take(self, *paths: Path, deep: tuple[Path, ...] = ()) -> Deferred[Intent]:
        """Wait until nobody else is changing these paths."""
        wanted = Intent(paths, deep)
        if self._is_free(wanted) and not any(
            _conflict(earlier, wanted) for earlier, _ in self._waiting
        ):
            self._hold(wanted)
            return succeed(wanted)
        granted: Deferred[Intent] = Deferred(lambda _: None)
        self._waiting.append((wanted, granted))
        return granted

    def release(self, intent: Intent) -> None:
        """Give back what ``take`` granted."""
        self.changes += 1
        self._shallow.difference_update(intent.paths)
        for path in intent.deep:
            self._deep.remove(path)
        waiting, self._waiting = self._waiting, []
        ready = []
        for wanted, granted in waiting:
            blocked = any(_conflict(earlier, wanted) for earlier, _ in self._waiting)
            if blocked or not self._is_free(wanted):
                self._waiting.append((wanted, granted))
            else:
                self._hold(wanted)
                ready.append((wanted, granted))
        for wanted, granted in ready:
            granted.callback(wanted)

    def _hold(self, intent: Intent) -> None:
        self._shallow.update(intent.paths)
        self._deep.extend(intent.deep)

    def _is_free(self, wanted: Intent) -> bool:
        if self._deep and any(
            _is_below(path, deep)
            for path in wanted.paths + wanted.deep
            for deep in self._deep
        ):
            return False
        if not self._shallow.isdisjoint(wanted.paths):
            return False
        held = self._shallow.union(self._deep) if wanted.deep else ()
        return not any(_is_below(path, deep) for deep in wanted.deep for path in held)


def _is_below(path: Path, top: Path) -> bool:
    return path[: len(top)] == top


def _conflict(one: Intent, other: Intent) -> bool:
    """Whether two intents cannot be held at once."""
    return (
        not set(one.paths).isdisjoint(other.paths)
        or _reaches(one, other)
        or _reaches(other, one)
    )


def _reaches(one: Intent, other: Intent) -> bool:
    """Whether something of ``other`` is below something deep of ``one``."""
    concerned = other.paths + other.deep
    return any(_is_below(path, top) for top in one.deep for path in concerned)
