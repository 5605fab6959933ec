"""What is mounted where: handlers by host and path."""

from __future__ import annotations

from netservices.values import Path
from netservices.web.handler import Handler
from netservices.web.request import segments_of


class Mounts:
    """Handlers by the leading segments of the paths that they answer.

    The longest path wins; of two that are equally long, the one for a single host.
    """

    def __init__(self) -> None:
        self._handlers: dict[tuple[str, Path], Handler] = {}
        self._deepest = 0

    def __len__(self) -> int:
        return len(self._handlers)

    def add(self, path: str, handler: Handler, host: str = "") -> None:
        """Have ``handler`` answer at ``path`` and below; empty ``host``: for all.

        ValueError where the path is none, or something is there already.
        """
        if not path.startswith("/"):
            raise ValueError(f"{path!r} is no path: it begins with a slash")
        segments = tuple(word for word in segments_of(path) if word)
        place = host.lower().removesuffix("."), segments
        if place in self._handlers:
            raise ValueError(f"{host}{path} is mounted twice")
        self._handlers[place] = handler
        self._deepest = max(self._deepest, len(segments))

    def find(self, host: str, segments: Path) -> tuple[Handler, int] | None:
        """The handler for a path, and how many of its segments are the mount's."""
        for depth in range(min(len(segments), self._deepest), -1, -1):
            for name in (host, ""):
                handler = self._handlers.get((name, segments[:depth]))
                if handler is not None:
                    return handler, depth
        return None
