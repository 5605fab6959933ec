"""What a handler does with the session of its request."""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from copy import deepcopy
from hashlib import blake2b
from typing import Any, TypeVar

from attrs import evolve, frozen

from netservices.values import Account
from netservices.web.cookies import SetCookie
from netservices.web.sessions.held import Held
from netservices.web.sessions.record import Record, new_name
from netservices.web.sessions.storage import Sessions

T = TypeVar("T")
Change = Callable[[dict[str, Any]], object]

_SECURE_COOKIE = "__Host-session"
"""The cookie over HTTPS: no other host, and nobody on plain HTTP, can set it."""

_PLAIN_COOKIE = "plain-session"
"""The cookie over plain HTTP."""

_PORTS = {"http": 80, "https": 443}
_TOKEN_OCTETS = 16


@frozen
class Site:
    """Where a session counts: cookies themselves know no ports, nor the scheme."""

    scheme: str
    host: str
    port: int | None = None

    @property
    def is_secure(self) -> bool:
        """Whether it is reached through TLS only."""
        return self.scheme == "https"

    @property
    def cookie(self) -> str:
        """The name of the cookie that names the session."""
        name = _SECURE_COOKIE if self.is_secure else _PLAIN_COOKIE
        return name if self._is_default_port else f"{name}-{self.port}"

    @property
    def text(self) -> str:
        """As an origin (RFC 6454 6.1)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self._is_default_port else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    @property
    def _is_default_port(self) -> bool:
        return self.port is None or self.port == _PORTS.get(self.scheme)


class Session:
    """The session of one request; there is one for everybody, but it is kept, and the
    browser hears of it, only once something is put into it::

        request.session.get("cart", [])
        request.session.change("cart", lambda cart: [*cart, "tea"], [])

    Values are what JSON knows.  A value that was taken out and altered is not kept: put
    it back with ``set``, or say with ``change`` how it changes, which also holds where
    two requests change it at once.  All is kept when the handler has answered, before
    the answer leaves; ``save`` does it earlier.
    """

    __slots__ = (
        "_address",
        "_agent",
        "_changes",
        "_data",
        "_held",
        "_name",
        "_sessions",
        "asked_for",
        "cookie",
        "is_used",
        "site",
    )

    def __init__(
        self, sessions: Sessions, site: Site, address: str, agent: str
    ) -> None:
        self._sessions = sessions
        self.site = site
        self._address = address
        self._agent = agent
        self._name = ""
        self._held: Held | None = None
        self._data: dict[str, Any] | None = None
        """The data as this request sees them; None: as they are kept."""
        self._changes: list[Change] = []
        self.is_used = False
        """Whether the response may depend on it."""
        self.asked_for = ""
        """The name that the browser gave."""
        self.cookie: SetCookie | None = None
        """What the browser has to hear."""

    def found(self, name: str, held: Held) -> None:
        """The browser has named a session that exists."""
        self._name = name
        self._held = held

    # --- values ---------------------------------------------------------------------

    @property
    def exists(self) -> bool:
        """Whether the session is more than an intention."""
        self.is_used = True
        return self.is_kept

    @property
    def is_kept(self) -> bool:
        """The same, for layers: a response does not depend on who asks this."""
        return self._held is not None

    def get(self, key: str, default: Any = None) -> Any:
        """The value of ``key``."""
        return self._seen().get(key, default)

    def __getitem__(self, key: str) -> Any:
        return self._seen()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._seen()

    def __iter__(self) -> Iterator[str]:
        return iter(self._seen())

    def set(self, key: str, value: Any) -> None:
        """Put a value."""
        self._alter(lambda data: data.__setitem__(key, value))

    def discard(self, key: str) -> None:
        """Forget a value, if there is one."""
        if key in self:
            self._alter(lambda data: data.pop(key, None))

    def change(self, key: str, function: Callable[[Any], T], default: Any = None) -> T:
        """Put what ``function`` makes of the value, and return it.  It may be called
        more than once, with what another request has put meanwhile."""

        def change(data: dict[str, Any]) -> None:
            data[key] = function(data[key] if key in data else deepcopy(default))

        self._alter(change)
        changed: T = self._seen()[key]
        return changed

    def _seen(self) -> dict[str, Any]:
        self.is_used = True
        if self._data is None:
            self._data = {} if self._held is None else self._held.copied_data()
        return self._data

    def _alter(self, change: Change) -> None:
        change(self._seen())
        self._changes.append(change)
        if not self._name:
            self._name = new_name()

    # --- keeping --------------------------------------------------------------------

    @property
    def is_changed(self) -> bool:
        """Whether there is something to keep."""
        return bool(self._changes)

    async def save(self) -> None:
        """Keep what was changed, durably.  ValueError for too much, TypeError for what
        is no JSON, StoreError.

        A session that has ended meanwhile stays ended.
        """
        changes, self._changes = self._changes, []
        if not changes:
            return
        if self._held is None:
            self._held = await self._sessions.begin(
                self._name, self._fresh_record(self._data or {})
            )
            self._tell()
            return

        def all_changes(data: dict[str, Any]) -> None:
            for change in changes:
                change(data)

        self._held = await self._sessions.change(self._held, all_changes)
        self._data = None
        if self._held is None:
            self._name = ""

    def give_up(self) -> None:
        """Keep nothing of what was changed."""
        self._changes, self._data, self._name = [], None, ""

    def touch(self) -> None:
        """The session was used, whether or not something was put into it."""
        if self._held is not None:
            self._sessions.touch(self._held)

    # --- login and logout -----------------------------------------------------------

    @property
    def logged_in_at(self) -> float | None:
        """When its account logged in, in seconds since 1970; None: nobody has."""
        self.is_used = True
        if self._held is None or not self._held.record.account:
            return None
        return self._held.record.logged_in

    async def log_in(self, account: Account, generation: int) -> None:
        """From now on it is a session of ``account``, under a new name; what was in it
        stays.  ``generation`` is that of the password, read before it was verified.
        StoreError."""
        await self.save()
        name = new_name()
        self._held = await self._sessions.log_in(
            name, self._held, self._fresh_record({}), account, generation
        )
        self._name = name
        self._data = None
        self._tell()

    async def end(self) -> None:
        """It is no session any more, for anybody who has its name.  StoreError."""
        held, self._held = self._held, None
        self._changes, self._data, self._name = [], None, ""
        self.is_used = True
        if held is not None:
            await self._sessions.end(held)
            self.cookie = self._cookie("", 0)

    def _fresh_record(self, data: dict[str, Any]) -> Record:
        site = self.site.text
        made = self._sessions.new_record(site, self._address, self._agent)
        return evolve(made, data=data)

    def _tell(self) -> None:
        assert self._held is not None
        record = self._held.record
        self.cookie = self._cookie(self._name, int(record.ends - record.created))

    def _cookie(self, value: str, max_age: int) -> SetCookie:
        site = self.site
        return SetCookie(site.cookie, value, max_age=max_age, secure=site.is_secure)

    # --- forms ----------------------------------------------------------------------

    @property
    def form_token(self) -> str:
        """What a form carries to show that it is ours; another one each time, so that
        compressed pages do not give it away.  Empty where there is no session, which
        nobody could abuse either."""
        self.is_used = True
        if not self._name:
            return ""
        pad = secrets.token_bytes(_TOKEN_OCTETS)
        return urlsafe_b64encode(pad + _xor(pad, self._token())).decode()

    def is_form_token(self, text: str) -> bool:
        """Whether a form with that token is ours."""
        try:
            octets = urlsafe_b64decode(text[:80].encode())
        except ValueError:
            return False
        if not self._name or len(octets) != 2 * _TOKEN_OCTETS:
            return False
        pad, rest = octets[:_TOKEN_OCTETS], octets[_TOKEN_OCTETS:]
        return secrets.compare_digest(_xor(pad, rest), self._token())

    def _token(self) -> bytes:
        name = self._name.encode()
        return blake2b(name, digest_size=_TOKEN_OCTETS, person=b"form token").digest()

    def __repr__(self) -> str:
        # The name is a secret.
        return f"<Session {self._held.label if self._held else 'not kept'}>"


def _xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))
