"""Twisted cred, both ways.

``AccountsChecker`` and ``AccountsRealm`` let a ``twisted.cred.portal.Portal`` use our
accounts.  ``ForeignChecker`` lets an existing ``ICredentialsChecker`` (``twistd
--auth`` syntax: ``file:``, ``unix``, or a plugin's own) vouch for passwords that the
store does not know: the account it vouches for must exist here, disabled accounts stay
out, and with ``accounts.create_from_checker`` a missing one is created.  The other
source is asked as ``name`` for the default domain and ``name@domain`` for others, and
each of its answers is counted in the limits like one of ours.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from twisted.cred import strcred
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.cred.error import LoginFailed, UnauthorizedLogin
from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred, maybeDeferred
from zope.interface import Interface, implementer

from netservices.core.deferreds import as_deferred
from netservices.core.errors import ConfigurationError
from netservices.interfaces import IAccounts, LoginRefused
from netservices.values import Account, Origin

Avatar: TypeAlias = tuple[Any, Callable[[], None]]


@implementer(ICredentialsChecker)
class AccountsChecker:
    """Checks names and passwords of Twisted's cred against our accounts.

    The avatar id is the login, ``name@domain``.  ``origin`` says where the credentials
    come from; credentials with an attribute ``origin`` of their own know better, and a
    server that gives each connection its own lets the limits tell peers apart.
    """

    credentialInterfaces = (IUsernamePassword,)  # noqa: N815

    def __init__(self, accounts: IAccounts, origin: Origin) -> None:
        self._accounts = accounts
        self._origin = origin

    @as_deferred
    async def requestAvatarId(self, credentials: Any) -> bytes | tuple[()]:
        """The login.  UnauthorizedLogin; LoginFailed where we are at fault."""
        name, password = credentials.username, credentials.password
        login = name.decode("utf-8", "replace") if isinstance(name, bytes) else name
        octets = password.encode() if isinstance(password, str) else password
        origin = getattr(credentials, "origin", self._origin)
        try:
            account = await self._accounts.login(login, octets, origin)
        except LoginRefused as refusal:
            if refusal.is_temporary:
                raise LoginFailed("try again later") from None
            raise UnauthorizedLogin("login refused") from None
        return account.login.encode()


@implementer(IRealm)
class AccountsRealm:
    """Avatars for our accounts: one maker for each interface that a portal may ask for.

    A maker takes the ``Account`` and the mind and returns ``(avatar, logout)``.
    """

    def __init__(
        self,
        accounts: IAccounts,
        makers: Mapping[type[Interface], Callable[[Account, Any], Avatar]],
    ) -> None:
        self._accounts = accounts
        self._makers = makers

    @as_deferred
    async def requestAvatar(
        self,
        avatarId: bytes | str | tuple[()],  # noqa: N803
        mind: Any,
        *interfaces: Any,
    ) -> tuple[Any, Any, Callable[[], None]]:
        """``(interface, avatar, logout)``; NotImplementedError for unknown
        interfaces."""
        if not isinstance(avatarId, bytes | str):
            raise UnauthorizedLogin("anonymous has no account")
        login = avatarId.decode() if isinstance(avatarId, bytes) else avatarId
        wanted = self._first_known(interfaces)
        account = await self._accounts.find(login)
        if account is None or not account.is_enabled:
            raise UnauthorizedLogin("the account is gone")
        avatar, logout = self._makers[wanted](account, mind)
        return wanted, avatar, logout

    def _first_known(self, interfaces: Iterable[Any]) -> Any:
        for interface in interfaces:
            if interface in self._makers:
                return interface
        raise NotImplementedError(f"no avatar for any of {interfaces!r}")


class ForeignChecker:
    """A Twisted checker as a further source of truth."""

    def __init__(self, checker: ICredentialsChecker) -> None:
        self._checker = checker

    def knows(self, login: str, password: bytes) -> Deferred[bool]:
        """Whether the checker vouches for that password.  Whatever the checker raises
        except for ``UnauthorizedLogin``."""
        credentials = UsernamePassword(login.encode(), password)
        asked: Deferred[Any] = maybeDeferred(self._checker.requestAvatarId, credentials)
        return asked.addCallbacks(_is_avatar, _is_refusal)


def _is_avatar(avatar_id: Any) -> bool:
    # ANONYMOUS is an empty tuple: nobody in particular is not an account.
    return bool(avatar_id)


def _is_refusal(failure: Any) -> bool:
    failure.trap(UnauthorizedLogin)
    return False


def foreign_checker(description: str) -> ForeignChecker | None:
    """The checker that ``accounts.checker`` describes.  ConfigurationError."""
    if not description:
        return None
    kind, _, path = description.partition(":")
    if kind == "file" and not os.path.isfile(path.partition(":")[0]):
        # Twisted's own checker only prints a warning, and then refuses everybody.
        raise ConfigurationError(f"accounts.checker = {description!r}: no such file")
    try:
        checker = strcred.makeChecker(description)
    except (strcred.StrcredException, ValueError, OSError, TypeError) as problem:
        raise ConfigurationError(
            f"accounts.checker = {description!r}: {problem or 'not understood'}; "
            "`twistd --help-auth` lists what there is"
        ) from None
    if not any(map(IUsernamePassword.isOrExtends, checker.credentialInterfaces)):
        raise ConfigurationError(
            f"accounts.checker = {description!r} does not take names and passwords"
        )
    return ForeignChecker(checker)
