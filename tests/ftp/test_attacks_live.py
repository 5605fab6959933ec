"""Attacks on a whole server: links that are swapped, thousands of commands at once, no
descriptors left, and ``kill -9``.  ``NETSERVICES_SOAK`` makes them longer."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import socket
import tempfile
from threading import Event, Thread
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netservices.testing import running_process
from tests.ftp.sockets import SECONDS, SETTINGS, ServerCase, Wire, read_all

SOAK = bool(os.environ.get("NETSERVICES_SOAK"))


def upload(wire: Wire, command: str, content: bytes) -> str:
    """The last reply to STOR, APPE or STOU."""
    port = wire.passive_port()
    with socket.create_connection((wire.address, port), SECONDS) as data:
        reply = wire.say(command)
        if reply[:1] != "1":
            return reply
        with contextlib.suppress(OSError):
            data.sendall(content)
    return wire.reply()


def download(wire: Wire, command: str) -> bytes:
    """What RETR or a listing sends, as far as it comes."""
    port = wire.passive_port()
    with socket.create_connection((wire.address, port), SECONDS) as data:
        if wire.say(command)[:1] != "1":
            return b""
        try:
            return read_all(data)
        except ConnectionResetError:
            return b""
        finally:
            wire.reply()


class SwapTests(ServerCase):
    """A process in the same tree swaps a directory for a link that leads out of it."""

    rounds = 2000 if SOAK else 30
    replies = (
        "MKD d/made",
        "DELE d/key",
        "RMD d/sub",
        "SITE CHMOD 777 d/key",
        "MFMT 20010101000000 d/key",
        "SITE CPFR d/key",
        "SITE CPTO stolen",
        "SITE CPFR mine",
        "SITE CPTO d/copied",
        "RNFR d/key",
        "RNTO stolen",
        "RNFR mine",
        "RNTO d/moved",
        "MLST d/key",
        "SIZE d/key",
        "HASH d/key",
        "STAT d",
    )

    def test_no_escape(self) -> Deferred[None]:
        """Nothing outside is read, listed, changed or made, by any command."""
        outside = os.path.join(self.server.state_directory, "outside")
        os.makedirs(os.path.join(outside, "sub"))
        with open(os.path.join(outside, "key"), "wb") as file:
            file.write(b"SECRET")
        os.chmod(file.name, 0o600)
        before = os.stat(file.name)
        stop = Event()
        swapper = Thread(target=self.swap, args=(outside, stop))

        def conversation(wire: Wire) -> None:
            swapper.start()
            try:
                for _ in range(self.rounds):
                    self.try_everything(wire)
            finally:
                stop.set()
                swapper.join()

        done = self.talk(conversation)

        def check(_: None) -> None:
            self.assertEqual(["key", "sub"], sorted(os.listdir(outside)))
            self.assertEqual([], os.listdir(os.path.join(outside, "sub")))
            after = os.stat(file.name)
            for field in ("st_mode", "st_mtime_ns", "st_size", "st_ino", "st_nlink"):
                self.assertEqual(getattr(before, field), getattr(after, field))

        return done.addCallback(check)

    def swap(self, outside: str, stop: Event) -> None:
        """In a thread: now a directory, now a link, absolute or relative."""
        place = os.path.join(self.home, "d")
        real = os.path.join(self.home, "real")
        os.makedirs(real)
        targets = (outside, "../../outside")
        number = 0
        while not stop.is_set():
            number += 1
            with contextlib.suppress(OSError):
                os.rename(real, place)
                os.rename(place, real)
            with contextlib.suppress(OSError):
                os.symlink(targets[number % 2], place)
                os.unlink(place)

    def try_everything(self, wire: Wire) -> None:
        """Every command that takes a path."""
        self.put("mine", b"mine")
        for command in ("STOR d/new", "APPE d/new", "STOU d/x"):
            upload(wire, command, b"evil")
        for command in self.replies:
            reply = wire.say(command)
            if command.endswith(" d/key"):
                self.assertNotIn(reply[:1], "23", command)
        self.assertEqual(b"", download(wire, "RETR d/key"))
        for command in ("LIST d", "NLST d/*", "MLSD d"):
            self.assertNotIn(b"key", download(wire, command))


class PipelineTests(ServerCase):
    """A client that says everything before it reads anything."""

    def test_ten_thousand(self) -> Deferred[None]:
        """Each command has its reply, in order; meanwhile little is held, and others
        are served."""
        count = 100_000 if SOAK else 10_000

        def conversation(wire: Wire) -> None:
            said = b"".join(b"CWD %d\r\nHELP NOOP\r\n" % n for n in range(count // 2))
            sender = Thread(target=wire.socket.sendall, args=(said,))
            sender.start()
            other = Wire(self.port)
            other.log_in()
            self.assertEqual("200", other.say("NOOP")[:3])
            other.close()
            self.assertLess(max(self.held()), 1 << 17)
            for number in range(count // 2):
                self.assertEqual("550", wire.reply()[:3], number)
                self.assertEqual("214", wire.reply()[:3], number)
            sender.join()
            self.assertEqual("200", wire.say("NOOP")[:3])

        return self.talk(conversation)

    def held(self) -> list[int]:
        """Octets of commands that sessions hold."""
        stop: Any = self.server.house.servers["ftp"].stop
        server = stop.__self__
        return [session._buffer.octets for session in list(server.factory.sessions)]


class DescriptorTests(SynchronousTestCase):
    """A process that may open no more descriptors."""

    def test_exhausted(self) -> None:
        """What needs none goes on, the rest is refused with 4yz, and all is well as
        soon as there are some."""
        with running_process(
            ftp=True, accounts=[("alice", "secret")], settings=SETTINGS
        ) as server:
            number, port = server.process.pid, server.port("ftp")
            wire = Wire(port)
            wire.log_in()
            self.assertEqual("226", upload(wire, "STOR f", b"content")[:3])
            used = len(os.listdir(f"/proc/{number}/fd"))
            limits = resource.prlimit(number, resource.RLIMIT_NOFILE)
            few = (used + 20, limits[1])
            resource.prlimit(number, resource.RLIMIT_NOFILE, few)
            address = ("127.0.0.1", port)
            others = [socket.create_connection(address, SECONDS) for _ in range(40)]
            for other in others[:10]:
                self.assertEqual(b"220", other.recv(3))
            self.assertEqual("200", wire.say("NOOP")[:3])
            for command in ("HASH f", "MKD d", "DELE f", "STAT ."):
                self.assertRegex(wire.say(command), "4[25][05] ", command)
            for other in others:
                other.close()
            resource.prlimit(number, resource.RLIMIT_NOFILE, limits)
            self.assertEqual(b"content", download(wire, "RETR f"))
            self.assertEqual("226", upload(wire, "STOR g", b"content")[:3])
            wire.close()


class Uploader(Thread):
    """A client that uploads ever newer versions, renames them into place, and knows the
    last one that was acknowledged."""

    def __init__(self, port: int, name: str, first: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.place = name
        self.acknowledged = self.begun = first

    def run(self) -> None:
        """Until the server has gone."""
        with contextlib.suppress(OSError, IndexError, AssertionError):
            wire = Wire(self.port)
            wire.log_in()
            while True:
                self.begun += 1
                name = f"{self.place}.new"
                reply = upload(wire, f"STOR {name}", version(self.begun))
                assert reply.startswith("226")
                wire.say(f"RNFR {name}")
                assert wire.say(f"RNTO {self.place}").startswith("250")
                self.acknowledged = self.begun


def version(number: int) -> bytes:
    """The content of a version: its number, again and again."""
    return b"%08d" % number * (100 if number % 3 else 20_000)


class KilledTests(SynchronousTestCase):
    """``kill -9`` under load."""

    rounds = 50 if SOAK else 2

    def test_killed(self) -> None:
        """Every file is one version, whole, and none older than what was acknowledged;
        the next start leaves no temporary file."""
        state = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, state)
        self.home = os.path.join(state, "files/alice@localhost")
        last = [0] * (20 if SOAK else 6)
        for number in range(self.rounds):
            last = self.run_and_kill(state, number == 0, last)

    def run_and_kill(self, state: str, is_first: bool, last: list[int]) -> list[int]:
        """One life of the server; the versions at its end."""
        with running_process(
            ftp=True,
            accounts=[("alice", "secret")] if is_first else [],
            settings={**SETTINGS, "files.durability": "full"},
            state=state,
        ) as server:
            self.assert_swept(server.port("ftp"))
            clients = [
                Uploader(server.port("ftp"), f"f{number}", first)
                for number, first in enumerate(last)
            ]
            for client in clients:
                client.start()
            enough = sum(last) + len(last) * 8
            while sum(client.acknowledged for client in clients) < enough:
                clients[0].join(0.01)
            server.process.kill()
            server.process.wait()
            for client in clients:
                client.join(SECONDS)
        return [self.found(client) for client in clients]

    def assert_swept(self, port: int) -> None:
        """Soon after the start there is nothing that nobody owns."""
        area = os.path.join(self.home, ".ns-uploads")
        wire = Wire(port)
        while any(name[:2] != "p-" for name in list_if_there(area)):
            self.assertEqual("200", wire.say("NOOP")[:3])
        wire.close()

    def found(self, client: Uploader) -> int:
        """The version on the disk."""
        try:
            with open(os.path.join(self.home, client.place), "rb") as file:
                content = file.read()
        except FileNotFoundError:
            self.assertEqual(0, client.acknowledged)
            return client.begun
        number = int(content[:8])
        self.assertEqual(version(number), content)
        self.assertTrue(client.acknowledged <= number <= client.begun)
        return client.begun


def list_if_there(directory: str) -> list[str]:
    """Its names."""
    return os.listdir(directory) if os.path.isdir(directory) else []
