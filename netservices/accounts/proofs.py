"""What a login names in the store, and whether a password or proof is right for it.

Everything that decides is read from the store at each attempt; only verified passwords
are cached (``accounts.cache``).  Unknown logins cost the same reads and the same hash.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from netservices.accounts.attempts import Proved, WantedLogin
from netservices.accounts.cache import VerifiedCredentials
from netservices.accounts.cred import ForeignChecker
from netservices.accounts.credentials import (
    credential_meant,
    hash_of,
    needs_renewal,
    renewal_operations,
    scram_credential,
    why_not_now,
)
from netservices.accounts.hashing import Hashing
from netservices.accounts.names import BadName, new_account_name, split_login
from netservices.accounts.passwords import (
    LONGEST_PASSWORD,
    dummy_secret,
    verify_password,
)
from netservices.accounts.scram import ScramKeys, invented_keys
from netservices.accounts.settings import AccountsSettings
from netservices.core.deferreds import as_deferred
from netservices.core.errors import Trouble
from netservices.interfaces import (
    Conflict,
    Exists,
    IAccountRecords,
    IStore,
    LoginRefused,
    StoreError,
)
from netservices.units import CreateAccount, Unit
from netservices.values import (
    Account,
    Credential,
    CredentialKind,
    Notice,
    Origin,
    Topic,
)

_LONGEST_KEY = 320


class Proofs:
    """Looks logins up and proves them; raises ``LoginRefused`` with the reason for the
    log."""

    _log = Logger()

    def __init__(
        self,
        records: IAccountRecords,
        store: IStore,
        settings: AccountsSettings,
        hashing: Hashing,
        network_of: Callable[[str], str],
        seconds: Callable[[], float],
    ) -> None:
        self._records = records
        self._store = store
        self._settings = settings
        self._hashing = hashing
        self._network_of = network_of
        self._seconds = seconds
        self.cache = VerifiedCredentials(
            settings.cache_seconds, settings.cache_entries, seconds
        )
        self.seed = secrets.token_bytes(32)
        self.checker: ForeignChecker | None = None
        self._dummy = dummy_secret(settings)
        self._default_domain = ""
        # How often domains have changed, and by which of these the default was read.
        self._domain_changes = 1
        self._default_read_at = 0
        self._renewals: set[Deferred[None]] = set()

    def changed(self, notices: tuple[Notice, ...]) -> None:
        """What the store says has changed."""
        for notice in notices:
            if notice.topic is Topic.ACCOUNT:
                self.cache.forget(notice.object)
            elif notice.topic is Topic.DOMAIN:
                self._domain_changes += 1

    @as_deferred
    async def finish(self) -> None:
        """Wait for renewals under way, and forget what is cached."""
        await DeferredList(list(self._renewals))
        self.cache.clear()

    # --- looking up -----------------------------------------------------------------

    async def parse(self, login: str) -> WantedLogin:
        """The login in folded form; one that cannot exist keeps its text as key."""
        if self._default_read_at != self._domain_changes:
            changes = self._domain_changes
            domains = await self._records.domains()
            self._default_domain = domains[0].name if domains else ""
            self._default_read_at = changes
        return self.parse_now(login)

    def parse_now(self, login: str) -> WantedLogin:
        """As ``parse``, with the default domain that is known by now."""
        try:
            name, domain = split_login(login, self._default_domain)
        except BadName:
            return WantedLogin(login[:_LONGEST_KEY].lower())
        return WantedLogin(f"{name}@{domain}", name, domain)

    async def account(self, login: WantedLogin) -> Account | None:
        """The account of that login."""
        return await self._records.account(login.name, login.domain)

    async def _look_up(
        self, login: WantedLogin
    ) -> tuple[Account | None, tuple[Credential, ...]]:
        """Account and credentials, with two reads in any case."""
        account = await self.account(login)
        number = account.id if account is not None else 0
        return account, await self._records.credentials(number)

    # --- passwords ------------------------------------------------------------------

    async def prove_password(
        self,
        login: WantedLogin,
        password: bytes,
        origin: Origin,
        is_person: bool = False,
    ) -> Proved:
        """The account of which ``password`` is one, in force here and now; an app
        password is none of a person."""
        account, credentials = await self._look_up(login)
        credential = credential_meant(credentials, password)
        is_cached = credential is not None and self.cache.is_verified(
            self.cache.mark_of(credential, password)
        )
        if not is_cached and not await self._is_right(
            login, credential, password, origin
        ):
            return Proved(await self._ask_checker(login, account, password))
        assert account is not None and credential is not None
        _check_enabled(account)
        self._check_in_force(credential, origin)
        if is_person and credential.kind is CredentialKind.APP_PASSWORD:
            raise LoginRefused("an app password, where a person logs in")
        if not is_cached and needs_renewal(credential, credentials, self._settings):
            self._renew(account, password, origin)
        return Proved(account, credential.label)

    async def _is_right(
        self,
        login: WantedLogin,
        credential: Credential | None,
        password: bytes,
        origin: Origin,
    ) -> bool:
        """One hash, whatever there is to verify."""
        network = self._network_of(origin.address)
        if credential is None or len(password) > LONGEST_PASSWORD:
            await self._hashing.call(
                network, verify_password, self._dummy, password[: LONGEST_PASSWORD + 1]
            )
            return False
        is_right = await self._hashing.call(
            network, verify_password, hash_of(credential), password
        )
        if is_right:
            self.cache.add(self.cache.mark_of(credential, password), login.key)
        return is_right

    def _check_in_force(self, credential: Credential, origin: Origin) -> None:
        reason = why_not_now(credential, origin.protocol, self._seconds())
        if reason:
            raise LoginRefused(reason)

    def _renew(self, account: Account, password: bytes, origin: Origin) -> None:
        """Store the password with today's parameters, behind the login's back."""
        renewal = self._store_anew(account, password, origin)
        if not renewal.called:
            self._renewals.add(renewal)
            renewal.addBoth(lambda _: self._renewals.discard(renewal))

    @as_deferred
    async def _store_anew(
        self, account: Account, password: bytes, origin: Origin
    ) -> None:
        try:
            operations = await self._hashing.call(
                self._network_of(origin.address),
                renewal_operations,
                account,
                password.decode(),
                self._settings,
            )
            await self._store.apply(Unit(operations))
        except (Conflict, Trouble):
            pass  # It changed meanwhile, or we are busy: the next login tries again.
        except Exception:
            self._log.failure("storing the password of {login}", login=account.login)

    # --- the other source of truth --------------------------------------------------

    async def _ask_checker(
        self, login: WantedLogin, account: Account | None, password: bytes
    ) -> Account:
        """The account, if ``accounts.checker`` vouches for the password."""
        wrong = "wrong password" if account is not None else "no such account"
        if self.checker is None or not login.name:
            raise LoginRefused(wrong)
        is_default = login.domain == self._default_domain
        asked = login.name if is_default else login.key
        try:
            is_vouched_for = await self.checker.knows(asked, password)
        except Exception as problem:
            self._log.failure("accounts.checker failed")
            text = f"accounts.checker: {problem}"
            raise LoginRefused(text, is_temporary=True) from problem
        if not is_vouched_for:
            raise LoginRefused(wrong)
        if account is None:
            account = await self._create_vouched(login)
        _check_enabled(account)
        return account

    async def _create_vouched(self, login: WantedLogin) -> Account:
        if not self._settings.create_from_checker:
            raise LoginRefused("accounts.checker vouches for an account that is not")
        try:
            name = new_account_name(login.name)
            await self._store.apply(Unit((CreateAccount(name, login.domain),)))
        except BadName as problem:
            raise LoginRefused(str(problem)) from None
        except Exists:
            pass  # A second connection was faster.
        account = await self.account(login)
        if account is None:
            raise LoginRefused("the account went at once", is_temporary=True)
        return account

    # --- SCRAM and EXTERNAL ---------------------------------------------------------

    async def keys_of(self, login: WantedLogin) -> ScramKeys:
        """The SCRAM keys of a login; invented ones where it has none."""
        try:
            _, credentials = await self._look_up(login)
        except StoreError as problem:
            raise LoginRefused(f"store: {problem}", is_temporary=True) from problem
        found = scram_credential(credentials)
        if found is None:
            iterations = self._settings.scram_iterations
            return invented_keys(self.seed, login.key, iterations)
        return ScramKeys.decode(found.secret)

    async def prove_login(
        self, login: WantedLogin, origin: Origin, mechanism: str
    ) -> Account:
        """The account of a login that was proved otherwise, if it may log in."""
        account, credentials = await self._look_up(login)
        if account is None:
            raise LoginRefused("no such account")
        _check_enabled(account)
        keys = scram_credential(credentials)
        if keys is not None and mechanism.startswith("SCRAM"):
            self._check_in_force(keys, origin)
        return account

    async def check_authorization(self, account: Account, wished: str) -> None:
        """RFC 4422 3.4.1: nobody acts as somebody else here."""
        if not wished:
            return
        login = await self.parse(wished)
        if (login.name, login.domain) != (account.name, account.domain):
            raise LoginRefused(f"{account.login} may not act as {wished[:80]!r}")


def _check_enabled(account: Account) -> None:
    if not account.is_enabled:
        raise LoginRefused("account disabled")
