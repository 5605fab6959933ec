"""When a connection may leave HTTP (RFC 9110 7.8, 9.3.6)."""

from __future__ import annotations

from netservices.http.wire.head import Head
from netservices.web.response import Response


def check_status(response: Response, head: Head | None, has_content: bool) -> None:
    """ValueError for a response that switches protocols where it may not, or says that
    another one is required and not which.

    ``has_content``: some of the request's content is still to come.
    """
    status = response.status
    named = _protocols(response.get("Upgrade"))
    if status == 426 and not named:
        raise ValueError("426 without Upgrade")
    if response.tunnel is None:
        if status < 200:
            raise ValueError(f"{status} is no final status")
        return
    if head is None or has_content:
        raise ValueError("the request is not complete")
    if head.method == "CONNECT":
        if not 200 <= status < 300:
            raise ValueError(f"a tunnel for CONNECT with {status}")
    elif status != 101 or not named:
        raise ValueError(f"another protocol with {status}, or without its name")
    elif head.version == "1.0" or not named <= _protocols(head.fields.get("upgrade")):
        raise ValueError("a protocol for which nobody has asked")


def _protocols(value: str) -> set[str]:
    """The names in a field ``Upgrade``, folded."""
    return {word for part in value.split(",") if (word := part.strip().lower())}
