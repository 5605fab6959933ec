"""A SASL exchange driven over the accounts service: what a protocol's AUTH uses.

A protocol hands over what the client sent and gets a ``Challenge`` to send, or
``Success``; everything else is raised: ``SyntaxProblem`` (also for a cancelled
exchange, which the protocol notices itself), ``Refused`` and ``LoginRefused``.  One
exchange serves one attempt::

    exchange = accounts.exchange("SCRAM-SHA-256", origin)
    outcome = await exchange.start(initial_response)
    while isinstance(outcome, Challenge):
        outcome = await exchange.step(await ask_client(outcome.data))
    account = outcome.account
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from attrs import frozen

from netservices.accounts.sasl import (
    Challenge,
    Mechanism,
    NeedAccount,
    NeedKeys,
    NeedPassword,
    Scram,
    Step,
)
from netservices.core.deferreds import as_deferred
from netservices.core.errors import SyntaxProblem
from netservices.values import Account, Origin

if TYPE_CHECKING:
    from netservices.accounts.service import Accounts


@frozen
class Success:
    """The client has logged in; ``data``, if any, goes out with the success."""

    account: Account
    data: bytes | None = None


Outcome: TypeAlias = Challenge | Success


class Exchange:
    """One attempt to log in with one mechanism.

    ``has_success_data`` says whether the protocol can send data with its success
    (RFC 4422 3.6); where it cannot (SMTP, POP3, IMAP) they go out as one more
    challenge, to which the client answers with nothing.
    """

    def __init__(
        self,
        accounts: Accounts,
        name: str,
        mechanism: Mechanism,
        origin: Origin,
        has_success_data: bool = False,
    ) -> None:
        self.name = name
        self._accounts = accounts
        self._mechanism = mechanism
        self._origin = origin
        self._has_success_data = has_success_data
        self._login: str | None = None
        self._success: Success | None = None
        self._is_over = False

    @as_deferred
    async def start(self, initial_response: bytes | None = None) -> Outcome:
        """The first step; ``None`` where the client sent no initial response."""
        return await self._settle(self._mechanism.start(initial_response))

    @as_deferred
    async def step(self, response: bytes) -> Outcome:
        """The step after the client answered a challenge."""
        if self._is_over:
            raise SyntaxProblem("a response after the end of the exchange")
        if self._success is not None:
            return self._finish(response)
        if self._login is not None:
            return await self._check_proof(self._login, response)
        return await self._settle(self._mechanism.step(response))

    async def _settle(self, step: Step) -> Outcome:
        if isinstance(step, Challenge):
            return step
        if isinstance(step, NeedKeys):
            assert isinstance(self._mechanism, Scram)
            self._login = step.login
            return self._mechanism.keys_found(await self._accounts.keys_of(step.login))
        self._is_over = True
        if isinstance(step, NeedPassword):
            account = await self._accounts.log_in_by_password(
                step.login, step.password, self._origin, self.name, step.authorization
            )
        else:
            account = await self._accounts.log_in_by_proof(
                step.login, self._origin, self.name, lambda: step
            )
        return Success(account)

    async def _check_proof(self, login: str, response: bytes) -> Outcome:
        """The client-final-message of SCRAM is one attempt, counted as any other."""
        steps: list[NeedAccount] = []

        def prove() -> NeedAccount:
            step = self._mechanism.step(response)
            assert isinstance(step, NeedAccount)
            steps.append(step)
            return step

        self._is_over = True
        account = await self._accounts.log_in_by_proof(
            login, self._origin, self.name, prove
        )
        success = Success(account, steps[0].data)
        if self._has_success_data or success.data is None:
            return success
        self._is_over, self._success = False, success
        assert success.data is not None
        return Challenge(success.data)

    def _finish(self, response: bytes) -> Success:
        """The client has seen the server's proof and says nothing more."""
        assert self._success is not None
        self._is_over = True
        if response:
            raise SyntaxProblem("an answer to the server's proof")
        return Success(self._success.account)
