"""DNS over HTTPS (RFC 8484), as far as it is DNS; HTTP brings the messages."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from zope.interface import implementer

from netservices.core.deferreds import begun
from netservices.dns.dialogue.freshness import fresh_seconds
from netservices.dns.dialogue.later import Later
from netservices.dns.dialogue.reply import bare
from netservices.dns.policy import Client, Policy, Transport
from netservices.dns.server.stream import Answer
from netservices.dns.wire.codes import Rcode
from netservices.dns.wire.query import HEADER_OCTETS
from netservices.interfaces import INameAnswers
from netservices.values import NameReply, Origin


@implementer(INameAnswers)
class NamesOverHTTPS:
    """Answers questions as over TLS, and says for how long caches may keep the reply.

    Only questions: a page in a browser can make it send any message from anywhere, so
    that no update or notice may come this way, whose sender's address might be enough.
    """

    def __init__(
        self, answer: Answer, policy: Policy, see: Callable[[Client], Client]
    ) -> None:
        """``see`` gives a client its view."""
        self._answer = answer
        self._policy = policy
        self._see = see

    def answer(
        self, message: bytes, origin: Origin, server: str, tls_version: str
    ) -> NameReply | Deferred[NameReply | None] | None:
        """The reply to ``message``; see ``INameAnswers``."""
        if (
            len(message) >= HEADER_OCTETS
            and not message[2] & 0x80
            and message[2] & 0x78
        ):
            return NameReply(bare(message, Rcode.NOTIMP), 0, False)
        client = self._see(
            Client(origin.address, Transport.HTTPS, server, tls_version=tls_version)
        )
        reply = self._answer(message, client)
        if isinstance(reply, Later):
            return begun(self._first(reply, client))
        return None if reply is None else self._reply(reply, client)

    async def _first(self, later: Later, client: Client) -> NameReply | None:
        messages = later.messages()
        try:
            async for message in messages:
                return self._reply(message, client)
            return None
        finally:
            await messages.aclose()

    def _reply(self, message: bytes, client: Client) -> NameReply:
        # RFC 8484 5.1: what is not the same for everybody must not be kept for them.
        is_for_all = not client.view and not self._policy.has_access_lists
        return NameReply(message, fresh_seconds(message), is_for_all)
