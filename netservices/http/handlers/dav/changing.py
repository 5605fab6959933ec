"""DELETE and MKCOL."""

from __future__ import annotations

from netservices.http.handlers.dav.conditions import wanted_version
from netservices.http.handlers.dav.place import Place, is_directory
from netservices.interfaces import Exists, IFileTree, NotFound
from netservices.values import NodeKind, Path
from netservices.web.problems import Problem
from netservices.web.response import Response

PAGE = 500


async def delete(place: Place) -> Response:
    """Remove a file, or a directory with all that is in it."""
    node = await place.tree.stat(place.path, False)
    if not place.path:
        raise Problem(403, "The root stays.")
    if_etag = wanted_version(place.request, node)
    if is_directory(node):
        await remove_tree(place.tree, place.path)
    else:
        await place.tree.remove(place.path, if_etag=if_etag)
    return Response(204)


async def remove_tree(tree: IFileTree, top: Path) -> None:
    """Remove a directory with all that is in it, the deepest first."""
    waiting: list[tuple[Path, bool]] = [(top, False)]
    while waiting:
        path, is_empty = waiting.pop()
        if is_empty:
            await tree.remove(path, directory=True)
            continue
        waiting.append((path, True))
        after = None
        while page := await tree.list(path, after, PAGE):
            for node in page:
                below = (*path, node.name)
                if node.kind is NodeKind.DIRECTORY:
                    waiting.append((below, False))
                else:
                    await tree.remove(below)
            after = page[-1].name
            if len(page) < PAGE:
                break


async def make_collection(place: Place) -> Response:
    """Make a directory (RFC 4918 9.3)."""
    if place.request.body.length != 0:
        # RFC 4918 9.3.1: 415, for no content is understood.
        raise Problem(415, "MKCOL takes no content here.")
    if not place.path:
        raise Problem(405, "That is there already.")
    try:
        await place.tree.make_directory(place.path)
    except Exists:
        raise Problem(405, "That is there already.") from None
    except NotFound:
        raise Problem(409, "There is no such directory.") from None
    return Response(201)
