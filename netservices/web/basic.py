"""Logins that every request brings along: the scheme ``Basic`` (RFC 7617).

Theory.  A client sends its password with each request, fifty times a second where it
copies files.  One verification costs 20 ms and one event; so a login that was right is
remembered for a while.  The memory's key is a keyed hash of what was sent and of the
network it came from, so that it holds no password, and what was verified for one peer
is not verified for a stranger.  Account and credentials are read from the store at each
request (two reads by key) and compared with those of the time of the login: a changed
password, a removed app password or a disabled account is in force with the next
request, whichever process changed it.

Requests that bring the same login while it is being verified wait for that one
verification.  A refusal is not remembered: each attempt is counted by the limits.
"""

from __future__ import annotations

import binascii
import secrets
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b

from attrs import define
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from netservices.core.deferreds import begun, drive
from netservices.interfaces import IAccountRecords, IAccounts
from netservices.values import Account, Credential, Origin

LONGEST_CREDENTIALS = 8192
"""Characters; longer ones are no login."""


def parse_basic(value: str) -> tuple[str, bytes] | None:
    """Login and password of an ``Authorization`` field; None where it is no ``Basic``
    or cannot be read."""
    scheme, _, encoded = value.partition(" ")
    # RFC 7617 2: the name of the scheme is matched case-insensitively.
    if scheme.lower() != "basic" or len(encoded) > LONGEST_CREDENTIALS:
        return None
    try:
        octets = b64decode(encoded.strip(" "), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        # RFC 7617 2.1: what the challenge says of UTF-8 is advice; old clients write
        # ISO 8859-1.
        text = octets.decode("latin-1")
    login, colon, password = text.partition(":")
    # RFC 7617 2: no control characters.
    if not colon or any(ord(c) < 32 or ord(c) == 127 for c in text):
        return None
    return login, password.encode()


@define
class _Verified:
    """A login that was right."""

    account: Account
    credentials: tuple[Credential, ...]
    at: float


class BasicLogins:
    """Verifies logins, and remembers those that were right."""

    def __init__(
        self,
        accounts: IAccounts,
        records: IAccountRecords,
        network_of: Callable[[str], str],
        seconds: Callable[[], float],
        lifetime_seconds: float = 60.0,
        most: int = 4096,
    ) -> None:
        self._accounts = accounts
        self._records = records
        self._network_of = network_of
        self._seconds = seconds
        self._lifetime = lifetime_seconds
        self._most = most
        self._key = secrets.token_bytes(32)
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()
        self._waiting: dict[bytes, list[Deferred[Account]]] = {}

    def account_of(
        self, login: str, password: bytes, origin: Origin
    ) -> Account | Deferred[Account]:
        """The account, at once where the login was verified lately.  LoginRefused."""
        return drive(self._account_of(login, password, origin))

    async def _account_of(self, login: str, password: bytes, origin: Origin) -> Account:
        mark = self._mark_of(login, password, origin)
        known = self._verified.get(mark)
        if known is not None:
            if await self._is_in_force(known):
                return known.account
            self._verified.pop(mark, None)
        if mark not in self._waiting:
            verifying = begun(self._verify(mark, login, password, origin))
            if verifying.called:
                return await verifying
            self._waiting[mark] = []
            verifying.addBoth(self._settled, mark)
        mine: Deferred[Account] = Deferred()
        self._waiting[mark].append(mine)
        return await mine

    async def _verify(
        self, mark: bytes, login: str, password: bytes, origin: Origin
    ) -> Account:
        # Read before the password is verified: what changes meanwhile differs later.
        before = await self._accounts.find(login)
        credentials = await self._records.credentials(before.id if before else 0)
        account = await self._accounts.login(login, password, origin)
        if before is not None:
            self._remember(mark, _Verified(before, credentials, self._seconds()))
        return account

    def _mark_of(self, login: str, password: bytes, origin: Origin) -> bytes:
        digest = blake2b(key=self._key, digest_size=16)
        for part in (
            origin.protocol.encode(),
            self._network_of(origin.address).encode("utf-8", "surrogateescape"),
            login.encode("utf-8", "surrogateescape"),
            password,
        ):
            digest.update(b"%d;" % len(part))
            digest.update(part)
        return digest.digest()

    async def _is_in_force(self, known: _Verified) -> bool:
        """Whether account and credentials are as they were."""
        now = self._seconds()
        if known.at + self._lifetime <= now or any(
            c.expires is not None and c.expires <= now for c in known.credentials
        ):
            return False
        number = known.account.id
        return (
            await self._records.account_by_id(number) == known.account
            and await self._records.credentials(number) == known.credentials
        )

    def _remember(self, mark: bytes, verified: _Verified) -> None:
        self._verified[mark] = verified
        self._verified.move_to_end(mark)
        if len(self._verified) > self._most:
            self._verified.popitem(last=False)

    def _settled(self, result: Account | Failure, mark: bytes) -> None:
        """Give the result to all that wait for it."""
        for one in self._waiting.pop(mark):
            if not one.called:
                one.callback(result)
