"""Accounts, certificates and events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import Interface

from netservices.values import (
    Account,
    NameReply,
    Origin,
)


class IAccounts(Interface):
    """Who may log in, and as whom."""

    def login(
        login: str, password: bytes, origin: Origin, is_person: bool = False
    ) -> Deferred[Account]:
        """The account, after as long for an unknown login as for a wrong password.
        LoginRefused; also for an app password where ``is_person`` says that only the
        password of the account itself counts."""

    def generation(account_id: int) -> Deferred[int]:
        """How often the account's password was replaced: what was opened in an earlier
        generation ends."""

    def exchange(
        mechanism: str,
        origin: Origin,
        bindings: Mapping[str, bytes] | None = None,
        identity: str = "",
        has_success_data: bool = False,
    ) -> Any:
        """A SASL exchange (``accounts.exchange.Exchange``); LookupError where not
        offered.

        ``bindings`` are channel binding data by type (RFC 5929, RFC 9266), ``identity``
        what a client certificate proved, ``has_success_data`` says whether the protocol
        can send data with its success (RFC 4422 3.6).
        """

    def mechanisms(
        origin: Origin,
        bindings: Mapping[str, bytes] | None = None,
        identity: str = "",
    ) -> tuple[str, ...]:
        """The SASL mechanisms on offer there, strongest first."""

    def may_use_plaintext(origin: Origin) -> bool:
        """Whether a password may travel there without TLS
        (``accounts.allow_plaintext``)."""

    def find(login: str) -> Deferred[Account | None]:
        """The account that a login or address names: ``name`` is in the default
        domain."""

    def domains() -> Deferred[tuple[str, ...]]:
        """The names of all domains, the default one first."""

    def set_password(account_id: int, password: str) -> Deferred[None]:
        """Give an account a new password, durably.  ValueError (BadPassword) for a bad
        one."""

    def unlock(login_or_address: str) -> bool:
        """Lift a lock-out; whether there was one."""


class IEvents(Interface):
    """What happened, for machines: fixed fields, one session id through a
    connection."""

    def emit(event: str, /, **fields: object) -> None:
        """Record an event of the schema in ``events.py``; unknown names are a bug."""

    def subscribe(sink: Callable[[Mapping[str, object]], None]) -> Callable[[], None]:
        """Add a sink; the result removes it."""


class ICertificates(Interface):
    """TLS identities by name, reread when their files change."""

    def server_context(alpn: tuple[str, ...] = ()) -> Any:
        """An ``ssl.SSLContext`` for servers that answers each SNI with the right
        chain; ask for each connection, so that ticket keys are replaced in time."""

    def private_context(alpn: tuple[str, ...] = ()) -> Any:
        """The same, but the caller's own: a session begun with it resumes with it
        only."""

    def names() -> tuple[str, ...]:
        """The host names for which a certificate is at hand."""

    def is_covered(asked: str, host: str) -> bool:
        """Whether the certificate shown to those who ask for ``asked`` is one for
        ``host``, too."""

    def reload() -> None:
        """Look at the files now."""


class INameAnswers(Interface):
    """Answers to the messages of DNS that come in another protocol's (RFC 8484)."""

    def answer(
        message: bytes, origin: Origin, server: str, tls_version: str
    ) -> NameReply | Deferred[NameReply | None] | None:
        """The reply to ``message``, which came to the address ``server`` of ours; None:
        it is no request at all.  ``tls_version`` is ``TLSv1.3`` and such."""


class IWeb(Interface):
    """The web server, as those see it who have pages in it."""

    def mount(path: str, handler: Any, host: str = "") -> None:
        """Have ``handler``, a ``web.handler.Handler``, answer at ``path`` and below it:
        for that host, or for all.  ValueError where something is there already."""

    def add_patch(media_type: str, patch: Callable[[bytes, bytes], bytes]) -> None:
        """Have PATCH of files understand descriptions of changes in that media type:
        ``patch(content, description)`` gives the new content, or raises ValueError."""
