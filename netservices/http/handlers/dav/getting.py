"""GET and HEAD: contents of files, and listings of directories."""

from __future__ import annotations

from netservices.http.handlers.dav.page import show
from netservices.http.handlers.dav.place import Place, etag_of
from netservices.http.handlers.listing import list_directory
from netservices.interfaces import IsADirectory, NotADirectory
from netservices.web.accept import best_type
from netservices.web.media import MediaTypes
from netservices.web.problems import Problem
from netservices.web.representation import Representation, respond
from netservices.web.response import Response

_MEDIA_TYPES = MediaTypes()
_NANOSECONDS = 1_000_000_000

_FIELDS = [
    ("Cache-Control", "private, no-cache"),
    ("X-Content-Type-Options", "nosniff"),
]
_POLICY = ("Content-Security-Policy", "sandbox; default-src 'none'")


def fields_of(media_type: str) -> list[tuple[str, str]]:
    """What is said of a file of that type."""
    # The viewer of browsers for PDF does not start in a sandbox.
    if media_type == "application/pdf":
        return _FIELDS
    # What accounts keep may be somebody else's page: it does nothing here.
    return [*_FIELDS, _POLICY]


async def get(place: Place, now: float, logout: str = "") -> Response:
    """The content of a file, or a page about a directory; ``logout`` is where one logs
    out."""
    if place.has_slash:
        return await _listed(place, logout)
    try:
        if not place.path:
            raise IsADirectory("the root")
        file = await place.tree.open(place.path)
    except IsADirectory:
        # RFC 9110 15.4.2: links in the listing are relative to a path with a slash.
        return Response(301, [("Location", place.href(place.path, True))])
    media_type = _MEDIA_TYPES.of(place.path[-1])
    representation = Representation(
        content=file,
        size=file.node.size,
        media_type=media_type,
        etag=etag_of(file.node),
        modified=file.node.mtime_ns // _NANOSECONDS,
        fields=fields_of(media_type),
    )
    return respond(place.request, representation, now)


async def _listed(place: Place, logout: str) -> Response:
    offered = ("text/html", "application/json")
    try:
        if best_type(place.request.fields.get("accept"), offered) == "text/html":
            return await show(place, logout)
        return await list_directory(
            place.request, place.tree, place.path, lambda name: False
        )
    except NotADirectory:
        raise Problem(404) from None
