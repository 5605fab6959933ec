"""What the server tells of its sessions, and how it ends them."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet import reactor
from twisted.internet.threads import blockingCallFromThread
from twisted.trial.unittest import SynchronousTestCase

from netservices.control.client import ControlProblem, ask
from netservices.core.deferreds import as_deferred
from netservices.core.speed import Speed
from netservices.totals import Totals
from netservices.units import Unit, UpdateAccount
from tests.ftp.memory import LOGIN, MemoryFTP
from tests.ftp.sockets import SECONDS, ServerCase, Wire, read_all, secured
from tests.ftp.test_xferlog import deletion, transfer


class SpeedTests(SynchronousTestCase):
    """Octets a second, over the last seconds."""

    def test_now_not_then(self) -> None:
        """What was slow and is fast now is fast."""
        speed = Speed(0.0)
        self.assertEqual(0.0, speed.rate(0.0, 0))
        self.assertEqual(50.0, speed.rate(2.0, 100))
        for second in range(1, 101):
            speed.mark(second, second)
        for second in range(101, 106):
            speed.mark(second, 100 + (second - 100) * 1000)

        self.assertEqual(1000.0, speed.rate(105.0, 5100))
        self.assertEqual(0.0, Speed(5.0).rate(5.0, 7))


class TotalsTests(SynchronousTestCase):
    """Sums by protocol."""

    def test_sums(self) -> None:
        """Transfers and octets in each direction, logins good and bad, changes; what
        is not about a session is not counted."""
        totals = Totals()
        for record in (
            transfer(),
            transfer(direction="down", size_octets=7),
            transfer(direction="down", size_octets=3, outcome="426"),
            deletion(),
            {"event": "login", "protocol": "ftp"},
            {"event": "login", "protocol": "imap"},
            {"event": "login_refused", "protocol": "ftp"},
            {"event": "session_refused", "protocol": "ftp"},
            {"event": "zone_changed", "zone": "example.org"},
        ):
            totals.hear(record)

        self.assertEqual(
            {
                "uploads": 1,
                "octets_up": 5120,
                "downloads": 1,
                "octets_down": 10,
                "failed_transfers": 1,
                "changes": 1,
                "logins": 1,
                "failed_logins": 1,
                "refused_sessions": 1,
            },
            dict(totals.by_protocol["ftp"]),
        )
        self.assertEqual({"logins": 1}, dict(totals.by_protocol["imap"]))


class StatTests(MemoryFTP, SynchronousTestCase):
    """STAT during a transfer.  RFC 959 4.1.3"""

    content = {"big": b"x" * 100}

    def make_port(self) -> Any:
        """Transfers that wait."""
        port = super().make_port()
        port.holds = True
        return port

    def test_download(self) -> None:
        """How far it is, of how much."""
        self.assert_dialogue(
            LOGIN
            + """
            C: TYPE I
            S: 200 ...
            C: EPSV
            S: 229 ...
            C: RETR big
            S: 125 ...
            C: STAT
            S: 211-Status:
            S:  Connected from 127.0.0.1
            S:  Logged in as alice@example.org
            S:  ...
            S:  RETR /big: 0 octets so far, 0% of 100, 0 octets a second
            S: 211 End
            C: ABOR
            S: 426 ...
            S: 226 ...
            """,
            ways=("whole", "bytes"),
        )


class Ended(ServerCase):
    """A server that is asked over its control socket."""

    def ask(self, verb: str, **request: Any) -> Mapping[str, Any]:
        """What the server answers; from a thread."""
        return ask(self.server.state_directory, {"verb": verb, **request}, SECONDS)

    def row(self) -> Mapping[str, Any]:
        """The one session that there is."""
        (row,) = self.ask("sessions")["sessions"]
        found: Mapping[str, Any] = row
        return found


class ListTests(Ended):
    """What is said of a session."""

    @as_deferred
    async def test_idle(self) -> None:
        """Who, from where, since when, where he is, and that nothing moves."""

        def conversation(wire: Wire) -> None:
            wire.say("MKD d")
            wire.say("CWD d")
            wire.say("CLNT tests 1.0")
            row = dict(self.row())
            self.assertRegex(row.pop("session"), "^[a-z2-7]{8}$")
            now = blockingCallFromThread(reactor, reactor.seconds)
            self.assertLess(abs(now - row.pop("since")), SECONDS)
            self.assertLess(row.pop("idle_seconds"), SECONDS)
            expected = {"protocol": "ftp", "account": "alice@localhost", "tls": ""}
            expected |= {"address": "127.0.0.1", "directory": "/d"}
            expected |= {"client": "tests 1.0"}
            self.assertEqual({**expected, "transfer": None}, row)

        await self.talk(conversation)

    @as_deferred
    async def test_transfer(self) -> None:
        """What is transferred, how far that is, and how fast."""
        self.put("big", bytes(1 << 26))

        def conversation(wire: Wire) -> None:
            data = wire.data("RETR big")
            data.recv(1)
            row = self.row()["transfer"]
            self.assertEqual(("RETR", "/big"), (row["verb"], row["path"]))
            self.assertEqual(1 << 26, row["total_octets"])
            self.assertEqual(row["octets"] * 100 >> 26, row["percent"])
            self.assertGreater(row["octets"], 0)
            self.assertGreater(row["rate"], 0)
            status = self.ask("status")
            self.assertEqual(1, status["protocols"]["ftp"]["transfers"])
            self.assertEqual("/big", status["session_list"][0]["transfer"]["path"])
            read_all(data)
            self.assertEqual("226", wire.reply()[:3])
            totals = self.ask("status")["protocols"]["ftp"]["totals"]
            expected = {"logins": 1, "downloads": 1, "octets_down": 1 << 26}
            self.assertEqual(expected, totals)

        await self.talk(conversation)

    @as_deferred
    async def test_announced(self) -> None:
        """An upload that ALLO has announced has a total."""

        def conversation(wire: Wire) -> None:
            wire.say("ALLO 10")
            data = wire.data("STOR a")
            data.sendall(b"hello")
            while self.row()["transfer"]["octets"] < 5:
                pass
            self.assertEqual(50, self.row()["transfer"]["percent"])
            data.close()
            wire.reply()

        await self.talk(conversation)

    @as_deferred
    async def test_tls(self) -> None:
        """The version of TLS; events tell that of the data connection."""
        seen: list[Mapping[str, Any]] = []
        services = self.server.house.services
        assert services is not None
        services.events.subscribe(seen.append)

        def conversation(wire: Wire) -> None:
            wire.say("REIN")
            context = secured(wire)
            self.assertRegex(self.row()["tls"], r"^TLSv1\.[23]$")
            data = context.wrap_socket(wire.data("STOR a"))
            data.sendall(b"hello")
            data.unwrap().close()
            self.assertEqual("226", wire.reply()[:3])

        await self.talk(conversation)
        (event,) = [one for one in seen if one["event"] == "transfer"]
        self.assertRegex(event["tls"], r"^TLSv1\.[23]$")
        self.assertIn(event["tls_resumed"], (True, False))
        self.assertEqual(("STOR", "I"), (event["verb"], event["type"]))
        self.assertEqual(os.path.join(self.home, "a"), event["disk_path"])

    @as_deferred
    async def test_sorted_and_cut(self) -> None:
        """Transfers come first, the fastest of them ahead; most says how many come,
        total how many there are; an order that there is not is refused."""
        self.put("big", bytes(1 << 26))

        def conversation(wire: Wire) -> None:
            others = [Wire(self.port) for _ in range(3)]
            data = wire.data("RETR big")
            data.recv(1)
            for other in others:
                other.say("NOOP")
            reply = self.ask("sessions", most=2)
            self.assertEqual(4, reply["total"])
            rows = reply["sessions"]
            self.assertEqual([False, True], [one["transfer"] is None for one in rows])
            newest = self.ask("sessions", order="since")["sessions"]
            times = [one["since"] for one in newest]
            self.assertEqual(sorted(times, reverse=True), times)
            self.assertEqual(1, self.ask("sessions", account="alice")["total"])
            self.assertEqual(0, self.ask("sessions", account="bob")["total"])
            self.assertEqual(4, self.ask("sessions", address="127.0.0.1")["total"])
            self.assertEqual(0, self.ask("sessions", protocol="dns")["total"])
            for request in ({"order": "size"}, {"most": 0}, {"account": 5}):
                self.assertRaises(ControlProblem, self.ask, "sessions", **request)
            for other in others:
                other.close()
            data.close()

        await self.talk(conversation)


class EndTests(Ended):
    """Sessions that an administrator ends."""

    def assert_ended(self, wire: Wire, *codes: str) -> None:
        """The client hears these replies, and that is the end."""
        self.assertEqual(list(codes), [wire.reply()[:3] for _ in codes])
        self.assertEqual(b"", wire.file.read())

    @as_deferred
    async def test_idle(self) -> None:
        """421, and an event that tells of it."""
        seen: list[Mapping[str, Any]] = []
        services = self.server.house.services
        assert services is not None
        services.events.subscribe(seen.append)

        def conversation(wire: Wire) -> None:
            name = self.row()["session"]
            reply = self.ask("end_sessions", sessions=[name, "nobody"])
            self.assertEqual([name], reply["ended"])
            self.assert_ended(wire, "421")

        await self.talk(conversation)
        (event,) = [one for one in seen if one["event"] == "session_ended"]
        self.assertEqual("alice@localhost", event["account"])

    def in_a_transfer(
        self, check: Callable[[Wire, socket.socket], None], command: str
    ) -> Any:
        """End the session while a transfer runs."""

        def conversation(wire: Wire) -> None:
            data = wire.data(command)
            if command.startswith("STOR"):
                data.sendall(b"hello")
                while self.row()["transfer"]["octets"] < 5:
                    pass
            self.ask("end_sessions", account="alice")
            check(wire, data)
            data.close()

        return self.talk(conversation)

    @as_deferred
    async def test_upload(self) -> None:
        """The upload is broken off with 426; what came is kept, and can be gone on
        with; the old file is as it was."""
        self.put("a", b"old")

        def check(wire: Wire, _data: socket.socket) -> None:
            self.assert_ended(wire, "426", "421")

        await self.in_a_transfer(check, "STOR b")

        def conversation(wire: Wire) -> None:
            self.assertEqual("213 5", wire.say("SIZE b"))

        await self.talk(conversation)
        await self.in_a_transfer(check, "STOR a")
        self.assertEqual(b"old", self.content_of("a"))

    @as_deferred
    async def test_download(self) -> None:
        """A download breaks off; the client does not take it for complete."""
        self.put("big", bytes(1 << 26))

        def check(wire: Wire, data: socket.socket) -> None:
            self.assert_ended(wire, "426", "421")
            self.assertRaises(ConnectionResetError, read_all, data)

        await self.in_a_transfer(check, "RETR big")

    @as_deferred
    async def test_waiting(self) -> None:
        """So does one whose data connection has not come."""

        def conversation(wire: Wire) -> None:
            wire.passive_port()
            self.assertEqual("150", wire.say("STOR a")[:3])
            self.ask("end_sessions", address="127.0.0.1")
            self.assert_ended(wire, "426", "421")

        await self.talk(conversation)

    @as_deferred
    async def test_dismissed(self) -> None:
        """The same happens to the transfer of an account that is disabled."""
        services = self.server.house.services
        assert services is not None
        account = await services.accounts.find("alice")
        assert account is not None
        disabling = Unit((UpdateAccount(account.id, is_enabled=False),))
        store = services.store

        def conversation(wire: Wire) -> None:
            data = wire.data("STOR a")
            blockingCallFromThread(reactor, store.apply, disabling)
            self.assert_ended(wire, "426", "421")
            data.close()

        await self.talk(conversation)

    @as_deferred
    async def test_all_of_an_account(self) -> None:
        """All sessions of one account, and of nobody else; a request that names none
        is refused."""

        def conversation(wire: Wire) -> None:
            second, other = Wire(self.port), Wire(self.port)
            second.log_in()
            other.say("NOOP")
            self.assertRaises(ControlProblem, self.ask, "end_sessions")
            ended = self.ask("end_sessions", account="alice@localhost")["ended"]
            self.assertEqual(2, len(ended))
            self.assert_ended(wire, "421")
            self.assert_ended(second, "421")
            self.assertTrue(re.match("200|530", other.say("NOOP")))
            second.close()
            other.close()

        await self.talk(conversation)
