"""The field If (RFC 9110 has others): its grammar, and what it says (RFC 4918 10.4)."""

from __future__ import annotations

import re

from attrs import frozen

from netservices.web.problems import Problem

MAX_CONDITIONS = 1000

_TOKEN = re.compile(
    r"\s*(?:"
    r"(?P<open>\()|(?P<close>\))|(?P<not>Not(?=[\s<\[]))"
    r"|<(?P<url>[^<>\s]+)>"
    r'|\[(?P<etag>(?:W/)?"[^"\s]*")\]'
    r")",
    re.IGNORECASE,
)


@frozen
class Condition:
    """One of the conditions of a list."""

    is_not: bool
    token: str = ""
    """The URI of a lock or another state."""
    etag: str = ""
    """With its quotes; empty where ``token`` is not."""


@frozen
class ConditionList:
    """Conditions that hold together, or do not."""

    resource: str
    """The URL that it is about; empty: that of the request."""
    conditions: tuple[Condition, ...]


def parse_if(text: str) -> tuple[ConditionList, ...]:
    """The lists of the field, of which one must hold.  Problem 400."""
    lists: list[ConditionList] = []
    conditions: list[Condition] | None = None
    resource, is_not, at = "", False, 0
    text = text.rstrip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None or at > len(text):
            raise _bad()
        at = found.end()
        kind = found.lastgroup
        if conditions is None:
            if kind == "open":
                conditions = []
            elif kind == "url" and _may_name(lists, resource):
                resource = found["url"]
            else:
                raise _bad()
        elif kind == "close" and conditions and not is_not:
            lists.append(ConditionList(resource, tuple(conditions)))
            conditions = None
        elif kind == "not" and not is_not:
            is_not = True
        elif kind in ("url", "etag"):
            value = found[kind]
            token, etag = (value, "") if kind == "url" else ("", value)
            conditions.append(Condition(is_not, token, etag))
            is_not = False
        else:
            raise _bad()
        if len(lists) + len(conditions or ()) > MAX_CONDITIONS:
            raise _bad()
    if conditions is not None or not lists or (resource and not lists[-1].resource):
        raise _bad()
    if lists[-1].resource != resource:
        raise _bad()
    return tuple(lists)


def _may_name(lists: list[ConditionList], resource: str) -> bool:
    """RFC 4918 10.4.2: tagged and untagged lists are not mixed, and each tag has a
    list."""
    if not lists:
        return not resource
    return bool(resource) and lists[-1].resource == resource


def tokens_of(lists: tuple[ConditionList, ...]) -> frozenset[str]:
    """The tokens that are submitted: RFC 4918 6.1, all that appear."""
    return frozenset(
        condition.token
        for one in lists
        for condition in one.conditions
        if condition.token
    )


def _bad() -> Problem:
    return Problem(400, "The field If cannot be read.")
