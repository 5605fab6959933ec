"""The layer that asks the access rules, before anything is looked for."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlsplit

from netservices.core.who import Person
from netservices.http.rules import Outcome, Rules, is_deep
from netservices.values import Account, Path
from netservices.web.authentication import LoginWanted
from netservices.web.handler import Handler, Settled, after, answer_of
from netservices.web.problems import Problem
from netservices.web.request import Request, segments_of
from netservices.web.response import Response

_PATHS = 1024
"""Paths of which it is known by heart that everybody may read them."""

_READING = ("GET", "HEAD")
_STRANGER = Person("", is_anonymous=True)


class AccessRules:
    """The layer; ``open_path`` is where people log in, which never needs a login."""

    def __init__(self, rules: Rules, open_path: str) -> None:
        self.default_domain = ""
        """That of logins which name none."""
        self._open = tuple(one for one in open_path.split("/") if one)
        self.rules = rules

    @property
    def rules(self) -> Rules:
        """What the operator has written."""
        return self._rules

    @rules.setter
    def rules(self, rules: Rules) -> None:
        self._rules = rules
        self._may_read = lru_cache(maxsize=_PATHS)(self._may_anybody_read)

    def takes_any_origin(self, request: Request) -> bool:
        """Whether pages of all sites may send this request."""
        if request.path in ("*", ""):
            return False
        return self.rules.takes_any_origin(request.host, request.segments)

    def __call__(self, request: Request, handler: Handler) -> Settled:
        """Let the handler answer what the rules allow."""
        if not self.rules or request.path in ("*", ""):
            return answer_of(handler, request)
        if request.method in _READING and self._may_read(request.host, request.path):
            return answer_of(handler, request)
        path = request.segments
        method, depth = request.method, request.fields.get("depth").strip()
        if method == "COPY":
            # Read here, and written at its destination.
            method = "GET"
        deep = is_deep(request.method, depth)
        has_network = self.check(request, path, method, deep)
        if any("/" in segment for segment in path):
            has_network |= self.check(request, _as_seen(path), method, deep)
        if request.method in ("COPY", "MOVE"):
            target = _destination(request)
            if target is not None:
                has_network |= self.check(request, target, "PUT", True)
        answer = answer_of(handler, request)
        return after(answer, _for_this_network) if has_network else answer

    def _may_anybody_read(self, host: str, path: str) -> bool:
        """Whether that path is for everybody, everywhere.  Problem 400."""
        segments = segments_of(path)
        lines = self._rules.about(host, _plain(segments))
        if any(line.needs_account or line.needs_address for line in lines):
            return False
        if any("/" in segment for segment in segments):
            return False
        judged = self._rules.judge(host, segments, "GET", _STRANGER)
        return judged.outcome is Outcome.PASS

    def check(self, request: Request, path: Path, method: str, deep: bool) -> bool:
        """Whether the address counts.  Problem 403, LoginWanted.

        For handlers, too, that do at ``path`` what a request with ``method`` would.
        """
        rules, host = self.rules, request.host
        if not rules:
            return False
        plain = _plain(path)
        lines = rules.about(host, plain)
        if deep:
            lines += tuple(
                line
                for one in rules.below(host, plain)
                for line in rules.about(host, one)
            )
        if not lines:
            return False
        account = None
        if any(line.needs_account for line in lines):
            account = request.account
        is_open = bool(self._open) and plain[: len(self._open)] == self._open
        if is_open:
            account = None
        person = self._person(request, account)
        outcome = rules.judge(host, path, method, person, deep).outcome
        if outcome is Outcome.LOGIN and not is_open:
            raise LoginWanted
        if outcome is Outcome.REFUSE:
            raise Problem(403)
        return any(line.needs_address for line in lines)

    def _person(self, request: Request, account: Account | None) -> Person:
        return Person(
            request.origin.address,
            account.login if account else "",
            frozenset(account.groups) if account else frozenset(),
            account is None,
            self.default_domain,
        )

    def names(self, request: Request, method: str) -> bool:
        """Whether a line about the path names the method, for anybody."""
        return any(
            method in line.methods
            for line in self.rules.about(request.host, _plain(request.segments))
        )

    def grants(self, request: Request) -> bool:
        """Whether a line that names the method allows it to whoever has logged in."""
        person = self._person(request, request.account)
        judged = self.rules.judge(
            request.host, request.segments, request.method, person
        )
        line = judged.line
        is_named = line is not None and request.method in line.methods
        return is_named and not person.is_anonymous and judged.outcome is Outcome.PASS


def _plain(path: Path) -> Path:
    """The path without the empty segment of a directory."""
    return path[:-1] if path and not path[-1] else path


def _as_seen(path: Path) -> Path:
    """The path as an application sees it that takes an encoded slash (``%2F``) for one.
    Problem 400 where it leads out of the site."""
    found: list[str] = []
    for word in "/".join(path).split("/"):
        if word == ".." and not found:
            raise Problem(400, "The path leads out of the site.")
        if word == "..":
            found.pop()
        elif word not in ("", "."):
            found.append(word)
    return tuple(found)


def _destination(request: Request) -> Path | None:
    """Where COPY and MOVE lead (RFC 4918 10.3); None where that cannot be read, which
    the handler refuses."""
    written = request.fields.get("destination").strip()
    try:
        path = urlsplit(written).path
    except ValueError:
        return None
    return segments_of(path) if path.startswith("/") else None


def _for_this_network(response: Response) -> None:
    """Another network would get another answer."""
    response.lasting = None
    if not response.get("Cache-Control"):
        response.add("Cache-Control", "private, no-cache")
