"""Handlers and makers of them."""

from __future__ import annotations

from typing import Any

from netservices.plugin import Services
from netservices.web.handler import Handler
from netservices.web.request import Request
from netservices.web.response import Response, text


def handle(request: Request) -> Response:
    """Says where it is."""
    return text(f"{request.host} {request.mount} {request.segments}")


def make(services: Services) -> Handler:
    """A handler that knows the services."""

    async def told(request: Request) -> Response:
        account = await services.accounts.find("admin")
        return text("somebody" if account else "nobody")

    return told


def make_nothing(services: Services) -> Any:
    """No handler."""


seven = 7
