"""Sites in a state directory, served in memory."""

from __future__ import annotations

import os
from typing import Any

import attrs
from twisted.internet.task import Clock

from netservices.core.deferreds import as_deferred
from netservices.http.backend import Sites
from netservices.http.handlers.files import FilesHandler
from netservices.http.settings import HTTPSettings
from netservices.values import Account
from tests.files.trees import FilesCase
from tests.http.talk import NOW, Talk


class People:
    """Accounts by name."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}

    def add(self, name: str) -> Account:
        """One more account."""
        number = len(self.accounts) + 1
        account = Account(number, name, "example.org")
        self.accounts[name] = account
        return account

    @as_deferred
    async def find(self, login: str) -> Account | None:
        """As ``IAccounts`` has it."""
        return self.accounts.get(login.removesuffix("@example.org"))


class SitesCase(FilesCase):
    """A file service, and a web server on it."""

    def setUp(self) -> None:
        super().setUp()
        self.people = People()
        self.clock = Clock()
        self.clock.advance(NOW)
        self.handler = self.make_handler()

    def make_handler(self, files: Any = None, **settings: Any) -> FilesHandler:
        """A handler for the sites."""
        accounts: Any = self.people
        self.sites = Sites(
            attrs.evolve(HTTPSettings(), **settings),
            files or self.files,
            accounts,
            self.clock.seconds,
        )
        return FilesHandler(self.sites, self.clock.seconds, self.clock.seconds)

    def put(
        self, path: str, content: bytes = b"content", mtime: float = NOW - 1000
    ) -> str:
        """A file below the state directory; where it is."""
        place = os.path.join(self.state, path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as file:
            file.write(content)
        os.utime(place, (mtime, mtime))
        return place

    def ask(
        self, path: str = "/", method: str = "GET", host: str = "h", **fields: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, fields by lower-case name, and content of the answer."""
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}"]
        for name, value in fields.items():
            lines.append(f"{name.replace('_', '-')}: {value}")
        talk = Talk(self.handler)
        said = talk.send("\r\n".join([*lines, "", ""]).encode("latin-1"))
        head, _, content = said.partition(b"\r\n\r\n")
        status, *rest = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(": ") for line in rest)
        return int(status.split()[1]), {n.lower(): v for n, _, v in pairs}, content

    def status(self, path: str = "/", method: str = "GET", **fields: str) -> int:
        """The status alone."""
        return self.ask(path, method, **fields)[0]
