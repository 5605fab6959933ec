"""Conditional requests (RFC 9110 13): whether a method is to be performed.

One function decides, in the order of RFC 9110 13.2.2, for every method: a file that is
read, one that is replaced, one that is not there.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from attrs import frozen

from netservices.web.dates import parse_http_date
from netservices.web.fields import Fields

# RFC 9110 8.8.3: entity-tag = [ "W/" ] DQUOTE *etagc DQUOTE
_TAG = re.compile('(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_NEXT = re.compile("[ \t]*(?:,[ \t]*)*")
_COMMA = re.compile("[ \t]*,[ \t,]*")
_CONDITIONS = frozenset(
    ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since")
)
_READING = ("GET", "HEAD")
_UNCONDITIONAL = ("CONNECT", "OPTIONS", "TRACE")
_ANY = ("*",)


class Outcome(Enum):
    """What the conditions of a request say."""

    PROCEED = auto()
    NOT_MODIFIED = auto()  # 304
    FAILED = auto()  # 412


@frozen
class Validators:
    """What tells one version of a representation from another."""

    etag: str = ""
    """With its quotes; empty: none."""
    modified: int | None = None
    """Seconds since 1970; None: nobody knows."""


def evaluate(
    method: str, fields: Fields, current: Validators | None, now: float
) -> Outcome:
    """What becomes of a request whose answer would otherwise be 2xx.

    ``current`` is None where there is no representation now.
    """
    # RFC 9110 13.2.1: neither selects nor changes a representation.
    if method in _UNCONDITIONAL or _CONDITIONS.isdisjoint(fields.names):
        return Outcome.PROCEED
    if not _may_go_on(fields, current, now):
        return Outcome.FAILED
    is_reading = method in _READING
    if "if-none-match" in fields:
        if _none_matches(fields.get("if-none-match"), current):
            return Outcome.PROCEED
        return Outcome.NOT_MODIFIED if is_reading else Outcome.FAILED
    # RFC 9110 13.1.3: If-Modified-Since is ignored beside If-None-Match, and with other
    # methods.
    if is_reading and not _is_modified(fields, current, now):
        return Outcome.NOT_MODIFIED
    return Outcome.PROCEED


def _may_go_on(fields: Fields, current: Validators | None, now: float) -> bool:
    """If-Match, or in its absence If-Unmodified-Since."""
    if "if-match" in fields:
        tags = entity_tags(fields.get("if-match"))
        if current is None:
            return False
        # RFC 9110 13.1.1: by strong comparison.
        return tags == _ANY or (current.etag in tags and is_strong(current.etag))
    if current is None or current.modified is None:
        return True
    date = parse_http_date(fields.get("if-unmodified-since"), now)
    return date is None or current.modified <= date


def _none_matches(written: str, current: Validators | None) -> bool:
    """If-None-Match."""
    if current is None:
        return True
    tags = entity_tags(written)
    if tags == _ANY:
        return False
    # RFC 9110 13.1.2: by weak comparison.
    opaque = current.etag.removeprefix("W/")
    return not opaque or all(tag.removeprefix("W/") != opaque for tag in tags)


def _is_modified(fields: Fields, current: Validators | None, now: float) -> bool:
    """If-Modified-Since."""
    if current is None or current.modified is None:
        return True
    date = parse_http_date(fields.get("if-modified-since"), now)
    return date is None or current.modified > date


def wants_range(fields: Fields, current: Validators, now: float) -> bool:
    """Whether If-Range lets the field Range count (RFC 9110 13.1.5)."""
    if "if-range" not in fields:
        return True
    written = fields.get("if-range")
    if _TAG.fullmatch(written):
        return written == current.etag and is_strong(written)
    date = parse_http_date(written, now)
    # RFC 9110 8.8.2.2: a date is a strong validator where the representation cannot
    # have changed again in the same second.
    return (
        date is not None and current.modified == date and current.modified <= now - 1.0
    )


def is_strong(etag: str) -> bool:
    """Whether an entity tag is there and is a strong one."""
    return etag.startswith('"')


def entity_tags(written: str) -> tuple[str, ...]:
    """The entity tags of a list, ``("*",)`` for a star; none where it is malformed."""
    if written.strip(" \t") == "*":
        return _ANY
    found = []
    at = _NEXT.match(written).end()  # type: ignore[union-attr]
    while at < len(written):
        tag = _TAG.match(written, at)
        if tag is None:
            return ()
        found.append(tag[0])
        comma = _COMMA.match(written, tag.end())
        if comma is None:
            return tuple(found) if not written[tag.end() :].strip(" \t") else ()
        at = comma.end()
    return tuple(found)
