"""Requests to handlers behind the layer that finds out who sent them."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from netservices.values import Origin
from netservices.web.authentication import Authentication, require_account
from netservices.web.basic import BasicLogins
from netservices.web.body import Body
from netservices.web.csrf import ForgeryCheck
from netservices.web.fields import Fields
from netservices.web.handler import Handler, answer_of, layered
from netservices.web.problems import Problem
from netservices.web.request import Request
from netservices.web.response import Response, text
from netservices.web.sessions import SessionLayer, SessionLimits, Sessions
from tests.accounts.workbench import AccountsTestCase

SECURE = Origin("http", "198.51.100.7", is_secure=True, session="s1")


def whoami(request: Request) -> Response:
    """Tells who has logged in."""
    return text(require_account(request).login)


def basic(login: str, password: str) -> tuple[str, str]:
    """The field that logs in."""
    pair = b64encode(f"{login}:{password}".encode()).decode()
    return "authorization", f"Basic {pair}"


class VisitsTestCase(AccountsTestCase):
    """The accounts ``joe`` and ``ann``, and requests that may be theirs."""

    handler: Handler

    def setUp(self) -> None:
        """A handler that wants a login."""
        super().setUp()
        self.logins = BasicLogins(
            self.accounts,
            self.store.records,
            self.limits.network_of,
            self.clock.seconds,
        )
        self.authentication = Authentication(self.accounts, self.logins, 'the "house"')
        limits = SessionLimits(most_anonymous=20, most_per_account=5)
        self.sessions = Sessions(self.store, limits, self.clock.seconds)
        self.may_begin = 0.0
        self.find_session = SessionLayer(
            self.sessions,
            self.accounts,
            self.store.records,
            lambda address: self.may_begin,
        )
        self.check_origin = ForgeryCheck(["https://friend.example"])
        self.handler = whoami

    def request(self, *fields: tuple[str, str], **changes: Any) -> Request:
        """A request over TLS."""
        made = Request("GET", "/", fields=Fields(fields), scheme="https", host="h")
        made.origin = SECURE
        return evolve(made, **changes)

    def post(self, content: str, *fields: tuple[str, str], **changes: Any) -> Response:
        """The response to a form."""
        body = Body(len(content))
        if content:
            body.feed(content.encode())
            body.finish()
        kind = ("content-type", "application/x-www-form-urlencoded")
        return self.ask(kind, *fields, method="POST", body=body, **changes)

    def begin(self, request: Request) -> Response | Deferred[Response]:
        """What the layers say at once."""
        layers = [self.find_session, self.authentication, self.check_origin]
        return answer_of(layered(layers, self.handler), request)

    def ask(self, *fields: tuple[str, str], **changes: Any) -> Response:
        """The response; a problem is one, too."""
        try:
            answer = self.begin(self.request(*fields, **changes))
            return answer if isinstance(answer, Response) else self.wait(answer)
        except Problem as problem:
            return Response(
                problem.status, list(problem.fields), problem.detail.encode()
            )
