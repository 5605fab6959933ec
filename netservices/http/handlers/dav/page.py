"""The page of a directory, for people: what is in it, and forms to change that."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

from netservices.http.handlers.dav.place import Place
from netservices.http.handlers.listing import (
    COLUMNS,
    MOST_SORTED,
    Order,
    column_of,
    entries_of,
    order_of,
    readable,
    row_of,
    size_text,
    trail_of,
)
from netservices.interfaces import FileProblem, NotFound
from netservices.values import Node, NodeKind
from netservices.web.csrf import FORM_TOKEN
from netservices.web.request import Request, quoted
from netservices.web.response import Response

DONE = {
    "stored": "Stored.",
    "made": "The directory is there.",
    "renamed": "Renamed.",
    "removed": "Removed.",
}
"""What is told of what a form has done, by the word in the query."""


def chosen_name(request: Request) -> str:
    """The entry that the query says is to be changed; empty: none."""
    return _parameter(request, "change")


def _parameter(request: Request, name: str) -> str:
    try:
        found = parse_qs(
            request.query or "",
            errors="surrogateescape",
            max_num_fields=20,
            separator="&",
        )
    except ValueError:
        return ""
    return found.get(name, [""])[-1]


async def show(
    place: Place, logout: str = "", status: int = 200, problem: str = ""
) -> Response:
    """The page of a directory.

    ``logout`` is where one logs out; ``problem`` tells what went wrong with a form.
    """
    from netservices.web.pages import page

    request = place.request
    try:
        order = order_of(request.query)
    except ValueError:
        order = Order()
    found = await entries_of(place.tree, place.path, order, lambda name: False)
    nodes, following, is_sorted = found
    usage = await place.tree.usage()
    session = request.session
    is_session = session is not None and session.exists
    response = page(
        "files",
        status,
        problem=problem,
        done="" if problem else DONE.get(_parameter(request, "done"), ""),
        chosen=await _chosen(place),
        here=place.href(place.path, True),
        account=place.account,
        trail=_trail(place),
        columns=[column_of(name, title, order) for name, title in COLUMNS],
        rows=[{**row_of(node), "change": _change(node)} for node in nodes],
        following=following.query if following else "",
        is_sorted=is_sorted,
        is_first=not order.after,
        most=MOST_SORTED,
        used=size_text(usage.used_octets),
        quota="" if usage.quota_octets is None else size_text(usage.quota_octets),
        logout=logout if is_session else "",
        token_field=FORM_TOKEN,
        token=session.form_token if is_session else "",
    )
    response.set("Cache-Control", "private, no-store")
    response.vary("Accept")
    return response


async def _chosen(place: Place) -> dict[str, Any] | None:
    """The entry that is to be changed, as the page shows it."""
    name = chosen_name(place.request)
    if not name:
        return None
    try:
        node = await place.tree.stat((*place.path, name), False)
    except (FileProblem, NotFound):
        return None
    return {
        "name": readable(name),
        "change": _change(node),
        "is_directory": node.kind is NodeKind.DIRECTORY,
    }


def _change(node: Node) -> str:
    return "?change=" + quoted(node.name)


def _trail(place: Place) -> list[tuple[str, str]]:
    """From the home on: what is above it is no directory of the account."""
    segments = [one for one in (*place.request.mount, *place.path) if one]
    links = trail_of(place.request, segments)[len(place.request.mount) :]
    return [(f"Files of {place.account.login}", links[0][1]), *links[1:]]
