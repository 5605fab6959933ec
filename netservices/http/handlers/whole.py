"""Requests that are about no resource: ``OPTIONS *`` and CONNECT."""

from __future__ import annotations

from netservices.web.problems import Problem
from netservices.web.request import Request
from netservices.web.response import Answer, Response

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
"""What some resource here takes."""


def whole_server(request: Request) -> Answer:
    """The answer of the server itself."""
    if request.method == "OPTIONS":
        # RFC 9110 9.3.7: a ping, and what the server can do in general.
        return Response(204, [("Allow", ", ".join(METHODS))])
    # RFC 9110 9.3.6: this is no proxy.
    raise Problem(501, must_close=True)
