"""The lean turn of the epoll reactor, on a reactor of the test's own."""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.poll import install_lean_poll, make_lean_poll, remove_lean_poll


class Watched:
    """One end of a socket pair that the reactor watches."""

    def __init__(self, reactor: Any, end: socket.socket) -> None:
        self.reactor = reactor
        self.end = end
        self.events: list[str] = []
        self.answer: Any = None
        self.fileno = end.fileno

    def doRead(self) -> Any:
        self.events.append("read")
        return self._result()

    def doWrite(self) -> Any:
        self.events.append("write")
        return self._result()

    def _result(self) -> Any:
        if isinstance(self.answer, ZeroDivisionError):
            raise self.answer
        return self.answer

    def connectionLost(self, reason: Any) -> None:
        self.events.append(reason.type.__name__)
        self.reactor.removeReader(self)
        self.reactor.removeWriter(self)

    def logPrefix(self) -> str:
        return "a watched socket"


class LeanPollTests(SynchronousTestCase):
    """Each event reaches its selectable, and an error ends that one only."""

    def setUp(self) -> None:
        self.reactor: Any = EPollReactor()
        self.addCleanup(self.reactor._poller.close)
        self.poll = make_lean_poll(self.reactor)

    def watch(self) -> tuple[Watched, socket.socket]:
        """A watched socket and its peer."""
        left, right = socket.socketpair()
        self.addCleanup(left.close)
        self.addCleanup(right.close)
        watched = Watched(self.reactor, left)
        self.reactor.addReader(watched)
        self.addCleanup(self.reactor.removeReader, watched)
        self.addCleanup(self.reactor.removeWriter, watched)
        return watched, right

    def test_read(self) -> None:
        """A readable socket is read, and nothing else happens."""
        watched, peer = self.watch()
        other, _ = self.watch()
        peer.sendall(b"x")
        self.poll(0)
        self.assertEqual(["read"], watched.events)
        self.assertEqual([], other.events)

    def test_write(self) -> None:
        """A writable socket is written to."""
        watched, _ = self.watch()
        self.reactor.addWriter(watched)
        self.poll(0)
        self.assertEqual(["write"], watched.events)

    def test_both(self) -> None:
        """A socket that is both is read first, then written to."""
        watched, peer = self.watch()
        self.reactor.addWriter(watched)
        peer.sendall(b"x")
        self.poll(0)
        self.assertEqual(["read", "write"], watched.events)

    def test_end(self) -> None:
        """A result of doRead ends the connection with it."""
        watched, peer = self.watch()
        watched.answer = CONNECTION_DONE
        peer.sendall(b"x")
        self.poll(0)
        self.assertEqual(["read", "ConnectionDone"], watched.events)

    def test_hang_up(self) -> None:
        """A hang-up without data goes Twisted's way."""
        watched, peer = self.watch()
        watched.answer = CONNECTION_DONE
        peer.close()
        self.poll(0)
        self.assertEqual("ConnectionDone", watched.events[-1])

    def test_exception(self) -> None:
        """An exception is logged under the selectable's prefix, ends that connection
        and no other."""
        watched, peer = self.watch()
        other, other_peer = self.watch()
        watched.answer = ZeroDivisionError("a bug")
        peer.sendall(b"x")
        other_peer.sendall(b"x")
        self.poll(0)
        self.assertEqual(["read", "ZeroDivisionError"], watched.events)
        self.assertEqual(["read"], other.events)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
        other_peer.sendall(b"x")
        self.poll(0)
        self.assertEqual(["read", "read"], other.events)

    def test_install_and_remove(self) -> None:
        """The reactor takes the lean turn, and gets its own back."""
        self.assertTrue(install_lean_poll(self.reactor))
        watched, peer = self.watch()
        peer.sendall(b"x")
        self.reactor.doIteration(0)
        self.assertEqual(["read"], watched.events)
        self.assertIn("doIteration", vars(self.reactor))
        remove_lean_poll(self.reactor)
        remove_lean_poll(self.reactor)
        self.assertNotIn("doIteration", vars(self.reactor))
        self.reactor.doIteration(0)
        self.assertEqual(["read", "read"], watched.events)

    def test_other_reactors(self) -> None:
        """Any other reactor stays as it is."""
        self.assertFalse(install_lean_poll(MemoryReactor()))

        class Derived(EPollReactor):
            def __init__(self) -> None:
                pass

        self.assertFalse(install_lean_poll(Derived()))
