"""Pages of accounts are kept apart from what the server itself does on a host.

Theory.  Browsers know origins, not paths: a script below ``/~mallory/`` may do all that
the host's other pages may, with the session of whoever looks at it.  Two things keep
the two apart.  A page in a sandbox (CSP level 3, 6.3.2) has an origin of its own that
equals no other: its requests bring no cookies, it reads no answer, and what it sends
counts as sent from another site, which ``web.csrf`` refuses.  Or such pages have a host
of their own, on which nobody logs in.
"""

from __future__ import annotations

from netservices.http.settings import HTTPSettings
from netservices.web.handler import Handler, Settled, after, answer_of
from netservices.web.problems import Problem
from netservices.web.request import Request
from netservices.web.response import Response, redirect

SANDBOX = (
    "sandbox allow-downloads allow-forms allow-modals allow-popups"
    " allow-popups-to-escape-sandbox allow-scripts"
    " allow-top-navigation-by-user-activation"
)
"""The policy: scripts run, but as strangers."""

_FIELD = "Content-Security-Policy"

# Browsers show it with a viewer of their own, which a sandbox keeps from starting.
_NEEDS_NONE = "application/pdf"


class AccountPages:
    """The layer, around that of errors: an account's own page for an error is one of
    its pages, too."""

    def __init__(self, settings: HTTPSettings) -> None:
        self._host = settings.account_host
        self._has_sandbox = settings.account_sandbox

    def __call__(self, request: Request, handler: Handler) -> Settled:
        """Pages of accounts go to their host, or into the sandbox."""
        if not self._is_theirs(request):
            return answer_of(handler, request)
        if self._host and request.host != self._host:
            return redirect(self._there(request), 307)
        answer = answer_of(handler, request)
        if self._host or not self._has_sandbox:
            return answer
        return after(answer, _confine)

    def _is_theirs(self, request: Request) -> bool:
        path = request.path
        # Most paths have neither, and need not be taken apart.
        if "~" not in path and "%" not in path:
            return False
        try:
            segments = request.segments
        except Problem:
            return False
        return bool(segments) and segments[0].startswith("~")

    def _there(self, request: Request) -> str:
        port = "" if request.port is None else f":{request.port}"
        return f"{request.scheme}://{self._host}{port}{request.target}"


def _confine(response: Response) -> None:
    kind = response.get("Content-Type").partition(";")[0].strip().lower()
    # Pages that are ours have a policy already, and run no scripts at all.
    if kind != _NEEDS_NONE and not response.get(_FIELD):
        response.add(_FIELD, SANDBOX)
        response.set("X-Content-Type-Options", "nosniff")
