"""Finding a file, and all that is to be known of it before it is sent."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from netservices.http.backend import Place, Sites
from netservices.http.handlers.kept import (
    LOOK_SECONDS,
    Holding,
    KnownFile,
    Variant,
    mark_of,
)
from netservices.http.options import parse_caching, parse_type
from netservices.http.settings import HTTPSettings
from netservices.interfaces import (
    FileProblem,
    IOpenFile,
    IsADirectory,
    NotADirectory,
    NotFound,
    StoreError,
)
from netservices.values import Node, NodeKind, Path
from netservices.web.coders import available
from netservices.web.media import MediaTypes, is_compressible

_SUFFIXES = {"br": ".br", "zstd": ".zst", "gzip": ".gz"}
_SETTLED_NS = 1_000_000_000
"""What has changed so lately can change again within the grain of file times."""


class Finder:
    """Opens files as requests name them."""

    def __init__(
        self, sites: Sites, clock: Callable[[], float], now: Callable[[], float]
    ) -> None:
        self._sites = sites
        self._clock = clock
        self._now = now
        self.reconfigure(sites.settings)

    def reconfigure(self, settings: HTTPSettings) -> None:
        """Take other settings."""
        self._settings = settings
        added = [parse_type(line) for line in settings.types]
        self._media_types = MediaTypes(settings.charset, added)
        self._caching = [parse_caching(line) for line in settings.caching]
        self._codings = available(settings.compression)

    async def open(self, place: Place) -> tuple[Path, IOpenFile] | None:
        """The file to be shown, and where it is; None for a directory without an index.
        IsADirectory where a slash is missing, and what trees refuse."""
        tree = place.tree
        if not place.is_directory:
            return place.path, await tree.open(place.path)
        for name in self._settings.index:
            path = (*place.path, name)
            try:
                return path, await tree.open(path)
            except (NotFound, NotADirectory, IsADirectory):
                continue
        node = await tree.stat(place.path)
        if node.kind is not NodeKind.DIRECTORY:
            raise NotFound("a slash behind the name of a file")
        return None

    async def know(self, place: Place, path: Path, file: IOpenFile) -> KnownFile:
        """All of it; a short content is read."""
        tree, node, started = place.tree, file.node, self._clock()
        changes, epoch = tree.changes, self._sites.changes
        directory = await tree.stat(path[:-1])
        plain = self.variant("", path, node)
        media_type = self._media_types.of(path[-1])
        is_compressed = (
            is_compressible(media_type) and node.size >= self._settings.compress_from
        )
        most = self._settings.compress_to
        variants = {"": plain}
        if is_compressed and self._settings.precompressed:
            variants |= await self._precompressed(place, plain)
        holding = Holding(
            self._sites,
            place,
            self._watched(path[:-1], directory, variants),
            started + LOOK_SECONDS,
            changes,
            epoch,
        )
        holding.is_kept = self._is_settled(holding)
        known = KnownFile(
            holding,
            media_type,
            variants,
            tuple(coding for coding in variants if coding),
            self._codings if is_compressed and node.size <= most else (),
            fields=self._fields(path),
        )
        await self._read(known, plain, file)
        return known

    def _fields(self, path: Path) -> list[tuple[str, str]]:
        """What else is said of the file at ``path``."""
        fitting = (one for one in self._caching if one.fits(path))
        return [("Cache-Control", one.directives) for one in islice(fitting, 1)]

    def variant(self, coding: str, path: Path, node: Node) -> Variant:
        """A file that is sent as it is, whatever its content is a coding of."""
        return Variant(
            coding, path, node, f'"{node.etag}{"-" if coding else ""}{coding}"'
        )

    async def _precompressed(self, place: Place, plain: Variant) -> dict[str, Variant]:
        """The codings that lie beside the file and are as new; the shortest first."""
        found = []
        for coding, suffix in _SUFFIXES.items():
            path = (*plain.path[:-1], plain.path[-1] + suffix)
            try:
                node = await place.tree.stat(path)
            except (FileProblem, StoreError):
                continue
            is_file = node.kind is NodeKind.FILE
            if is_file and node.mtime_ns >= plain.node.mtime_ns:
                found.append(self.variant(coding, path, node))
        found.sort(key=lambda variant: variant.node.size)
        return {variant.coding: variant for variant in found}

    async def _read(self, known: KnownFile, plain: Variant, file: IOpenFile) -> None:
        """Keep short contents in memory."""
        for variant in known.variants.values():
            node = variant.node
            if node.size > self._settings.small_file:
                continue
            opened = file
            if variant is not plain:
                try:
                    opened = await known.tree.open(variant.path)
                except (FileProblem, StoreError):
                    continue
            try:
                if opened.node.etag == node.etag:
                    variant.content = await _content(opened)
            finally:
                if opened is not file:
                    opened.close()
            known.octets += len(variant.content or b"")

    def _watched(
        self, above: Path, directory: Node, variants: dict[str, Variant]
    ) -> tuple[tuple[Path, tuple[str, int, str]], ...]:
        """The directory, in which names come and go, and the files."""
        files = [(one.path, mark_of(one.node)) for one in variants.values()]
        return ((above, mark_of(directory)), *files)

    def _is_settled(self, holding: Holding) -> bool:
        newest = max(mark[1] for _, mark in holding.watched)
        return newest < self._now() * 1e9 - _SETTLED_NS


async def _content(file: IOpenFile) -> bytes | None:
    """All of a short file; None where it was cut meanwhile."""
    data = await file.read(0, file.node.size)
    while 0 < len(data) < file.node.size:
        more = await file.read(len(data), file.node.size - len(data))
        if not more:
            break
        data += more
    return data if len(data) == file.node.size else None
