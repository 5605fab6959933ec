"""Who sent a request: the layer that finds out, and what handlers ask of it.

A handler that needs a login says so::

    account = require_account(request)

and where there is none the peer hears what to do: a program is challenged for a
password (401), or told to take TLS first.  A wrong password that nobody asked for
changes nothing: what is public stays public.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from twisted.python.failure import Failure

from netservices.interfaces import IAccounts, LoginRefused
from netservices.values import Account
from netservices.web.basic import BasicLogins, parse_basic
from netservices.web.handler import Handler, Settled, answer_of
from netservices.web.problems import Problem
from netservices.web.request import Request
from netservices.web.response import Response


class LoginWanted(Problem):
    """What is asked for, only somebody who has logged in may see."""

    def __init__(self, detail: str = "") -> None:
        super().__init__(401, detail or "Log in to see this.")


def require_account(request: Request) -> Account:
    """Who has logged in.  LoginWanted where nobody has: the layer that knows how one
    logs in here makes the answer of it."""
    if request.account is None:
        raise LoginWanted
    return request.account


class Authentication:
    """Finds out who sent a request."""

    def __init__(
        self,
        accounts: IAccounts,
        basic: BasicLogins,
        realm: str,
        login_page: Callable[[Request], Response | None] = lambda request: None,
    ) -> None:
        """``login_page`` leads people to the page where they log in, and leaves
        programs alone."""
        self._accounts = accounts
        self._login_page = login_page
        self._basic = basic
        quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
        # RFC 7617 2.1: passwords come as UTF-8.
        self._challenge = f'Basic realm="{quoted}", charset="UTF-8"'

    def __call__(self, request: Request, handler: Handler) -> Settled:
        """Set ``request.account``, and answer what wants a login."""
        found = None
        if "authorization" in request.fields:
            found = parse_basic(request.fields.get("authorization"))
        if found is None or not self._accounts.may_use_plaintext(request.origin):
            return self._with(None, request, handler)
        login, password = found
        try:
            account = self._basic.account_of(login, password, request.origin)
        except LoginRefused as refusal:
            return self._with(refusal, request, handler)
        if isinstance(account, Account):
            request.account = account
            return self._with(None, request, handler)
        return account.addCallbacks(
            lambda account: self._as_account(account, request, handler),
            lambda failure: self._as_nobody(failure, request, handler),
        )

    def _as_account(
        self, account: Account, request: Request, handler: Handler
    ) -> Settled:
        request.account = account
        return self._with(None, request, handler)

    def _as_nobody(
        self, failure: Failure, request: Request, handler: Handler
    ) -> Settled:
        failure.trap(LoginRefused)
        assert isinstance(failure.value, LoginRefused)
        return self._with(failure.value, request, handler)

    def _with(
        self, refusal: LoginRefused | None, request: Request, handler: Handler
    ) -> Settled:
        """The handler's answer, with words for what wants a login."""
        try:
            answer = answer_of(handler, request)
        except LoginWanted as wanted:
            return self._ask(wanted, request, refusal)
        if isinstance(answer, Response):
            return _personal(answer, request)

        def refused(failure: Failure) -> Response | Failure:
            wanted = failure.value
            if isinstance(wanted, LoginWanted):
                return self._ask(wanted, request, refusal)
            return failure

        return answer.addCallbacks(lambda r: _personal(r, request), refused)

    def _ask(
        self, wanted: LoginWanted, request: Request, refusal: LoginRefused | None
    ) -> Response:
        """Lead people to the page where they log in; what programs hear is a
        Problem."""
        response = self._login_page(request)
        if response is not None:
            return response
        if not self._accounts.may_use_plaintext(request.origin):
            raise Problem(403, "Passwords are taken over TLS only: use https.")
        if refusal is not None and refusal.is_temporary:
            raise Problem(503, "Logins are not possible now.", [("Retry-After", "10")])
        if refusal is not None and refusal.retry_after:
            # RFC 6585 4: how long to wait may be told.
            seconds = str(ceil(refusal.retry_after))
            detail = f"Too many failed logins; try again in {seconds} seconds."
            raise Problem(429, detail, [("Retry-After", seconds)])
        fields = [*wanted.fields, ("WWW-Authenticate", self._challenge)]
        detail = wanted.detail
        if refusal is not None:
            # The same words whether there is such a login or not.
            detail = "That is not the right name or password."
        raise Problem(401, detail, fields)


def _personal(response: Response, request: Request) -> Response:
    """A response to somebody who has logged in holds for nobody else."""
    if "authorization" in request.fields:
        response.lasting = None
    return response
