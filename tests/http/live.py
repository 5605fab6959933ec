"""A web server in this process, and a client in a thread of its own."""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from netservices.testing import running
from netservices.testing.servers import RunningServer


@frozen
class Reply:
    """A response as a client has it."""

    status: int
    fields: http.client.HTTPMessage
    content: bytes


def fetch(
    port: int,
    target: str,
    method: str = "GET",
    content: bytes | Iterable[bytes] | None = None,
    fields: dict[str, str] | None = None,
) -> Reply:
    """Ask and read the whole response; ``http.client`` raises where it is cut short."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, target, content, fields or {})
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read())
    finally:
        connection.close()


class LiveCase(TestCase):
    """Runs a server for each test."""

    timeout = 60
    server: RunningServer

    async def serve(self, *mounts: str, **settings: Any) -> RunningServer:
        """Start the server with applications."""
        given = {f"http.{key}": value for key, value in settings.items()}
        self.server = await running(
            http=True, settings={"http.mounts": list(mounts), **given}
        )
        self.addCleanup(self.server.stop)
        return self.server

    @property
    def port(self) -> int:
        """Where it listens without TLS."""
        return self.server.port("http", "tcp")

    def ask(self, target: str, *args: Any, **more: Any) -> Deferred[Reply]:
        """``fetch``, in a thread."""
        return deferToThread(fetch, self.port, target, *args, **more)
