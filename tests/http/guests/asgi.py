"""ASGI applications, good and bad ones."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route

noted: list[Any] = []
"""What applications note for the tests."""

heard = threading.Event()
"""Set when ``patient`` has heard of the end."""

START = {"type": "http.response.start", "status": 200}


async def _hello(request: Request) -> PlainTextResponse:
    account = request.scope["extensions"].get("netservices", {}).get("account")
    return PlainTextResponse(f"Hello, {request.path_params['name']} ({account})")


async def _echo(request: Request) -> JSONResponse:
    octets = 0
    async for piece in request.stream():
        octets += len(piece)
    return JSONResponse(
        {
            "octets": octets,
            "url": str(request.url),
            "root": request.scope["root_path"],
            "path": request.scope["path"],
            "raw_path": request.scope["raw_path"].decode(),
            "query": request.scope["query_string"].decode(),
            "client": request.client and request.client.host,
            "state": request.state.answer,
            "x": request.headers.getlist("x-one"),
        }
    )


async def _stream(request: Request) -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        for number in range(100):
            yield b"%02d" % number * 1000
            await asyncio.sleep(0)

    return StreamingResponse(pieces(), media_type="text/plain")


async def _fail(request: Request) -> PlainTextResponse:
    raise ZeroDivisionError("on purpose")


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[dict[str, Any]]:
    noted.append("started")
    yield {"answer": 42}
    noted.append("stopped")


site = Starlette(
    routes=[
        Route("/hello/{name}", _hello),
        Route("/echo/{rest:path}", _echo, methods=["GET", "POST"]),
        Route("/stream", _stream),
        Route("/fail", _fail),
    ],
    lifespan=_lifespan,
)


async def _http_only(scope: Any) -> None:
    if scope["type"] != "http":
        raise NotImplementedError


async def endless(scope: Any, receive: Any, send: Any) -> None:
    """Never ends by itself; notes what it was told at the end."""
    await _http_only(scope)
    await send(START)
    octets = 0
    try:
        while True:
            await send(
                {"type": "http.response.body", "body": bytes(65536), "more_body": True}
            )
            octets += 65536
    except OSError as error:
        noted.append((type(error), octets))
        heard.set()


async def patient(scope: Any, receive: Any, send: Any) -> None:
    """Waits for the client to go."""
    await _http_only(scope)
    await send(START)
    await send({"type": "http.response.body", "body": b"x", "more_body": True})
    message: dict[str, Any] = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()
    noted.append(message)
    heard.set()


async def never(scope: Any, receive: Any, send: Any) -> None:
    """Never answers."""
    await _http_only(scope)
    await asyncio.Event().wait()


async def early(scope: Any, receive: Any, send: Any) -> None:
    """Hints early, and has trailers."""
    await _http_only(scope)
    hint = b"</style.css>; rel=preload; as=style"
    await send({"type": "http.response.early_hint", "links": [hint]})
    await send({**START, "headers": [(b"trailer", b"x-sum")], "trailers": True})
    await send({"type": "http.response.body", "body": b"content"})
    await send({"type": "http.response.trailers", "headers": [(b"x-sum", b"7")]})


async def silent(scope: Any, receive: Any, send: Any) -> None:
    """Ends without a response."""


async def broken(scope: Any, receive: Any, send: Any) -> None:
    """Ends in the middle."""
    await _http_only(scope)
    await send(START)
    await send({"type": "http.response.body", "body": b"x" * 10, "more_body": True})


async def injecting(scope: Any, receive: Any, send: Any) -> None:
    """Passes on what nobody should."""
    await _http_only(scope)
    await send({**START, "headers": [(b"x-name", b"a\r\nx-evil: 1")]})
    await send({"type": "http.response.body", "body": b"x"})


async def longer(scope: Any, receive: Any, send: Any) -> None:
    """Brings more than it said."""
    await _http_only(scope)
    await send({**START, "headers": [(b"content-length", b"3")]})
    await send({"type": "http.response.body", "body": b"xx", "more_body": True})
    await send({"type": "http.response.body", "body": b"HTTP/1.1 200 OK\r\n"})


async def disordered(scope: Any, receive: Any, send: Any) -> None:
    """Sends content before the head."""
    await _http_only(scope)
    await send({"type": "http.response.body", "body": b"xx"})


async def unready(scope: Any, receive: Any, send: Any) -> None:
    """Cannot start."""
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})


async def stuck(scope: Any, receive: Any, send: Any) -> None:
    """Never gets ready."""
    await asyncio.Event().wait()


async def deaf(scope: Any, receive: Any, send: Any) -> None:
    """Answers without looking at what it was sent."""
    await _http_only(scope)
    await send({**START, "headers": [(b"x-type", scope["type"].encode())]})
    await send({"type": "http.response.body", "body": b"no"})


async def greedy(scope: Any, receive: Any, send: Any) -> None:
    """Begins its answer, then reads all that comes."""
    await _http_only(scope)
    await send(START)
    await send({"type": "http.response.body", "body": b"x", "more_body": True})
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.body", "body": b"y"})
