"""Requests as handlers get them, and what becomes of them."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from netservices.core.deferreds import value_of
from netservices.values import Origin
from netservices.web.body import Body
from netservices.web.fields import Fields
from netservices.web.handler import Handler, answer_of
from netservices.web.problems import Problem
from netservices.web.request import Request
from netservices.web.response import Response


def make_request(
    target: str = "/",
    method: str = "GET",
    content: bytes = b"",
    fields: dict[str, str] | None = None,
    **more: Any,
) -> Request:
    """A request whose content has come already."""
    path, mark, query = target.partition("?")
    body = Body(len(content))
    if content:
        body.feed(content)
        body.finish()
    given: dict[str, Any] = {
        "origin": Origin("http", "192.0.2.1", False),
        "server": ("192.0.2.80", 80),
        "host": "www.example.com",
        **more,
    }
    return Request(
        method,
        path,
        query if mark else None,
        Fields((name.lower(), value) for name, value in (fields or {}).items()),
        body,
        **given,
    )


def ask(handler: Handler, target: str = "/", **more: Any) -> Response:
    """The response of a handler that has everything it needs."""
    answer = answer_of(handler, make_request(target, **more))
    return value_of(answer) if isinstance(answer, Deferred) else answer


def refusal(handler: Handler, target: str = "/", **more: Any) -> Problem:
    """The ``Problem`` that a handler raises.  AssertionError where it answers."""
    try:
        response = ask(handler, target, **more)
    except Problem as problem:
        return problem
    raise AssertionError(f"answered with {response.status}")
