"""Media types of files by the ends of their names.

The table is that of Python, without what this machine says in ``/etc/mime.types``, so
that a site is the same everywhere; beside it, what browsers know and Python learns
later.  Text is said to be in the configured charset: browsers guess otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from types import MappingProxyType

UNKNOWN = "application/octet-stream"

_LATER = {
    ".7z": "application/x-7z-compressed",
    ".apk": "application/vnd.android.package-archive",
    ".avif": "image/avif",
    ".br": "application/x-brotli",
    ".bz2": "application/x-bzip2",
    ".deb": "application/vnd.debian.binary-package",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".epub": "application/epub+zip",
    ".flac": "audio/flac",
    ".geojson": "application/geo+json",
    ".gz": "application/gzip",
    ".ics": "text/calendar",
    ".ico": "image/x-icon",
    ".iso": "application/x-iso9660-image",
    ".jar": "application/java-archive",
    ".js": "text/javascript",
    ".jsonld": "application/ld+json",
    ".jxl": "image/jxl",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".mkv": "video/matroska",
    ".odp": "application/vnd.oasis.opendocument.presentation",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".oga": "audio/ogg",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".opus": "audio/ogg",
    ".otf": "font/otf",
    ".pptx": "application/vnd.openxmlformats-officedocument"
    ".presentationml.presentation",
    ".rar": "application/vnd.rar",
    ".rss": "application/rss+xml",
    ".atom": "application/atom+xml",
    ".toml": "application/toml",
    ".torrent": "application/x-bittorrent",
    ".ttf": "font/ttf",
    ".vcf": "text/vcard",
    ".vtt": "text/vtt",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".weba": "audio/webm",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xhtml": "application/xhtml+xml",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xz": "application/x-xz",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zst": "application/zstd",
    **dict.fromkeys((".log", ".conf", ".ini", ".diff", ".patch"), "text/plain"),
}

_COMPRESSIBLE = frozenset(
    (
        "application/javascript",
        "application/json",
        "application/manifest+json",
        "application/rtf",
        "application/toml",
        "application/wasm",
        "application/x-ndjson",
        "application/x-sh",
        "application/x-tar",
        "application/xml",
        "application/yaml",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/x-icon",
    )
)


@cache
def _known() -> MappingProxyType[str, str]:
    """The table, made when the first file is asked for."""
    from mimetypes import MimeTypes

    types = MimeTypes().types_map
    return MappingProxyType({**types[False], **types[True], **_LATER})


class MediaTypes:
    """The media type of a file by its name; ``added`` are pairs like ``.ext`` and
    ``text/x-thing``, and count first."""

    def __init__(
        self, charset: str = "utf-8", added: Iterable[tuple[str, str]] = ()
    ) -> None:
        self._charset = charset
        self._added = {extension.lower(): kind for extension, kind in added}
        self._full: dict[str, str] = {}

    def of(self, name: str) -> str:
        """With its charset, where the type has one."""
        dot = name.rfind(".")
        extension = name[dot:].lower() if dot >= 0 else ""
        found = self._full.get(extension)
        if found is None:
            found = self._added.get(extension) or _known().get(extension, UNKNOWN)
            if found.startswith("text/") and self._charset and ";" not in found:
                found = f"{found}; charset={self._charset}"
            if len(self._full) < len(_known()):
                self._full[extension] = found
        return found


def is_compressible(media_type: str) -> bool:
    """Whether content of that type gets shorter by compression."""
    kind = media_type.partition(";")[0].strip().lower()
    return (
        kind.startswith("text/")
        or kind in _COMPRESSIBLE
        or kind.endswith(("+xml", "+json", "+text"))
    )
