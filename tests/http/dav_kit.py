"""WebDAV on connections in memory, with real accounts and files, beside FTP."""

from __future__ import annotations

import base64
from typing import Any, TypeAlias
from xml.etree import ElementTree

from attrs import frozen
from twisted.internet.task import Clock

from netservices.core.limits import Limits, LimitsSettings
from netservices.http.handlers.dav.handler import DAV
from netservices.http.settings import HTTPSettings
from netservices.http.visitors import authentication_of
from netservices.http.wire.chunks import ChunkedReader
from netservices.plugin import Services
from netservices.web.handler import layered
from tests.ftp.memory import NOW, MemoryFTP
from tests.http.talk import Talk


def basic(login: str = "alice", password: str = "secret") -> str:
    """The field that logs in (RFC 7617 2)."""
    coded = base64.b64encode(f"{login}:{password}".encode()).decode()
    return f"Authorization: Basic {coded}\r\n"


@frozen
class Said:
    """One response."""

    status: int
    fields: dict[str, str]
    body: bytes

    @classmethod
    def parsed(cls, data: bytes) -> Said:
        """From what was on the wire; its content is all behind the head."""
        head, _, body = data.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(": ") for line in lines[1:])
        fields = {name.lower(): value for name, _, value in pairs}
        if fields.get("transfer-encoding") == "chunked":
            chunks = ChunkedReader()
            body = b"".join(chunks.feed(body))
        return cls(int(lines[0].split()[1]), fields, body)


class DAVHouse(MemoryFTP):
    """For test cases: the house of ``MemoryFTP``, one for all sessions of a test, with
    WebDAV at ``/dav/``."""

    http: dict[str, Any] = {}
    peer = "192.0.2.1"
    allow_plaintext = "always"
    _is_made = False

    def setUp(self) -> None:
        """The house is there."""
        self.make_house()

    def services(self) -> Services:
        """What a server's own would be."""
        return Services(
            store=self.store,
            accounts=self.accounts,
            files=self.files,
            certificates=None,  # type: ignore[arg-type]
            events=self.events,
            limits=Limits(LimitsSettings(), lambda: NOW),
            clock=Clock(),
            hostname="h",
            settings=None,
        )

    def make_house(self) -> None:
        """Once a test."""
        if self._is_made:
            return
        self._is_made = True
        super().make_house()
        services = self.services()
        self.dav = DAV(HTTPSettings(**self.http), services, lambda: NOW)
        layers = [authentication_of(services)]
        self.handle = layered(layers, lambda request: self.dav(request.below(1)))

    def talk_http(self) -> Talk:
        """A connection."""
        self.make_house()
        return Talk(self.handle)

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        login: str = "alice",
        **fields: str,
    ) -> Said:
        """One request, and its response; the names of fields have underscores for
        hyphens."""
        content = body.encode() if isinstance(body, str) else body
        if content is not None:
            fields["Content_Length"] = str(len(content))
        lines = [f"{name.replace('_', '-')}: {v}\r\n" for name, v in fields.items()]
        head = f"{method} {path} HTTP/1.1\r\nHost: h\r\n{basic(login)}{''.join(lines)}"
        return Said.parsed(
            self.talk_http().send(head.encode("latin-1") + b"\r\n" + (content or b""))
        )


Properties: TypeAlias = dict[str, dict[str, tuple[int, str]]]
"""By address and name: status, and what is in the property as text."""


def told(said: Said) -> Properties:
    """What a multistatus says of properties; ``DAV:`` is left out of names."""
    root = ElementTree.fromstring(said.body)
    found: Properties = {}
    for response in root.iter("{DAV:}response"):
        properties = found.setdefault(response.findtext("{DAV:}href") or "", {})
        for group in response.iter("{DAV:}propstat"):
            status = int((group.findtext("{DAV:}status") or "").split()[1])
            for one in group.find("{DAV:}prop") or ():
                content = "".join(one.itertext()) + "".join(
                    f"<{inner.tag}>".replace("{DAV:}", "") for inner in one
                )
                properties[one.tag.replace("{DAV:}", "")] = status, content
    return found


def statuses(said: Said) -> dict[str, int]:
    """What a multistatus says of whole resources."""
    root = ElementTree.fromstring(said.body)
    return {
        response.findtext("{DAV:}href") or "": int(status.split()[1])
        for response in root.iter("{DAV:}response")
        if (status := response.findtext("{DAV:}status"))
    }


def wanting(*names: str) -> str:
    """A request for properties of WebDAV by name."""
    inner = "".join(f"<{name}/>" for name in names)
    return f'<propfind xmlns="DAV:"><prop>{inner}</prop></propfind>'
