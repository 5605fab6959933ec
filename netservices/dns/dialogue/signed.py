"""Requests that are signed (TSIG, RFC 8945): believed or not, and answered in kind.

Whatever the request is, its signature is looked at first and taken off; what answers it
sees the plain message and the key, and what it replies is signed, each message of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, TypeAlias

from attrs import evolve

from netservices.core.errors import SyntaxProblem
from netservices.dns.dialogue.later import Later
from netservices.dns.policy import Client
from netservices.dns.wire.codes import Rcode
from netservices.dns.wire.names import fold
from netservices.dns.wire.signing import Believed, Doubted, ReplySigner, check_request
from netservices.dns.wire.tsig import Key, error_name

if TYPE_CHECKING:
    from netservices.dns.dialogue.reply import Composed

Compose: TypeAlias = "Callable[[bytes, Client], Composed | Later | None]"
Refuse: TypeAlias = "Callable[[int], Composed]"
"""A reply without records and with that response code."""

Doubt: TypeAlias = Callable[[Client, bytes, int], None]
"""``(client, folded name of the key, TSIG error)``."""


class Signatures:
    """Checks the signatures of requests, and signs what answers them."""

    def __init__(
        self,
        keys: Callable[[], Mapping[bytes, Key]],
        now: Callable[[], float],
        doubted: Doubt = lambda client, key, error: None,
        see: Callable[[Client], Client] = lambda client: client,
    ) -> None:
        """``keys`` are by folded name; ``now`` is in seconds since 1970; ``doubted``
        is told of requests that were not believed; ``see`` gives a client with a key
        its view."""
        self._see = see
        self._keys = keys
        self._now = now
        self._doubted = doubted
        self.believed = 0
        """Requests whose signature was right, so far."""
        self.errors: Counter[int] = Counter()
        """The others, by TSIG error."""

    def status(self) -> Mapping[str, int]:
        """Counts by outcome."""
        return {
            "believed": self.believed,
            **{error_name(error): count for error, count in self.errors.items()},
        }

    def compose(
        self,
        data: bytes,
        start: int,
        client: Client,
        compose: Compose,
        refuse: Refuse,
    ) -> Composed | Later | None:
        """The reply to a request whose TSIG begins at ``start``: what ``compose`` has
        for the plain message, signed; or a refusal."""
        try:
            checked = check_request(data, start, self._keys(), self._now())
        except SyntaxProblem:
            self.errors[Rcode.FORMERR] += 1
            return refuse(Rcode.FORMERR)
        if isinstance(checked, Doubted):
            return self._refuse(checked, client, refuse)
        self.believed += 1
        return self._reply(checked, client, compose)

    def _refuse(self, doubted: Doubted, client: Client, refuse: Refuse) -> Composed:
        self.errors[doubted.error] += 1
        self._doubted(client, fold(doubted.request.name), doubted.error)
        reply, qtype, rcode, _, account = refuse(Rcode.NOTAUTH)
        return doubted.sign(reply, self._now()), qtype, rcode, None, account

    def _reply(
        self, believed: Believed, client: Client, compose: Compose
    ) -> Composed | Later | None:
        signer = believed.signer
        client = self._see(
            evolve(
                client,
                key=believed.key,
                mac=believed.mac,
                reserved_octets=signer.reserved_octets,
            )
        )
        composed = compose(believed.message, client)
        if composed is None:
            return None
        if isinstance(composed, Later):
            return Later(lambda: self._sign_all(composed, signer))
        reply, qtype, rcode, _, account = composed
        return signer.sign(reply, self._now()), qtype, rcode, None, account

    async def _sign_all(
        self, later: Later, signer: ReplySigner
    ) -> AsyncGenerator[bytes, None]:
        """RFC 8945 5.3.1: every message of a stream is signed."""
        async with aclosing(later.messages()) as messages:
            async for message in messages:
                yield signer.sign(message, self._now())
