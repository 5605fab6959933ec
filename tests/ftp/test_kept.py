"""Data connections that stay open in block and compressed mode: real sockets."""

from __future__ import annotations

import contextlib
import ftplib
import os
import socket
import ssl
import struct
from typing import BinaryIO

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase

from netservices.ftp.server.hearing import is_heard
from netservices.ftp.wire import Mode, Part, Representation, Structure, Type
from netservices.ftp.wire.parts import Mark, Marker
from tests.ftp.sockets import SECONDS, ServerCase, Wire, reset, secured

BLOCK = Representation(Type.IMAGE, "N", Structure.FILE, Mode.BLOCK)
COMPRESSED = Representation(Type.IMAGE, "N", Structure.FILE, Mode.COMPRESSED)


def encoded(chosen: Representation, *parts: Part) -> bytes:
    """What a client sends for a file of the parts."""
    return chosen.writer().feed([*parts, Mark.EOF])


def read_file(chosen: Representation, data: socket.socket) -> list[Part]:
    """One file, up to its end; the connection stays open."""
    reader = chosen.reader()
    parts: list[Part] = []
    while not reader.is_done:
        piece = data.recv(1 << 16)
        assert piece, "closed in the middle of a file"
        while piece and not reader.is_done:
            parts += reader.feed(piece)
            piece = reader.rest
    assert reader.rest == b""
    return parts


def content_of(parts: list[Part]) -> bytes:
    """The octets among them."""
    return b"".join(part for part in parts if isinstance(part, bytes))


class KeptTests(ServerCase):
    """One data connection for many transfers.  RFC 959 3.3"""

    def test_both_ways(self) -> Deferred[None]:
        """Uploads, downloads and listings one after the other."""
        content = os.urandom(3_000_000) + bytes(1_000_000)

        def conversation(wire: Wire) -> None:
            for chosen in (BLOCK, COMPRESSED):
                wire.say(f"MODE {chosen.mode.value}")
                with wire.data("STOR a") as data:
                    data.sendall(encoded(chosen, content))
                    self.assertEqual("250", wire.reply()[:3])
                    self.assertEqual(content, self.content_of("a"))
                    for command in ("RETR a", "RETR a", "NLST"):
                        self.assertEqual("125", wire.say(command)[:3])
                        sent = content_of(read_file(chosen, data))
                        self.assertEqual("250", wire.reply()[:3])
                        expected = b"a\r\n" if command == "NLST" else content
                        self.assertEqual(expected, sent[: len(expected)])
                    self.assertEqual("125", wire.say("STOR b")[:3])
                    data.sendall(encoded(chosen, b"second"))
                    self.assertEqual("250", wire.reply()[:3])
                    self.assertEqual(b"second", self.content_of("b"))

        return self.talk(conversation)

    def test_early_file(self) -> Deferred[None]:
        """A file that is sent before its STOR waits for it."""

        def conversation(wire: Wire) -> None:
            wire.say("MODE B")
            with wire.data("STOR a") as data:
                data.sendall(encoded(BLOCK, b"first") + encoded(BLOCK, b"second"))
                self.assertEqual("250", wire.reply()[:3])
                data.sendall(encoded(BLOCK, b"x" * 1_000_000))
                for name in ("b", "c"):
                    self.assertEqual("125", wire.say(f"STOR {name}")[:3])
                    self.assertEqual("250", wire.reply()[:3])
            self.assertEqual(b"second", self.content_of("b"))
            self.assertEqual(1_000_000, len(self.content_of("c")))

        return self.talk(conversation)

    def test_client_closes(self) -> Deferred[None]:
        """A client that closes the connection afterwards says PASV for the next one."""

        def conversation(wire: Wire) -> None:
            wire.say("MODE B")
            with wire.data("STOR a") as data:
                data.sendall(encoded(BLOCK, b"first"))
                self.assertEqual("250", wire.reply()[:3])
            while wire.say("STOR a")[:3] != "425":
                # The server had not heard of the end yet, and finds no file.
                self.assertEqual("426", wire.reply()[:3])
            self.assertEqual(b"first", self.content_of("a"))
            with wire.data("STOR a") as data:
                data.sendall(encoded(BLOCK, b"second"))
                self.assertEqual("250", wire.reply()[:3])

        return self.talk(conversation)

    def test_server_closes(self) -> Deferred[None]:
        """PASV, ABOR, REIN and QUIT end the connection, in order.  RFC 959 3.2"""
        self.put("a", b"x" * 500_000)

        def conversation(wire: Wire) -> None:
            for command in ("PASV", "ABOR", "REIN", "QUIT"):
                wire.say("MODE B")
                with wire.data("RETR a") as data:
                    self.assertEqual(500_000, len(content_of(read_file(BLOCK, data))))
                    self.assertEqual("250", wire.reply()[:3])
                    wire.say(command)
                    self.assertEqual(b"", data.recv(1))
                if command == "REIN":
                    wire.log_in()

        return self.talk(conversation)

    def test_reset_at_the_end(self) -> Deferred[None]:
        """A client that goes before it has read everything is heard to go."""
        self.put("a", b"x" * 200_000)

        def conversation(wire: Wire) -> None:
            wire.say("MODE B")
            data = wire.data("RETR a")
            data.recv(1000)
            reset(data)
            self.assertIn(wire.reply()[:3], ("426", "250"))
            self.assertEqual("200", wire.say("NOOP")[:3])

        return self.talk(conversation)

    def test_abort(self) -> Deferred[None]:
        """A transfer that is aborted takes its connection along."""
        self.put("a", b"x" * 50_000_000)

        def conversation(wire: Wire) -> None:
            wire.say("MODE B")
            with wire.data("RETR a") as data:
                data.recv(10)
                self.assertEqual("426", wire.say("ABOR")[:3])
                self.assertEqual("226", wire.reply()[:3])
                self.assertEqual("425", wire.say("RETR a")[:3])

        return self.talk(conversation)

    def test_cut(self) -> Deferred[None]:
        """A clean end of the connection is no end of a file; nor is a reset."""
        self.put("a", b"old content")

        def conversation(wire: Wire) -> None:
            sent = encoded(BLOCK, b"new content")
            wire.say("MODE B")
            for end in (socket.socket.close, reset):
                data = wire.data("STOR a")
                data.sendall(sent[:-1])
                end(data)
                self.assertEqual("426", wire.reply()[:3])
                self.assertEqual(b"old content", self.content_of("a"))

        return self.talk(conversation)

    def test_records(self) -> Deferred[None]:
        """In a stream of records the connection is closed, in order, behind the end."""
        chosen = Representation(Type.ASCII, "N", Structure.RECORD, Mode.STREAM)

        def conversation(wire: Wire) -> None:
            wire.say("TYPE A")
            wire.say("STRU R")
            with wire.data("STOR a") as data:
                data.sendall(chosen.writer().feed([b"one", Mark.EOR, Mark.EOF]))
                self.assertEqual(b"", data.recv(1))
                self.assertEqual("226", wire.reply()[:3])
            self.assertEqual(b"one\n", self.content_of("a"))

        return self.talk(conversation)

    def test_markers(self) -> Deferred[None]:
        """A marker is answered while the transfer goes on; a client that is killed goes
        on from there later."""
        self.put("a", b"old content")

        def conversation(wire: Wire) -> None:
            wire.say("MODE B")
            data = wire.data("STOR a")
            for number in (1, 2):
                data.sendall(
                    BLOCK.writer().feed(
                        [b"x" * 300_000, Marker(b"m%d" % number), b"", Mark.EOR]
                    )
                    + b"\0\0\0"
                )
                self.assertEqual(
                    f"110 MARK m{number} = {number * 300_000}", wire.reply()
                )
            data.sendall(b"\0\0\x03lost"[:5])
            reset(data)
            self.assertEqual("426", wire.reply()[:3])
            wire.say("REST 600000")
            with wire.data("STOR a") as data:
                data.sendall(encoded(BLOCK, b"end"))
                self.assertEqual("250", wire.reply()[:3])
            self.assertEqual(b"x" * 600_000 + b"end", self.content_of("a"))

        return self.talk(conversation)

    def test_bomb(self) -> Deferred[None]:
        """Compressed data of many octets is stored piece by piece; others are served
        meanwhile."""
        other_says: list[str] = []

        def conversation(wire: Wire) -> None:
            other = Wire(self.port)
            wire.say("MODE C")
            with wire.data("STOR a") as data:
                data.sendall(b"\xff" * 500_000)
                other_says.append(other.say("NOOP"))
                data.sendall(b"\0\x40\xc1")
                self.assertEqual("250", wire.reply()[:3])
            other.close()
            self.assertEqual(500_000 * 63 + 1, len(self.content_of("a")))
            self.assertEqual("200", other_says[0][:3])

        return self.talk(conversation)


class FtplibTests(ServerCase):
    """A client that knows nothing of our codecs: three octets, and so many of data."""

    def test_blocks(self) -> Deferred[None]:
        """RFC 959 3.4.2, spelt out."""
        content = os.urandom(200_000)
        self.put("a", content)

        def run() -> None:
            with ftplib.FTP(timeout=SECONDS) as ftp:
                ftp.connect("127.0.0.1", self.port)
                ftp.login("alice", "secret")
                ftp.voidcmd("TYPE I")
                ftp.voidcmd("MODE B")
                with ftp.transfercmd("RETR a") as data, data.makefile("rb") as file:
                    self.assertEqual(content, self.blocks(file))
                    self.assertEqual("250", ftp.voidresp()[:3])
                    self.assertEqual("125", ftp.sendcmd("STOR b")[:3])
                    half = len(content) // 4
                    for at in range(0, len(content), half):
                        piece = content[at : at + half]
                        data.sendall(struct.pack(">BH", 0, len(piece)) + piece)
                    data.sendall(struct.pack(">BH", 64, 0))
                    self.assertEqual("250", ftp.voidresp()[:3])
            self.assertEqual(content, self.content_of("b"))

        return deferToThread(run)

    def blocks(self, file: BinaryIO) -> bytes:
        """The data of blocks, markers left out."""
        pieces = []
        flags = 0
        while not flags & 64:
            flags, count = struct.unpack(">BH", file.read(3))
            data = file.read(count)
            if not flags & 16:
                pieces.append(data)
        return b"".join(pieces)


class HearingTests(SynchronousTestCase):
    """Whether a client reads what it is told."""

    def test_deaf_client(self) -> None:
        """One that has left much unread is not told more than it must be."""
        ours, theirs = socket.socketpair()
        self.addCleanup(theirs.close)
        self.addCleanup(ours.close)
        ours.setblocking(False)
        self.assertTrue(is_heard(ours))
        ours.sendall(b"x" * 100)
        self.assertTrue(is_heard(ours))
        with contextlib.suppress(BlockingIOError):
            while True:
                ours.send(b"x" * 4096)
        self.assertFalse(is_heard(ours))
        ours.close()
        self.assertFalse(is_heard(ours))


class ProtectedTests(ServerCase):
    """The same under TLS."""

    def test_many_files(self) -> Deferred[None]:
        """One handshake for several transfers; PROT C afterwards needs another
        connection."""

        def run() -> None:
            wire = Wire(self.port)
            context = secured(wire)
            wire.say("MODE B")
            plain = wire.data("STOR a")
            data = context.wrap_socket(plain, session=_session_of(wire))
            for name in ("a", "b"):
                if name == "b":
                    self.assertEqual("125", wire.say("STOR b")[:3])
                data.sendall(encoded(BLOCK, name.encode() * 100_000))
                self.assertEqual("250", wire.reply()[:3])
                self.assertEqual("125", wire.say(f"RETR {name}")[:3])
                sent = content_of(read_file(BLOCK, data))
                self.assertEqual(name.encode() * 100_000, sent)
                self.assertEqual("250", wire.reply()[:3])
            wire.say("PROT C")
            self.assertEqual("425", wire.say("RETR a")[:3])
            with wire.data("RETR a") as other:
                other.settimeout(SECONDS)
                self.assertEqual(100_000, len(content_of(read_file(BLOCK, other))))
            data.close()
            wire.close()

        return deferToThread(run)


def _session_of(wire: Wire) -> ssl.SSLSession | None:
    assert isinstance(wire.socket, ssl.SSLSocket)
    return wire.socket.session
