"""Real sockets: what only a transport can show."""

from __future__ import annotations

import os
import socket
import ssl

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from netservices.core.deferreds import as_deferred
from netservices.core.errors import ConfigurationError
from netservices.ftp.client import FTPClient, Unexpected, connect
from netservices.testing import running
from netservices.units import DeleteAccount, Unit, UpdateAccount
from tests.ftp.sockets import (
    SECONDS,
    SETTINGS,
    ServerCase,
    Wire,
    read_all,
    reset,
    secured,
)


class TransferTests(ServerCase):
    """Data connections that end well, badly, or never."""

    def test_upload_and_download(self) -> Deferred[None]:
        """A megabyte there and back, from the middle too."""
        content = os.urandom(1 << 20)

        def conversation(wire: Wire) -> None:
            data = wire.data("STOR a")
            data.sendall(content)
            data.close()
            self.assertEqual("226", wire.reply()[:3])
            self.assertEqual(content, self.content_of("a"))
            self.assertEqual(content, read_all(wire.data("RETR a")))
            self.assertEqual("226", wire.reply()[:3])
            wire.say("REST 1000000")
            self.assertEqual(content[1000000:], read_all(wire.data("RETR a")))
            self.assertEqual("226", wire.reply()[:3])

        return self.talk(conversation)

    def test_data_before_the_command(self) -> Deferred[None]:
        """What a hasty client sends before STOR is not lost."""

        def conversation(wire: Wire) -> None:
            port = wire.passive_port()
            with socket.create_connection(("127.0.0.1", port), SECONDS) as data:
                data.sendall(b"early")
            self.assertIn(wire.say("STOR a")[:3], ("125", "150"))
            self.assertEqual("226", wire.reply()[:3])
            self.assertEqual(b"early", self.content_of("a"))

        return self.talk(conversation)

    def test_reset_upload(self) -> Deferred[None]:
        """426, the old file is untouched, the rest can follow.  RFC 959 3.4.1"""
        self.put("a", b"old content")

        def conversation(wire: Wire) -> None:
            data = wire.data("STOR a")
            data.sendall(b"new" * 100_000)
            # The octets must have arrived: a reset overtakes what is in flight.
            while "300000 octets" not in self.status(wire):
                pass
            reset(data)
            self.assertEqual("426", wire.reply()[:3])
            self.assertEqual(b"old content", self.content_of("a"))
            wire.say("REST 300000")
            data = wire.data("STOR a")
            data.sendall(b"end")
            data.close()
            self.assertEqual("226", wire.reply()[:3])
            self.assertEqual(b"new" * 100_000 + b"end", self.content_of("a"))

        return self.talk(conversation)

    def status(self, wire: Wire) -> str:
        """All of what STAT says."""
        wire.socket.sendall(b"STAT\r\n")
        text = ""
        while not text.endswith("211 End\r\n"):
            text += wire.file.readline().decode()
        return text

    def test_reset_download(self) -> Deferred[None]:
        """A client that goes away in the middle of a download gets 426."""
        self.put("a", b"x" * 30_000_000)

        def conversation(wire: Wire) -> None:
            data = wire.data("RETR a")
            data.recv(1000)
            reset(data)
            self.assertEqual("426", wire.reply()[:3])
            self.assertEqual("200", wire.say("NOOP")[:3])

        return self.talk(conversation)

    def test_overtaking(self) -> Deferred[None]:
        """NOOP and STAT during a transfer, then ABOR as Telnet urgent data."""
        self.put("a", b"old content")

        def conversation(wire: Wire) -> None:
            data = wire.data("STOR a")
            self.assertEqual("200", wire.say("NOOP")[:3])
            self.assertIn("STOR /a: 0 octets", self.status(wire))
            wire.socket.sendall(b"\xff\xf4\xff", socket.MSG_OOB)
            wire.socket.sendall(b"\xf2ABOR\r\n")
            self.assertEqual("426", wire.reply()[:3])
            self.assertEqual("226", wire.reply()[:3])
            self.assertEqual(b"", data.recv(1) if self.is_open(data) else b"")
            self.assertEqual(b"old content", self.content_of("a"))
            # As ftplib sends it: the line end itself is the urgent octet.
            wire.socket.sendall(b"ABOR\r\n", socket.MSG_OOB)
            self.assertEqual("225", wire.reply()[:3])

        return self.talk(conversation)

    def is_open(self, data: socket.socket) -> bool:
        """Whether the server has not reset the connection."""
        try:
            data.recv(1, socket.MSG_PEEK)
        except ConnectionResetError:
            return False
        return True

    def test_active(self) -> Deferred[None]:
        """PORT and EPRT: the server connects at the transfer command."""
        self.put("a", b"content")

        def conversation(wire: Wire) -> None:
            for form in ("PORT 127,0,0,1,{0},{1}", "EPRT |1|127.0.0.1|{2}|"):
                with socket.create_server(("127.0.0.1", 0)) as listener:
                    listener.settimeout(SECONDS)
                    port = listener.getsockname()[1]
                    line = form.format(port >> 8, port & 255, port)
                    self.assertEqual("200", wire.say(line)[:3])
                    self.assertEqual("150", wire.say("RETR a")[:3])
                    accepted, _ = listener.accept()
                    self.assertEqual(b"content", read_all(accepted))
                    self.assertEqual("226", wire.reply()[:3])

        return self.talk(conversation)

    def test_active_refused(self) -> Deferred[None]:
        """Nobody listens where PORT said: 150, then 425."""

        def conversation(wire: Wire) -> None:
            with socket.create_server(("127.0.0.1", 0)) as listener:
                port = listener.getsockname()[1]
            wire.say(f"EPRT |1|127.0.0.1|{port}|")
            self.assertEqual("150", wire.say("LIST")[:3])
            self.assertEqual("425", wire.reply()[:3])

        return self.talk(conversation)

    def test_theft(self) -> Deferred[None]:
        """A stranger on the passive port is closed; the client still gets its data."""
        self.put("a", b"content")

        def conversation(wire: Wire) -> None:
            port = wire.passive_port()
            thief = socket.create_connection(
                ("127.0.0.1", port), SECONDS, ("127.0.0.2", 0)
            )
            try:
                self.assertEqual(b"", thief.recv(1))
            except ConnectionResetError:
                pass
            finally:
                thief.close()
            data = socket.create_connection(("127.0.0.1", port), SECONDS)
            wire.say("RETR a")
            self.assertEqual(b"content", read_all(data))
            self.assertEqual("226", wire.reply()[:3])

        return self.talk(conversation)

    def test_shared_ports(self) -> Deferred[None]:
        """Sessions of one address get different ports while both wait; ports are
        opened once."""

        def conversation(first: Wire) -> None:
            second = Wire(self.port)
            second.log_in()
            self.addCleanup(second.close)
            used = set()
            for _ in range(50):
                one, other = first.passive_port(), second.passive_port()
                self.assertNotEqual(one, other)
                used |= {one, other}
            self.assertLessEqual(len(used), 9)

        return self.talk(conversation)

    def test_deleted_while_sent(self) -> Deferred[None]:
        """A file that is replaced during its download arrives as it was."""
        content = os.urandom(20_000_000)
        self.put("a", content)

        def conversation(wire: Wire) -> None:
            data = wire.data("RETR a")
            other = Wire(self.port)
            self.addCleanup(other.close)
            other.log_in()
            upload = other.data("STOR a")
            upload.sendall(b"new")
            upload.close()
            self.assertEqual("226", other.reply()[:3])
            self.assertEqual(content, read_all(data))
            self.assertEqual("226", wire.reply()[:3])
            self.assertEqual(b"new", self.content_of("a"))

        return self.talk(conversation)


class AccountChangeTests(TestCase):
    """What happens to sessions when their account changes."""

    @as_deferred
    async def test_disabled_account(self) -> None:
        """Whoever is disabled or removed is out at once, in the middle of a session;
        a new password, or the change of somebody else, ends nothing."""
        server = await running(
            ftp=True,
            settings={**SETTINGS, "accounts.shortest_password": 1},
            accounts=[("alice", "secret"), ("bob", "secret")],
        )
        self.addCleanup(server.stop)
        store, accounts = server.house.services.store, server.house.services.accounts
        for operation in (
            lambda number: UpdateAccount(number, is_enabled=False),
            DeleteAccount,
        ):
            wire = await deferToThread(Wire, server.port("ftp"))
            await deferToThread(wire.log_in)
            alice, bob = [await accounts.find(one) for one in ("alice", "bob")]
            await accounts.set_password(alice.id, "secret indeed")
            await accounts.set_password(alice.id, "secret")
            await store.apply(Unit((UpdateAccount(bob.id, is_enabled=False),)))
            self.assertEqual("200", (await deferToThread(wire.say, "NOOP"))[:3])
            await store.apply(Unit((operation(alice.id),)))
            await server.house.settle()
            self.assertEqual("421", (await deferToThread(wire.reply))[:3])
            self.assertEqual("", await deferToThread(wire.reply))
            wire.close()
            if operation is not DeleteAccount:
                enabling = UpdateAccount(alice.id, is_enabled=True)
                await store.apply(Unit((enabling,)))


class ConfigurationTests(TestCase):
    """Settings that cannot be."""

    @as_deferred
    async def test_masquerade_address(self) -> None:
        """A name, or an IPv6 address, is refused at the start with the way out."""
        for wrong in ("ftp.example.org", "2001:db8::1", "1.2.3"):
            settings = {**SETTINGS, "ftp.masquerade_address": wrong}
            try:
                server = await running(ftp=True, settings=settings)
            except ConfigurationError as error:
                self.assertIn(wrong, str(error))
            else:
                await server.stop()
                self.fail(f"{wrong} was accepted")


class TLSTests(ServerCase):
    """TLS on both connections.  RFC 4217"""

    def test_truncated_upload(self) -> Deferred[None]:
        """An end without close_notify is 426, one with it 226."""
        self.put("a", b"old content")

        def run() -> None:
            wire = Wire(self.port)
            context = secured(wire)
            data = context.wrap_socket(wire.data("STOR a"))
            data.sendall(b"new content")
            data.close()
            self.assertEqual("426", wire.reply()[:3])
            self.assertEqual(b"old content", self.content_of("a"))
            data = context.wrap_socket(wire.data("STOR a"))
            data.sendall(b"new content")
            data.unwrap()
            data.close()
            self.assertEqual("226", wire.reply()[:3])
            self.assertEqual(b"new content", self.content_of("a"))
            wire.close()

        return deferToThread(run)

    def test_no_handshake(self) -> Deferred[None]:
        """A data connection that speaks no TLS carries nothing: 522."""
        self.put("a", b"secret content")

        def run() -> None:
            wire = Wire(self.port)
            secured(wire)
            data = wire.data("RETR a")
            data.sendall(b"no TLS at all" * 10)
            self.assertEqual("522", wire.reply()[:3])
            data.close()
            self.assertEqual("200", wire.say("NOOP")[:3])
            wire.close()

        return deferToThread(run)

    def test_injection(self) -> Deferred[None]:
        """What is sent in the clear behind AUTH is never answered.  RFC 4217 15.1"""

        def run() -> None:
            wire = Wire(self.port)
            wire.socket.sendall(b"AUTH TLS\r\nSYST\r\nNOOP\r\n")
            self.assertEqual("234", wire.reply()[:3])
            wire.file.close()
            context = ssl._create_unverified_context()
            wire.socket = context.wrap_socket(wire.socket)
            wire.file = wire.socket.makefile("rb")
            self.assertEqual("211", wire.say("FEAT")[:3])
            wire.close()

        return deferToThread(run)

    def test_implicit(self) -> Deferred[None]:
        """On the implicit port TLS comes first, and data is protected."""
        self.put("a", b"content")
        port = self.server.port("ftp", "tls")

        def run() -> None:
            context = ssl._create_unverified_context()
            plain = socket.create_connection(("127.0.0.1", port), SECONDS)
            wire = Wire.__new__(Wire)
            wire.address = "127.0.0.1"
            wire.socket = context.wrap_socket(plain)
            wire.file = wire.socket.makefile("rb")
            wire.reply()
            wire.log_in()
            data = context.wrap_socket(wire.data("RETR a"))
            self.assertEqual(b"content", read_all(data))
            self.assertEqual("226", wire.reply()[:3])
            wire.close()

        return deferToThread(run)


class TimeTests(ServerCase):
    """Connections that never come, or never move."""

    settings = {
        "ftp.data_timeout": "1s",
        "ftp.stall_timeout": "1s",
    }

    def test_no_connection(self) -> Deferred[None]:
        """425 when the client does not connect."""

        def conversation(wire: Wire) -> None:
            wire.passive_port()
            self.assertEqual("150", wire.say("LIST")[:3])
            self.assertEqual("425", wire.reply()[:3])

        return self.talk(conversation)

    def test_stall(self) -> Deferred[None]:
        """426 when nothing moves; the control connection lives."""

        def conversation(wire: Wire) -> None:
            data = wire.data("STOR a")
            data.sendall(b"x")
            self.assertEqual("426", wire.reply()[:3])
            self.assertEqual("200", wire.say("NOOP")[:3])
            data.close()

        return self.talk(conversation)


class LoginTimeTests(ServerCase):
    """Connections that never log in."""

    settings = {"ftp.login_timeout": "1s"}

    def test_login_timeout(self) -> Deferred[None]:
        """Whoever does not log in is sent away, however much he says."""

        def run() -> None:
            wire = Wire(self.port)
            while (said := wire.say("NOOP"))[:3] == "200":
                pass
            self.assertEqual("421", said[:3])
            wire.close()

        return deferToThread(run)


class ClientTests(ServerCase):
    """``client.py`` against ``server``."""

    @as_deferred
    async def client(self) -> FTPClient:
        """A client that has logged in."""
        from twisted.internet import reactor

        client = await connect(reactor, "127.0.0.1", self.port)
        await client.login("alice", b"secret")
        return client

    @as_deferred
    async def test_session(self) -> None:
        """Every method once."""
        client = await self.client()
        content = os.urandom(3_000_000)
        await client.store("a b", [content[:1_000_000], content[1_000_000:]])
        self.assertEqual(3_000_000, await client.size("a b"))
        self.assertEqual(content, await client.retrieve("a b"))
        self.assertEqual(content[-5:], await client.retrieve("a b", 2_999_995))
        self.assertEqual("/dir", await client.make_directory("dir"))
        await client.rename("a b", "dir/caf\udce9")
        await client.change_directory("dir")
        entries = (await client.list()).entries
        self.assertEqual(["caf\udce9"], [entry.name for entry in entries])
        await client.delete("caf\udce9")
        await client.change_directory("/")
        await client.remove_directory("dir")
        self.assertEqual((), (await client.list()).entries)
        await client.quit()

    @as_deferred
    async def test_refused(self) -> None:
        """The reply is in the error."""
        client = await self.client()
        try:
            await client.retrieve("nowhere")
        except Unexpected as error:
            self.assertEqual(550, error.reply.code)
        else:
            self.fail("nothing was raised")
        await client.quit()
