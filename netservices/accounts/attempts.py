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
        prove: Callable[[], Coroutine[Any, Any, Account]],
        evidence: int | None = None,
    ) -> Account:
        """The account that ``prove`` proves.  LoginRefused, SyntaxProblem.

        ``evidence`` tells a repeated wrong password from a new guess.
        """
        await self._wait_for_turn(login, origin, mechanism)
        is_settled = False
        try:
            account = await _in_our_terms(prove())
            self._limits.succeeded(login.key, origin.address)
            is_settled = True
        except LoginRefused as refusal:
            if not refusal.is_temporary:
                self._limits.failed(login.key, origin.address, evidence)
                is_settled = True
            self.report_refusal(login, origin, mechanism, str(refusal))
            raise
        finally:
            # The peer left, the server is at fault, or the peer wrote nonsense.
            if not is_settled:
                self._limits.abandoned(login.key, origin.address)
        self._events.emit(
            "login",
            account=account.login,
            protocol=origin.protocol,
            address=origin.address,
            session=origin.session,
            mechanism=mechanism,
        )
        return account

    def report_refusal(
        self, login: WantedLogin, origin: Origin, mechanism: str, reason: str
    ) -> None:
        """Tell machines why somebody did not get in."""
        self._events.emit(
            "login-refused",
            account=login.key,
            protocol=origin.protocol,
            address=origin.address,
            session=origin.session,
            mechanism=mechanism,
            reason=reason,
        )

    async def _wait_for_turn(
        self, login: WantedLogin, origin: Origin, mechanism: str
    ) -> None:
        verdict = self._limits.may_try(login.key, origin.address)
        if isinstance(verdict, LockedOut):
            reason = f"locked out ({verdict.what})"
            self.report_refusal(login, origin, mechanism, reason)
            raise LoginRefused(reason, verdict.seconds)
        if not verdict.seconds:
            return
        try:
            if self._reactor is None:
                raise LoginRefused("too soon after a failure", verdict.seconds)
            await deferLater(self._reactor, verdict.seconds)
        except BaseException:
            self._limits.abandoned(login.key, origin.address)
            raise


async def _in_our_terms(proof: Coroutine[Any, Any, Account]) -> Account:
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
