"""Many records in as few messages as they need: for zone transfers.

Names are compressed only where they are equal octet by octet, so that the other side
gets every name in the letter case in which it is here (RFC 5936 3.4).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from netservices.core.errors import SyntaxProblem
from netservices.dns.wire.codes import Class
from netservices.dns.wire.message import MAX_MESSAGE_OCTETS
from netservices.dns.wire.rdata import LAYOUTS, split_rdata
from netservices.values import RRset

_COUNTS = struct.Struct(">HHHH")
_FIXED = struct.Struct(">HHIH")
_POINTER = struct.Struct(">H")
_HEADER_OCTETS = 12
_LAST_PLACE = 0x3FFF
_MAX_CHAIN = 8
"""Pointers that lead to a pointer; some decoders give up after a dozen."""

FULL_OCTETS = 16384
"""A message is complete at this size: pointers reach no further, and making it does not
hold up other work.  Only a longer record makes a longer one."""

_COMPRESSED = frozenset(type_ for type_, how in LAYOUTS.items() if how.is_compressed)


class BulkWriter:
    """Records in, whole messages out."""

    def __init__(
        self,
        head: bytes,
        question: bytes,
        additional: bytes = b"",
        limit: int = MAX_MESSAGE_OCTETS,
        full: int = FULL_OCTETS,
    ) -> None:
        """``head`` is ID and flags; ``question`` is in every message; ``additional`` is
        one record (OPT) that ends every message, or empty; ``limit`` is what no
        message may exceed."""
        self._start = head + bytes(8) + question
        self._qname = question[:-4]
        self._additional = additional
        self._limit = limit - len(additional)
        self._full = min(full - len(additional), self._limit)
        self.records = 0
        """Records written so far."""
        self._begin()

    def _begin(self) -> None:
        self._octets = bytearray(self._start)
        self._count = 0
        self._pointers: dict[bytes, bytes] = {}
        self._chains: dict[bytes, int] = {}
        self._register(self._qname)

    def _register(self, name: bytes) -> None:
        """The question's name and its ends can be pointed at."""
        position = 0
        while length := name[position]:
            place = 0xC000 | _HEADER_OCTETS + position
            self._pointers[name[position:]] = _POINTER.pack(place)
            position += length + 1

    def put(self, rrset: RRset) -> Sequence[bytes]:
        """Write all records of an RRset; the messages that are complete by now.
        SyntaxProblem where a record is too long for any message."""
        done: list[bytes] = []
        owner, type_, ttl = rrset.owner, rrset.type, rrset.ttl
        for rdata in rrset.rdatas:
            octets = self._octets
            most = len(octets) + len(owner) + 10 + len(rdata)
            if most > self._full:
                if self._count:
                    done.append(self.finish())
                    octets = self._octets
                if len(octets) + len(owner) + 10 + len(rdata) > self._limit:
                    raise SyntaxProblem("a record is too long for a message")
            pointer = self._pointers.get(owner)
            if pointer is not None:
                octets += pointer
            else:
                self._name(owner)
            octets += _FIXED.pack(type_, Class.IN, ttl, len(rdata))
            if type_ in _COMPRESSED:
                self._names(type_, rdata)
            else:
                octets += rdata
            self._count += 1
        return done

    def finish(self) -> bytes:
        """The message begun last; the next record begins another one."""
        octets = self._octets
        octets += self._additional
        _COUNTS.pack_into(octets, 4, 1, self._count, 0, bool(self._additional))
        self.records += self._count
        self._begin()
        return bytes(octets)

    def _names(self, type_: int, rdata: bytes) -> None:
        """RDATA whose names may be compressed, after its length."""
        octets = self._octets
        start = len(octets)
        before, names, after = split_rdata(type_, rdata)
        octets += before
        for name in names:
            pointer = self._pointers.get(name)
            if pointer is not None:
                octets += pointer
            else:
                self._name(name)
        octets += after
        octets[start - 2 : start] = (len(octets) - start).to_bytes(2, "big")

    def _name(self, name: bytes) -> None:
        """A name that was not written before, as far as its end was."""
        pointers, octets = self._pointers, self._octets
        start = len(octets)
        # Most names have one label more than a name that was written before.
        cut = name[0] + 1
        parent = name[cut:]
        pointer = pointers.get(parent)
        if pointer is not None:
            octets += name[:cut] + pointer
            chain = self._chains.get(parent, 0) + 1
            if chain <= _MAX_CHAIN and start <= _LAST_PLACE:
                pointers[name] = _POINTER.pack(0xC000 | start)
                self._chains[name] = chain
            return
        self._long_name(name, start)

    def _long_name(self, name: bytes, start: int) -> None:
        pointers, octets = self._pointers, self._octets
        fresh: list[tuple[bytes, int]] = []
        position = chain = 0
        while length := name[position]:
            suffix = name[position:]
            pointer = pointers.get(suffix)
            if pointer is not None:
                octets += name[:position]
                octets += pointer
                chain = self._chains.get(suffix, 0) + 1
                break
            fresh.append((suffix, start + position))
            position += length + 1
        else:
            octets += name
        if chain > _MAX_CHAIN:
            return
        for suffix, place in fresh:
            if place <= _LAST_PLACE:
                pointers[suffix] = _POINTER.pack(0xC000 | place)
                if chain:
                    self._chains[suffix] = chain
