"""Attempts to log in: when they may be made, what they prove, how they are counted."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import frozen
from twisted.internet.task import deferLater

from netservices.core.errors import ProtocolError, SyntaxProblem, Trouble
from netservices.core.limits import Limits, LockedOut
from netservices.interfaces import IEvents, LoginRefused, StoreError
from netservices.values import Account, Origin


@frozen
class WantedLogin:
    """A login as the peer gave it, and what it names where it can name anything."""

    key: str
    """What it is called in the limits and in events."""
    name: str = ""
    domain: str = ""


@frozen
class Proved:
    """What an attempt proved."""

    account: Account
    label: str = ""
    """The label of the app password that was used."""


class Attempts:
    """The only way in: waits, proves, counts once, reports once."""

    def __init__(self, limits: Limits, events: IEvents, reactor: Any | None) -> None:
        self._limits = limits
        self._events = events
        self._reactor = reactor

    async def make(
        self,
        login: WantedLogin,
        origin: Origin,
        mechanism: str,
        prove: Callable[[], Coroutine[Any, Any, Proved]],
        evidence: int | None = None,
    ) -> Account:
        """The account that ``prove`` proves.  LoginRefused, SyntaxProblem.

        ``evidence`` tells a repeated wrong password from a new guess.
        """
        await self._wait_for_turn(login, origin, mechanism)
        is_settled = False
        try:
            proved = await _in_our_terms(prove())
            self._limits.succeeded(login.key, origin.address)
            is_settled = True
        except LoginRefused as refusal:
            self.report_refusal(login, origin, mechanism, refusal)
            if not refusal.is_temporary:
                self._count_failure(login, origin, evidence)
                is_settled = True
            raise
        finally:
            # The peer left, the server is at fault, or the peer wrote nonsense.
            if not is_settled:
                self._limits.abandoned(login.key, origin.address)
        self._events.emit(
            "login",
            **origin.event_fields,
            account=proved.account.login,
            method=mechanism,
            label=proved.label or None,
        )
        return proved.account

    def report_refusal(
        self, login: WantedLogin, origin: Origin, mechanism: str, refusal: LoginRefused
    ) -> None:
        """Tell machines why somebody did not get in."""
        self._events.emit(
            "login_refused",
            **origin.event_fields,
            login=login.key,
            method=mechanism,
            reason=str(refusal),
            retry_after=refusal.retry_after or None,
        )

    def _count_failure(
        self, login: WantedLogin, origin: Origin, evidence: int | None
    ) -> None:
        if not self._limits.failed(login.key, origin.address, evidence):
            return
        self._events.emit(
            "locked_out",
            **origin.event_fields,
            login=login.key,
            network=self._limits.network_of(origin.address),
            seconds=float(self._limits.settings.lockout),
        )

    async def _wait_for_turn(
        self, login: WantedLogin, origin: Origin, mechanism: str
    ) -> None:
        verdict = self._limits.may_try(login.key, origin.address)
        if isinstance(verdict, LockedOut):
            refusal = LoginRefused(f"locked out ({verdict.what})", verdict.seconds)
            self.report_refusal(login, origin, mechanism, refusal)
            raise refusal
        if not verdict.seconds:
            return
        try:
            if self._reactor is None:
                raise LoginRefused("too soon after a failure", verdict.seconds)
            await deferLater(self._reactor, verdict.seconds)
        except BaseException:
            self._limits.abandoned(login.key, origin.address)
            raise


async def _in_our_terms(proof: Coroutine[Any, Any, Proved]) -> Proved:
    """What ``proof`` proves; policy, trouble and the store speak ``LoginRefused``."""
    try:
        return await proof
    except SyntaxProblem:
        raise
    except Trouble as problem:
        raise LoginRefused(problem.log_text, is_temporary=True) from problem
    except ProtocolError as problem:
        raise LoginRefused(problem.log_text) from problem
    except StoreError as problem:
        raise LoginRefused(f"store: {problem}", is_temporary=True) from problem
