"""Answers prepared from one zone, and which of them a change makes wrong.

``lasting`` are answers that records of existing names gave.  Such an answer depends on
the records of the name that was asked for, on those of the names in ``dependents`` (the
targets of a CNAME, MX or SRV), and on three things that belong to the zone as a whole:
its name servers, their addresses, and the cuts and DNAMEs that hide what is below them.
When one of those three changes, everything is forgotten; otherwise what depends on a
name that changed.

``passing`` is the rest: denials, referrals, and whatever a wildcard or the absence of a
name has to do with.  They show the SOA or depend on which names exist, so each change
forgets them all.

``tails`` and ``shapes`` are what stands beside a leaf in an answer; they depend on the
three things alone.

``forget`` returns the *sources* that other caches note beside what they keep of an
answer: the folded name that was asked for, or ``PASSING`` and the apex.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from netservices.core.garbage import keep_for_long
from netservices.dns.zone.leftovers import Leftovers

if TYPE_CHECKING:
    from netservices.dns.zone.prepare import Prepared, Tail

PASSING = b"P"
MOST_FORGOTTEN = 1000
"""Names; where more are concerned, it takes less time to forget everything."""
_MOST_SHAPES = 4096
_KEPT_FOR_LONG = 4096
"""Each time so many answers more are kept, the garbage collector is told that they will
stay: it would take tens of milliseconds to look at all of them."""


class Answers:
    """What is prepared of one zone."""

    __slots__ = (
        "_count",
        "dependents",
        "lasting",
        "leftovers",
        "passing",
        "shapes",
        "tails",
    )

    def __init__(self) -> None:
        self.leftovers = Leftovers()
        """Takes tables that are given up."""
        self._count = 0
        self.lasting: dict[bytes, dict[bytes, Prepared]] = {}
        """By folded name, then by type and class."""
        self.passing: dict[bytes, Prepared] = {}
        """By folded question."""
        self.dependents: dict[bytes, set[bytes]] = {}
        """Name -> names of ``lasting`` whose answers show its records too."""
        self.tails: dict[tuple[int, int, bytes], Tail] = {}
        """By lengths of name and leaf, and the type."""
        self.shapes: dict[tuple[bytes, bytes, int, bytes, int], Any] = {}
        """For ``dialogue.quick``."""

    def __len__(self) -> int:
        return self._count + len(self.passing)

    def find(self, name: bytes, rest: bytes) -> Prepared | None:
        """The answer to the question of that folded name, type and class."""
        of_name = self.lasting.get(name)
        if of_name is not None:
            found = of_name.get(rest)
            if found is not None:
                return found
        return self.passing.get(name + rest)

    def keep_lasting(
        self,
        name: bytes,
        rest: bytes,
        prepared: Prepared,
        others: Collection[bytes],
        limit: int,
    ) -> bool:
        """Keep an answer that shows records of ``name`` and ``others``; whether there
        was room."""
        if self._count >= limit:
            return False
        self.lasting.setdefault(name, {})[rest] = prepared
        self._count += 1
        if not self._count % _KEPT_FOR_LONG:
            keep_for_long()
        for other in others:
            if other != name:
                self.dependents.setdefault(other, set()).add(name)
        return True

    def keep_passing(self, key: bytes, prepared: Prepared, limit: int) -> None:
        """Keep an answer until the zone changes or too many others came."""
        if len(self.passing) >= limit:
            self._forget_passing()
        if limit:
            self.passing[key] = prepared

    def keep_tail(self, key: tuple[int, int, bytes], tail: Tail) -> None:
        """Keep what stands behind leaves of one length."""
        if len(self.tails) >= _MOST_SHAPES:
            self.tails.clear()
        self.tails[key] = tail

    def keep_shape(self, key: tuple[bytes, bytes, int, bytes, int], shape: Any) -> None:
        """Keep what stands around leaves in replies to one kind of packets."""
        if len(self.shapes) >= _MOST_SHAPES:
            self.shapes.clear()
        self.shapes[key] = shape

    def forget(self, apex: bytes, changed: set[bytes]) -> list[bytes] | None:
        """The records of those names have changed: the sources of what is forgotten;
        None: everything."""
        doomed = set(changed)
        for name in changed:
            doomed |= self.dependents.pop(name, set())
        if len(doomed) > MOST_FORGOTTEN:
            self.forget_all()
            return None
        for name in doomed:
            self._count -= len(self.lasting.pop(name, ()))
        self._forget_passing()
        return [*doomed, PASSING + apex]

    def forget_all(self) -> None:
        """Anything may be different now."""
        self._forget_passing()
        self.leftovers.drop(self.lasting)
        self.leftovers.drop(self.dependents)
        self.lasting, self.dependents = {}, {}
        self._count = 0
        self.tails.clear()
        self.shapes.clear()

    def _forget_passing(self) -> None:
        if self.passing:
            self.leftovers.drop(self.passing)
            self.passing = {}
