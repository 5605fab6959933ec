"""GET and HEAD: contents of files, and listings of directories."""

from __future__ import annotations

from netservices.http.handlers.dav.place import Place, etag_of
from netservices.http.handlers.listing import list_directory
from netservices.interfaces import IsADirectory, NotADirectory
from netservices.web.media import MediaTypes
from netservices.web.problems import Problem
from netservices.web.representation import Representation, respond
from netservices.web.response import Response

_MEDIA_TYPES = MediaTypes()
_NANOSECONDS = 1_000_000_000

FIELDS = [
    ("Cache-Control", "private, no-cache"),
    # What accounts keep may be somebody else's page: it does nothing here.
    ("Content-Security-Policy", "sandbox; default-src 'none'"),
    ("X-Content-Type-Options", "nosniff"),
]


async def get(place: Place, now: float) -> Response:
    """The content of a file, or a page about a directory."""
    if place.has_slash:
        return await _listed(place)
    try:
        if not place.path:
            raise IsADirectory("the root")
        file = await place.tree.open(place.path)
    except IsADirectory:
        # RFC 9110 15.4.2: links in the listing are relative to a path with a slash.
        return Response(301, [("Location", place.href(place.path, True))])
    representation = Representation(
        content=file,
        size=file.node.size,
        media_type=_MEDIA_TYPES.of(place.path[-1]),
        etag=etag_of(file.node),
        modified=file.node.mtime_ns // _NANOSECONDS,
        fields=FIELDS,
    )
    return respond(place.request, representation, now)


async def _listed(place: Place) -> Response:
    try:
        return await list_directory(
            place.request, place.tree, place.path, lambda name: False
        )
    except NotADirectory:
        raise Problem(404) from None
