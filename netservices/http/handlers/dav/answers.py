"""XML as the server says it: multistatus answers, errors, properties."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netservices.http.handlers.dav.elements import DAV, Name, escaped, split_name
from netservices.web.response import Response

MEDIA_TYPE = "application/xml; charset=utf-8"
PROLOGUE = '<?xml version="1.0" encoding="utf-8"?>\n'
OPENING = f'{PROLOGUE}<D:multistatus xmlns:D="DAV:">\n'
CLOSING = "</D:multistatus>\n"

_PHRASES = {
    200: "OK",
    403: "Forbidden",
    404: "Not Found",
    409: "Conflict",
    412: "Precondition Failed",
    423: "Locked",
    424: "Failed Dependency",
    500: "Internal Server Error",
    503: "Service Unavailable",
    507: "Insufficient Storage",
}


def status_line(status: int) -> str:
    """A status as it stands in a multistatus (RFC 4918 14.28)."""
    phrase = _PHRASES.get(status, "Error")
    return f"<D:status>HTTP/1.1 {status} {phrase}</D:status>"


def empty_element(name: Name) -> str:
    """An element of that name with nothing in it."""
    namespace, local = split_name(name)
    if namespace == DAV:
        return f"<D:{local}/>"
    if not namespace:
        return f"<{local}/>"
    quoted = escaped(namespace).replace('"', "&quot;")
    return f'<n:{local} xmlns:n="{quoted}"/>'


def error_element(condition: str, hrefs: Iterable[str] = ()) -> str:
    """A precondition that did not hold (RFC 4918 16)."""
    inner = "".join(f"<D:href>{href}</D:href>" for href in hrefs)
    return f"<D:error><D:{condition}>{inner}</D:{condition}></D:error>"


def error(status: int, condition: str, hrefs: Iterable[str] = ()) -> Response:
    """A refusal that programs understand."""
    inner = "".join(f"<D:href>{href}</D:href>" for href in hrefs)
    body = (
        f'{PROLOGUE}<D:error xmlns:D="DAV:"><D:{condition}>{inner}'
        f"</D:{condition}></D:error>\n"
    )
    return Response(status, [("Content-Type", MEDIA_TYPE)], body.encode())


def propstat(status: int, properties: Iterable[str], more: str = "") -> str:
    """Properties that share a status."""
    return (
        f"<D:propstat><D:prop>{''.join(properties)}</D:prop>"
        f"{status_line(status)}{more}</D:propstat>"
    )


def response_of(href: str, inner: str) -> str:
    """What is said of one resource."""
    return f"<D:response><D:href>{href}</D:href>{inner}</D:response>\n"


def multistatus(responses: Iterable[str]) -> Response:
    """A whole multistatus (RFC 4918 13)."""
    body = OPENING + "".join(responses) + CLOSING
    return Response(207, [("Content-Type", MEDIA_TYPE)], body.encode())


def failures(found: Mapping[str, tuple[int, str]]) -> Response:
    """What went wrong, address by address: status, and a precondition or nothing."""
    return multistatus(
        response_of(
            href, status_line(status) + (error_element(condition) if condition else "")
        )
        for href, (status, condition) in found.items()
    )
