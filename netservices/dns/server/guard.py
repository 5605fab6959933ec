"""What stands between the server and those who would abuse it: cookies, and who may
ask about which zone."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from netservices.dns.backend.secrets import (
    COOKIE_SECRETS,
    CookieSecrets,
    SecretKeeper,
)
from netservices.dns.backend.shelf import Shelf
from netservices.dns.backend.zones import ZoneBackend
from netservices.dns.dialogue.cookies import MAX_AGE_SECONDS, Cookies
from netservices.dns.options import ZoneOptions
from netservices.dns.rules import AccessList
from netservices.dns.settings import DNSSettings
from netservices.dns.wire.cookies import parse_secret
from netservices.dns.wire.names import name_text
from netservices.plugin import Services

LOOK_SECONDS = 3600.0
"""How often the age of the secret is looked at."""

_log = Logger()


class CookieKeeper:
    """Gives ``cookies`` their secrets: those of the settings, or the store's own."""

    def __init__(
        self, settings: DNSSettings, services: Services, backend: ZoneBackend
    ) -> None:
        self.cookies = Cookies(services.clock.seconds)
        self._clock = services.clock
        self._call: IDelayedCall | None = None
        self._keeper: SecretKeeper | None = None
        if settings.cookie_secrets:
            self.cookies.secrets = tuple(map(parse_secret, settings.cookie_secrets))
            return
        shelf: Shelf[CookieSecrets] = Shelf(
            services.store, COOKIE_SECRETS, self._changed, _complain
        )
        backend.shelves.append(shelf)
        lifetime = settings.cookie_secret_lifetime
        self._keeper = SecretKeeper(
            services.store, shelf, lifetime, services.clock.seconds
        )

    async def start(self) -> None:
        """Have a secret, now and from now on."""
        if self._keeper is None:
            return
        try:
            await self._keeper.renew()
        except Exception:
            # Cookies go on with the secret that there is.
            _log.failure("the secret of the cookies cannot be kept")
        self._changed()
        self._call = self._clock.callLater(LOOK_SECONDS, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _look(self) -> None:
        self._call = None
        Deferred.fromCoroutine(self.start())

    def _changed(self) -> None:
        held = self._keeper.secrets if self._keeper is not None else None
        if held is not None:
            now = self._clock.seconds()
            self.cookies.secrets = held.in_force(now, MAX_AGE_SECONDS + LOOK_SECONDS)


def access_lists(options: Mapping[bytes, ZoneOptions]) -> dict[bytes, AccessList]:
    """Who may ask, by zone, where that is not everybody."""
    found: dict[bytes, AccessList] = {}
    for zone, option in options.items():
        if option.allow_query:
            try:
                found[zone] = AccessList(option.allow_query)
            except ValueError as problem:
                # Rather nobody than everybody.
                found[zone] = AccessList(())
                _complain(f"{name_text(zone)}: {problem}")
    return found


def _complain(problem: str) -> None:
    _log.warn("{problem}", problem=problem)
