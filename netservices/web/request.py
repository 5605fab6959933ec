"""A request as handlers see it, whatever version of HTTP brought it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

from attrs import define, evolve, field

from netservices.values import Account, Origin, Path
from netservices.web.body import Body
from netservices.web.fields import NO_FIELDS, Fields, Pairs
from netservices.web.problems import Problem


@define(eq=False)
class Request:
    """One request.  ``fields`` are its header fields; ``body`` is pulled."""

    method: str
    path: str
    """As it was sent, from the first slash on; ``*`` for OPTIONS of the server."""
    query: str | None = None
    """What follows the question mark, as it was sent; None where there is none."""
    fields: Fields = NO_FIELDS
    body: Body = field(factory=Body)
    scheme: str = "http"
    host: str = ""
    """The name asked for, in lower case; empty where HTTP/1.0 does not tell."""
    port: int | None = None
    """The port asked for; None: that of the scheme."""
    version: str = "1.1"
    origin: Origin = Origin("http", "", False)
    """Where it comes from."""
    server: tuple[str, int] = ("", 0)
    """The address and port of ours to which it came."""
    tls: Any = None
    """The connection's ``tls.facts.Facts``; None without TLS."""
    mount: Path = ()
    """Leading segments of the path that stand for the handler itself."""
    _account: Account | None = None
    session: Any = None
    """The ``web.sessions.Session`` of the browser; None behind no layer that keeps
    sessions."""
    interim: Callable[[int, Pairs], None] | None = None
    """Sends an interim response (1xx) at once."""

    @property
    def account(self) -> Account | None:
        """Who has logged in.  A response that depends on it is for him alone, which the
        layer of sessions sees to."""
        if self.session is not None:
            self.session.is_used = True
        return self._account

    @account.setter
    def account(self, account: Account | None) -> None:
        self._account = account

    @property
    def is_secure(self) -> bool:
        """Whether it came through TLS."""
        return self.scheme == "https"

    @property
    def segments(self) -> Path:
        """The decoded segments of the path behind ``mount``.

        ``.`` and ``..`` are resolved and empty segments dropped but for the last: a
        path that ends in a slash has an empty last segment.  Octets that are no UTF-8
        survive as in ``values.Path``.  Problem 400 for what leads above the root, holds
        NUL, or is badly encoded.
        """
        return segments_of(self.path)[len(self.mount) :]

    @property
    def target(self) -> str:
        """Path and query, as they were sent."""
        return self.path if self.query is None else f"{self.path}?{self.query}"

    @property
    def authority(self) -> str:
        """Host, and port where it is not the scheme's."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def below(self, segments: int) -> Request:
        """The same request for a handler that is mounted so many segments deeper."""
        path = segments_of(self.path)
        return evolve(self, mount=path[: len(self.mount) + segments])

    def continue_(self) -> None:
        """Tell a peer that waits for it to send the body; reading the body does it,
        too."""
        self._interim(100, ())

    def early_hints(self, fields: Pairs) -> None:
        """103 (RFC 8297): fields that the response will probably have."""
        self._interim(103, fields)

    def _interim(self, status: int, fields: Pairs) -> None:
        # RFC 9110 15.2: HTTP/1.0 knows no 1xx.
        if self.interim is not None and self.version != "1.0":
            self.interim(status, fields)


_BAD_ESCAPE = re.compile("%(?![0-9A-Fa-f]{2})")


def segments_of(path: str) -> Path:
    """See ``Request.segments``."""
    found: list[str] = []
    last = ""
    for raw in path.split("/")[1:]:
        last = raw
        if "%" in raw or not raw.isascii():
            # RFC 3986 2.1: "%" HEXDIG HEXDIG, and what is none is no path.
            if _BAD_ESCAPE.search(raw):
                raise Problem(400, "A percent sign in the path encodes nothing.")
            last = unquoted(raw)
            if "\0" in last:
                raise Problem(400, "The path holds the character NUL.")
        if last == "..":
            if not found:
                raise Problem(400, "The path leads out of the site.")
            found.pop()
        elif last not in ("", "."):
            found.append(last)
    return (*found, "") if last in ("", ".", "..") else tuple(found)


def unquoted(word: str) -> str:
    """A segment of a path as it was sent, decoded; octets that are no UTF-8 survive."""
    return unquote(word.encode("latin-1"), errors="surrogateescape")


def quoted(name: str) -> str:
    """A segment for the path of a URL; the opposite of ``unquoted``."""
    return quote(name.encode("utf-8", "surrogateescape"), safe="")
