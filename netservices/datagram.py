"""UDP ports: many datagrams a wake, and answers from the address that was asked.

A socket that is bound to all addresses lets the kernel choose the source of what it
sends: asked at 127.0.0.5 it answers from 127.0.0.1, and clients drop that.  So a
wildcard port asks for the packet information of each datagram (``IP_PKTINFO``, RFC 3542
6.1 for IPv6) and sends its answer with it.  A port bound to one address needs none of
this.

Datagrams come and go one by one while they are few, and in batches (``batch.py``) while
they are many: a batch costs more than one datagram and less than five.  An answer of a
batch leaves with the batch.

UDP sources can be forged, so nothing that a datagram does may cost much: an exception
in the handler is logged once for each place it comes from, then counted; what cannot be
sent at once is dropped, as the network may drop it anyway.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from struct import Struct
from time import monotonic
from traceback import extract_tb
from typing import Any

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from netservices.batch import LARGEST_DATAGRAM, SLOTS, Batch, Came, open_batch
from netservices.plugin import DatagramAnswer

SECONDS_A_WAKE = 0.002
DATAGRAMS_A_CLOCK_LOOK = 16
FEW = 5
"""Datagrams that one by one are not slower than in a batch."""
MOST_PLACES = 64
"""Distinct places of exceptions that are remembered, and so logged."""
MOST_LOCALS = 1024
"""Local addresses remembered; 127.0.0.0/8 alone has sixteen million."""

_IN_PKTINFO = Struct("=I4s4s")  # ifindex, ipi_spec_dst, ipi_addr (ip(7))
_IN6_PKTINFO = Struct("=16sI")  # ipi6_addr, ipi6_ifindex (RFC 3542 6.1)
_IP_PKTINFO = getattr(socket, "IP_PKTINFO", 8)
_IP_MTU_DISCOVER = 10  # linux/in.h, linux/in6.h
_IPV6_MTU_DISCOVER = 23
_PMTUDISC_DONT = 0
_PMTUDISC_OMIT = 5
_ANCILLARY_SPACE = socket.CMSG_SPACE(_IN6_PKTINFO.size)
_CONTROL_HEAD = Struct("@Nii")  # length, level, type (cmsg(3))
_PACKET_INFORMATION = (
    (socket.IPPROTO_IP, _IP_PKTINFO),
    (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO),
)

_log = Logger()


class Local:
    """The local side of a datagram: which address was asked, on which port of ours."""

    __slots__ = ("address", "ancillary", "control", "port")

    def __init__(
        self, port: DatagramPort, address: str, ancillary: list[Any] | None = None
    ) -> None:
        self.port = port
        self.address = address
        self.ancillary = ancillary
        self.control = b"" if ancillary is None else _control(*ancillary[0])
        """The same as octets; cmsg(3)."""

    def send(self, data: bytes, address: Any) -> bool:
        """Send ``data`` to ``address`` from here."""
        return self.port.send(data, address, self)

    def __repr__(self) -> str:
        return f"<Local {self.address} port {self.port.number}>"


@implementer(IReadDescriptor)
class DatagramPort:
    """One bound UDP socket, read by the reactor."""

    def __init__(
        self,
        bound: socket.socket,
        answer: DatagramAnswer,
        reactor: Any,
        datagrams_a_wake: int = 128,
    ) -> None:
        self.socket = bound
        self.answer = answer
        self.reactor = reactor
        self.datagrams_a_wake = datagrams_a_wake
        name = bound.getsockname()
        self.number: int = name[1]
        self.is_wildcard = name[0] in ("0.0.0.0", "::")
        self.received = 0
        self.dropped = 0
        self.failures = 0
        self._ignore_path_mtu()
        self._places: set[tuple[str, str, int]] = set()
        self._here = Local(self, name[0])
        self._locals: dict[bytes, Local] = {}
        if self.is_wildcard:
            self._ask_for_packet_information()
        self._is_busy = False
        self._batch_size = SLOTS
        self._batch = open_batch(bound, self._control_octets())

    def _ignore_path_mtu(self) -> None:
        """Believe nobody who says that the path takes only small packets: an attacker
        who does brings about fragments, of which he can forge the second (RFC 9715,
        appendix C)."""
        is_v6 = self.socket.family == socket.AF_INET6
        level = socket.IPPROTO_IPV6 if is_v6 else socket.IPPROTO_IP
        option = _IPV6_MTU_DISCOVER if is_v6 else _IP_MTU_DISCOVER
        for value in (_PMTUDISC_OMIT, _PMTUDISC_DONT):
            try:
                self.socket.setsockopt(level, option, value)
                return
            except OSError:
                continue

    def _ask_for_packet_information(self) -> None:
        if self.socket.family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            self.socket.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)

    def _control_octets(self) -> int:
        """The room that the packet information of a datagram takes."""
        if not self.is_wildcard:
            return 0
        is_v6 = self.socket.family == socket.AF_INET6
        return socket.CMSG_SPACE((_IN6_PKTINFO if is_v6 else _IN_PKTINFO).size)

    # --- what the reactor calls ---

    def fileno(self) -> int:
        return self.socket.fileno()

    def logPrefix(self) -> str:
        return "udp"

    def doRead(self) -> None:
        """Answer what waits, up to the budget of datagrams and of time."""
        most = self.datagrams_a_wake
        if self._batch is None:
            self._read(most)
            return
        before = self.received
        few = 0 if self._is_busy else min(FEW, most)
        if self._read(few):
            self._read_batches(self._batch, most - few)
        self._is_busy = self.received - before >= FEW

    def connectionLost(self, reason: Failure) -> None:
        self.socket.close()

    # --- the port ---

    def start(self) -> None:
        """Begin to read."""
        self.reactor.addReader(self)

    def stop(self) -> None:
        """Read no more, and give the socket back."""
        self.reactor.removeReader(self)
        self.socket.close()

    def status(self) -> Mapping[str, int]:
        """Counts for ``netservices status``."""
        return {
            "received": self.received,
            "dropped": self.dropped,
            "failures": self.failures,
        }

    def _read(self, most: int) -> bool:
        """Answer up to so many datagrams, one by one; whether more may wait."""
        receive = self._receive_from_any if self.is_wildcard else self._receive
        answer, send = self.answer, self.send
        deadline = monotonic() + SECONDS_A_WAKE
        for count in range(1, most + 1):
            try:
                data, address, local = receive()
            except BlockingIOError:
                return False
            except OSError:
                self.dropped += 1  # an ICMP error about something sent earlier
                continue
            self.received += 1
            try:
                reply = answer(data, address, local)
            except Exception:
                self._report()
                continue
            if reply is not None:
                send(reply, address, local)
            if not count % DATAGRAMS_A_CLOCK_LOOK and monotonic() > deadline:
                return False
        return True

    def _read_batches(self, batch: Batch, most: int) -> None:
        """Answer up to so many datagrams, many at a time."""
        deadline = monotonic() + SECONDS_A_WAKE
        while most:
            try:
                came = batch.receive(min(most, self._batch_size))
            except BlockingIOError:
                return
            except OSError:
                self.dropped += 1
                most -= 1
                continue
            most -= len(came)
            self._answer_batch(batch, came)
            is_late = monotonic() > deadline
            # Where answers take long, the clock is looked at more often.
            self._batch_size = DATAGRAMS_A_CLOCK_LOOK if is_late else SLOTS
            if is_late or len(came) < FEW:
                return

    def _answer_batch(self, batch: Batch, came: Sequence[Came]) -> None:
        answer, known, local = self.answer, self._locals, self._here
        self.received += len(came)
        answers = []
        for index, (data, address, control) in enumerate(came):
            if control:
                local = known.get(control) or self._local_of(control)
            try:
                reply = answer(data, address, local)
            except Exception:
                self._report()
                continue
            if reply is not None:
                answers.append((index, reply, local.control))
        self.dropped += batch.send(answers)

    def _receive(self) -> tuple[bytes, Any, Local]:
        data, address = self.socket.recvfrom(LARGEST_DATAGRAM)
        return data, address, self._here

    def _receive_from_any(self) -> tuple[bytes, Any, Local]:
        data, ancillary, _flags, address = self.socket.recvmsg(
            LARGEST_DATAGRAM, _ANCILLARY_SPACE
        )
        if not ancillary:
            return data, address, self._here
        packet_information = ancillary[0][2]
        local = self._locals.get(packet_information)
        if local is None:
            local = self._remember(packet_information)
        return data, address, local

    def _local_of(self, control: bytes) -> Local:
        """The local address that control data tells."""
        octets, level, kind = _CONTROL_HEAD.unpack_from(control)
        if (level, kind) not in _PACKET_INFORMATION:
            return self._here
        information = control[_CONTROL_HEAD.size : octets]
        local = self._locals.get(information) or self._remember(information)
        self._locals[control] = local
        return local

    def _remember(self, packet_information: bytes) -> Local:
        """The local address of a datagram, and what sends an answer from there."""
        if len(self._locals) >= MOST_LOCALS:
            self._locals.clear()
        if self.socket.family == socket.AF_INET6:
            local = self._local_v6(packet_information)
        else:
            # The interface stays open (0): the route back may lead through another.
            _index, source, _asked = _IN_PKTINFO.unpack(packet_information)
            sent = _IN_PKTINFO.pack(0, source, bytes(4))
            ancillary = [(socket.IPPROTO_IP, _IP_PKTINFO, sent)]
            local = Local(self, socket.inet_ntop(socket.AF_INET, source), ancillary)
        self._locals[packet_information] = local
        return local

    def _local_v6(self, packet_information: bytes) -> Local:
        source, index = _IN6_PKTINFO.unpack(packet_information)
        is_multicast = source[0] == 0xFF
        is_link_local = source[0] == 0xFE and source[1] & 0xC0 == 0x80
        # RFC 4007 6: a link-local address means something only with its zone.
        keep = index if is_link_local or is_multicast else 0
        sent = _IN6_PKTINFO.pack(bytes(16) if is_multicast else source, keep)
        ancillary = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, sent)]
        return Local(self, socket.inet_ntop(socket.AF_INET6, source), ancillary)

    def send(self, data: bytes, address: Any, local: Any = None) -> bool:
        """Send ``data`` to ``address`` from the address of ours that ``local`` says.

        Whether the kernel took it; what it does not take at once is dropped.
        """
        try:
            if local is None or local.ancillary is None:
                self.socket.sendto(data, address)
            else:
                self.socket.sendmsg((data,), local.ancillary, 0, address)
        except OSError:
            self.dropped += 1
            return False
        return True

    def _report(self) -> None:
        """Log the current exception, once for each place it comes from."""
        self.failures += 1
        failure = Failure()
        last = extract_tb(failure.getTracebackObject())[-1]
        place = (type(failure.value).__name__, last.filename, last.lineno or 0)
        if place in self._places or len(self._places) >= MOST_PLACES:
            return
        self._places.add(place)
        _log.failure(
            "a datagram made the handler of port {port} fail; further failures at this"
            " place are only counted",
            failure=failure,
            port=self.number,
        )


def _control(level: int, kind: int, data: bytes) -> bytes:
    """Control data of one kind; cmsg(3)."""
    head = _CONTROL_HEAD.pack(socket.CMSG_LEN(len(data)), level, kind)
    return (head + data).ljust(socket.CMSG_SPACE(len(data)), b"\0")
