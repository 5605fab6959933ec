"""``ftp://`` addresses on the command line, and the password that belongs to one."""

from __future__ import annotations

import netrc
import os
import sys
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

import click
from attrs import field, frozen

SCHEMES = {"ftp": "", "ftpes": "explicit", "ftps": "implicit"}
"""What a scheme says of TLS, as ``netservices.ftp.client.connect`` takes it."""

PASSWORD_VARIABLE = "NETSERVICES_PASSWORD"
ANONYMOUS, ANONYMOUS_PASSWORD = "anonymous", "anonymous@"


@frozen
class FTPAddress:
    """Who wants what from which server."""

    host: str
    port: int
    """0 for the usual one."""
    tls: str
    path: str
    """Absolute, or below the directory that the login leads to."""
    login: str = ""
    password: str | None = field(default=None, repr=False)


def parse_address(text: str) -> FTPAddress:
    """The parts of ``ftp://LOGIN:PASSWORD@HOST:PORT/PATH``."""
    parts = _split(text)
    login = _text(parts.username or "")
    password = None if parts.password is None else _text(parts.password)
    # RFC 1738 3.2.2: the first slash separates, so a path is below the login's
    # directory, and %2F begins an absolute one.
    path = _text(parts.path.removeprefix("/"))
    if any(character in path + login for character in "\r\n\0"):
        raise click.BadParameter("a line end or NUL in an address")
    return FTPAddress(
        parts.hostname or "",
        parts.port or 0,
        SCHEMES[parts.scheme],
        path,
        login,
        password,
    )


def _split(text: str) -> SplitResult:
    try:
        # A question mark or # is part of the path.
        parts = urlsplit(text.replace("?", "%3F").replace("#", "%23"))
        port = parts.port
    except ValueError as problem:
        raise click.BadParameter(f"not an address: {problem}") from None
    if parts.scheme not in SCHEMES or not parts.hostname or port == 0:
        wanted = "ftp://, ftps:// (implicit TLS) or ftpes:// (AUTH TLS)"
        raise click.BadParameter(f"an address begins with {wanted} and a host")
    return parts


def _text(quoted: str) -> str:
    return unquote_to_bytes(quoted).decode("utf-8", "surrogateescape")


def credentials(address: FTPAddress) -> tuple[str, str]:
    """Login and password: of the address, the environment, ``~/.netrc``, or typed."""
    login, password = address.login, address.password
    if password is None:
        password = os.environ.get(PASSWORD_VARIABLE) if login else None
    if password is None:
        login, password = _from_netrc(address.host, login)
    if not login or login == ANONYMOUS:
        return ANONYMOUS, ANONYMOUS_PASSWORD if password is None else password
    if password is None:
        password = _typed(login, address.host)
    return login, password


def _from_netrc(host: str, login: str) -> tuple[str, str | None]:
    try:
        found = netrc.netrc().authenticators(host)
    except (FileNotFoundError, PermissionError):
        return login, None
    except netrc.NetrcParseError as problem:
        raise click.ClickException(f"~/.netrc: {problem}") from None
    if found is None or (login and found[0] != login):
        return login, None
    return login or found[0], found[2]


def _typed(login: str, host: str) -> str:
    if not sys.stdin.isatty():
        raise click.ClickException(
            f"no password for {login}: give it in {PASSWORD_VARIABLE}, in ~/.netrc, or"
            " at a terminal"
        )
    typed: str = click.prompt(
        f"Password of {login} at {host}", hide_input=True, err=True
    )
    return typed
