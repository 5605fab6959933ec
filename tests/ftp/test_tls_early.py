"""Clients that shake hands on a data connection before they say what it is for."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.errors import ConfigurationError
from netservices.testing import running
from tests.ftp.sockets import SECONDS, ServerCase, Wire, read_all, secured
from tests.ftp.tls_wire import VERSIONS, TLSWire, end

TRANSFER = ("125", "150")


class EarlyCase(ServerCase):
    """Both versions."""

    def each_version(self, conversation: Callable[[TLSWire], None]) -> Deferred[None]:
        """The conversation in TLS 1.2 and in TLS 1.3; the session lives on."""
        self.put("a", b"content")

        def run() -> None:
            for version in VERSIONS:
                wire = TLSWire(self.server, version)
                conversation(wire)
                self.assertEqual("200", wire.say("NOOP")[:3])
                wire.close()

        return deferToThread(run)

    def connected(self, wire: TLSWire) -> socket.socket:
        """A passive data connection, of which nothing was said yet."""
        port = wire.passive_port()
        return socket.create_connection(("127.0.0.1", port), SECONDS)

    def shaken(self, wire: TLSWire, resumes: bool = True) -> ssl.SSLSocket:
        """One on which both have shaken hands."""
        session = wire.session if resumes else None
        return wire.context.wrap_socket(self.connected(wire), session=session)

    def assert_transfer(self, reply: str) -> None:
        """The transfer has begun."""
        self.assertIn(reply[:3], TRANSFER)

    def assert_nothing(self, data: ssl.SSLSocket) -> None:
        """Not one octet comes before the end."""
        with contextlib.suppress(OSError):
            self.assertEqual(b"", data.recv(100))
        data.close()


class EarlyTests(EarlyCase):
    """``require``: who shakes hands early has to resume as well."""

    settings: dict[str, Any] = {
        "ftp.session_reuse": "require",
        "ftp.data_timeout": "1s",
    }

    def test_download(self) -> Deferred[None]:
        """The handshake is complete before RETR is said."""

        def conversation(wire: TLSWire) -> None:
            data = self.shaken(wire)
            self.assert_transfer(wire.say("RETR a"))
            self.assertEqual(b"content", read_all(data))
            self.assertEqual("226", wire.reply()[:3])

        return self.each_version(conversation)

    def test_upload(self) -> Deferred[None]:
        """Also with octets of the file before STOR."""

        def conversation(wire: TLSWire) -> None:
            data = self.shaken(wire)
            data.sendall(b"new ")
            self.assert_transfer(wire.say("STOR b"))
            data.sendall(b"content")
            end(data)
            self.assertEqual("226", wire.reply()[:3])
            self.assertEqual(b"new content", self.content_of("b"))

        return self.each_version(conversation)

    def test_truncated(self) -> Deferred[None]:
        """426 for one without close_notify, as ever."""

        def conversation(wire: TLSWire) -> None:
            data = self.shaken(wire)
            data.sendall(b"new ")
            data.close()
            self.assert_transfer(wire.say("STOR a"))
            self.assertEqual("426", wire.reply()[:3])
            self.assertEqual(b"content", self.content_of("a"))

        return self.each_version(conversation)

    def test_tickets(self) -> Deferred[None]:
        """What was resumed brings the next ticket: downloads with their content,
        uploads with the server's end."""

        def run() -> None:
            wire = TLSWire(self.server, ssl.TLSVersion.TLSv1_3)
            data = self.shaken(wire)
            first = data.session.id  # type: ignore[union-attr]
            self.assert_transfer(wire.say("RETR a"))
            while data.recv(100):
                pass
            self.assertNotEqual(first, data.session.id)  # type: ignore[union-attr]
            data.close()
            self.assertEqual("226", wire.reply()[:3])
            data = self.shaken(wire)
            self.assert_transfer(wire.say("STOR b"))
            self.assertNotEqual(first, end(data).id)
            self.assertEqual("226", wire.reply()[:3])
            wire.close()

        self.put("a", b"content")
        return deferToThread(run)

    def test_without_the_session(self) -> Deferred[None]:
        """522 to the transfer command, and nothing is sent or stored."""

        def conversation(wire: TLSWire) -> None:
            data = self.shaken(wire, resumes=False)
            self.assert_transfer(wire.say("RETR a"))
            self.assertEqual("522", wire.reply()[:3])
            self.assert_nothing(data)

        return self.each_version(conversation)

    def test_foreign_session(self) -> Deferred[None]:
        """A thief who is quicker, with an account and a session of his own, gets
        nothing."""

        def conversation(wire: TLSWire) -> None:
            thief = TLSWire(self.server, ssl.TLSVersion.TLSv1_3, login=False)
            thief.say("USER anonymous")
            self.assertEqual("230", thief.say("PASS x")[:3])
            stolen = thief.context.wrap_socket(
                self.connected(wire), session=thief.socket.session
            )
            self.assert_transfer(wire.say("RETR a"))
            self.assertEqual("522", wire.reply()[:3])
            self.assert_nothing(stolen)
            thief.close()

        return self.each_version(conversation)

    def test_half_a_hello(self) -> Deferred[None]:
        """Who begins has ``data_timeout`` to go on; it is the transfer that fails."""

        def conversation(wire: TLSWire) -> None:
            data = self.connected(wire)
            data.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            self.assertRaises(OSError, data.recv, 1)
            self.assert_transfer(wire.say("RETR a"))
            self.assertEqual("522", wire.reply()[:3])

        return self.each_version(conversation)

    def test_garbage(self) -> Deferred[None]:
        """What is no TLS fails at once, and quietly until the command."""

        def conversation(wire: TLSWire) -> None:
            data = self.connected(wire)
            data.sendall(b"content in the clear")
            while data.recv(100):
                pass
            self.assert_transfer(wire.say("STOR a"))
            self.assertEqual("522", wire.reply()[:3])
            self.assertEqual(b"content", self.content_of("a"))

        return self.each_version(conversation)

    def test_goes(self) -> Deferred[None]:
        """Who has left without a word has no data connection."""

        def conversation(wire: TLSWire) -> None:
            self.connected(wire).close()
            self.assert_transfer(wire.say("RETR a"))
            self.assertEqual("425", wire.reply()[:3])

        return self.each_version(conversation)


class AuthTests(ServerCase):
    """The handshake of the control connection."""

    settings: dict[str, Any] = {"tls.handshake_timeout": "0.2s"}

    def test_silence(self) -> Deferred[None]:
        """Who says nothing after AUTH is dropped after ``tls.handshake_timeout``."""

        def run() -> None:
            wire = Wire(self.port)
            self.assertEqual("234", wire.say("AUTH TLS")[:3])
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(b"", wire.socket.recv(1))
            wire.close()

        return deferToThread(run)

    def test_no_certificate(self) -> Deferred[None]:
        """431 where none can be made, and the session goes on; once there is room,
        AUTH works.  RFC 4217 4"""
        path = os.path.join(self.server.state_directory, "tls/self-signed.pem")
        os.makedirs(path)

        def run() -> None:
            wire = Wire(self.port)
            for _ in range(2):
                self.assertEqual("431", wire.say("AUTH TLS")[:3])
            self.assertEqual("331", wire.say("USER alice")[:3])
            os.rmdir(path)
            secured(wire)
            wire.close()

        return deferToThread(run)


class SettingsTests(SynchronousTestCase):
    """What cannot work is refused at the start."""

    def test_no_tickets(self) -> None:
        """Sessions that must be resumed need tickets, whoever must."""
        for settings in (
            {"ftp.session_reuse": "require"},
            {"ftp.rules": ["alice session_reuse=require"]},
        ):
            started = running(ftp=True, settings={**settings, "tls.session_tickets": 0})
            self.failureResultOf(started, ConfigurationError)


class ProtectionTests(EarlyCase):
    """PROT between the connection and the transfer command."""

    def test_clear_after_the_handshake(self) -> Deferred[None]:
        """425: nothing goes over it, neither in the clear nor in TLS."""

        def conversation(wire: TLSWire) -> None:
            data = self.shaken(wire)
            self.assertEqual("200", wire.say("PROT C")[:3])
            self.assert_transfer(wire.say("RETR a"))
            self.assertEqual("425", wire.reply()[:3])
            self.assert_nothing(data)

        return self.each_version(conversation)

    def test_clear_before_a_word(self) -> Deferred[None]:
        """A connection on which nothing was said goes on in the clear."""

        def conversation(wire: TLSWire) -> None:
            data = self.connected(wire)
            self.assertEqual("200", wire.say("PROT C")[:3])
            self.assert_transfer(wire.say("RETR a"))
            self.assertEqual(b"content", read_all(data))
            self.assertEqual("226", wire.reply()[:3])
            self.assertEqual("200", wire.say("PROT P")[:3])
            data = self.connected(wire)
            self.assertEqual("200", wire.say("PROT C")[:3])
            self.assert_transfer(wire.say("STOR b"))
            data.sendall(b"in the clear")
            data.close()
            self.assertEqual("226", wire.reply()[:3])
            self.assertEqual(b"in the clear", self.content_of("b"))

        return self.each_version(conversation)

    def test_private_after_the_connection(self) -> Deferred[None]:
        """What was sent in the clear before PROT P is never taken for content."""

        def conversation(wire: TLSWire) -> None:
            self.assertEqual("200", wire.say("PROT C")[:3])
            data = self.connected(wire)
            data.sendall(b"in the clear")
            self.assertEqual("200", wire.say("PROT P")[:3])
            self.assert_transfer(wire.say("STOR a"))
            self.assertEqual("522", wire.reply()[:3])
            self.assertEqual(b"content", self.content_of("a"))
            data.close()
            self.assertEqual("200", wire.say("PROT C")[:3])
            plain = self.connected(wire)
            self.assertEqual("200", wire.say("PROT P")[:3])
            self.assert_transfer(wire.say("RETR a"))
            data = wire.context.wrap_socket(plain, session=wire.session)
            self.assertEqual(b"content", read_all(data))
            self.assertEqual("226", wire.reply()[:3])

        return self.each_version(conversation)

    def test_nobody_asks(self) -> Deferred[None]:
        """A connection that no transfer ever uses ends with the next PASV, and with
        the session."""

        def conversation(wire: TLSWire) -> None:
            first, second = self.shaken(wire), self.connected(wire)
            self.assert_nothing(first)
            self.assert_transfer(wire.say("RETR a"))
            data = wire.context.wrap_socket(second, session=wire.session)
            self.assertEqual(b"content", read_all(data))
            self.assertEqual("226", wire.reply()[:3])
            self.shaken(wire).close()

        return self.each_version(conversation)
