"""PATCH: a file is changed by a description of the change (RFC 5789).

Which descriptions are understood is a table of functions by media type.  Each takes the
content as it is and the description, and gives the new content; what it makes takes the
name of the file only if nobody has changed that meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from netservices.http.handlers.dav.conditions import wanted_version
from netservices.http.handlers.dav.place import Place, etag_of
from netservices.http.handlers.dav.putting import begun
from netservices.http.handlers.dav.telling import tell_upload
from netservices.interfaces import Conflict
from netservices.web.problems import Problem
from netservices.web.response import Response

Patch: TypeAlias = Callable[[bytes, bytes], bytes]
"""Content and description to new content; ValueError where they do not fit."""


def merge_patch(content: bytes, description: bytes) -> bytes:
    """JSON Merge Patch (RFC 7396)."""
    try:
        merged = _merged(json.loads(content or b"null"), json.loads(description))
    except RecursionError:
        raise ValueError("too deep") from None
    return json.dumps(merged, ensure_ascii=False, indent=2).encode() + b"\n"


def _merged(target: Any, patch: Any) -> Any:
    # RFC 7396 2.
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = _merged(found.get(name), value)
    return found


PATCHES: Mapping[str, Patch] = {"application/merge-patch+json": merge_patch}
"""What is understood without more."""


async def patch(
    place: Place, now: float, patches: Mapping[str, Patch], max_octets: int
) -> Response:
    """Change a file of at most ``max_octets``."""
    request = place.request
    kind = request.fields.get("content-type").partition(";")[0].strip().lower()
    change = patches.get(kind)
    if change is None:
        # RFC 5789 2.2.
        accepted = ", ".join(sorted(patches))
        raise Problem(415, fields=[("Accept-Patch", accepted)])
    file = await place.tree.open(place.path)
    try:
        node = file.node
        wanted_version(request, node, now)
        if node.size > max_octets:
            raise Problem(413, f"Files up to {max_octets} octets are patched.")
        description = await request.body.whole(max_octets)
        content = await file.read(0, node.size) if node.size else b""
    finally:
        file.close()
    try:
        changed = change(content, description)
    except ValueError as error:
        raise Problem(422, f"The patch does not fit: {error}.") from None
    upload = await begun(place, len(changed))
    try:
        pausing = upload.write(changed)
        if pausing is not None:
            await pausing
        made = await upload.commit(if_etag=node.etag)
    except BaseException as error:
        await upload.abort()
        if isinstance(error, Conflict):
            # RFC 5789 2.2.
            raise Problem(409, "The file has been changed meanwhile.") from None
        raise
    tell_upload(place, len(changed), 0.0, "complete")
    return Response(204, [("ETag", etag_of(made))])
