"""Batches of datagrams: all of them, each answer to its peer, whatever fails."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from netservices import batch
from netservices.batch import SLOTS, Batch, open_batch


class BatchTests(SynchronousTestCase):
    """Real sockets on loopback."""

    def bound(self, address: str = "127.0.0.1") -> socket.socket:
        """A socket that never blocks."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_DGRAM)
        bound.bind((address, 0))
        bound.setblocking(False)
        self.addCleanup(bound.close)
        return bound

    def batch(self, bound: socket.socket) -> Batch:
        """A batch of that socket."""
        made = open_batch(bound, 0)
        assert made is not None
        return made

    def asked(
        self, count: int, replaced: Callable[[Any], Any] = lambda call: call
    ) -> tuple[Batch, socket.socket]:
        """A batch that has received so many datagrams, and who sent them; what sends
        its answers is replaced."""
        bound, client = self.bound(), self.bound()
        made = self.batch(bound)
        made._sendmmsg = replaced(made._sendmmsg)
        for number in range(count):
            client.sendto(b"%d" % number, bound.getsockname())
        self.assertEqual(count, len(made.receive(SLOTS)))
        return made, client

    def received(self, client: socket.socket) -> list[bytes]:
        """All that came to a client."""
        found = []
        while True:
            try:
                found.append(client.recv(65536))
            except BlockingIOError:
                return found

    def test_receive(self) -> None:
        """Datagrams come in their order, with the addresses that recvfrom gives; at
        most so many as are asked for, and as there are slots."""
        for address in ("127.0.0.1", "::1"):
            bound, client = self.bound(address), self.bound(address)
            made = self.batch(bound)
            sent = [b"%d" % number for number in range(SLOTS + 8)]
            for data in [*sent, b"last"]:
                client.sendto(data, bound.getsockname())

            came = [*made.receive(5), *made.receive(100), *made.receive(3)]

            peer = client.getsockname()
            self.assertEqual([(data, peer, b"") for data in sent], came)
            self.assertEqual((b"last", peer), bound.recvfrom(100))
            self.assertRaises(BlockingIOError, made.receive, 1)

    def test_scope(self) -> None:
        """An IPv6 address has its flow and its zone.  RFC 4007 6."""
        name = b"\n\0\0\x35\0\0\0\7" + socket.inet_pton(socket.AF_INET6, "fe80::1")
        name += (3).to_bytes(4, sys.byteorder)

        self.assertEqual(("fe80::1", 53, 7, 3), batch._read_v6(name))

    def test_many_addresses(self) -> None:
        """What is remembered of addresses is bounded."""
        made = self.batch(self.bound())
        for number in range(batch.MOST_ADDRESSES + 10):
            made._address(b"\2\0\0\x35" + number.to_bytes(4, "big") + bytes(8))

        self.assertEqual(10, len(made._addresses))
        found = made._address(b"\2\0\0\x35\x7f\0\0\1" + bytes(8))
        self.assertEqual(("127.0.0.1", 53), found)

    def test_some_answers(self) -> None:
        """Each answer goes to whoever asked, also where others get none."""
        bound = self.bound()
        made = self.batch(bound)
        clients = [self.bound() for _ in range(9)]
        for client in clients:
            client.sendto(b"?", bound.getsockname())
        self.assertEqual(9, len(made.receive(SLOTS)))
        answers = [(index, b"%d" % index, b"") for index in (1, 2, 5, 8)]

        self.assertEqual(0, made.send(answers))

        found = [self.received(client) for client in clients]
        expected = [
            [b"%d" % index] if index in (1, 2, 5, 8) else [] for index in range(9)
        ]
        self.assertEqual(expected, found)

    def test_nothing_to_send(self) -> None:
        """Without answers nothing is sent, nor is an answer sent twice."""
        made, client = self.asked(2)
        made.send([(0, b"once", b"")])

        self.assertEqual(0, made.send([]))
        self.assertEqual([b"once"], self.received(client))

    def test_failure_in_the_middle(self) -> None:
        """An answer that the kernel refuses is lost alone."""
        made, client = self.asked(4)
        sizes = (1, 65520, 65535, 2)

        lost = made.send((index, b"x" * size, b"") for index, size in enumerate(sizes))

        self.assertEqual(2, lost)
        self.assertEqual([b"x", b"xx"], self.received(client))

    def test_largest(self) -> None:
        """What is larger than any datagram is lost, and disturbs no other."""
        made, client = self.asked(3)

        lost = made.send([(0, b"a", b""), (1, bytes(70000), b""), (2, b"c", b"")])

        self.assertEqual(1, lost)
        self.assertEqual([b"a", b"c"], self.received(client))

    def test_short_send(self) -> None:
        """What the kernel does not take at once is tried again."""

        def two_at_a_time(call: Any) -> Any:
            return lambda there, first, count, flags: call(
                there, first, min(count, 2), flags
            )

        made, client = self.asked(5, two_at_a_time)
        expected = [b"0", b"1", b"2", b"3", b"4"]

        lost = made.send((index, data, b"") for index, data in enumerate(expected))

        self.assertEqual(0, lost)
        self.assertEqual(expected, self.received(client))

    def test_full_send_buffer(self) -> None:
        """What cannot be sent is lost, and the count of it told."""
        made, client = self.asked(3, lambda call: lambda *words: -1)

        self.assertEqual(3, made.send((index, b"x", b"") for index in range(3)))
        self.assertEqual([], self.received(client))

    def test_pending_error(self) -> None:
        """An ICMP error is an error of the call, and costs no datagram."""
        bound, client = self.bound(), self.bound()
        bound.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
        closed = self.bound()
        nobody = closed.getsockname()
        closed.close()
        made = self.batch(bound)
        bound.sendto(b"x", nobody)
        client.sendto(b"?", bound.getsockname())

        error = self.assertRaises(OSError, made.receive, SLOTS)

        self.assertEqual(errno.ECONNREFUSED, error.errno)
        self.assertEqual([b"?"], [data for data, _, _ in made.receive(SLOTS)])

    def test_closed(self) -> None:
        """A socket that was closed meanwhile is an error, and no other socket's."""
        made, _ = self.asked(1)
        made._socket.close()

        self.assertEqual(1, made.send([(0, b"x", b"")]))
        error = self.assertRaises(OSError, made.receive, 1)
        self.assertEqual(errno.EBADF, error.errno)

    def test_not_there(self) -> None:
        """Where the system has no such calls there is no batch."""
        bound = self.bound()
        self.assertFalse(Batch(bound, 0, lambda *_: -1, lambda *_: -1).is_possible())
        self.assertFalse(Batch(bound, 0, lambda *_: 0, lambda *_: -1).is_possible())

        self.patch(sys, "platform", "freebsd14")

        self.assertIsNone(open_batch(bound, 0))

    def test_other_sockets(self) -> None:
        """A socket that is not of the Internet has no batch."""
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(one.close)
        self.addCleanup(other.close)

        self.assertIsNone(open_batch(one, 0))
