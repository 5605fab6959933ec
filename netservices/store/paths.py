"""Paths of files as keys of the database."""

from __future__ import annotations

from netservices.values import Path


def pack_path(path: Path) -> bytes:
    """A path as a key: all below ``a/b`` lies between ``a/b/`` and ``a/b0``."""
    return "/".join(path).encode("utf-8", "surrogateescape")


def unpack_path(packed: bytes) -> Path:
    """The path that ``pack_path`` packed."""
    if not packed:
        return ()
    return tuple(packed.decode("utf-8", "surrogateescape").split("/"))


def at_or_below(tree: str, path: Path) -> tuple[str, tuple[str | bytes, ...]]:
    """The condition, and its values, for ``path`` and all below it."""
    if not path:
        return "tree=?", (tree,)
    packed = pack_path(path)
    where = "tree=? AND (path=? OR (path>? AND path<?))"
    return where, (tree, packed, packed + b"/", packed + b"0")
