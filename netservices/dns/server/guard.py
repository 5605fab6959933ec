"""What stands between the server and those who would abuse it: cookies, limits of rate,
and who may ask about which zone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from netservices.dns.backend.secrets import (
    COOKIE_SECRETS,
    CookieSecrets,
    SecretKeeper,
)
from netservices.dns.backend.shelf import Shelf
from netservices.dns.backend.zones import ZoneBackend
from netservices.dns.dialogue.answer import Dialogue
from netservices.dns.dialogue.cookies import MAX_AGE_SECONDS, Cookies
from netservices.dns.dialogue.exact import ExactAnswers
from netservices.dns.dialogue.rates import EVERYTHING, Limited, RateLimit, Rates
from netservices.dns.dialogue.reply import CHAOS, DENIAL, ERROR, REFERRAL, WILDCARD
from netservices.dns.options import ZoneOptions
from netservices.dns.rules import AccessList
from netservices.dns.settings import DNSSettings
from netservices.dns.wire.cookies import parse_secret
from netservices.dns.wire.names import name_text
from netservices.plugin import Services

LOOK_SECONDS = 3600.0
"""How often the age of the secret is looked at."""

CALM_SECONDS = 10
"""How long the load has to be low before it counts as low."""

_KINDS = {
    DENIAL: "denials",
    REFERRAL: "referrals",
    WILDCARD: "wildcard answers",
    ERROR: "errors",
    CHAOS: "identity",
    EVERYTHING: "all replies",
}

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


class Guard:
    """Puts cookies, access lists and limits of rate where answers are made."""

    def __init__(
        self,
        settings: DNSSettings,
        services: Services,
        backend: ZoneBackend,
        dialogue: Dialogue,
        exact: ExactAnswers,
    ) -> None:
        """To be made before ``exact.answerer`` is called."""
        self._dialogue = dialogue
        self._exact = exact
        self._events = services.events
        self.secrets = CookieKeeper(settings, services, backend)
        if settings.cookies:
            dialogue.extensions.cookies = self.secrets.cookies
        self.load: Load | None = None
        if settings.cookies and settings.require_cookies:
            above = settings.require_cookies_above
            dialogue.extensions.requires_cookies = not above
            self.load = Load(services.clock, above, self._answered) if above else None
        self.rates: RateLimit | None = None
        if settings.rate_limit or settings.rate_limit_all:
            self.rates = RateLimit(
                rates_of(settings),
                settings.rate_limit_exempt,
                services.clock.seconds,
                self._tell,
            )
            exact.limit = self.rates.limiter()

    async def start(self) -> None:
        """Have a secret, and look at the load."""
        await self.secrets.start()
        if self.load is not None:
            self.load.start(self._require)

    def stop(self) -> None:
        """Look no more."""
        self.secrets.stop()
        if self.load is not None:
            self.load.stop()

    def restrict(self, options: Mapping[bytes, ZoneOptions]) -> None:
        """Take over who may ask about which zone."""
        self._dialogue.policy.restrict(access_lists(options))

    def status(self) -> Mapping[str, Any]:
        """Counts since the start."""
        rates = self.rates
        return {
            "dropped": rates.dropped if rates is not None else 0,
            "slipped": rates.slipped if rates is not None else 0,
            "entries": len(rates) if rates is not None else 0,
            "requires_cookies": self._dialogue.extensions.requires_cookies,
        }

    def _answered(self) -> int:
        """Replies so far."""
        self._exact.settle()
        return sum(self._dialogue.counts.values())

    def _require(self, is_required: bool) -> None:
        if self._dialogue.extensions.requires_cookies != is_required:
            self._dialogue.extensions.requires_cookies = is_required
            self._exact.clear()
            word = "required" if is_required else "not required any more"
            _log.warn("cookies over UDP are {word}", word=word)

    def _tell(self, limited: Limited) -> None:
        kind, name = account_words(limited.account)
        network, replies = limited.network, limited.replies
        _log.warn(
            "replies to {network} are limited: {kind} {name}, {replies} held back",
            network=network,
            kind=kind,
            name=name,
            replies=replies,
        )
        self._events.emit(
            "replies_limited", network=network, kind=kind, name=name, replies=replies
        )


class Load:
    """Looks every second whether there is more to do than ``above`` replies."""

    def __init__(
        self, clock: IReactorTime, above: int, answered: Callable[[], int]
    ) -> None:
        self._clock = clock
        self._above = above
        self._answered = answered
        self._last = 0
        self._call: IDelayedCall | None = None
        self._calm_seconds = 0
        self._told: Callable[[bool], None] = lambda is_high: None

    def start(self, told: Callable[[bool], None]) -> None:
        """``told`` is told every second whether the load is high; it is for
        ``CALM_SECONDS`` after it was."""
        self._told = told
        self._last = self._answered()
        self._call = self._clock.callLater(1.0, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _look(self) -> None:
        self._call = self._clock.callLater(1.0, self._look)
        answered = self._answered()
        is_above = answered - self._last > self._above
        self._last = answered
        self._calm_seconds = 0 if is_above else self._calm_seconds + 1
        if is_above or self._calm_seconds >= CALM_SECONDS:
            self._told(is_above)


def rates_of(settings: DNSSettings) -> Rates:
    """What the settings say."""
    return Rates(
        settings.rate_limit,
        settings.rate_limit_all,
        settings.rate_limit_slip,
        settings.rate_limit_window,
        settings.rate_limit_ipv4_bits,
        settings.rate_limit_ipv6_bits,
        settings.rate_limit_entries,
        settings.rate_limit_log_only,
    )


def account_words(account: bytes) -> tuple[str, str]:
    """What replies of an account are, and about which name."""
    kind = _KINDS.get(account[:1])
    if kind is None:
        return "answers", name_text(account)
    return kind, name_text(account[1:]) if account[1:] else ""


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
