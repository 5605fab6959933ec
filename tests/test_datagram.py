"""UDP ports: answers from the address that was asked, whatever comes in."""

from __future__ import annotations

import socket
from itertools import pairwise
from struct import pack
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from netservices import datagram
from netservices.batch import SLOTS
from netservices.datagram import (
    DATAGRAMS_A_CLOCK_LOOK,
    FEW,
    DatagramPort,
    Local,
)
from netservices.plugin import DatagramAnswer


class Readers:
    """As much of a reactor as a port needs."""

    def __init__(self) -> None:
        self.readers: set[object] = set()

    def addReader(self, reader: object) -> None:
        self.readers.add(reader)

    def removeReader(self, reader: object) -> None:
        self.readers.discard(reader)


class FullSocket:
    """A socket whose send buffer is full."""

    def sendto(self, data: bytes, address: Any) -> int:
        raise BlockingIOError

    def close(self) -> None:
        pass


def shout(data: bytes, _address: Any, _local: Any) -> bytes:
    """The handler of most tests."""
    return data.upper()


class DatagramPortTests(SynchronousTestCase):
    """Real sockets on loopback; the reactor's part is played by the test."""

    def port(
        self, address: str, answer: DatagramAnswer = shout, budget: int = 128
    ) -> DatagramPort:
        """A port bound to ``address``."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_DGRAM)
        bound.setblocking(False)
        bound.bind((address, 0))
        port = DatagramPort(bound, answer, Readers(), budget)
        port.start()
        self.addCleanup(port.stop)
        return port

    def client(self, address: str = "127.0.0.1") -> socket.socket:
        """A socket to ask with; it never blocks."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        client = socket.socket(family, socket.SOCK_DGRAM)
        client.bind((address, 0))
        client.setblocking(False)
        self.addCleanup(client.close)
        return client

    def read_all(self, port: DatagramPort, count: int) -> None:
        """Have the port answer so many datagrams that wait: on a busy machine it may
        take a wake for each."""
        for _ in range(count):
            port.doRead()
        self.assertEqual(count, port.received)

    def test_start_and_stop(self) -> None:
        """The port is read from start to stop; stop closes the socket."""
        port = self.port("127.0.0.1")
        self.assertEqual({port}, port.reactor.readers)

        port.stop()

        self.assertEqual(set(), port.reactor.readers)
        self.assertEqual(-1, port.fileno())

    def test_one_address(self) -> None:
        """A port on one address answers from there."""
        port, client = self.port("127.0.0.5"), self.client()
        client.sendto(b"hello", ("127.0.0.5", port.number))

        port.doRead()

        self.assertEqual((b"HELLO", ("127.0.0.5", port.number)), client.recvfrom(100))

    def test_wildcard_answers_from_the_address_asked(self) -> None:
        """A port on all addresses answers from the one that was asked, each time."""
        port, client = self.port("0.0.0.0"), self.client()
        for address in ("127.0.0.5", "127.0.0.1", "127.9.8.7", "127.0.0.5"):
            client.sendto(b"hello", (address, port.number))

            port.doRead()

            self.assertEqual((b"HELLO", (address, port.number)), client.recvfrom(100))

    def test_wildcard_ipv6(self) -> None:
        """The same for IPv6."""
        port, client = self.port("::"), self.client("::1")
        client.sendto(b"hello", ("::1", port.number))

        port.doRead()

        data, address = client.recvfrom(100)
        self.assertEqual((b"HELLO", ("::1", port.number)), (data, address[:2]))

    def test_scopes(self) -> None:
        """An answer names its interface only where the address needs it: link-local
        and multicast.  RFC 4007 6."""
        port = self.port("::")
        for text, expected_address, expected_index in (
            ("fe80::1", "fe80::1", 7),
            ("febf::1", "febf::1", 7),
            ("2001:db8::1", "2001:db8::1", 0),
            ("::1", "::1", 0),
            ("ff02::1", "::", 7),
        ):
            address = socket.inet_pton(socket.AF_INET6, text)

            local = port._remember(pack("=16sI", address, 7))

            sent = local.ancillary[0][2]
            self.assertEqual(text, local.address)
            self.assertEqual(
                pack(
                    "=16sI",
                    socket.inet_pton(socket.AF_INET6, expected_address),
                    expected_index,
                ),
                sent,
            )

    def test_late_answer(self) -> None:
        """A handler may answer later, from the same address."""
        asked: list[tuple[Any, Local]] = []

        def remember(_data: bytes, address: Any, local: Local) -> None:
            asked.append((address, local))

        port, client = self.port("0.0.0.0", remember), self.client()
        client.sendto(b"?", ("127.0.0.5", port.number))
        port.doRead()
        ((address, local),) = asked

        self.assertTrue(local.send(b"one", address))
        self.assertTrue(port.send(b"two", address, local))

        there = ("127.0.0.5", port.number)
        self.assertEqual((b"one", there), client.recvfrom(100))
        self.assertEqual((b"two", there), client.recvfrom(100))
        self.assertEqual("127.0.0.5", local.address)

    def test_no_answer(self) -> None:
        """None is no answer; an empty one is."""
        port = self.port("127.0.0.1", lambda data, _a, _l: None if data else b"")
        client = self.client()
        client.sendto(b"x", ("127.0.0.1", port.number))
        client.sendto(b"", ("127.0.0.1", port.number))

        port.doRead()

        self.assertEqual(b"", client.recv(100))
        self.assertRaises(BlockingIOError, client.recv, 100)

    def test_path_mtu(self) -> None:
        """Nobody on the way can make a port send fragments.  RFC 9715, appendix C."""
        port = self.port("127.0.0.1", lambda data, _address, _local: data)
        found = port.socket.getsockopt(socket.IPPROTO_IP, 10)  # IP_MTU_DISCOVER
        self.assertEqual(5, found)  # IP_PMTUDISC_OMIT

    def test_sizes(self) -> None:
        """The largest datagram comes whole; an answer that is too large is dropped."""
        port = self.port(
            "127.0.0.1", lambda data, _a, _l: data * 2 if data[0] else data
        )
        client = self.client()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        largest = bytes(65507)
        client.sendto(largest, ("127.0.0.1", port.number))
        client.sendto(b"x" * 65507, ("127.0.0.1", port.number))

        port.doRead()
        port.doRead()

        self.assertEqual(largest, client.recv(65536))
        self.assertRaises(BlockingIOError, client.recv, 100)
        self.assertEqual(1, port.dropped)

    def test_budget(self) -> None:
        """One wake answers no more than its budget, the next ones the rest."""
        port, client = self.port("127.0.0.1", budget=3), self.client()
        for _ in range(7):
            client.sendto(b"x", ("127.0.0.1", port.number))
        counts = []
        for _ in range(4):
            port.doRead()
            counts.append(port.received)

        self.assertEqual([3, 6, 7, 7], counts)

    def test_busy(self) -> None:
        """Whoever asks among many is answered, and with his own answer; silence for
        some is no silence for others."""
        for address, home in (
            ("127.0.0.1", "127.0.0.1"),
            ("0.0.0.0", "127.0.0.1"),
            ("::1", "::1"),
            ("::", "::1"),
        ):
            port = self.port(
                address, lambda data, _a, _l: None if data.endswith(b"7") else data
            )
            clients = [self.client(home) for _ in range(5)]
            for number in range(100):
                client = clients[number % 5]
                client.sendto(b"%d" % number, (home, port.number))

            self.read_all(port, 100)

            for index, client in enumerate(clients):
                expected = [b"%d" % n for n in range(index, 100, 5) if n % 10 != 7]
                found = [client.recv(100) for _ in expected]
                self.assertEqual(expected, found)
                self.assertRaises(BlockingIOError, client.recv, 100)

    def test_busy_wildcard(self) -> None:
        """Among many, each is answered from the address that he asked."""
        port, client = self.port("0.0.0.0"), self.client()
        places = [(f"127.0.0.{n % 7 + 1}", port.number) for n in range(40)]
        for number, place in enumerate(places):
            client.sendto(b"q%d" % number, place)

        self.read_all(port, 40)

        for number, place in enumerate(places):
            self.assertEqual((b"Q%d" % number, place), client.recvfrom(100))

    def test_slow_answers(self) -> None:
        """Where answers take long, one wake answers only some, the next ones the
        rest."""
        self.patch(datagram, "SECONDS_A_WAKE", -1.0)
        port, client = self.port("127.0.0.1"), self.client()
        for _ in range(100):
            client.sendto(b"x", ("127.0.0.1", port.number))
        counts = [0]
        for _ in range(100):
            port.doRead()
            counts.append(port.received)

        steps = [after - before for before, after in pairwise(counts)]
        self.assertEqual(100, port.received)
        self.assertLessEqual(max(steps), SLOTS + FEW)
        self.assertLessEqual(max(steps[1:]), DATAGRAMS_A_CLOCK_LOOK)

    def test_error_of_the_network(self) -> None:
        """An ICMP error about something sent earlier is counted; what came is
        answered."""
        port, client = self.port("127.0.0.1"), self.client()
        port.socket.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
        closed = self.client()
        nobody = closed.getsockname()
        closed.close()
        port.send(b"x", nobody)
        client.sendto(b"x", ("127.0.0.1", port.number))

        port.doRead()

        self.assertEqual(b"X", client.recv(100))
        self.assertEqual(1, port.dropped)

    def test_failing_handler(self) -> None:
        """An exception never stops the port; each place is logged once."""

        def fail(data: bytes, _address: Any, _local: Any) -> bytes:
            if data == b"a":
                raise KeyError("here")
            if data == b"b":
                raise KeyError("there")
            return data

        port, client = self.port("127.0.0.1", fail), self.client()
        for data in (b"a", b"a", b"b", b"a", b"b", b"c"):
            client.sendto(data, ("127.0.0.1", port.number))

        port.doRead()

        self.assertEqual(b"c", client.recv(100))
        self.assertEqual(2, len(self.flushLoggedErrors(KeyError)))
        self.assertEqual(5, port.status()["failures"])

    def test_full_send_buffer(self) -> None:
        """What cannot be sent at once is dropped and counted."""
        port = self.port("127.0.0.1")
        real, port.socket = port.socket, FullSocket()  # type: ignore[assignment]
        self.addCleanup(real.close)

        self.assertFalse(port.send(b"x", ("127.0.0.1", 9)))
        self.assertEqual(1, port.dropped)

    def test_many_local_addresses(self) -> None:
        """What is remembered of local addresses is bounded."""
        port = self.port("0.0.0.0")
        for number in range(3000):
            port._remember(pack("=I4s4s", 1, number.to_bytes(4, "big"), bytes(4)))

        self.assertLessEqual(len(port._locals), 1024)


class BatchedTests(DatagramPortTests):
    """The same where every datagram goes through a batch."""

    def setUp(self) -> None:
        self.patch(datagram, "FEW", 0)

    def test_unknown_control(self) -> None:
        """Control data of which nobody asked for tells no address."""
        port = self.port("0.0.0.0")

        self.assertIs(port._here, port._local_of(pack("@Nii", 24, 1, 29) + bytes(8)))
        self.assertIs(port._here, port._local_of(bytes(32)))


class OneByOneTests(DatagramPortTests):
    """The same where the system has no calls for many datagrams."""

    def setUp(self) -> None:
        self.patch(datagram, "open_batch", lambda *_: None)
