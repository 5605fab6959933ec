"""LOCK, UNLOCK, and the tokens that requests bring along (RFC 4918 6, 7, 9.10, 10)."""

from __future__ import annotations

from attrs import evolve

from netservices.http.handlers.dav.answers import MEDIA_TYPE, PROLOGUE, error
from netservices.http.handlers.dav.elements import Element, dav, parse, written
from netservices.http.handlers.dav.ifheader import (
    Condition,
    ConditionList,
    parse_if,
    tokens_of,
)
from netservices.http.handlers.dav.place import Place, etag_of
from netservices.http.handlers.dav.properties import active_lock
from netservices.http.handlers.dav.propfind import depth_of
from netservices.interfaces import Exists, FileProblem, Locked, NotFound
from netservices.values import FileLock, Path, WriteMode
from netservices.web.problems import Problem
from netservices.web.response import Response

# --- the field If -------------------------------------------------------------------


LONGEST_OWNER = 2048
"""Letters of what a client says of whoever locks: each listing repeats it."""


async def with_tokens(place: Place) -> Place:
    """The place for one who holds the locks that the field If names.  Problem 412
    where none of its lists holds."""
    text = place.request.fields.get("if")
    if not text:
        return place
    lists = parse_if(text)
    for one in lists:
        if await _holds(place, one):
            return evolve(place, tree=place.tree.with_tokens(tokens_of(lists)))
    raise Problem(412, "The field If does not hold.")


async def _holds(place: Place, one: ConditionList) -> bool:
    path = place.path if not one.resource else _path_of(place, one.resource)
    etag, tokens = "", frozenset[str]()
    if path is not None:
        try:
            etag = etag_of(await place.tree.stat(path))
        except (FileProblem, NotFound):
            etag = ""
        locks = await place.tree.locks(path)
        tokens = frozenset(lock.token for lock in locks if lock.is_on(path))
    return all(_is_met(condition, etag, tokens) for condition in one.conditions)


def _is_met(condition: Condition, etag: str, tokens: frozenset[str]) -> bool:
    # RFC 4918 10.4.4: entity tags by strong comparison.
    is_state = bool(condition.token)
    found = condition.token in tokens if is_state else condition.etag == etag
    return found is not condition.is_not


def _path_of(place: Place, url: str) -> Path | None:
    """The path of a tagged list; None where it is elsewhere."""
    try:
        return place.path_of(url)
    except Problem:
        return None


# --- LOCK and UNLOCK ----------------------------------------------------------------


def seconds_of(text: str, most: float) -> float:
    """How long a lock shall last (RFC 4918 10.7): the first wish that can be read, and
    never longer than ``most``."""
    for word in text.split(","):
        kind, _, number = word.strip().partition("-")
        if kind.lower() == "second" and number.isascii() and number.isdigit():
            return min(most, float(number[:10]))
        if kind.lower() == "infinite":
            break
    return most


async def lock(place: Place, data: bytes, now: float, most: float) -> Response:
    """A new lock, or a longer time for one that is there."""
    expires = now + seconds_of(place.request.fields.get("timeout"), most)
    if not data.strip():
        return await _renew(place, now, expires)
    root = parse(data)
    scope, kind = root.find(dav("lockscope")), root.find(dav("locktype"))
    if root.name != dav("lockinfo") or scope is None or kind is None:
        raise Problem(400, "LOCK wants a lockinfo element.")
    if kind.find(dav("write")) is None:
        raise Problem(422, "There are write locks only.")
    is_exclusive = scope.find(dav("exclusive")) is not None
    if not is_exclusive and scope.find(dav("shared")) is None:
        raise Problem(400, "A lock is exclusive or shared.")
    depth = depth_of(place)
    if depth == "1":
        raise Problem(400, "The depth of a lock is 0 or infinity.")
    owner = _owner(root)
    node = await place.node()
    try:
        made = await place.tree.lock(
            place.path,
            owner,
            expires,
            is_exclusive,
            depth == "infinity",
        )
    except Locked as locked:
        hrefs = [place.href(path) for path in locked.paths]
        return error(423, "no-conflicting-lock", hrefs)
    status = 200
    if node is None and await _make_empty(place, made):
        status = 201
    fields = [("Lock-Token", f"<{made.token}>")]
    return _told(place, made, now, status, fields)


def _owner(root: Element) -> str:
    """What the client says of whoever locks (RFC 4918 14.17), as XML."""
    found = root.find(dav("owner"))
    text = "" if found is None else written(found, keeps_language=True)
    if len(text) > LONGEST_OWNER:
        raise Problem(413, "The owner of a lock is told in less.")
    return text


async def _make_empty(place: Place, held: FileLock) -> bool:
    """RFC 4918 7.3: what is locked and not there is made, empty; whether it was."""
    text = place.request.fields.get("if")
    tokens = tokens_of(parse_if(text)) if text else frozenset[str]()
    tree = place.tree.with_tokens(tokens | {held.token})
    try:
        upload = await tree.begin_write(place.path, WriteMode.CREATE)
        try:
            await upload.commit()
        except BaseException:
            await upload.abort()
            raise
    except Exists:
        return False
    except BaseException as problem:
        await tree.unlock(place.path, held.token)
        if isinstance(problem, NotFound):
            raise Problem(409, "There is no such directory.") from None
        raise
    return True


async def _renew(place: Place, now: float, expires: float) -> Response:
    """RFC 4918 9.10.2: no content, and one token in the field If."""
    text = place.request.fields.get("if")
    if not text:
        raise Problem(400, "LOCK wants a lockinfo element, or a lock to refresh.")
    tokens = [
        condition.token
        for one in parse_if(text)
        for condition in one.conditions
        if condition.token and not condition.is_not
    ]
    if len(tokens) != 1:
        raise Problem(400, "One lock is refreshed at a time.")
    try:
        renewed = await place.tree.renew_lock(place.path, tokens[0], expires)
    except NotFound:
        return error(412, "lock-token-matches-request-uri")
    return _told(place, renewed, now, 200, [])


def _told(
    place: Place, held: FileLock, now: float, status: int, fields: list[tuple[str, str]]
) -> Response:
    body = (
        f'{PROLOGUE}<D:prop xmlns:D="DAV:"><D:lockdiscovery>'
        f"{active_lock(place, held, now)}</D:lockdiscovery></D:prop>\n"
    )
    return Response(status, [("Content-Type", MEDIA_TYPE), *fields], body.encode())


async def unlock(place: Place) -> Response:
    """End a lock (RFC 4918 9.11)."""
    text = place.request.fields.get("lock-token").strip()
    if not text.startswith("<") or not text.endswith(">"):
        raise Problem(400, "UNLOCK wants the field Lock-Token.")
    try:
        await place.tree.unlock(place.path, text[1:-1])
    except NotFound:
        return error(409, "lock-token-matches-request-uri")
    return Response(204)
