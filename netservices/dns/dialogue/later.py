"""Replies that cannot be given at once: they wait for the store or another server, or
are too long for one message."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import TypeAlias

from attrs import frozen

from netservices.dns.policy import Client


@frozen
class Later:
    """The messages of a reply, in their order, as they become ready.

    ``messages`` is called once.  The server takes a message only when the one before it
    is on its way, and closes the generator when the client is gone.  Over UDP there is
    one message at most; none at all is silence.
    """

    messages: Callable[[], AsyncGenerator[bytes, None]]


Handler: TypeAlias = Callable[[bytes, Client], bytes | Later | None]
"""What replies to one kind of request: ``(message, client) -> reply``.  A request that
was signed comes here without its TSIG record, and ``client.key`` is the key."""
