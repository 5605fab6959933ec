"""Answers over UDP that take no cache, and those that come later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from netservices.dns.dialogue.later import Later
from netservices.dns.policy import Client
from netservices.dns.server.stream import Answer
from netservices.plugin import DatagramAnswer

_log = Logger()


def datagrams(answer: Answer, see: Callable[[Client], Client]) -> DatagramAnswer:
    """What answers over UDP with ``answer`` alone; ``see`` gives a client its view."""

    def datagram(data: bytes, address: Any, local: Any) -> bytes | None:
        # RFC 768: port 0 takes no answer.
        if not address[1]:
            return None
        server = local.address if local is not None else ""
        reply = answer(data, see(Client(address[0], server=server)))
        if isinstance(reply, Later):
            send_later(reply, address, local)
            return None
        return reply

    return datagram


def send_later(later: Later, address: Any, local: Any) -> None:
    """Send over UDP what was not ready when it was asked for."""

    async def send() -> None:
        async for message in later.messages():
            local.send(message, address)

    Deferred.fromCoroutine(send()).addErrback(
        lambda failure: _log.failure(
            "a request from {address}", failure, address=address[0]
        )
    )
