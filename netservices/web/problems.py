"""What a handler raises in place of answering."""

from __future__ import annotations

from netservices.web.fields import Pairs


class Problem(Exception):
    """The answer is an error: a page for ``status`` that tells ``detail``.

    ``detail`` is for the person at the other end; ``log_text`` for the operator, who
    else sees nothing of it.  ``fields`` go with the answer (``Allow``, ``Retry-After``,
    ``WWW-Authenticate``).  ``must_close``: the connection cannot be used any more.
    """

    def __init__(
        self,
        status: int,
        detail: str = "",
        fields: Pairs = (),
        *,
        log_text: str = "",
        must_close: bool = False,
    ) -> None:
        super().__init__(f"{status} {detail}".rstrip())
        self.status = status
        self.detail = detail
        self.fields = tuple(fields)
        self.log_text = log_text
        self.must_close = must_close


class BodyLost(Exception):
    """The content of the request will not be complete: the peer has gone, was too slow,
    or broke the framing.  Nothing of what came may be taken as the whole."""


def method_not_allowed(*allowed: str) -> Problem:
    """405 with Allow (RFC 9110 15.5.6)."""
    return Problem(405, fields=[("Allow", ", ".join(allowed))])


def not_possible(method: str, *allowed: str) -> Problem:
    """What a method gets that is not among those allowed: 405, or 501 where nobody
    knows it (RFC 9110 9.1)."""
    return method_not_allowed(*allowed) if method in METHODS else Problem(501)


METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH")
    + ("PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK")
    + ("ACL", "REPORT", "SEARCH", "MKCALENDAR", "VERSION-CONTROL", "QUERY")
    + ("BIND", "UNBIND", "REBIND", "LINK", "UNLINK")
)
"""Methods that people know, of those that IANA lists."""
