"""PUT: a whole new content under a name, or none."""

from __future__ import annotations

from netservices.http.handlers.dav.conditions import wanted_version
from netservices.http.handlers.dav.place import Place, etag_of, is_directory
from netservices.interfaces import IsADirectory, IUpload, NotFound
from netservices.web.body import Body
from netservices.web.problems import Problem
from netservices.web.response import Response


async def put(place: Place, now: float, max_octets: int = 0) -> Response:
    """Store the content of the request; 201 or 204 when it is on stable storage.

    All that can be refused is refused before the content is asked for.  An upload that
    breaks off leaves what was there.
    """
    request = place.request
    if "content-range" in request.fields:
        # RFC 9110 14.5: a part of a file must not be taken for the whole of it.
        raise Problem(400, "Content-Range does not go with PUT.")
    if place.has_slash or not place.path:
        raise Problem(405, "That is the name of a directory.")
    length = request.body.length
    if max_octets and length is not None and length > max_octets:
        raise Problem(413, f"At most {max_octets} octets are taken.")
    node = await place.node()
    if is_directory(node):
        raise IsADirectory("a directory has that name")
    if_etag = wanted_version(request, node, now)
    try:
        upload = await place.tree.begin_write(place.path, expected_size=length)
    except NotFound:
        # RFC 4918 9.7.1: nothing makes the directories on the way.
        raise Problem(409, "There is no such directory.") from None
    try:
        await pour(request.body, upload, max_octets)
        made = await upload.commit(if_etag=if_etag)
    except BaseException:
        await upload.abort()
        raise
    fields = [("ETag", etag_of(made))]
    if node is not None:
        return Response(204, fields)
    return Response(201, [*fields, ("Location", place.href(place.path))])


async def pour(body: Body, upload: IUpload, max_octets: int = 0) -> None:
    """Write the content as fast as the disk takes it.  BodyLost."""
    while piece := await body.read():
        if max_octets and upload.received_octets + len(piece) > max_octets:
            raise Problem(413, f"At most {max_octets} octets are taken.")
        pausing = upload.write(piece)
        if pausing is not None:
            await pausing
