"""What has moved: redirections that the operator has written down.

A line is a pattern, where it leads, and maybe a status: ``/old /new``,
``/blog/* https://blog.example.org/* 302``, ``www.example.org/* https://example.org/*``.
A pattern that ends in ``/*`` is for all that is below, which takes the place of the
star.
"""

from __future__ import annotations

import re

from attrs import frozen

from netservices.web.handler import Handler, Settled, answer_of
from netservices.web.request import Request
from netservices.web.response import Response

STATUSES = (301, 302, 303, 307, 308)
_TARGET = re.compile(r"(?:https?://[^\s/?#]+)?/[!-~]*")
_PATTERN = re.compile(r"([a-z0-9.\-]*)(/[!-~]*)")


@frozen
class Move:
    """One line."""

    host: str
    """Empty: any."""
    path: str
    """Without the star."""
    is_prefix: bool
    target: str
    status: int

    def location(self, request: Request) -> str | None:
        """Where the request has to go; None: it is about something else."""
        if self.host and request.host != self.host:
            return None
        if not self.is_prefix:
            rest = "" if request.path == self.path else None
        elif request.path.startswith(self.path):
            rest = request.path[len(self.path) :]
        else:
            rest = None
        if rest is None:
            return None
        target = self.target
        if target.endswith("*"):
            # A rest that begins with a slash could make another host of a path.
            target = target[:-1] + rest.lstrip("/\\")
        if request.query is not None and "?" not in target:
            target = f"{target}?{request.query}"
        return target


def parse_move(line: str) -> Move:
    """The move that a line says.  ValueError."""
    words = line.split()
    if len(words) not in (2, 3):
        raise ValueError(f"{line!r} is no line such as '/old /new' or '/old /new 302'")
    pattern = _PATTERN.fullmatch(words[0])
    if pattern is None:
        raise ValueError(f"{words[0]!r} is no path such as /old or host/old/*")
    if not _TARGET.fullmatch(words[1]) or words[1].startswith("//"):
        raise ValueError(f"{words[1]!r} is no path and no URL with http or https")
    status = words[2] if len(words) == 3 else "301"
    if status not in map(str, STATUSES):
        raise ValueError(f"{status!r} is none of {', '.join(map(str, STATUSES))}")
    host, path = pattern.groups()
    is_prefix = path.endswith("/*")
    if words[1].endswith("*") and not is_prefix:
        raise ValueError(f"{line!r}: a target with a star needs a pattern with /*")
    path = path[:-1] if is_prefix else path
    return Move(host, path, is_prefix, words[1], int(status))


class Moves:
    """The layer: all lines; the first that matches counts."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        self._moves = [parse_move(line) for line in lines]

    def __call__(self, request: Request, handler: Handler) -> Settled:
        """Redirect what has moved."""
        for move in self._moves:
            location = move.location(request)
            if location is not None:
                return Response(move.status, [("Location", location)])
        return answer_of(handler, request)
