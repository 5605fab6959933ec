"""How TLS begins and ends: handshakes that do not come, ends that are cut, the way
back into the clear."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.ftp.sockets import SECONDS, Wire, read_all
from tests.ftp.tls_wire import VERSIONS, BothVersionsCase, TLSWire, end


class TruncationTests(BothVersionsCase):
    """Ends without close_notify."""

    def test_upload(self) -> Deferred[None]:
        """426, and the old file stays; with close_notify 226."""

        def conversation(wire: TLSWire) -> None:
            self.put("a", b"old content")
            data = wire.secured_data("STOR a")
            data.sendall(b"new content")
            data.close()
            self.assertEqual("426", wire.reply()[:3])
            self.assertEqual(b"old content", self.content_of("a"))
            data = wire.secured_data("STOR a")
            data.sendall(b"new content")
            end(data)
            self.assertEqual("226", wire.reply()[:3])
            self.assertEqual(b"new content", self.content_of("a"))

        return self.each_version(conversation)

    def test_download(self) -> Deferred[None]:
        """A download that came to its end is complete: the server's close_notify is
        there always, the client's need not be."""
        self.put("a", b"content")

        def conversation(wire: TLSWire) -> None:
            data = wire.secured_data("RETR a")
            data.suppress_ragged_eofs = False
            # Without close_notify this were SSLEOFError.
            self.assertEqual(b"content", read_all(data))
            self.assertEqual("226", wire.reply()[:3])

        return self.each_version(conversation)

    def test_waits_for_the_reply(self) -> Deferred[None]:
        """226 comes also to a client that closes only then."""
        self.put("a", b"content")

        def conversation(wire: TLSWire) -> None:
            data = wire.secured_data("RETR a")
            self.assertEqual(b"content", data.recv(100))
            self.assertEqual(b"", data.recv(100))
            self.assertEqual("226", wire.reply()[:3])
            data.close()

        return self.each_version(conversation)

    def test_leaves_with_the_last_octet(self) -> Deferred[None]:
        """So it does to one that knows the size and does not wait for the server's
        close_notify: its system answers a late one with a reset."""
        self.put("a", b"content")

        def conversation(wire: TLSWire) -> None:
            for _ in range(20):
                data = wire.secured_data("RETR a", resumes=False)
                self.assertEqual(b"content", data.recv(100))
                data.setblocking(False)
                with contextlib.suppress(ssl.SSLWantReadError):
                    data.unwrap()
                data.close()
                self.assertEqual("226", wire.reply()[:3])

        return self.each_version(conversation)

    def test_empty_file(self) -> Deferred[None]:
        """Nothing comes, and its end is a clean one."""
        self.put("a", b"")

        def conversation(wire: TLSWire) -> None:
            data = wire.secured_data("RETR a")
            data.suppress_ragged_eofs = False
            self.assertEqual(b"", read_all(data))
            self.assertEqual("226", wire.reply()[:3])

        return self.each_version(conversation)


class LenientTests(BothVersionsCase):
    """``lenient_tls_end``, for one user."""

    settings: dict[str, Any] = {"ftp.rules": ["alice lenient_tls_end=yes"]}

    def test_upload(self) -> Deferred[None]:
        """The end of the stream is the end of the file."""

        def conversation(wire: TLSWire) -> None:
            data = wire.secured_data("STOR a")
            data.sendall(b"new content")
            data.shutdown(socket.SHUT_WR)
            self.assertEqual("226", wire.reply()[:3])
            data.close()
            self.assertEqual(b"new content", self.content_of("a"))

        return self.each_version(conversation)


class HandshakeTests(BothVersionsCase):
    """Handshakes of data connections that come to nothing."""

    settings: dict[str, Any] = {"ftp.data_timeout": "1s"}

    def test_silence(self) -> Deferred[None]:
        """522 after ``data_timeout``."""

        def conversation(wire: TLSWire) -> None:
            data = wire.data("STOR a")
            self.assertEqual("522", wire.reply()[:3])
            data.close()

        return self.each_version(conversation)

    def test_half_a_hello(self) -> Deferred[None]:
        """So does one that begins and goes no further."""

        def conversation(wire: TLSWire) -> None:
            data = wire.data("STOR a")
            data.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            self.assertEqual("522", wire.reply()[:3])
            data.close()

        return self.each_version(conversation)

    def test_garbage(self) -> Deferred[None]:
        """What is no TLS is 522 at once."""

        def conversation(wire: TLSWire) -> None:
            for garbage in (b"GET / HTTP/1.0\r\n\r\n", b"\x16\x03\x01\x00\x05hello"):
                data = wire.data("STOR a")
                data.sendall(garbage)
                self.assertEqual("522", wire.reply()[:3])
                data.close()

        return self.each_version(conversation)

    def test_client_goes(self) -> Deferred[None]:
        """A client that closes in place of its handshake has no data connection: 425"""

        def conversation(wire: TLSWire) -> None:
            wire.data("STOR a").close()
            self.assertEqual("425", wire.reply()[:3])

        return self.each_version(conversation)


class ControlTests(BothVersionsCase):
    """The control connection."""

    settings: dict[str, Any] = {"ftp.allow_clear_control": True}

    def test_injection(self) -> Deferred[None]:
        """What comes in the clear behind AUTH, in its segment or in the next, is never
        answered in TLS.  RFC 4217 15.1"""

        def run() -> None:
            wire = Wire(self.port)
            wire.socket.sendall(b"AUTH TLS\r\nUSER alice\r\nPASS secret\r\nDELE a\r\n")
            self.assertEqual("234", wire.reply()[:3])
            wire.file.close()
            wire.socket = ssl._create_unverified_context().wrap_socket(wire.socket)
            wire.file = wire.socket.makefile("rb")
            self.assertEqual("530", wire.say("PWD")[:3])
            wire.close()
            wire = Wire(self.port)
            self.assertEqual("234", wire.say("AUTH TLS")[:3])
            wire.socket.sendall(b"USER alice\r\n")
            # No TLS record: the connection is over, and no 331 was said.
            self.assertNotIn(b"331", wire.file.read())
            wire.close()

        return deferToThread(run)

    def test_clear_again(self) -> Deferred[None]:
        """After CCC the control connection is plain TCP, and data goes on in TLS."""
        self.put("a", b"content")

        def run() -> None:
            for version in VERSIONS:
                wire = TLSWire(self.server, version)
                self.assertEqual("200", wire.say("CCC")[:3])
                wire.file.close()
                wire.socket = wire.socket.unwrap()
                wire.file = wire.socket.makefile("rb")
                self.assertEqual("257", wire.say("PWD")[:3])
                self.assertEqual(("226", b"content"), self.cut(wire.download("a")))
                self.assertEqual("503", wire.say("PROT C")[:3])
                wire.close()

        return deferToThread(run)

    def test_rein(self) -> Deferred[None]:
        """After REIN the connection is plain; AUTH and a login work again."""
        self.put("a", b"content")

        def run() -> None:
            for version in VERSIONS:
                wire = TLSWire(self.server, version)
                self.assertEqual("220", wire.say("REIN")[:3])
                wire.file.close()
                wire.socket = wire.socket.unwrap()
                wire.file = wire.socket.makefile("rb")
                self.assertEqual("530", wire.say("PWD")[:3])
                self.assertEqual("234", wire.say("AUTH TLS")[:3])
                wire.file.close()
                wire.shake_hands()
                wire.log_in()
                wire.say("PBSZ 0")
                wire.say("PROT P")
                wire.session = wire.socket.session
                self.assertEqual(("226", b"content"), self.cut(wire.download("a")))
                wire.close()

        return deferToThread(run)

    def test_rein_on_the_implicit_port(self) -> Deferred[None]:
        """There TLS stays, and data is protected as at the beginning."""
        self.put("a", b"content")

        def run() -> None:
            wire = TLSWire(self.server, VERSIONS[1], is_implicit=True)
            self.assertEqual("220", wire.say("REIN")[:3])
            wire.log_in()
            self.assertEqual(("226", b"content"), self.cut(wire.download("a")))
            wire.close()

        return deferToThread(run)

    def test_old_versions(self) -> Deferred[None]:
        """TLS 1.1 is refused, and the connection is dropped."""

        def run() -> None:
            wire = Wire(self.port)
            self.assertEqual("234", wire.say("AUTH TLS")[:3])
            wire.file.close()
            context = ssl._create_unverified_context()
            context.set_ciphers("DEFAULT@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
            wire.socket.settimeout(SECONDS)
            self.assertRaises(OSError, context.wrap_socket, wire.socket)

        return deferToThread(run)

    def cut(self, found: tuple[str, bytes]) -> tuple[str, bytes]:
        """The code in place of the reply."""
        return found[0][:3], found[1]
