"""The trace: every question and reply in the log, record by record."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from twisted.logger import Logger

from netservices.dns.dialogue.later import Later
from netservices.dns.policy import Client
from netservices.dns.server.stream import Answer

_log = Logger()


def traced(answer: Answer) -> Answer:
    """The same, with every question and reply in the log."""
    # Only here: presentation formats take a library that a plain start does without.
    from netservices.dns.server.trace import query_line, reply_lines

    def show(way: str, reply: bytes | None) -> None:
        for line in reply_lines(reply):
            _log.info("{way} S: {line}", way=way, line=line)

    def trace(data: bytes, client: Client) -> bytes | Later | None:
        reply = answer(data, client)
        way = f"{client.address} {client.transport.name.lower()}"
        _log.info("{way} C: {line}", way=way, line=query_line(data))
        if not isinstance(reply, Later):
            show(way, reply)
            return reply

        async def shown() -> AsyncGenerator[bytes, None]:
            async for message in reply.messages():
                show(way, message)
                yield message

        return Later(shown)

    return trace
