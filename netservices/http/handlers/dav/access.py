"""Who asks: the account that a layer found, or that of a Basic login."""

from __future__ import annotations

import base64
import binascii

from netservices.interfaces import LoginRefused
from netservices.plugin import Services
from netservices.values import Account
from netservices.web.problems import Problem
from netservices.web.request import Request

_CHALLENGE = ("WWW-Authenticate", 'Basic realm="netservices", charset="UTF-8"')


async def account_of(request: Request, services: Services) -> Account:
    """The account that may ask this.  Problem 401, 403, 503."""
    if request.account is not None:
        return request.account
    accounts = services.accounts
    if not accounts.may_use_plaintext(request.origin):
        raise Problem(403, "Passwords travel under TLS only: use https.")
    login, password = _basic(request.fields.get("authorization"))
    try:
        return await accounts.login(login, password, request.origin)
    except LoginRefused as refused:
        if refused.is_temporary:
            raise Problem(503, log_text=str(refused)) from None
        raise Problem(401, "", [_CHALLENGE], log_text=str(refused)) from None


def _basic(text: str) -> tuple[str, bytes]:
    """Login and password (RFC 7617 2).  Problem 401."""
    scheme, _, coded = text.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        login, colon, password = base64.b64decode(coded, validate=True).partition(b":")
        if not colon:
            raise ValueError("no colon")
        return login.decode(), password
    except (ValueError, binascii.Error):
        raise Problem(401, "", [_CHALLENGE]) from None
