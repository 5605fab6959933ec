"""The layer that finds the session of a request, and keeps what was put into it."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from netservices.core.deferreds import drive
from netservices.interfaces import IAccountRecords, IAccounts
from netservices.web.cookies import add_cookie, parse_cookies
from netservices.web.handler import Handler, Settled, answer_of
from netservices.web.problems import Problem
from netservices.web.request import Request
from netservices.web.response import Response
from netservices.web.sessions.held import Held
from netservices.web.sessions.session import Session, Site
from netservices.web.sessions.storage import Sessions


class SessionLayer:
    """Sets ``request.session``, and ``request.account`` where the session's account is
    in force.

    ``may_begin(address)`` gives 0.0 where a session without a login may begin there,
    else the seconds until one may.
    """

    def __init__(
        self,
        sessions: Sessions,
        accounts: IAccounts,
        records: IAccountRecords,
        may_begin: Callable[[str], float],
    ) -> None:
        self._sessions = sessions
        self._accounts = accounts
        self._records = records
        self._may_begin = may_begin

    def __call__(self, request: Request, handler: Handler) -> Settled:
        """Find the session, let the handler answer, keep the session."""
        session = Session(
            self._sessions,
            Site(request.scheme, request.host, request.port),
            request.origin.address,
            request.fields.get("user-agent"),
        )
        request.session = session
        if "cookie" in request.fields:
            # Of several that differ, one at least is not ours.
            cookies = parse_cookies(request.fields.get("cookie"))
            name = cookies.only(session.site.cookie)
            if name:
                return drive(self._visit(request, session, name, handler))
        return self._finish(answer_of(handler, request), request, session)

    async def _visit(
        self, request: Request, session: Session, name: str, handler: Handler
    ) -> Response:
        session.asked_for = name
        held = await self._sessions.find(name)
        if held is not None and held.record.site == session.site.text:
            await self._recognise(request, session, name, held)
        answer = self._finish(answer_of(handler, request), request, session)
        return answer if isinstance(answer, Response) else await answer

    async def _recognise(
        self, request: Request, session: Session, name: str, held: Held
    ) -> None:
        """Take the session for that of the request, if it counts here and now."""
        record = held.record
        if record.account:
            if not self._accounts.may_use_plaintext(request.origin):
                return
            account = await self._records.account_by_id(record.account)
            generation = await self._accounts.generation(record.account)
            is_in_force = account is not None and account.is_enabled
            if not is_in_force or generation != record.generation:
                self._sessions.forget(held)
                return
            request.account = account
        session.found(name, held)

    def _finish(self, answer: Settled, request: Request, session: Session) -> Settled:
        """Keep what was changed, and say so, before the answer leaves."""
        if not isinstance(answer, Response):
            return answer.addCallback(self._finish, request, session)
        if session.is_changed:
            return drive(self._keep(answer, request, session))
        return _marked(answer, session)

    async def _keep(
        self, response: Response, request: Request, session: Session
    ) -> Response:
        try:
            if not session.exists:
                if await self._sessions.has_moved(session.asked_for):
                    # It was sent just before the answer to a login: the session of that
                    # must not be pushed out of the browser.
                    session.give_up()
                    return _marked(response, session)
                self._check_may_begin(request)
            await session.save()
        except ValueError:
            response.close()
            raise Problem(413, "That is more than a session holds.") from None
        except BaseException:
            response.close()
            raise
        return _marked(response, session)

    def _check_may_begin(self, request: Request) -> None:
        seconds = self._may_begin(request.origin.address)
        if seconds:
            wait = str(ceil(min(seconds, 3600)))
            detail = "Too many new visitors come from your network."
            raise Problem(429, detail, [("Retry-After", wait)])


def _marked(response: Response, session: Session) -> Response:
    """A response that depends on the session is for this browser alone."""
    if session.is_used:
        session.touch()
        response.lasting = None
        response.vary("Cookie")
        if not response.get("Cache-Control"):
            # RFC 9111 5.2.2: no shared cache keeps it, and no browser shows it again
            # after the logout without asking.
            response.add("Cache-Control", "private, no-cache")
    if session.cookie is not None:
        add_cookie(response, session.cookie)
    return response
