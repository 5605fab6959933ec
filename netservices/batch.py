"""Many datagrams with one system call: recvmmsg(2) and sendmmsg(2) of Linux.

Theory.  A batch is some slots of memory that the kernel fills and empties.  A slot has
room for the largest datagram, so that none is ever cut, for the peer's address and for
the packet information.  An answer is written over a datagram and sent with the address
that came, octet for octet.  There may be fewer answers than datagrams, so each goes to
the first slot that is free: never one behind its own, and all that came was copied out
before.

There are two rows of headers on the same slots.  The kernel changes the lengths in the
one it receives with, so that row is written anew before each call.

sendmmsg tells of an error only where it is that of the first message: what it did not
send is tried again from there, and that first one is given up if it fails.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from struct import Struct
from typing import Any, TypeAlias

SLOTS = 32
"""Twice as many save little more."""
LARGEST_DATAGRAM = 65535
MOST_ADDRESSES = 4096
"""Addresses of peers that are remembered as text."""

_SLOT_OCTETS = 65536 + 5 * 64  # slots begin at different places of a cache
_STARTS = range(0, SLOTS * _SLOT_OCTETS, _SLOT_OCTETS)
_NAME_OCTETS = {socket.AF_INET: 16, socket.AF_INET6: 28}
_V4 = Struct("!2xH4s")  # sockaddr_in: family, port, address (ip(7))
_V6 = Struct("!2xHI16s")  # sockaddr_in6: family, port, flow, address (ipv6(7))

_DO_NOT_WAIT = getattr(socket, "MSG_DONTWAIT", 0)

Call: TypeAlias = Callable[..., int]
"""``(descriptor, headers, how many, flags[, timeout])``, to how many of them were
done, or -1."""

Came: TypeAlias = tuple[bytes, tuple[Any, ...], bytes]
"""A datagram, the address of its peer, and its control data (cmsg(3))."""


Answer: TypeAlias = tuple[int, bytes, bytes]
"""Which of the datagrams it answers, the answer, and its control data."""


class _Vector(ctypes.Structure):
    """``struct iovec``; readv(2)."""

    _fields_ = [("start", ctypes.c_void_p), ("octets", ctypes.c_size_t)]


class _Header(ctypes.Structure):
    """``struct msghdr``; recvmsg(2)."""

    _fields_ = [
        ("name", ctypes.c_void_p),
        ("name_octets", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_octets", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class _Message(ctypes.Structure):
    """``struct mmsghdr``; recvmmsg(2)."""

    _fields_ = [("header", _Header), ("octets", ctypes.c_uint32)]


_MESSAGE_OCTETS = ctypes.sizeof(_Message)


class _Memory:
    """Memory that takes room only where it was used; a child process has its own."""

    def __init__(self, step: int) -> None:
        self.step = step
        """Octets for each slot."""
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self.octets = mmap.mmap(-1, max(SLOTS * step, 1), flags=flags)
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.octets))


class _Row:
    """A header for each slot, and lengths in them by slot."""

    def __init__(self, data: _Memory, names: _Memory, controls: _Memory) -> None:
        self._messages = (_Message * SLOTS)()
        self._vectors = (_Vector * SLOTS)()
        self.start = ctypes.addressof(self._messages)
        for slot in range(SLOTS):
            vector, header = self._vectors[slot], self._messages[slot].header
            vector.start = data.start + slot * data.step
            vector.octets = LARGEST_DATAGRAM
            header.name = names.start + slot * names.step
            header.name_octets = names.step
            header.vectors = ctypes.addressof(vector)
            header.vector_count = 1
            header.control = controls.start + slot * controls.step
            header.control_octets = controls.step
        self.octets = memoryview(self._messages).cast("B")
        words, numbers = self.octets.cast("P"), self.octets.cast("I")
        word, number = words.itemsize, numbers.itemsize
        control = _Header.control_octets.offset // word
        self.control_lengths = words[control :: _MESSAGE_OCTETS // word]
        came = _Message.octets.offset // number
        self.came_lengths = numbers[came :: _MESSAGE_OCTETS // number]
        self.lengths = memoryview(self._vectors).cast("B").cast("P")[1::2]


class Batch:
    """The slots of one socket."""

    def __init__(
        self, bound: socket.socket, control_octets: int, receive: Call, send: Call
    ) -> None:
        """``control_octets`` is the room for control data of each datagram, 0 where
        none is asked for; ``receive`` and ``send`` are recvmmsg and sendmmsg."""
        self._socket = bound
        self._recvmmsg = receive
        self._sendmmsg = send
        self._read_name = _read_v6 if bound.family == socket.AF_INET6 else _read_v4
        self._name_octets = _NAME_OCTETS[bound.family]
        self._control_octets = control_octets
        slots = _Memory(_SLOT_OCTETS)
        names, controls = _Memory(self._name_octets), _Memory(control_octets)
        self._slots, self._names = slots.octets, names.octets
        self._controls = controls.octets
        self._came = _Row(slots, names, controls)
        self._answers = _Row(slots, names, controls)
        self._fresh_headers = bytes(self._came.octets)
        self._no_controls = bytes(len(self._controls))
        self._unpack_names = Struct(f"{self._name_octets}s").iter_unpack
        self._unpack_controls = Struct(f"{max(control_octets, 1)}s").iter_unpack
        self._addresses: dict[bytes, tuple[Any, ...]] = {}

    def receive(self, most: int) -> Sequence[Came]:
        """The datagrams that wait, at least one, and at most so many or SLOTS.
        BlockingIOError where none waits; OSError."""
        count = self._receive(min(most, SLOTS))
        data, find, read = self._slots, self._addresses.get, self._address
        lengths = self._came.came_lengths[:count].tolist()
        names = self._unpack_names(self._names[: count * self._name_octets])
        return [
            (data[start : start + length], find(name) or read(name), control)
            for start, length, (name,), (control,) in zip(
                _STARTS, lengths, names, self._read_controls(count), strict=False
            )
        ]

    def _receive(self, most: int) -> int:
        """Have the kernel fill slots; how many it filled."""
        self._came.octets[:] = self._fresh_headers
        if self._control_octets:
            # What one datagram has not, must not be that of one before it.
            self._controls[:] = self._no_controls
        descriptor = self._socket.fileno()
        count = self._recvmmsg(descriptor, self._came.start, most, _DO_NOT_WAIT, None)
        if count < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return count

    def _read_controls(self, count: int) -> Iterable[tuple[bytes]]:
        """The control data of so many datagrams."""
        if not self._control_octets:
            return repeat((b"",), count)
        return self._unpack_controls(self._controls[: count * self._control_octets])

    def _address(self, name: bytes) -> tuple[Any, ...]:
        """A peer's address as ``socket.recvfrom`` has it."""
        if len(self._addresses) >= MOST_ADDRESSES:
            self._addresses.clear()
        address = self._addresses[name] = self._read_name(name)
        return address

    def send(self, answers: Iterable[Answer]) -> int:
        """Send answers to the datagrams that were received last, in their order; how
        many the kernel did not take."""
        count, lost = self._place(answers)
        descriptor = self._socket.fileno()
        done = 0
        while done < count:
            first = self._answers.start + done * _MESSAGE_OCTETS
            sent = self._sendmmsg(descriptor, first, count - done, _DO_NOT_WAIT)
            if sent <= 0:
                lost += 1
            done += max(sent, 1)
        return lost

    def _place(self, answers: Iterable[Answer]) -> tuple[int, int]:
        """Put answers into slots; how many there are, and how many are too large."""
        data, lengths = self._slots, self._answers.lengths
        has_control = bool(self._control_octets)
        slot = lost = start = 0
        for index, answer, control in answers:
            octets = len(answer)
            if octets > LARGEST_DATAGRAM:
                lost += 1
                continue
            if slot != index:
                self._move_name(index, slot)
            if has_control:
                self._place_control(slot, control)
            data[start : start + octets] = answer
            lengths[slot] = octets
            slot += 1
            start += _SLOT_OCTETS
        return slot, lost

    def _move_name(self, index: int, slot: int) -> None:
        size = self._name_octets
        name = self._names[index * size : (index + 1) * size]
        self._names[slot * size : (slot + 1) * size] = name

    def _place_control(self, slot: int, control: bytes) -> None:
        start = slot * self._control_octets
        self._controls[start : start + len(control)] = control
        self._answers.control_lengths[slot] = len(control)

    def is_possible(self) -> bool:
        """Whether this kernel, and the sandbox around us, has both calls."""
        descriptor = self._socket.fileno()
        received = self._recvmmsg(descriptor, self._came.start, 0, _DO_NOT_WAIT, None)
        sent = self._sendmmsg(descriptor, self._answers.start, 0, _DO_NOT_WAIT)
        return received == sent == 0


def open_batch(bound: socket.socket, control_octets: int) -> Batch | None:
    """A batch for that socket; None where the system has none for it."""
    if sys.platform != "linux" or bound.family not in _NAME_OCTETS:
        return None
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        receive, send = libc.recvmmsg, libc.sendmmsg
    except (AttributeError, OSError):
        return None
    integer, pointer, number = ctypes.c_int, ctypes.c_void_p, ctypes.c_uint
    receive.argtypes = [integer, pointer, number, integer, pointer]
    send.argtypes = [integer, pointer, number, integer]
    batch = Batch(bound, control_octets, receive, send)
    return batch if batch.is_possible() else None


def _read_v4(name: bytes) -> tuple[Any, ...]:
    port, address = _V4.unpack_from(name)
    return socket.inet_ntop(socket.AF_INET, address), port


def _read_v6(name: bytes) -> tuple[Any, ...]:
    port, flow, address = _V6.unpack_from(name)
    scope = int.from_bytes(name[24:28], sys.byteorder)
    return socket.inet_ntop(socket.AF_INET6, address), port, flow, scope
