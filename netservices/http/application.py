"""Which handler answers, and the layers around it."""

from __future__ import annotations

from zope.interface import implementer

from netservices.http.backend import Sites
from netservices.http.guests import Guests
from netservices.http.handlers.dav.handler import DAV
from netservices.http.handlers.dav.patching import Patch
from netservices.http.handlers.files import FilesHandler
from netservices.http.handlers.whole import whole_server
from netservices.http.handlers.writing import SiteWriting
from netservices.http.layers.apart import AccountPages
from netservices.http.layers.errors import ShowErrors
from netservices.http.layers.headers import SecurityHeaders
from netservices.http.layers.misdirected import CoveredHosts
from netservices.http.layers.moves import Moves
from netservices.http.layers.rates import RequestRates
from netservices.http.layers.secure import RequireTLS, tls_port
from netservices.http.mounts import Mounts
from netservices.http.settings import HTTPSettings
from netservices.http.visitors import Visitors
from netservices.interfaces import INameAnswers, IWeb
from netservices.plugin import Services
from netservices.web.compression import Compression
from netservices.web.handler import Handler, Layer, layered
from netservices.web.request import Request
from netservices.web.response import Answer


@implementer(IWeb)
class Application:
    """All that a request meets between its connection and what it asks for.

    From the outside in: ``layers``, then the mount with the longest prefix of the path,
    then the site.
    """

    def __init__(self, settings: HTTPSettings, services: Services) -> None:
        self.settings = settings
        self.services = services
        self.mounts = Mounts()
        """Handlers by the leading segments of their paths."""
        self.sites = Sites(
            settings, services.files, services.accounts, services.clock.seconds
        )
        self.visitors = Visitors(settings, services)
        check = self.visitors.check_access.check
        self.dav = DAV(settings, services, check=check)
        if settings.webdav:
            self.mount(settings.webdav, self.dav)
        if self.visitors.login_pages is not None:
            self.mount(settings.login_path, self.visitors.login_pages)
        self.files = FilesHandler(self.sites, services.clock.seconds)
        self.site: Handler = SiteWriting(
            settings, services, self.sites, self.visitors.check_access, self.files
        )
        self.compression = Compression(settings.compression, settings.compress_from)
        self.guests = Guests(settings, services)
        self.rates: RequestRates | None = None
        if settings.requests_per_second:
            self.rates = RequestRates(settings, services.limits)
        self.layers: list[Layer] = [
            SecurityHeaders(settings),
            AccountPages(settings),
            ShowErrors(self.sites.error_page),
            *([] if self.rates is None else [self.rates]),
            CoveredHosts(services.certificates),
            RequireTLS(settings, tls_port(settings, services.settings)),
            Moves(settings.moves),
            self.visitors.find_session,
            self.visitors.authenticate,
            self.visitors.check_origin,
            self.visitors.check_access,
            self.compression,
        ]
        self.handle = layered(self.layers, self.route)

    def reconfigure(self, settings: HTTPSettings) -> None:
        """Take other settings, as far as they may change while the server runs."""
        self.sites.reconfigure(settings)
        self.files.reconfigure(settings)
        self.compression.reconfigure(settings.compression, settings.compress_from)
        self.visitors.reconfigure(settings)

    def route(self, request: Request) -> Answer:
        """The answer of what is mounted at the path, or of the site."""
        if request.path in ("*", ""):
            return whole_server(request)
        if self.mounts and not self._is_for_accounts(request):
            found = self.mounts.find(request.host, request.segments)
            if found is not None:
                handler, depth = found
                return handler(request.below(depth))
        return self.site(request)

    def _is_for_accounts(self, request: Request) -> bool:
        """Whether the host shows pages of accounts and nothing else: nobody logs in
        beside them."""
        return bool(request.host) and request.host == self.settings.account_host

    def mount(self, path: str, handler: Handler, host: str = "") -> None:
        """Have ``handler`` answer at ``path`` and below it; see ``IWeb``."""
        self.mounts.add(path, handler, host)
        # Answers of what it hides hold no longer.
        self.sites.forget()

    def add_patch(self, media_type: str, patch: Patch) -> None:
        """Have PATCH understand one more media type; see ``IWeb``."""
        self.dav.patches[media_type.lower()] = patch

    async def start(self) -> None:
        """Take in what the other protocols offer, and the applications of others.
        ConfigurationError, StartupError."""
        self.visitors.learn_domain()
        await self.guests.start(self.mount)
        names = self.services.partners.find(INameAnswers)
        if names is not None and self.settings.dns_path:
            # Only here: a server without DNS does without.
            from netservices.http.handlers.doh import NamesHandler

            self.mount(
                self.settings.dns_path,
                NamesHandler(names, self.settings.dns_plaintext),
            )

    async def stop(self) -> None:
        """End what runs beside the requests."""
        await self.guests.stop()
