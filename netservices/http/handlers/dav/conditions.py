"""The conditions of RFC 9110 13 on requests that change something."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

from netservices.http.handlers.dav.getting import etag_of
from netservices.values import Node
from netservices.web.problems import Problem
from netservices.web.request import Request

_TAG = re.compile(r'\s*(W/)?("[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|$)')


def wanted_version(request: Request, node: Node | None) -> str | None:
    """The etag of the version that a change must meet; empty: none may be there; None:
    whatever is there.  Problem 412 where the conditions do not hold now."""
    fields = request.fields
    etag = "" if node is None else etag_of(node)
    wanted = None
    if "if-match" in fields:
        if not _matches(fields.get("if-match"), node, etag):
            raise Problem(412, "Another version is there.")
        wanted = "" if node is None else node.etag
    elif "if-unmodified-since" in fields and node is not None:
        since = _seconds(fields.get("if-unmodified-since"))
        if since is not None and node.mtime_ns // 1_000_000_000 > since:
            raise Problem(412, "The file is newer.")
        wanted = node.etag
    if "if-none-match" in fields:
        if _matches(fields.get("if-none-match"), node, etag, is_weak=True):
            raise Problem(412, "That is there already.")
        wanted = "" if node is None else node.etag
    return wanted


def _matches(text: str, node: Node | None, etag: str, is_weak: bool = False) -> bool:
    """Whether a list of entity tags has that of the node (RFC 9110 8.8.3.2)."""
    if text.strip() == "*":
        return node is not None
    return bool(etag) and any(
        found[2] == etag and (is_weak or not found[1]) for found in _TAG.finditer(text)
    )


def _seconds(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None
