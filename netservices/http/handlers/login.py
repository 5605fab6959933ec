"""The pages on which people log in and out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil
from urllib.parse import parse_qsl, quote

from netservices.interfaces import IAccounts, IEvents, LoginRefused
from netservices.web.csrf import FORM_TOKEN
from netservices.web.problems import Problem, method_not_allowed
from netservices.web.request import Request
from netservices.web.response import Response, redirect

LONGEST_FORM = 16 * 1024
_HOME = "/"
_FIELDS = 10


def local_target(text: str) -> str:
    """``text`` where it is a path on this host, else the root: nobody is led to
    another site after his login."""
    # Browsers take a backslash for a slash, and "//host" for another host.
    is_path = text.startswith("/") and not text.startswith(("//", "/\\"))
    is_plain = text.isascii() and text.isprintable() and not set(text) & set(' "<>\\')
    return text if is_path and is_plain and len(text) <= 2048 else _HOME


class LoginPages:
    """``login`` and ``logout`` below the path where it is mounted."""

    def __init__(
        self,
        path: str,
        accounts: IAccounts,
        events: IEvents,
        seconds: Callable[[], float],
    ) -> None:
        self.login_path = f"{path.rstrip('/')}/login"
        self.logout_path = f"{path.rstrip('/')}/logout"
        self._accounts = accounts
        self._events = events
        self._seconds = seconds

    async def __call__(self, request: Request) -> Response:
        """One of the two pages."""
        segments = request.segments
        if segments == ("login",):
            response = await self._login(request)
        elif segments == ("logout",):
            response = await self._logout(request)
        else:
            raise Problem(404)
        response.set("Cache-Control", "no-store")
        return response

    def leads_here(self, request: Request) -> Response | None:
        """Where somebody who looks at a page with a browser logs in; None for
        programs."""
        fields = request.fields
        mode = fields.get("sec-fetch-mode")
        if (
            request.method not in ("GET", "HEAD")
            or "authorization" in fields
            or "text/html" not in fields.get("accept").lower()
            or mode not in ("", "navigate")
            or not self._accounts.may_use_plaintext(request.origin)
        ):
            return None
        wanted = quote(local_target(request.target), safe="/~")
        response = redirect(f"{self.login_path}?next={wanted}")
        response.set("Cache-Control", "no-store")
        return response

    # --- login ----------------------------------------------------------------------

    async def _login(self, request: Request) -> Response:
        if not self._accounts.may_use_plaintext(request.origin):
            raise Problem(403, "Passwords are taken over TLS only: use https.")
        if request.method in ("GET", "HEAD"):
            wanted = dict(_pairs(request.query or "")).get("next", "")
            return self._page(request, local_target(wanted))
        if request.method != "POST":
            raise method_not_allowed("GET", "HEAD", "POST")
        form = await _form(request)
        login, password = form.get("login", ""), form.get("password", "")
        wanted = local_target(form.get("next", ""))
        try:
            before = await self._accounts.find(login)
            # Before the password is verified: one that is replaced meanwhile does not
            # open a session.
            generation = await self._accounts.generation(before.id if before else 0)
            account = await self._accounts.login(
                login, password.encode(), request.origin, is_person=True
            )
        except LoginRefused as refusal:
            return self._refused(request, refusal, wanted, login)
        await request.session.log_in(account, generation)
        return redirect(wanted)

    def _refused(
        self, request: Request, refusal: LoginRefused, wanted: str, login: str
    ) -> Response:
        """The form again, with what is wrong."""
        status, problem, fields = 403, "That is not the right name or password.", []
        if refusal.is_temporary:
            status, problem = 503, "Nobody can log in now; try again in a minute."
            fields = [("Retry-After", "60")]
        elif refusal.retry_after:
            # RFC 6585 4.
            status, seconds = 429, ceil(refusal.retry_after)
            problem = f"There were too many attempts; try again in {_time(seconds)}."
            fields = [("Retry-After", str(seconds))]
        response = self._page(request, wanted, status, problem, login[:320])
        response.fields += fields
        return response

    def _page(
        self,
        request: Request,
        wanted: str,
        status: int = 200,
        problem: str = "",
        name: str = "",
    ) -> Response:
        from netservices.web.pages import page

        account = request.account
        return page(
            "login",
            status,
            title="Log in" if account is None else "Log out",
            problem=problem,
            account="" if account is None else account.login,
            name=name,
            next=wanted,
            login=self.login_path,
            logout=self.logout_path,
            token_field=FORM_TOKEN,
            token=request.session.form_token,
        )

    # --- logout ---------------------------------------------------------------------

    async def _logout(self, request: Request) -> Response:
        if request.method in ("GET", "HEAD"):
            return self._page(request, _HOME)
        if request.method != "POST":
            raise method_not_allowed("GET", "HEAD", "POST")
        session, account = request.session, request.account
        since = session.logged_in_at
        await session.end()
        if since is not None and account is not None:
            self._events.emit(
                "logout",
                **request.origin.event_fields,
                account=account.login,
                seconds=round(self._seconds() - since, 3),
            )
        return redirect(self.login_path)


async def _form(request: Request) -> Mapping[str, str]:
    kind = request.fields.get("content-type").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Problem(415, "A form is wanted.")
    content = await request.body.whole(LONGEST_FORM)
    return dict(_pairs(content.decode("latin-1")))


def _pairs(text: str) -> list[tuple[str, str]]:
    """Names and values of a query or form.  Problem 400."""
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        raise Problem(400, "The form has too many fields.") from None


def _time(seconds: int) -> str:
    return f"{seconds} seconds" if seconds < 120 else f"{ceil(seconds / 60)} minutes"
