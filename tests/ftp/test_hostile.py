"""What clients did that broke something once: each in the moment that is worst for the
server."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any

from twisted.internet import reactor as live_reactor
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.task import Clock, deferLater
from twisted.internet.testing import StringTransport
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from netservices.core.deferreds import as_deferred, value_of
from netservices.core.errors import Trouble
from netservices.core.settings import PortRange
from netservices.ftp.dialogue.channels import DataBroken
from netservices.ftp.server.channels import DataConnection
from netservices.ftp.server.passive import PassivePorts
from netservices.testing.peers import Peer
from tests.ftp.memory import MemoryFTP
from tests.ftp.sockets import ServerCase, Wire

reactor: Any = live_reactor


class AbandonedTests(ServerCase):
    """Control connections that go while their transfer waits for its data."""

    def leave_waiting(self, *commands: str) -> None:
        """Log in, say something whose last command waits, hang up."""
        wire = Wire(self.port)
        wire.log_in()
        for command in commands:
            wire.say(command)
        wire.close()

    async def settled(self) -> None:
        """Until the server has noticed that everybody left."""
        while self.server.house.services.limits.statistics().get("sessions_ftp"):
            await deferLater(reactor, 0.01)

    @as_deferred
    async def test_passive(self) -> None:
        """A passive port is free again when its session has gone."""
        passive = self.connections.passive
        for _ in range(3):
            await deferToThread(self.leave_waiting, "EPSV", "STOR a")
        await self.settled()
        waiting = [
            listener.expected
            for listeners in passive._listeners.values()
            for listener in listeners
        ]
        self.assertTrue(waiting)
        self.assertFalse(any(waiting))

    @as_deferred
    async def test_active(self) -> None:
        """A connection under way is given up with its session, and does not stay
        open without one."""
        # With its queue full the client's system leaves further connections waiting.
        listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.addCleanup(listener.close)
        host, port = listener.getsockname()
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((host, port))
            fillers.append(filler)
            self.addCleanup(filler.close)
        before = self.sockets()
        await deferToThread(self.leave_waiting, f"EPRT |1|{host}|{port}|", "STOR a")
        await self.settled()
        while self.sockets() > before:
            await deferLater(reactor, 0.01)

    @property
    def connections(self) -> Any:
        """The data connections of the server."""
        server: Any = self.server.house.servers["ftp"].stop
        return server.__self__.connections

    @staticmethod
    def sockets() -> int:
        """How many sockets this process has open."""
        count = 0
        for name in os.listdir("/proc/self/fd"):
            with contextlib.suppress(FileNotFoundError):
                count += os.readlink(f"/proc/self/fd/{name}").startswith("socket")
        return count


class WorstMomentTests(ServerCase):
    """Commands that come just too early or just too late."""

    def test_abort_behind_its_transfer(self) -> Deferred[None]:
        """
        ABOR in one segment with the transfer: 426 and 226 as soon as it can be, not
        when the time for the data connection is over.  RFC 959 4.1.3.
        """

        def conversation(wire: Wire) -> None:
            for command in (b"STOR a", b"LIST", b"RETR a", b"APPE a", b"MLSD"):
                self.put("a", b"old")
                wire.passive_port()
                replies = [wire.say(command + b"\r\nABOR\r\nNOOP")]
                replies += [wire.reply(), wire.reply(), wire.reply()]
                codes = [reply[:3] for reply in replies]
                self.assertEqual(["150", "426", "226", "200"], codes, command)
                self.assertEqual(b"old", self.content_of("a"))
            self.assertEqual("200", wire.say("NOOP")[:3])

        return self.talk(conversation)


class GreedyReaderTests(SynchronousTestCase):
    """A client that takes all that is sent, at once."""

    def test_others_have_their_turn(self) -> None:
        """After a few chunks the sender lets the reactor serve others."""
        clock = Clock()
        transport = StringTransport()
        connection = DataConnection(4096, clock)
        connection.makeConnection(transport)

        async def send() -> None:
            for _ in range(64):
                await connection.send(bytes(4096))

        done = Deferred.fromCoroutine(send())
        for turns in range(1, 16):
            self.assertEqual(turns * 4 * 4096, len(transport.value()))
            # Not advance: that would go on with what this call asks for.
            call = clock.calls.pop(0)
            call.func(*call.args, **call.kw)
        clock.advance(0)
        self.successResultOf(done)
        self.assertEqual(64 * 4096, len(transport.value()))

    def test_cut_off_while_others_had_theirs(self) -> None:
        """Who comes back to a broken connection is told."""
        clock = Clock()
        connection = DataConnection(4096, clock)
        connection.makeConnection(StringTransport())
        done = Deferred.fromCoroutine(connection.send(bytes(1 << 16)))
        connection.abort()
        clock.advance(0)
        self.failureResultOf(done, DataBroken)


class LateUpload:
    """An upload whose commit takes as long as the test wants."""

    def __init__(self, upload: Any) -> None:
        self.upload = upload
        self.committed: Deferred[None] = Deferred()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.upload, name)

    def commit(self, is_wanted: Any = None) -> Deferred[None]:
        """Later."""
        return self.committed


class LateTree:
    """A tree whose deletions and commits take as long as the test wants."""

    def __init__(self, tree: Any) -> None:
        self.tree = tree
        self.removed: Deferred[None] = Deferred()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tree, name)

    def begin_write(self, *args: Any) -> Deferred[Any]:
        """An upload that ends later."""
        self.upload = LateUpload(value_of(self.tree.begin_write(*args)))
        return succeed(self.upload)

    def remove(self, path: Any, directory: bool = False) -> Deferred[None]:
        """Later."""
        return self.removed


class UnseenTests(MemoryFTP, SynchronousTestCase):
    """Clients that hang up to hide what they did."""

    def late_session(self) -> tuple[Peer, LateTree]:
        """A session, and the tree that it has."""
        peer = self.logged_in()
        tree = LateTree(self.tree)
        view: Any = self.talk.view
        view.tree = tree
        return peer, tree

    def test_stored_and_left(self) -> None:
        """An upload whose commit has begun is reported as what it becomes."""
        peer, tree = self.late_session()
        peer.send(b"PASV\r\nSTOR a\r\n")
        peer.leave()
        self.assertNotIn("transfer", [name for name, _ in self.events.seen])
        tree.upload.committed.callback(None)
        event, fields = self.events.seen[-1]
        self.assertEqual("transfer", event)
        self.assertEqual("complete", fields["outcome"])

    def test_deleted_and_left(self) -> None:
        """What was begun is reported when it is done, with who did it."""
        peer, tree = self.late_session()
        peer.send(b"DELE a\r\n")
        peer.leave()
        tree.removed.callback(None)
        event, fields = self.events.seen[-1]
        self.assertEqual("file_changed", event)
        self.assertEqual(
            ("alice@example.org", "deleted", "/a"),
            (fields["account"], fields["change"], fields["path"]),
        )


class ManyAddressesTests(TestCase):
    """A host with more addresses than it can keep passive ports on."""

    def setUp(self) -> None:
        """Ports for two addresses."""
        self.passive = PassivePorts(reactor, PortRange.parse("0"), 1, 2)
        self.addCleanup(lambda: DeferredList(self.passive.close()))

    def lease(self, local: str, peer: str = "127.0.0.1") -> Any:
        """A claim."""
        return self.passive.lease(local, peer, DataConnection(4096, reactor))

    def hosts(self) -> list[str]:
        """Where somebody may connect."""
        return sorted(text.partition(":")[0] for text in self.passive.statistics())

    def test_least_used_goes(self) -> None:
        """The address used least lately gives its listeners up for another."""
        for local in ("127.0.0.1", "127.0.0.2", "127.0.0.1", "127.0.0.3"):
            self.lease(local).release()
        self.assertEqual(["127.0.0.1", "127.0.0.3"], self.hosts())

    def test_expected_stay(self) -> None:
        """Listeners on which a client is expected stay; where all are, 425."""
        self.lease("127.0.0.1")
        self.lease("127.0.0.2").release()
        self.lease("127.0.0.3")
        self.assertEqual(["127.0.0.1", "127.0.0.3"], self.hosts())
        self.assertRaises(Trouble, self.lease, "127.0.0.4")
        self.assertEqual(["127.0.0.1", "127.0.0.3"], self.hosts())
