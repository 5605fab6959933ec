"""The listing of a directory: a page for people, JSON for programs.

By name, a directory of any length is shown page by page as the file service gives it.
Another order needs all entries at once, and is there for directories of up to
``MOST_SORTED`` of them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import blake2b
from time import gmtime, strftime
from typing import Any
from urllib.parse import parse_qs, quote, urlencode

from attrs import frozen

from netservices.core.dates import internet_date
from netservices.interfaces import IFileTree
from netservices.values import Node, NodeKind, Path
from netservices.web.accept import best_type
from netservices.web.conditions import Outcome, Validators, evaluate
from netservices.web.problems import Problem
from netservices.web.request import Request, quoted
from netservices.web.response import Response

PAGE = 200
"""Entries of a page."""

MOST_SORTED = 10_000
"""Entries of a directory that are sorted by size or date."""

COLUMNS = (("name", "Name"), ("size", "Size"), ("date", "Changed"))
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")

Hides = Callable[[str], bool]
"""Whether a name is not shown."""


@frozen
class Order:
    """How the reader wants it."""

    column: str = "name"
    is_down: bool = False
    after: str = ""
    """By name: entries behind this one.  Else: how many entries come before."""

    @property
    def query(self) -> str:
        """As a query string."""
        pairs = {"sort": self.column, "order": "desc" if self.is_down else "asc"}
        if self.after:
            pairs["after"] = self.after
        return "?" + urlencode(pairs, errors="surrogateescape")


def order_of(query: str | None) -> Order:
    """What a query string asks for; what it does not make sense of is ignored."""
    found = parse_qs(
        query or "", errors="surrogateescape", max_num_fields=20, separator="&"
    )
    column = found.get("sort", ["name"])[-1]
    if column not in ("size", "date"):
        column = "name"
    is_down = found.get("order", [""])[-1] == "desc"
    return Order(column, is_down, found.get("after", [""])[-1])


async def list_directory(
    request: Request, tree: IFileTree, path: Path, hides: Hides
) -> Response:
    """The listing of ``path``, as the request wants it."""
    try:
        order = order_of(request.query)
    except ValueError:
        order = Order()
    nodes, following, is_sorted = await entries_of(tree, path, order, hides)
    offered = ("text/html", "application/json")
    if best_type(request.fields.get("accept"), offered) == "application/json":
        response = _as_json(nodes, following)
    else:
        response = _as_page(request, order, nodes, following, is_sorted)
    response.vary("Accept")
    response.set("Cache-Control", "no-cache")
    return _unless_known(request, response)


def _unless_known(request: Request, response: Response) -> Response:
    """304 in place of a listing that the client has (RFC 9110 15.4.5); Problem 412."""
    body = response.body
    assert isinstance(body, bytes)
    # RFC 9110 8.8.3.3: weak, for the page may be sent compressed; 304 and 200 have to
    # say the same.
    etag = f'W/"{blake2b(body, digest_size=12).hexdigest()}"'
    response.set("ETag", etag)
    # Nothing in it has a date.
    outcome = evaluate(request.method, request.fields, Validators(etag), 0.0)
    if outcome is Outcome.FAILED:
        raise Problem(412)
    if outcome is Outcome.NOT_MODIFIED:
        response.remove("Content-Type")
        # RFC 9110 15.4.5: as in the 200 that it stands for.
        response.vary("Accept-Encoding")
        response.status, response.body = 304, b""
    return response


async def entries_of(
    tree: IFileTree, path: Path, order: Order, hides: Hides
) -> tuple[list[Node], Order | None, bool]:
    """One page, the order that gives the next one, and whether it is sorted as
    wanted."""
    if order.column == "name" and not order.is_down:
        return (*await _by_name(tree, path, order, hides), True)
    found: list[Node] = []
    after: str | None = None
    while page := await tree.list(path, after):
        after = page[-1].name
        found += [node for node in page if not hides(node.name)]
        if len(found) > MOST_SORTED:
            first = Order()
            return (*await _by_name(tree, path, first, hides), False)
    found.sort(key=_KEYS[order.column], reverse=order.is_down)
    start = int(order.after) if order.after.isdecimal() else 0
    start = min(start, MOST_SORTED)
    end = start + PAGE
    following = None
    if end < len(found):
        following = Order(order.column, order.is_down, str(end))
    return found[start:end], following, True


async def _by_name(
    tree: IFileTree, path: Path, order: Order, hides: Hides
) -> tuple[list[Node], Order | None]:
    found: list[Node] = []
    after = order.after or None
    while page := await tree.list(path, after, PAGE + 1):
        after = page[-1].name
        found += [node for node in page if not hides(node.name)]
        if len(found) > PAGE:
            return found[:PAGE], Order(after=found[PAGE - 1].name)
    return found, None


_KEYS: dict[str, Callable[[Node], Any]] = {
    "name": lambda node: node.name,
    "size": lambda node: (node.kind is not NodeKind.DIRECTORY, node.size, node.name),
    "date": lambda node: (node.mtime_ns, node.name),
}


def _as_json(nodes: list[Node], following: Order | None) -> Response:
    entries = [
        {
            "name": node.name.encode("utf-8", "surrogateescape").decode(
                "utf-8", "replace"
            ),
            "type": "directory" if node.kind is NodeKind.DIRECTORY else "file",
            "href": _href(node),
            "size": None if node.kind is NodeKind.DIRECTORY else node.size,
            "modified": _stamp(node),
        }
        for node in nodes
    ]
    told = {"entries": entries, "next": following.query if following else None}
    response = Response(body=json.dumps(told).encode())
    response.set("Content-Type", "application/json")
    return response


def _as_page(
    request: Request,
    order: Order,
    nodes: list[Node],
    following: Order | None,
    is_sorted: bool,
) -> Response:
    from netservices.web.pages import page

    segments = [one for one in (*request.mount, *request.segments) if one]
    return page(
        "listing",
        path="/" + "/".join(readable(one) for one in segments),
        trail=trail_of(request, segments),
        columns=[column_of(name, title, order) for name, title in COLUMNS],
        rows=[row_of(node) for node in nodes],
        following=following.query if following else "",
        is_sorted=is_sorted,
        is_first=not order.after,
        most=MOST_SORTED,
    )


def trail_of(request: Request, segments: list[str]) -> list[tuple[str, str]]:
    """Name and link of each directory on the way here, from the host on."""
    links = [(request.authority or "/", "/")]
    for depth, name in enumerate(segments, 1):
        octets = (one.encode("utf-8", "surrogateescape") for one in segments[:depth])
        links.append((readable(name), "/" + "/".join(map(quote, octets)) + "/"))
    return links


def column_of(name: str, title: str, order: Order) -> dict[str, str]:
    """A heading: what it is sorted by now, and what a click gives."""
    is_current = name == order.column
    state = ("descending" if order.is_down else "ascending") if is_current else "none"
    turned = Order(name, is_current and not order.is_down)
    return {"name": name, "title": title, "state": state, "query": turned.query}


def row_of(node: Node) -> dict[str, str]:
    is_directory = node.kind is NodeKind.DIRECTORY
    seconds = node.mtime_ns // 1_000_000_000
    return {
        "name": readable(node.name) + ("/" if is_directory else ""),
        "href": _href(node),
        "kind": "directory" if is_directory else "file",
        "size": "" if is_directory else size_text(node.size),
        "octets": "" if is_directory else str(node.size),
        "stamp": _stamp(node),
        "date": strftime("%Y-%m-%d %H:%M", gmtime(seconds)),
    }


def _href(node: Node) -> str:
    """The link to an entry.  RFC 3986 4.2: a name with a colon is no scheme behind a
    dot and a slash."""
    name = quoted(node.name)
    return f"./{name}/" if node.kind is NodeKind.DIRECTORY else f"./{name}"


def _stamp(node: Node) -> str:
    """The modification time as RFC 3339 has it, in UTC."""
    return internet_date(node.mtime_ns // 1_000_000_000)


def readable(name: str) -> str:
    """A name as text: octets that are no UTF-8 become question marks in diamonds."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def size_text(octets: int) -> str:
    """A size as people read it, in powers of 1024: ``512 B``, ``1.5 KB``."""
    size = float(octets)
    for unit in _UNITS:
        if size < 999.5 or unit == _UNITS[-1]:
            break
        size /= 1024
    if unit == "B" or size >= 99.95:
        return f"{size:.0f} {unit}"
    return f"{size:.1f} {unit}"
