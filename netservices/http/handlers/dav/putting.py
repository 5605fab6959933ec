"""PUT: a whole new content under a name, or none."""

from __future__ import annotations

import time

from netservices.http.handlers.dav.conditions import wanted_version
from netservices.http.handlers.dav.place import Place, etag_of, is_directory
from netservices.http.handlers.dav.problems import problem_of
from netservices.http.handlers.dav.telling import tell_upload
from netservices.interfaces import (
    FileProblem,
    IsADirectory,
    IUpload,
    NotFound,
    StoreError,
)
from netservices.values import Node
from netservices.web.body import Body
from netservices.web.problems import BodyLost, Problem
from netservices.web.response import Response

_NANOSECONDS = 1_000_000_000
_LATEST = 253_402_300_799  # the end of the year 9999


async def put(place: Place, now: float, max_octets: int = 0) -> Response:
    """Store the content of the request; 201 or 204 when it is on stable storage.

    All that can be refused is refused before the content is asked for.  An upload that
    breaks off leaves what was there.
    """
    request = place.request
    if "content-range" in request.fields:
        # RFC 9110 14.5: a part of a file must not be taken for the whole of it.
        raise Problem(400, "Content-Range does not go with PUT.")
    if request.fields.words("content-encoding") not in ([], ["identity"]):
        # RFC 9110 9.3.4, 15.5.16: the file would be shown without its coding.
        accepted = [("Accept-Encoding", "identity")]
        raise Problem(415, "Files are stored as they are.", accepted)
    if place.has_slash or not place.path:
        raise Problem(405, "That is the name of a directory.")
    length = request.body.length
    if max_octets and length is not None and length > max_octets:
        raise Problem(413, f"At most {max_octets} octets are taken.")
    node = await place.node()
    if is_directory(node):
        raise IsADirectory("a directory has that name")
    if_etag = wanted_version(request, node, now)
    upload = await begun(place, length)
    made = await _stored(place, upload, max_octets, if_etag)
    fields = []
    seconds = request.fields.get("x-oc-mtime")
    if seconds.isascii() and seconds.isdigit() and int(seconds[:15]) <= _LATEST:
        # Clients that keep times in step say so (ownCloud, Nextcloud, rclone).
        when = int(seconds[:15]) * _NANOSECONDS
        made = await place.tree.set_attributes(place.path, mtime_ns=when)
        fields.append(("X-OC-MTime", "accepted"))
    fields.append(("ETag", etag_of(made)))
    if node is not None:
        return Response(204, fields)
    return Response(201, [*fields, ("Location", place.href(place.path))])


async def begun(place: Place, length: int | None) -> IUpload:
    """An upload of so many octets.  Problem 409 where its directory is missing."""
    try:
        return await place.tree.begin_write(place.path, expected_size=length)
    except NotFound:
        # RFC 4918 9.7.1: nothing makes the directories on the way.
        raise Problem(409, "There is no such directory.") from None


async def _stored(
    place: Place, upload: IUpload, max_octets: int, if_etag: str | None
) -> Node:
    """What the file is when all of it has come, and is on stable storage."""
    started, outcome = time.monotonic(), "complete"
    try:
        await pour(place.request.body, upload, max_octets)
        return await upload.commit(if_etag=if_etag)
    except BaseException as error:
        outcome = outcome_of(error)
        await upload.abort()
        raise
    finally:
        seconds = time.monotonic() - started
        tell_upload(place, upload.received_octets, seconds, outcome)


def outcome_of(error: BaseException) -> str:
    """How an upload ended: the status of the answer, if there is one."""
    if isinstance(error, FileProblem | StoreError):
        return str(problem_of(error).status)
    if isinstance(error, Problem):
        return str(error.status)
    return "lost" if isinstance(error, BodyLost) else "500"


async def pour(body: Body, upload: IUpload, max_octets: int = 0) -> None:
    """Write the content as fast as the disk takes it.  BodyLost."""
    while piece := await body.read():
        if max_octets and upload.received_octets + len(piece) > max_octets:
            raise Problem(413, f"At most {max_octets} octets are taken.")
        pausing = upload.write(piece)
        if pausing is not None:
            await pausing
