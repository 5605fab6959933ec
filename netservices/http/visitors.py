"""Who visits: the layers that find it out, made from the settings."""

from __future__ import annotations

from twisted.logger import Logger
from twisted.python.failure import Failure

from netservices.http.handlers.login import LoginPages
from netservices.http.layers.access import AccessRules
from netservices.http.rules import Rules
from netservices.http.settings import HTTPSettings
from netservices.interfaces import StoreError
from netservices.plugin import Services
from netservices.web.authentication import Authentication
from netservices.web.basic import BasicLogins
from netservices.web.csrf import ForgeryCheck
from netservices.web.sessions import SessionLayer, SessionLimits, Sessions

_log = Logger()


class Visitors:
    """What is known of those who visit, for the whole server."""

    def __init__(self, settings: HTTPSettings, services: Services) -> None:
        accounts, store = services.accounts, services.store
        seconds, limits = services.clock.seconds, services.limits
        self.sessions = Sessions(store, session_limits(settings), seconds)
        per_minute = settings.new_sessions
        beginnings = limits.buckets(per_minute / 60, per_minute)

        def may_begin(address: str) -> float:
            if limits.is_exempt(address):
                return 0.0
            wait: float = beginnings.take(limits.network_of(address))
            return wait

        self.find_session = SessionLayer(
            self.sessions, accounts, store.records, may_begin
        )
        self.login_pages: LoginPages | None = None
        if settings.login_path:
            self.login_pages = LoginPages(
                settings.login_path, accounts, services.events, seconds
            )
        self.authenticate = authentication_of(services, self.login_pages)
        self._accounts = accounts
        self.check_access = AccessRules(Rules(settings.access), settings.login_path)
        self.check_origin = ForgeryCheck(
            settings.trusted_origins, self.check_access.takes_any_origin
        )

    def reconfigure(self, settings: HTTPSettings) -> None:
        """Take other rules."""
        self.check_access.rules = Rules(settings.access)

    def learn_domain(self) -> None:
        """Ask which domain logins without one are in."""
        asked = self._accounts.domains()
        asked.addCallback(self._learned).addErrback(_unknown_domain)

    def _learned(self, domains: tuple[str, ...]) -> None:
        self.check_access.default_domain = next(iter(domains), "")


def _unknown_domain(failure: Failure) -> None:
    failure.trap(StoreError)
    _log.error("logins without a domain fit no access rule: {why}", why=failure.value)


def authentication_of(
    services: Services, pages: LoginPages | None = None
) -> Authentication:
    """Who may log in, by passwords that come with each request, or on ``pages``."""
    basic = BasicLogins(
        services.accounts,
        services.store.records,
        services.limits.network_of,
        services.clock.seconds,
    )
    parts = services.accounts, basic, services.hostname
    if pages is None:
        return Authentication(*parts)
    return Authentication(*parts, pages.leads_here)


def session_limits(settings: HTTPSettings) -> SessionLimits:
    """What the settings say of sessions."""
    return SessionLimits(
        settings.session_idle,
        settings.session_lifetime,
        settings.session_size,
        settings.sessions_per_account,
        settings.anonymous_sessions,
    )
