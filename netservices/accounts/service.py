"""The accounts service: who may log in, and as whom.

Theory.  Every way to log in is an attempt (``accounts.attempts``): the limits are
asked, the wait they impose is waited, something is proved (``accounts.proofs``), and
the outcome is counted once - as failed, succeeded, or abandoned where the peer left or
the server was at fault.  What a peer can observe must not depend on whether a login
exists: an unknown, disabled or expired one costs the same reads and the same one hash
as a wrong password, and all are refused alike.  What is in force is read from the store
at each login, so that a change by another process counts at once.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from netservices.accounts.attempts import Attempts, Proved, WantedLogin
from netservices.accounts.cred import foreign_checker
from netservices.accounts.credentials import (
    NAMESPACE,
    credential_operations,
    generation_key,
)
from netservices.accounts.hashing import Hashing
from netservices.accounts.proofs import Proofs
from netservices.accounts.scram import ScramKeys
from netservices.accounts.settings import AccountsSettings
from netservices.core.deferreds import as_deferred
from netservices.core.limits import Limits
from netservices.core.networks import is_loopback
from netservices.interfaces import (
    IAccountRecords,
    IAccounts,
    IEvents,
    IStore,
    LoginRefused,
    StoreError,
)
from netservices.units import PutValue, Unit
from netservices.values import Account, Origin

if TYPE_CHECKING:
    from netservices.accounts.exchange import Exchange
    from netservices.accounts.sasl import NeedAccount

_SEED = b"scram-seed"


@implementer(IAccounts)
class Accounts:
    """Logs in by password or SASL exchange; see the module's text.

    ``reactor=None`` hashes inline, and refuses where a wait would be due.
    ConfigurationError where ``accounts.checker`` names nothing usable.
    """

    def __init__(
        self,
        records: IAccountRecords,
        store: IStore,
        settings: AccountsSettings,
        limits: Limits,
        events: IEvents,
        reactor: Any | None,
    ) -> None:
        self._records = records
        self._store = store
        self._settings = settings
        self._limits = limits
        self._events = events
        self._hashing = Hashing(settings, reactor)
        self._attempts = Attempts(limits, events, reactor)
        self._proofs = Proofs(
            records,
            store,
            settings,
            self._hashing,
            limits.network_of,
            reactor.seconds if reactor is not None else time.time,
        )
        self._proofs.checker = foreign_checker(settings.checker)
        self._unsubscribe: Callable[[], None] | None = None

    @as_deferred
    async def start(self) -> None:
        """Take logins from now on; the store is open."""
        self._hashing.start()
        self._unsubscribe = self._store.changes.subscribe(self._proofs.changed)
        # Kept, so that the salts of logins that do not exist outlive a restart too.
        seed = await self._store.values.get(NAMESPACE, _SEED)
        if seed is None:
            put = PutValue(NAMESPACE, _SEED, secrets.token_bytes(32), if_absent=True)
            await self._store.apply(Unit((put,)))
            seed = await self._store.values.get(NAMESPACE, _SEED)
        self._proofs.seed = seed or self._proofs.seed

    @as_deferred
    async def stop(self) -> None:
        """Finish hashes under way and forget what is cached."""
        if self._unsubscribe is not None:
            self._unsubscribe()
            self._unsubscribe = None
        await self._hashing.stop()
        await self._proofs.finish()

    # --- what protocols ask ---------------------------------------------------------

    @as_deferred
    async def login(
        self, login: str, password: bytes, origin: Origin, is_person: bool = False
    ) -> Account:
        """The account.  LoginRefused."""
        return await self.log_in_by_password(
            login, password, origin, "password", is_person=is_person
        )

    @as_deferred
    async def generation(self, account_id: int) -> int:
        """How often the account's password was replaced."""
        value = await self._store.values.get(NAMESPACE, generation_key(account_id))
        return int(value or 0)

    def may_use_plaintext(self, origin: Origin) -> bool:
        """Whether a password may travel there without TLS."""
        rule = self._settings.allow_plaintext
        if origin.is_secure or rule == "always":
            return True
        return rule == "loopback" and is_loopback(origin.address)

    def mechanisms(
        self,
        origin: Origin,
        bindings: Mapping[str, bytes] | None = None,
        identity: str = "",
    ) -> tuple[str, ...]:
        """The SASL mechanisms on offer there, strongest first."""
        may_send_password = self.may_use_plaintext(origin)
        is_on_offer = {
            "SCRAM-SHA-256-PLUS": bool(bindings),
            "SCRAM-SHA-256": True,
            "EXTERNAL": bool(identity),
            "PLAIN": may_send_password,
            "LOGIN": may_send_password,
        }
        return tuple(
            name for name in self._settings.mechanisms if is_on_offer.get(name)
        )

    def exchange(
        self,
        mechanism: str,
        origin: Origin,
        bindings: Mapping[str, bytes] | None = None,
        identity: str = "",
        has_success_data: bool = False,
    ) -> Exchange:
        """A SASL exchange; LookupError where it is not offered."""
        from netservices.accounts.exchange import Exchange
        from netservices.accounts.sasl import server_mechanism

        name = mechanism.upper()
        offered = self.mechanisms(origin, bindings, identity)
        if name not in offered:
            raise LookupError(f"{mechanism[:40]!r} is not offered")
        offers_plus = "SCRAM-SHA-256-PLUS" in offered
        made = server_mechanism(name, bindings or {}, identity, offers_plus)
        return Exchange(self, name, made, origin, has_success_data)

    @as_deferred
    async def find(self, login: str) -> Account | None:
        """The account that a login or address names."""
        return await self._proofs.account(await self._proofs.parse(login))

    @as_deferred
    async def domains(self) -> tuple[str, ...]:
        """All domains, the default one first."""
        return tuple(domain.name for domain in await self._records.domains())

    def unlock(self, login_or_address: str) -> bool:
        """Lift the lock-out of a login, address or network; whether there was one."""
        name = login_or_address.strip()
        key = self._proofs.parse_now(name).key
        # The login first: a network has no "@", a login no address.
        if self._limits.unlock(key):
            self._events.emit("unlocked", login=key)
            return True
        if self._limits.unlock(name):
            self._events.emit("unlocked", address=name)
            return True
        return False

    @as_deferred
    async def set_password(self, account_id: int, password: str) -> None:
        """Give an account a new password, durably.  BadPassword, NotFound, Trouble."""
        operations = await self._hashing.call(
            "", credential_operations, account_id, password, self._settings
        )
        await self._store.apply(Unit(operations))

    # --- what SASL exchanges ask ----------------------------------------------------

    async def log_in_by_password(
        self,
        login: str,
        password: bytes,
        origin: Origin,
        mechanism: str,
        authorization: str = "",
        is_person: bool = False,
    ) -> Account:
        """The account of which ``password`` is one.  LoginRefused."""
        wanted = await self._wanted(login)
        if not self.may_use_plaintext(origin):
            refusal = LoginRefused("a password without TLS")
            self._attempts.report_refusal(wanted, origin, mechanism, refusal)
            raise refusal

        async def prove() -> Proved:
            proved = await self._proofs.prove_password(
                wanted, password, origin, is_person
            )
            await self._proofs.check_authorization(proved.account, authorization)
            return proved

        evidence = self._proofs.cache.evidence_of(password)
        return await self._attempts.make(wanted, origin, mechanism, prove, evidence)

    async def log_in_by_proof(
        self,
        login: str,
        origin: Origin,
        mechanism: str,
        proof: Callable[[], NeedAccount],
    ) -> Account:
        """The account of somebody whose ``proof`` raises nothing.  LoginRefused,
        SyntaxProblem."""
        wanted = await self._wanted(login)

        async def prove() -> Proved:
            step = proof()
            account = await self._proofs.prove_login(wanted, origin, mechanism)
            await self._proofs.check_authorization(account, step.authorization)
            return Proved(account)

        return await self._attempts.make(wanted, origin, mechanism, prove)

    async def keys_of(self, login: str) -> ScramKeys:
        """The SCRAM keys of a login; invented ones where it has none.  LoginRefused."""
        return await self._proofs.keys_of(await self._wanted(login))

    async def _wanted(self, login: str) -> WantedLogin:
        try:
            return await self._proofs.parse(login)
        except StoreError as problem:
            raise LoginRefused(f"store: {problem}", is_temporary=True) from problem
