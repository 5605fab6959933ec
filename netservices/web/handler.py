"""Handlers, and the layers around them.

A handler is called when the head of a request has come, before its body: it may refuse
what would take an hour to upload.  A layer sees the request on its way in and the
response on its way out::

    def log_in(request, handler):
        request.account = ...
        return after(answer_of(handler, request), add_cookie)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred

from netservices.core.deferreds import drive
from netservices.web.request import Request
from netservices.web.response import Answer, Response

Handler: TypeAlias = Callable[[Request], Answer]
"""Takes a request; raises ``Problem`` where the answer is an error."""

Layer: TypeAlias = Callable[[Request, Handler], Answer]

Settled: TypeAlias = "Response | Deferred[Response]"


def answer_of(handler: Handler, request: Request) -> Settled:
    """Call a handler; a coroutine that need not wait is run to its end at once."""
    answer = handler(request)
    if isinstance(answer, Response | Deferred):
        return answer
    if isinstance(answer, Coroutine):
        return drive(answer)
    return drive(_waiting(answer))


async def _waiting(answer: Awaitable[Response]) -> Response:
    return await answer


def after(answer: Settled, change: Callable[[Response], Any]) -> Settled:
    """The answer as ``change`` makes it; ``change`` may alter the response in place and
    return None, or return another one."""
    if isinstance(answer, Response):
        changed = change(answer)
        return answer if changed is None else changed

    def changed_later(response: Response) -> Any:
        found = change(response)
        return response if found is None else found

    return answer.addCallback(changed_later)


def layered(layers: Sequence[Layer], handler: Handler) -> Handler:
    """``handler`` within ``layers``, the first one outermost."""
    for layer in reversed(layers):
        handler = partial(_within, layer, handler)
    return handler


def _within(layer: Layer, handler: Handler, request: Request) -> Answer:
    return layer(request, handler)
