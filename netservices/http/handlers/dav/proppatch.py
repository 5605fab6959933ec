"""PROPPATCH: what clients note about a file (RFC 4918 9.2)."""

from __future__ import annotations

from netservices.http.handlers.dav.answers import (
    empty_element,
    error_element,
    multistatus,
    propstat,
    response_of,
)
from netservices.http.handlers.dav.elements import Name, dav, parse, written
from netservices.http.handlers.dav.place import Place, is_directory
from netservices.http.handlers.dav.properties import LIVE
from netservices.interfaces import QuotaExceeded
from netservices.web.problems import Problem
from netservices.web.response import Response


def parse_changes(data: bytes) -> dict[Name, str | None]:
    """The changes in their order; None removes.  Problem 400."""
    root = parse(data)
    if root.name != dav("propertyupdate"):
        raise Problem(400, "PROPPATCH wants a propertyupdate element.")
    changes: dict[Name, str | None] = {}
    for step in root.elements:
        is_set = step.name == dav("set")
        if not is_set and step.name != dav("remove"):
            continue
        prop = step.find(dav("prop"))
        for one in [] if prop is None else prop.elements:
            # RFC 4918 4.3: the language that is said around a value belongs to it.
            changes[one.name] = written(one, keeps_language=True) if is_set else None
    if not changes:
        raise Problem(400, "PROPPATCH wants properties to set or remove.")
    return changes


async def proppatch(place: Place, data: bytes) -> Response:
    """All changes, or none (RFC 4918 9.2)."""
    changes = parse_changes(data)
    node = await place.tree.stat(place.path)
    href = place.href(place.path, is_directory(node))
    guarded = [name for name in changes if name in LIVE]
    if guarded:
        refused = propstat(
            403,
            map(empty_element, guarded),
            error_element("cannot-modify-protected-property"),
        )
        return multistatus([response_of(href, refused + _untouched(changes, guarded))])
    try:
        await place.tree.change_properties(place.path, changes)
    except QuotaExceeded:
        full = propstat(507, map(empty_element, changes))
        return multistatus([response_of(href, full)])
    return multistatus([response_of(href, propstat(200, map(empty_element, changes)))])


def _untouched(changes: dict[Name, str | None], guarded: list[Name]) -> str:
    others = [empty_element(name) for name in changes if name not in guarded]
    return propstat(424, others) if others else ""
