"""A whole zone on its way to somebody who sees it through a view."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator

from netservices.dns.wire.codes import Type
from netservices.dns.zone.overlay import Overlay, merge_rrsets
from netservices.values import RRset

_SOA = int(Type.SOA)


async def overlaid(
    parts: AsyncGenerator[Iterable[RRset], None], overlay: Overlay
) -> AsyncGenerator[Iterable[RRset], None]:
    """The RRsets of a zone between two copies of its SOA, under an overlay as it is at
    the beginning.  Names that the overlay has to do with come last."""
    over = {name: node.rrsets for name, node in overlay.names.items() if node.rrsets}
    there: dict[bytes, list[RRset]] = {name: [] for name in over}
    soa = overlay.soa
    has_begun = False
    async for part in parts:
        passed: list[RRset] = []
        for rrset in part:
            if rrset.type == _SOA:
                if has_begun:
                    passed += _merged(there, over, overlay.apex)
                has_begun = True
                passed.append(soa or rrset)
                continue
            held = there.get(rrset.owner.lower())
            (passed if held is None else held).append(rrset)
        yield passed


def _merged(
    there: dict[bytes, list[RRset]], over: dict[bytes, tuple[RRset, ...]], apex: bytes
) -> Iterator[RRset]:
    for name, rrsets in over.items():
        for rrset in merge_rrsets(tuple(there[name]), rrsets, name == apex):
            if rrset.type != _SOA:
                yield rrset


async def overlay_alone(overlay: Overlay) -> AsyncGenerator[Iterable[RRset], None]:
    """The parts of a zone that is in a view alone: there is nothing below."""
    assert overlay.soa is not None
    yield (overlay.soa,)
    yield (overlay.soa,)
