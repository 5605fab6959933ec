"""Incremental transfers, taken into what is there (RFC 1995 4).

A difference names single records; the store changes whole RRsets.  ``Patch`` follows
the sequences from one version to the next and says for each which RRsets it takes away
and which it puts.  A record that shall go and is not there, or shall come and is there
already, means that the two sides do not have the same zone: nothing is changed then,
and the whole zone is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from attrs import define, field, frozen

from netservices.dns.dialogue.inbound import (
    SLICE_RECORDS,
    BadTransfer,
    Difference,
    Key,
)
from netservices.dns.wire.message import Record
from netservices.dns.wire.names import fold
from netservices.dns.wire.rdata import fold_rdata
from netservices.values import RRset

Find: TypeAlias = Callable[[bytes, int], RRset | None]
"""The RRset of a folded owner and a type, as it is now."""


@frozen
class Change:
    """What one sequence does to the zone."""

    removed: tuple[tuple[bytes, int], ...]
    """Owner and type of RRsets that go."""
    added: tuple[RRset, ...]
    """RRsets that come, or are different from before."""


@define
class _Content:
    """An RRset while it changes."""

    owner: bytes
    ttl: int
    rdatas: dict[bytes, bytes] = field(factory=dict)
    """Folded RDATA to RDATA."""


class Patch:
    """Difference sequences, one after the other, on top of ``find``."""

    def __init__(self, find: Find) -> None:
        self._find = find
        self._contents: dict[Key, _Content] = {}
        self._touched: dict[Key, bool] = {}
        """Those that this sequence changes, and whether they were there before."""
        self.changes: list[Change] = []

    def steps(self, difference: Difference) -> Iterator[None]:
        """Follow one sequence, in slices; then its change is the last of ``changes``.
        BadTransfer."""
        self._touched = {}
        self._take_away(difference.from_soa)
        for index, record in enumerate(difference.removed, 1):
            self._take_away(record)
            if index % SLICE_RECORDS == 0:
                yield
        for index, record in enumerate(difference.added, 1):
            self._put(record)
            if index % SLICE_RECORDS == 0:
                yield
        self._put(difference.to_soa)
        self.changes.append(self._change())

    def _content(self, record: Record) -> _Content:
        key = fold(record.name), record.type
        content = self._contents.get(key)
        if content is None:
            rrset = self._find(*key)
            content = _Content(record.name, record.ttl)
            if rrset is not None:
                content.owner, content.ttl = rrset.owner, rrset.ttl
                for rdata in rrset.rdatas:
                    content.rdatas[fold_rdata(record.type, rdata)] = rdata
            self._contents[key] = content
        self._touched.setdefault(key, bool(content.rdatas))
        return content

    def _take_away(self, record: Record) -> None:
        content = self._content(record)
        if content.rdatas.pop(fold_rdata(record.type, record.rdata), None) is None:
            raise BadTransfer("a difference takes away a record that is not there")

    def _put(self, record: Record) -> None:
        content = self._content(record)
        folded = fold_rdata(record.type, record.rdata)
        if folded in content.rdatas:
            raise BadTransfer("a difference adds a record that is there already")
        if not content.rdatas:
            content.owner = record.name
        # RFC 2181 5.2: one TTL for all; the primary's latest word counts.
        content.ttl = record.ttl
        content.rdatas[folded] = record.rdata

    def _change(self) -> Change:
        removed: list[tuple[bytes, int]] = []
        added: list[RRset] = []
        for key, was_there in self._touched.items():
            content = self._contents[key]
            if content.rdatas:
                rdatas = tuple(content.rdatas.values())
                added.append(RRset(content.owner, key[1], content.ttl, rdatas))
            elif was_there:
                removed.append(key)
        return Change(tuple(removed), tuple(added))
