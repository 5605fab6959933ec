"""A client of one TLS version that does exactly what a test says."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from netservices.testing import RunningServer
from tests.ftp.sockets import SECONDS, ServerCase, Wire

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def client_context(version: ssl.TLSVersion) -> ssl.SSLContext:
    """A client that speaks one version and trusts everybody."""
    context = ssl._create_unverified_context()
    context.minimum_version = context.maximum_version = version
    return context


class TLSWire(Wire):
    """A client that has said AUTH TLS, logged in and asked for PROT P.

    It uses each ticket of TLS 1.3 once, as RFC 8446 C.4 wants, where ``is_frugal``.
    """

    socket: Any

    def __init__(
        self,
        server: RunningServer,
        version: ssl.TLSVersion,
        is_implicit: bool = False,
        login: bool = True,
    ) -> None:
        self.address = "127.0.0.1"
        self.context = client_context(version)
        port = server.port("ftp", "tls" if is_implicit else "tcp")
        self.socket = socket.create_connection((self.address, port), SECONDS)
        if not is_implicit:
            self.file = self.socket.makefile("rb")
            self.reply()
            assert self.say("AUTH TLS").startswith("234")
            self.file.close()
        self.shake_hands()
        if is_implicit:
            self.reply()
        if login:
            self.log_in()
            if not is_implicit:
                self.say("PBSZ 0")
                assert self.say("PROT P").startswith("200")
        self.session = self.socket.session

    def shake_hands(self) -> None:
        """TLS on the control connection."""
        self.socket = self.context.wrap_socket(self.socket)
        self.file = self.socket.makefile("rb")

    def secured_data(self, command: str, resumes: bool = True) -> ssl.SSLSocket:
        """A passive data connection with TLS, and the command that uses it."""
        session = self.session if resumes else None
        return self.context.wrap_socket(self.data(command), session=session)

    def download(self, name: str, resumes: bool = True) -> tuple[str, bytes]:
        """The last reply to RETR, and what came; the next session is the newest."""
        pieces: list[bytes] = []
        # A connection that is refused is reset, at whatever moment.
        with contextlib.suppress(OSError):
            data = self.secured_data(f"RETR {name}", resumes)
            while piece := data.recv(1 << 16):
                pieces.append(piece)
            if resumes:
                self.session = data.session
            data.close()
        return self.reply(), b"".join(pieces)

    def upload(self, name: str, content: bytes, resumes: bool = True) -> str:
        """The last reply to STOR; the next session is the newest."""
        with contextlib.suppress(OSError):
            data = self.secured_data(f"STOR {name}", resumes)
            data.sendall(content)
            session = end(data)
            if resumes:
                self.session = session
        return self.reply()


def end(data: ssl.SSLSocket) -> ssl.SSLSession:
    """Say close_notify, hear the server's, and close; the newest session."""
    inner: Any = data._sslobj  # type: ignore[attr-defined]
    data.unwrap()
    session: ssl.SSLSession = inner.session
    data.close()
    return session


class BothVersionsCase(ServerCase):
    """A server, and clients of TLS 1.2 and TLS 1.3."""

    def each_version(self, conversation: Callable[[TLSWire], None]) -> Deferred[None]:
        """The conversation in each version; the session lives on, whatever was
        refused."""

        def run() -> None:
            for version in VERSIONS:
                wire = TLSWire(self.server, version)
                conversation(wire)
                self.assertEqual("200", wire.say("NOOP")[:3])
                wire.close()

        return deferToThread(run)
