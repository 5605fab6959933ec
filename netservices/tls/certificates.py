"""The certificates of the server: which one for which name, always the files' newest.

Theory.  A *front* context goes to the layer.  It holds no certificate: its SNI hook
moves each handshake to the context of the identity that fits the name asked for, or of
the default one.  So a renewed certificate is served from the next handshake on, while
listeners keep their front; and sessions resume across renewals, because ticket keys
belong to the front.  A front from ``server_context`` is shared until its ticket keys
are too old; one from ``private_context`` is its caller's alone, so that a session begun
with it resumes with it and nowhere else (FTP binds data connections to the control
connection that way).

Files are looked at (one ``stat`` each) when a handshake comes and the last look is
``reload_interval`` ago, and at ``reload``.  At the start a broken file stops the
program; later it is logged in one line and the identity read before stays.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from netservices.core.errors import ConfigurationError, StartupError
from netservices.interfaces import ICertificates
from netservices.tls.identity import (
    CertificateProblem,
    Identity,
    Pair,
    Stamp,
    covers,
    find_pairs,
    read_identity,
)
from netservices.tls.settings import TLSSettings

SELF_SIGNED = os.path.join("tls", "self-signed.pem")
"""Below the state directory."""

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def _utc_now() -> datetime:
    return datetime.now(UTC)


@implementer(ICertificates)
class Certificates:
    """Identities by name; see the module's theory.

    ``seconds`` is a steady clock, ``now`` the date.  ConfigurationError where a
    setting or a certificate file is wrong.
    """

    _log = Logger()

    def __init__(
        self,
        settings: TLSSettings,
        state_directory: str,
        hostname: str,
        seconds: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self._settings = settings
        self._hostname = hostname.lower().rstrip(".")
        self._self_signed = Pair(*[os.path.join(state_directory, SELF_SIGNED)] * 2)
        self._seconds = seconds
        self._now = now
        self._identities: dict[Pair, Identity] = {}
        self._broken: dict[Pair, Stamp | None] = {}
        self._by_name: dict[str, Identity] = {}
        self._default: Identity | None = None
        self._fronts: dict[tuple[str, ...], tuple[ssl.SSLContext, float]] = {}
        self._looked_at = seconds()
        self._bare_context(())
        if settings.certificates:
            self._load_directory()

    # --- for protocols --------------------------------------------------------------

    def server_context(self, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
        """A context that answers each SNI with the right chain; ask again for each
        connection, so that the keys of session tickets are replaced in time."""
        now = self._seconds()
        front, made_at = self._fronts.get(alpn, (None, 0.0))
        if front is None or now - made_at >= self._settings.ticket_key_lifetime:
            front = self.private_context(alpn)
            self._fronts[alpn] = front, now
        return front

    def private_context(self, alpn: tuple[str, ...] = ()) -> ssl.SSLContext:
        """A context of the caller's own: sessions begun with it resume with it only."""
        self._ensure_identity()
        front = self._bare_context(alpn)
        front.sni_callback = partial(self._show, alpn)
        return front

    def names(self) -> tuple[str, ...]:
        """The host names for which a certificate is at hand."""
        self._ensure_identity()
        return tuple(sorted(self._by_name))

    def is_covered(self, asked: str, host: str) -> bool:
        """Whether what is shown for ``asked`` is a certificate for ``host``."""
        self._ensure_identity()
        return covers(self.identity_for(asked).names, host.lower().rstrip("."))

    def reload(self) -> None:
        """Look at the files now; what is wrong with them is logged."""
        self._looked_at = self._seconds()
        if self._settings.certificates:
            self._look()
        if self._self_signed in self._identities:
            self._renew_self_signed()
        self._warn_of_expiry()

    # --- during a handshake ---------------------------------------------------------

    def _show(
        self, alpn: tuple[str, ...], handshake: Any, name: str | None, _context: Any
    ) -> int | None:
        """The SNI hook: move the handshake to the right identity's context."""
        try:
            if self._seconds() - self._looked_at >= self._settings.reload_interval:
                self.reload()
            handshake.server_name = name
            identity = self.identity_for(name or "")
            handshake.context = identity.context(alpn, self._bare_context)
        except Exception:
            self._log.failure("choosing a certificate for {name!r}", name=name)
            return int(ssl.AlertDescription.ALERT_DESCRIPTION_INTERNAL_ERROR)
        return None

    def identity_for(self, name: str) -> Identity:
        """What is shown to a client that asks for ``name``; the default one for names
        unknown here, since refusing them helps nobody."""
        name = name.lower().rstrip(".")
        _, _, parent = name.partition(".")
        found = self._by_name.get(name) or self._by_name.get(f"*.{parent}")
        found = found or self._default
        assert found is not None
        return found

    def _bare_context(self, alpn: tuple[str, ...]) -> ssl.SSLContext:
        """A server's context without certificate, as the settings want it.
        ConfigurationError."""
        settings = self._settings
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = _VERSIONS[settings.minimum_version]
        # RFC 5246 7.2.2: no_renegotiation is the answer to who asks for another one.
        context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
        # RFC 5077 3: tickets, so that resuming costs no memory here.
        context.num_tickets = settings.session_tickets
        if not settings.session_tickets:
            context.options |= ssl.OP_NO_TICKET
        if settings.ciphers:
            try:
                context.set_ciphers(settings.ciphers)
            except ssl.SSLError:
                raise ConfigurationError(
                    f"tls.ciphers: OpenSSL knows no cipher in {settings.ciphers!r}"
                ) from None
        if settings.client_authorities:
            self._ask_for_certificates(context, settings.client_authorities)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context

    def _ask_for_certificates(self, context: ssl.SSLContext, path: str) -> None:
        try:
            context.load_verify_locations(path)
        except OSError as error:
            reason = error.strerror or "holds no PEM certificate"
            raise ConfigurationError(
                f"tls.client_authorities: {path}: {reason}"
            ) from None
        context.verify_mode = ssl.CERT_OPTIONAL

    # --- the files ------------------------------------------------------------------

    def _load_directory(self) -> None:
        """The first look: whatever is wrong stops the program."""
        for pair in self._pairs():
            try:
                self._take(pair)
            except CertificateProblem as problem:
                raise ConfigurationError(f"tls.certificates: {problem}") from None
        if not self._identities:
            self._log.warn(
                "tls.certificates: {directory} holds no certificates",
                directory=self._settings.certificates,
            )
        self._index()
        self._warn_of_expiry()

    def _pairs(self) -> list[Pair]:
        directory = self._settings.certificates
        try:
            return find_pairs(directory)
        except OSError as error:
            raise ConfigurationError(
                f"tls.certificates: {directory}: {error.strerror}; leave the setting"
                " empty for a self-signed certificate"
            ) from None

    def _take(self, pair: Pair) -> None:
        """Read one pair and serve it from now on.  CertificateProblem."""
        identity = read_identity(pair)
        identity.context((), self._bare_context)
        self._identities[pair] = identity

    def _look(self) -> None:
        """Reread what has changed, forget what is gone."""
        try:
            pairs = self._pairs()
        except ConfigurationError as error:
            self._log.error("{error}; serving what was read before", error=str(error))
            return
        for pair in pairs:
            self._refresh(pair)
        known = [pair for pair in self._identities if pair != self._self_signed]
        gone = [pair for pair in known if pair not in pairs]
        if len(gone) < len(known):
            for pair in gone:
                del self._identities[pair]
        self._index()

    def _refresh(self, pair: Pair) -> None:
        """Reread one pair if it changed; a broken one is logged once."""
        stamp = None
        try:
            stamp = pair.stamp()
            known = self._identities.get(pair)
            if known is not None and known.stamp == stamp:
                return
            if self._broken.get(pair) == stamp:
                return
            self._take(pair)
            self._broken.pop(pair, None)
            self._log.info("new certificate in {path}", path=pair.certificate)
        except CertificateProblem as problem:
            if pair not in self._broken or self._broken[pair] != stamp:
                self._log.error(
                    "{problem}; {instead}",
                    problem=str(problem),
                    instead="the one read before is served on"
                    if pair in self._identities
                    else "it is not served",
                )
            self._broken[pair] = stamp

    def _index(self) -> None:
        """Who is shown for which name: of two, the one that is valid longest, then the
        one whose file name comes first."""
        real = [
            one for pair, one in self._identities.items() if pair != self._self_signed
        ]
        usable = sorted(
            real or self._identities.values(),
            key=lambda one: one.pair.certificate,
            reverse=True,
        )
        usable.sort(key=lambda one: one.not_after)
        self._by_name = {name: one for one in usable for name in one.names}
        fitting = [one for one in usable if covers(one.names, self._hostname)]
        first = min(usable, key=lambda one: one.pair.certificate, default=None)
        self._default = fitting[-1] if fitting else first

    def _warn_of_expiry(self) -> None:
        now = self._now()
        for identity in self._identities.values():
            if identity.not_after <= now:
                verb = "expired on"
            elif identity.not_after - now <= timedelta(
                seconds=float(self._settings.warn_before)
            ):
                verb = "expires on"
            else:
                continue
            if identity.warned_of != verb:
                identity.warned_of = verb
                self._log.warn(
                    "the certificate in {path} {verb} {date}",
                    path=identity.pair.certificate,
                    verb=verb,
                    date=identity.not_after.strftime("%Y-%m-%d %H:%M UTC"),
                )

    # --- the self-signed one --------------------------------------------------------

    def _ensure_identity(self) -> None:
        """With no certificate at hand, make one or take the one made before."""
        if self._identities:
            return
        self._renew_self_signed()
        self._log.warn(
            "clients will warn of the self-signed certificate {path}: put real ones"
            " into the directory that tls.certificates names",
            path=self._self_signed.certificate,
        )

    def _renew_self_signed(self) -> None:
        """Read our own certificate; make a new one where it is missing, broken, for
        another name or nearly expired."""
        path = self._self_signed.certificate
        lifetime = timedelta(seconds=float(self._settings.self_signed_lifetime))
        try:
            known = self._identities.get(self._self_signed)
            if known is None or known.stamp != self._self_signed.stamp():
                known = read_identity(self._self_signed)
            is_good = (
                known.not_after - self._now() > min(timedelta(days=30), lifetime / 2)
                and self._hostname in known.names
            )
        except CertificateProblem:
            is_good = False
        try:
            if not is_good:
                self._make_self_signed(path, lifetime)
            known = self._identities.get(self._self_signed)
            if known is None or known.stamp != self._self_signed.stamp():
                self._take(self._self_signed)
                self._index()
        except (OSError, CertificateProblem) as error:
            if self._identities:
                self._log.error("no new certificate: {error}", error=str(error))
                return
            raise StartupError(f"no certificate can be made: {error}") from None

    def _make_self_signed(self, path: str, lifetime: timedelta) -> None:
        from netservices.tls.selfsigned import make_self_signed, store_private

        pem = make_self_signed(self._hostname, self._now(), lifetime)
        store_private(path, pem)
        self._log.info("made a self-signed certificate in {path}", path=path)
