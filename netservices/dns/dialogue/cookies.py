"""Which cookies a server takes, and which it gives (RFC 7873 5.2, RFC 9018 4.3, 5)."""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import Enum, auto

from netservices.core.networks import address_octets
from netservices.dns.wire.cookies import (
    CLIENT_OCTETS,
    SECRET_OCTETS,
    is_ours,
    made_at,
    make_cookie,
)
from netservices.dns.wire.serials import serial_distance

_MOST_KNOWN = 8192
"""Cookies that are remembered with what they say, each of a client that has it."""

MAX_AGE_SECONDS = 3600
MAX_LEAD_SECONDS = 300
RENEWED_AFTER_SECONDS = 1800


class Standing(Enum):
    """What the cookie of a request says about who sent it."""

    NONE = auto()
    """There is none, so the address may be forged."""
    CLIENT = auto()
    """Only the client's own part."""
    INVALID = auto()
    """A server's part that is not ours, or too old."""
    VALID = auto()
    """The client has got an answer at this address before."""


class Cookies:
    """Makes and checks cookies with the secrets of this server, or of its cluster."""

    def __init__(self, now: Callable[[], float]) -> None:
        """``now`` gives seconds since 1970.  Until ``secrets`` is set, the secret is
        one that nobody else has."""
        self._now = now
        self._known: dict[bytes, tuple[str, float, float]] = {}
        """Cookies that are given back as they came: the address, and from when until
        when that is so."""
        self.secrets = (os.urandom(SECRET_OCTETS),)

    @property
    def secrets(self) -> tuple[bytes, ...]:
        """The first makes cookies; all of them check (RFC 9018 5)."""
        return self._secrets

    @secrets.setter
    def secrets(self, secrets: tuple[bytes, ...]) -> None:
        self._secrets = secrets
        self._known.clear()

    def examine(self, option: bytes, address: str) -> tuple[Standing, bytes]:
        """What an option, of a length that is valid, says about its sender, and the
        option for the reply: the same while it is young, else a new one."""
        known = self._known.get(option)
        if known is not None and known[0] == address:
            if known[1] <= self._now() < known[2]:
                return Standing.VALID, option
            del self._known[option]
        return self._examine(option, address)

    def _examine(self, option: bytes, address: str) -> tuple[Standing, bytes]:
        octets = address_octets(address)
        now = int(self._now())
        standing = Standing.CLIENT
        if len(option) > CLIENT_OCTETS:
            # RFC 9018 4.3: serial numbers (RFC 1982), so that 2106 passes unnoticed.
            age = serial_distance(now, made_at(option))
            is_timely = -MAX_LEAD_SECONDS <= age <= MAX_AGE_SECONDS
            secret = self._maker(option, octets) if is_timely else None
            standing = Standing.VALID if secret else Standing.INVALID
            # RFC 9018 4.3: a new one at least after half an hour; 4.2: ours are zero
            # where the version leaves octets unused.
            is_young = age <= RENEWED_AFTER_SECONDS and not any(option[9:12])
            if is_young and secret is self.secrets[0]:
                self._remember(option, address, now, age)
                return standing, option
        client = option[:CLIENT_OCTETS]
        return standing, make_cookie(client, octets, now, self.secrets[0])

    def _remember(self, option: bytes, address: str, now: int, age: int) -> None:
        """Note that a cookie is ours and young, now and for as long as it stays so."""
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        latest = now - age + RENEWED_AFTER_SECONDS + 1
        self._known[option] = address, now - age - MAX_LEAD_SECONDS, latest

    def _maker(self, option: bytes, octets: bytes) -> bytes | None:
        """The secret with which a cookie was made, if that is one of ours."""
        for secret in self.secrets:
            if is_ours(option, octets, secret):
                return secret
        return None
