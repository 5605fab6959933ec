"""What the lines of settings about files say."""

from __future__ import annotations

import re
from codecs import lookup
from fnmatch import fnmatchcase

from attrs import frozen

from netservices.values import Path

_MEDIA_TYPE = re.compile(r"[\w.+!#$&^-]+/[\w.+!#$&^-]+(?:; ?[\w-]+=[\w-]+)?", re.ASCII)
_DIRECTIVE = re.compile(r"[a-z-]+(?:=\d+)?", re.ASCII)


def parse_type(line: str) -> tuple[str, str]:
    """Extension and media type of a line of ``http.types``.  ValueError."""
    extension, _, media_type = line.strip().partition(" ")
    media_type = media_type.strip()
    if not extension.startswith(".") or not _MEDIA_TYPE.fullmatch(media_type):
        raise ValueError(f"{line!r} is no line such as '.gpx application/gpx+xml'")
    return extension, media_type


def check_coding(coding: str) -> None:
    """ValueError for a coding that nobody can make."""
    if coding not in ("br", "gzip", "zstd"):
        raise ValueError(f"{coding!r} is none of br, gzip, zstd")


def check_path(text: str) -> None:
    """ValueError for what is no path at which something could be."""
    if text and not (text.startswith("/") and text.isascii()):
        raise ValueError(f"{text!r} is no path: write /{text}")


def check_charset(name: str) -> None:
    """ValueError for a charset that nobody knows."""
    if name:
        try:
            lookup(name)
        except LookupError:
            raise ValueError(f"{name!r} is no charset such as utf-8") from None


def check_name(name: str) -> None:
    """ValueError for what is not one name."""
    if not name or "/" in name or "\0" in name or name in (".", ".."):
        raise ValueError(f"{name!r} is no single name, without slashes")


@frozen
class Caching:
    """How long caches may keep files of some names (RFC 9111 5.2.2)."""

    pattern: str
    directives: str
    """The value of Cache-Control."""

    def fits(self, path: Path) -> bool:
        """Whether it is about the file at ``path``: a pattern with a slash is about the
        whole path, any other about the name."""
        text = "/" + "/".join(path) if "/" in self.pattern else path[-1]
        return fnmatchcase(text, self.pattern)


def parse_caching(line: str) -> Caching:
    """A line of ``http.caching``.  ValueError."""
    pattern, _, value = line.strip().partition(" ")
    directives = [one.strip() for one in value.split(",")]
    if not pattern or not all(_DIRECTIVE.fullmatch(one) for one in directives):
        raise ValueError(f"{line!r} is no line such as '*.css max-age=86400, public'")
    return Caching(pattern, ", ".join(directives))


def check_host(text: str) -> None:
    """ValueError where ``text`` is no name of a host in lower case."""
    if text and not re.fullmatch(r"[a-z0-9]([a-z0-9.\-]*[a-z0-9])?", text):
        raise ValueError(f"{text!r} is no name of a host such as pages.example.org")
