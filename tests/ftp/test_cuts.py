"""Connections cut at a thousand random places: no false 226, no damaged file."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import ssl

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.ftp.injector import Cut, Injector
from tests.ftp.sockets import ServerCase, Wire, secured

CUTS = 2000 if os.environ.get("NETSERVICES_SOAK") else 200
"""Of each of six kinds."""
OLD = b"old content\n" * 100
SIZE = 150_000
WINDOW = 16 * 1024
"""What an injector's kernel takes that nobody has read, at most."""
_TLS_EXTRA = 2_500
"""Octets of handshake and records around the content, roughly."""


class CutCase(ServerCase):
    """A client whose data connections break at random places."""

    def setUp(self) -> Deferred[None]:
        """The places are the same in every run but those of a soak."""
        seed = None if os.environ.get("NETSERVICES_SOAK") else self.id()
        self.random = random.Random(seed)
        self.wire: Wire | None = None
        self.context: ssl.SSLContext | None = None
        self.is_blocked = False
        return super().setUp()

    def connected(self, is_secure: bool) -> Wire:
        """A session that has logged in: the last one, if that still lives."""
        if self.wire is None:
            self.wire = Wire(self.port)
            if is_secure:
                self.context = secured(self.wire)
            else:
                self.wire.log_in()
            if self.is_blocked:
                self.assertEqual("200", self.wire.say("MODE B")[:3])
        return self.wire

    def hang_up(self) -> None:
        """End the control connection, as the system does for a client that died."""
        assert self.wire is not None
        with contextlib.suppress(OSError):
            self.wire.socket.shutdown(socket.SHUT_RDWR)

    def forget(self) -> None:
        """The session has ended."""
        assert self.wire is not None
        self.wire.close()
        self.wire = None

    def injector(self, wire: Wire, cut: Cut, limit: int, is_upload: bool) -> Injector:
        """A passive data connection that breaks."""
        address = ("127.0.0.1", wire.passive_port())
        return Injector(address, cut, limit, is_upload, self.hang_up)

    def rounds(self, cut: Cut, is_secure: bool) -> Deferred[None]:
        """Upload again and again, over a file and under a free name in turn."""

        def run() -> None:
            for number in range(CUTS):
                self.one(number, cut, is_secure)
            if self.wire is not None:
                self.forget()

        return deferToThread(run)

    def one(self, number: int, cut: Cut, is_secure: bool) -> None:
        """An upload that is cut, or just not; what the server says of it is true."""
        wire = self.connected(is_secure)
        old = OLD if number % 2 else None
        name = f"file{number}"
        if old is not None:
            self.put(name, old)
        content = self.random.randbytes(SIZE)
        extra = _TLS_EXTRA if is_secure else 10
        limit = self.random.randint(0, SIZE + extra)
        injector = self.injector(wire, cut, limit, True)
        self.assertEqual("150", f"{wire.say(f'STOR {name}')[:3]}".replace("125", "150"))
        self.upload(injector, content)
        injector.join()
        # Of a client that died, nobody hears the reply: the server ends the session.
        code = wire.reply()[:3]
        self.judge(name, old, content, code, injector)
        if code == "":
            self.forget()
        elif code == "426" and not self.is_blocked and number % 10 < 2:
            self.resume(wire, name, old, content)

    def upload(self, injector: Injector, content: bytes) -> None:
        """Send as far as it goes."""
        data = injector.client
        with contextlib.suppress(OSError):
            if self.context is not None:
                data = self.context.wrap_socket(data, suppress_ragged_eofs=False)
            data.sendall(blocks(content) if self.is_blocked else content)
            if isinstance(data, ssl.SSLSocket):
                data.unwrap().close()
        with contextlib.suppress(OSError):
            data.close()

    def judge(
        self, name: str, old: bytes | None, new: bytes, code: str, injector: Injector
    ) -> None:
        """The file is the old one or the new one, and the reply tells which."""
        found = None
        with contextlib.suppress(FileNotFoundError):
            found = self.content_of(name)
        where = f"{name} cut after {injector.octets}: {code}"
        if code in ("226", "250"):
            self.assertTrue(found == new, f"a false 226 {where}")
        elif code == "":
            self.assertTrue(found in (old, new), f"damaged: {where}")
        else:
            self.assertIn(code, ("425", "426"), where)
            self.assertTrue(found == old, f"damaged: {where}")
            self.assertTrue(injector.is_cut, f"a false alarm: {where}")

    def resume(self, wire: Wire, name: str, old: bytes | None, new: bytes) -> None:
        """What came before the cut is the beginning of the next attempt."""
        reply = wire.say(f"SIZE {name}")
        kept = int(reply[4:]) if old is None and reply.startswith("213") else 0
        if kept:
            wire.say(f"REST {kept}")
        injector = self.injector(wire, Cut.RESET, 1 << 30, True)
        self.assertIn(wire.say(f"STOR {name}")[:3], ("125", "150"))
        self.upload(injector, new[kept:])
        injector.join()
        self.assertEqual("226", wire.reply()[:3])
        self.assertTrue(self.content_of(name) == new, f"{name} resumed at {kept}")


def blocks(content: bytes) -> bytes:
    """A file in block mode: a header of three octets before each block."""
    pieces = [content[at : at + 0xFFFF] for at in range(0, len(content), 0xFFFF)]
    framed = [b"\0" + len(piece).to_bytes(2, "big") + piece for piece in pieces]
    return b"".join(framed) + b"\x40\0\0"


class UploadTests(CutCase):
    """STOR."""

    timeout = 300

    def test_reset(self) -> Deferred[None]:
        """A reset is never an end of file."""
        return self.rounds(Cut.RESET, False)

    def test_reset_over_tls(self) -> Deferred[None]:
        """Nor is it over TLS."""
        return self.rounds(Cut.RESET, True)

    def test_truncated_tls(self) -> Deferred[None]:
        """The end of a TLS stream is its close_notify, not that of TCP.  RFC 8446
        6.1"""
        return self.rounds(Cut.END, True)

    def test_cut_block_mode(self) -> Deferred[None]:
        """In block mode a file says itself where it ends.  RFC 959 3.4.2"""
        self.is_blocked = True
        return self.rounds(Cut.END, False)

    def test_killed_client(self) -> Deferred[None]:
        """A client that dies ends its streams in the middle of the file."""
        return self.rounds(Cut.DEATH, False)


class DownloadTests(CutCase):
    """RETR."""

    timeout = 300

    def test_cut(self) -> Deferred[None]:
        """No 226 while octets of the file have not reached the client."""
        return self.downloads(None)

    def test_cut_tls_1_2(self) -> Deferred[None]:
        """Nor over TLS 1.2."""
        return self.downloads(ssl.TLSVersion.TLSv1_2)

    def test_cut_tls_1_3(self) -> Deferred[None]:
        """Nor over TLS 1.3."""
        return self.downloads(ssl.TLSVersion.TLSv1_3)

    def downloads(self, version: ssl.TLSVersion | None) -> Deferred[None]:
        """Download again and again, cut by RST and FIN in turn."""
        size = SIZE * 4
        content = self.random.randbytes(size)
        self.put("file", content)

        def run() -> None:
            for number in range(CUTS):
                wire = self.connected(version is not None)
                if self.context is not None and version is not None:
                    self.context.minimum_version = version
                    self.context.maximum_version = version
                # Handshake and records make it longer; at times, nothing is cut.
                limit = self.random.randint(0, size + (5_000 if version else 10))
                cut = (Cut.RESET, Cut.END)[number % 2]
                injector = self.injector(wire, cut, limit, False)
                self.assertIn(wire.say("RETR file")[:3], ("125", "150"))
                received = self.received(injector)
                code = wire.reply()[:3]
                injector.join()
                self.assertTrue(content.startswith(received))
                if code == "226":
                    # The kernel of the client may hold what nobody read.
                    self.assertGreater(injector.octets, size - WINDOW)
                    continue
                self.assertTrue(injector.is_cut, f"a false {code}")
                # In the middle of the handshake there is no data connection yet.
                is_shaking = version is not None and not received
                self.assertIn(code, ("425", "426", "522") if is_shaking else ("426",))
            self.forget()

        return deferToThread(run)

    def received(self, injector: Injector) -> bytes:
        """What comes through."""
        pieces = []
        data = injector.client
        with contextlib.suppress(OSError):
            if self.context is not None:
                data = self.context.wrap_socket(data, suppress_ragged_eofs=False)
            while piece := data.recv(1 << 16):
                pieces.append(piece)
        data.close()
        return b"".join(pieces)
