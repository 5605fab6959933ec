"""The conditions of RFC 9110 13 on requests that change something."""

from __future__ import annotations

from netservices.http.handlers.dav.place import etag_of
from netservices.values import Node, NodeKind
from netservices.web.conditions import Outcome, Validators, evaluate
from netservices.web.problems import Problem
from netservices.web.request import Request

_NANOSECONDS = 1_000_000_000
_CONDITIONS = ("if-match", "if-none-match", "if-unmodified-since")


def wanted_version(request: Request, node: Node | None, now: float) -> str | None:
    """The etag of the version that a change must meet when it happens; empty: there
    must be none; None: whatever is there.  Problem 412 where the conditions do not hold
    now."""
    current = None
    if node is not None:
        etag = etag_of(node) if node.kind is NodeKind.FILE else ""
        current = Validators(etag, node.mtime_ns // _NANOSECONDS)
    if evaluate(request.method, request.fields, current, now) is not Outcome.PROCEED:
        raise Problem(412, "Another version is there.")
    if not any(name in request.fields for name in _CONDITIONS):
        return None
    if node is None:
        return ""
    return node.etag or None
