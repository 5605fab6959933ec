"""TLS over real sockets, with clients that are not ours: Python's ``ssl`` and OpenSSL's
``s_client``."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as live_reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from netservices.core.write import listen_tcp
from netservices.tls.certificates import Certificates
from netservices.tls.layer import TLSFactory, TLSTruncated, start_tls
from netservices.tls.settings import TLSSettings
from tests.tls.authority import Authority

reactor: Any = live_reactor
HOST = "server.example"


class Echo(Protocol):
    """Echoes, and remembers how it ended."""

    received = b""
    upgrade: Callable[[Echo], None] | None = None

    def __init__(self, ended: Deferred[Any]) -> None:
        self.ended = ended

    def dataReceived(self, data: bytes) -> None:
        self.received += data
        upgrade, self.upgrade = self.upgrade, None
        if upgrade is not None:
            upgrade(self)
        else:
            self.transport.write(data)  # type: ignore[union-attr]

    def connectionLost(self, reason: Any = None) -> None:
        self.ended.callback([reason])


class SocketCase(TestCase):
    """A server on loopback."""

    timeout = 30

    def setUp(self) -> None:
        self.authority = Authority()
        directory = self.mktemp()
        self.authority.server_context(directory, HOST)
        self.certificates = Certificates(
            TLSSettings(certificates=directory), self.mktemp(), HOST
        )
        self.sessions: list[Echo] = []
        self.ended: Deferred[Any] = Deferred()

    def build(self, _address: Any) -> Echo:
        """The next session."""
        self.sessions.append(Echo(self.ended))
        return self.sessions[-1]

    def listen(self, is_tls: bool = True) -> tuple[str, int]:
        """The address of an echo server."""
        inner = Factory()
        inner.noisy = False
        inner.buildProtocol = self.build  # type: ignore
        factory: Any = inner
        if is_tls:
            factory = TLSFactory(inner, self.certificates.server_context)
        port = listen_tcp(reactor, 0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        address: Any = port.getHost()
        return address.host, address.port


class StandardLibraryTests(SocketCase):
    """Python's ``ssl`` as a client."""

    def talk(self, address: Any, version: ssl.TLSVersion) -> bytes:
        """Echo 300,000 octets and close properly; in a thread."""
        context = self.authority.client_context(version)
        data = os.urandom(300_000)
        with (
            socket.create_connection(address, 10) as plain,
            context.wrap_socket(plain, server_hostname=HOST) as secure,
        ):
            secure.sendall(data)
            echoed = b""
            while len(echoed) < len(data):
                echoed += secure.recv(65536)
            assert echoed == data
            secure.unwrap()
        return data

    async def test_echo(self) -> None:
        """Both versions echo, and close_notify goes both ways.  RFC 8446 6.1."""
        address = self.listen()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            self.ended = Deferred()
            data = await deferToThread(self.talk, address, version)
            (reason,) = await self.ended
            self.assertTrue(reason.check(ConnectionDone), reason)
            self.assertEqual(data, self.sessions[-1].received)

    async def test_truncation(self) -> None:
        """A client that closes its socket without close_notify is seen as such."""

        def cut(address: Any) -> None:
            context = self.authority.client_context()
            plain = socket.create_connection(address, 10)
            secure = context.wrap_socket(plain, server_hostname=HOST)
            secure.sendall(b"part")
            assert secure.recv(4) == b"part"
            secure.shutdown(socket.SHUT_RDWR)
            secure.close()

        await deferToThread(cut, self.listen())
        (reason,) = await self.ended
        self.assertTrue(reason.check(TLSTruncated), reason)

    async def test_server_closes(self) -> None:
        """What was written before loseConnection arrives whole, and then the clean
        end: a read of b"" and no SSLError."""

        def answer(echo: Echo) -> None:
            echo.transport.write(bytes(2_000_000))  # type: ignore[union-attr]
            echo.transport.loseConnection()  # type: ignore[union-attr]

        def read(address: Any) -> int:
            context = self.authority.client_context()
            total = 0
            with (
                socket.create_connection(address, 10) as plain,
                context.wrap_socket(
                    plain, server_hostname=HOST, suppress_ragged_eofs=False
                ) as secure,
            ):
                secure.sendall(b"?")
                while data := secure.recv(65536):
                    total += len(data)
            return total

        Echo.upgrade = staticmethod(answer)  # type: ignore[assignment]
        self.addCleanup(setattr, Echo, "upgrade", None)
        self.assertEqual(2_000_000, await deferToThread(read, self.listen()))
        (reason,) = await self.ended
        self.assertTrue(reason.check(ConnectionDone), reason)

    async def test_start_tls(self) -> None:
        """STARTTLS on a live connection; what was injected behind the command in the
        same segment never reaches the protocol.  RFC 3207 4.2."""

        def upgrade(echo: Echo) -> None:
            echo.transport.write(b"go\r\n")  # type: ignore[union-attr]
            echo.received = b""
            start_tls(echo, self.certificates.server_context())

        def talk(address: Any) -> bytes:
            with socket.create_connection(address, 10) as plain:
                plain.sendall(b"STARTTLS\r\ninjected\r\n")
                assert plain.recv(4) == b"go\r\n"
                context = self.authority.client_context()
                with context.wrap_socket(plain, server_hostname=HOST) as secure:
                    secure.sendall(b"secret")
                    answer = secure.recv(100)
                    secure.unwrap()
                    return answer

        Echo.upgrade = staticmethod(upgrade)  # type: ignore[assignment]
        self.addCleanup(setattr, Echo, "upgrade", None)
        answer = await deferToThread(talk, self.listen(is_tls=False))
        self.assertEqual(b"secret", answer)
        await self.ended
        self.assertEqual(b"secret", self.sessions[0].received)

    async def test_old_versions_are_refused(self) -> None:
        """TLS 1.1 is not spoken.  RFC 8996."""

        def try_old(address: Any) -> str:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
            with socket.create_connection(address, 10) as plain:
                try:
                    context.wrap_socket(plain, server_hostname=HOST).close()
                except (ssl.SSLError, ConnectionError) as error:
                    return type(error).__name__
            return "accepted"

        # Python warns that these versions are deprecated.
        outcome = await deferToThread(try_old, self.listen())
        self.flushWarnings()
        self.assertNotEqual("accepted", outcome)
        self.assertEqual([], self.sessions)


class OpenSSLTests(SocketCase):
    """``openssl s_client``."""

    if shutil.which("openssl") is None and "CI" not in os.environ:
        skip = "openssl is not installed"

    def client(self, address: Any, said: bytes, *options: str) -> str:
        """What s_client prints; in a thread."""
        command = ["openssl", "s_client", "-connect", f"{address[0]}:{address[1]}"]
        ran = subprocess.run(
            [*command, "-servername", HOST, *options],
            input=said,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=20,
            check=False,
        )
        return ran.stdout.decode("ascii", "replace")

    async def test_both_versions(self) -> None:
        """s_client is shown the right certificate in both versions."""
        address = self.listen()
        for option, version in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            self.ended = Deferred()
            shown = await deferToThread(self.client, address, b"Q\n", option)
            self.assertIn(version, shown)
            self.assertIn(f"subject=CN = {HOST}", shown)
            await self.ended

    async def test_renegotiation_is_refused(self) -> None:
        """A client that asks for renegotiation does not get it."""
        shown = await deferToThread(
            self.client, self.listen(), b"R\n", "-tls1_2", "-legacy_renegotiation"
        )
        self.assertIn("RENEGOTIATING", shown)
        self.assertIn("no renegotiation", shown)
        await self.ended

    async def test_resumption(self) -> None:
        """s_client -reconnect resumes its session."""
        self.ended = Deferred()
        endings: list[Any] = []
        self.ended.callback = endings.append  # type: ignore[method-assign]
        shown = await deferToThread(
            self.client, self.listen(), b"Q\n", "-tls1_2", "-reconnect"
        )
        self.assertEqual(5, shown.count("Reused, TLSv1.2"), shown)
