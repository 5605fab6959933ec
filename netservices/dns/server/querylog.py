"""The query log: a line for each question, off the answer path.

What is logged of a question is put aside when its reply is ready; a moment later the
lines are made of it, a few at a time between the answers, and handed to a ``LogFile``,
which writes them in a thread.  What comes faster than that is dropped and counted.

A line has these fields, with a space between them::

    2026-11-21T17:03:12.451Z 192.0.2.7 udp 192.0.2.53 www.example.org. IN A RD,DO
    NOERROR 120 -

time (UTC), client, transport, the address that was asked, name, class, type, flags
(RD CD AD of the header, DO and E for EDNS; ``-`` for none), response code and octets of
the reply, and the view.  ``-`` stands for what there is not: the whole question of a
packet without a readable one; the response code and octets of a reply that came later
(a transfer, an update) or not at all.  Opcodes beside QUERY stand in place of the type.
"""

from __future__ import annotations

import os
import time
from collections import deque
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from netservices.core.logfile import LogFile
from netservices.dns.dialogue.later import Later
from netservices.dns.policy import Client
from netservices.dns.server.stream import Answer
from netservices.dns.server.top import question_of
from netservices.dns.wire import codes
from netservices.dns.wire.names import name_text
from netservices.plugin import DatagramAnswer, Services

_LINES_A_TURN = 500
_DELAY_SECONDS = 0.05
_HEAD_OCTETS = 12 + 255 + 4 + 11
_OPCODES = {member.value: member.name for member in codes.Opcode}
_FLAGS = ((codes.RD, "RD"), (codes.CD, "CD"), (codes.AD, "AD"))

_Noted: TypeAlias = tuple[float, str, str, str, str, bytes, bytes, int]
"""Time, client, transport, address asked, view, head of the question, head of the
reply, octets of the reply."""


class QueryLog:
    """Notes questions and has them written; one in ``every``."""

    def __init__(self, file: LogFile[str], every: int, clock: Any, most: int) -> None:
        self.dropped = 0
        self._file = file
        self._every = every
        self._clock = clock
        self._most = most
        self._waiting: deque[_Noted] = deque()
        self._call: IDelayedCall | None = None
        self._names: dict[bytes, str] = {}
        self._left = every
        self._second = 0, ""
        """One second of time, and how it is written."""

    def start(self) -> None:
        """Open the file.  ConfigurationError."""
        self._file.start()

    def stop(self) -> Deferred[None]:
        """Write what waits, and close the file."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None
        while self._waiting:
            self._file.append(self._line(self._waiting.popleft()))
        return self._file.stop()

    def reopen(self) -> Deferred[None]:
        """Go on in a new file: logrotate has moved the old one."""
        return self._file.reopen()

    def status(self) -> dict[str, Any]:
        """What was lost."""
        return {"query_log_dropped": self.dropped + self._file.dropped}

    def datagrams(self, answer: DatagramAnswer) -> DatagramAnswer:
        """The same ``answer``, its questions noted."""

        def noted(data: bytes, address: Any, local: Any) -> bytes | None:
            reply = answer(data, address, local)
            server = local.address if local is not None else ""
            self._note(address[0], "udp", server, "", data, reply)
            return reply

        return noted

    def streams(self, answer: Answer) -> Answer:
        """The same for TCP and TLS."""

        def noted(data: bytes, client: Client) -> bytes | Later | None:
            reply = answer(data, client)
            octets = None if isinstance(reply, Later) else reply
            way = client.transport.name.lower()
            self._note(client.address, way, client.server, client.view, data, octets)
            return reply

        return noted

    def _note(
        self,
        address: str,
        transport: str,
        server: str,
        view: str,
        data: bytes,
        reply: bytes | None,
    ) -> None:
        self._left -= 1
        if self._left:
            return
        self._left = self._every
        if len(self._waiting) >= self._most:
            self.dropped += 1
            return
        head, size = (b"", 0) if reply is None else (reply[:12], len(reply))
        now = time.time()
        self._waiting.append(
            (now, address, transport, server, view, data[:_HEAD_OCTETS], head, size)
        )
        if self._call is None:
            self._call = self._clock.callLater(_DELAY_SECONDS, self._flush)

    def _flush(self) -> None:
        """Make lines of some; the rest after the answers that wait meanwhile."""
        self._call = None
        waiting = self._waiting
        for _ in range(min(len(waiting), _LINES_A_TURN)):
            self._file.append(self._line(waiting.popleft()))
        if waiting:
            self._call = self._clock.callLater(0, self._flush)

    def _line(self, noted: _Noted) -> str:
        at, address, transport, server, view, data, reply, size = noted
        second = int(at)
        if second != self._second[0]:
            written = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
            self._second = second, written
        return " ".join(
            (
                f"{self._second[1]}.{int((at - second) * 1000):03d}Z",
                address or "-",
                transport,
                server or "-",
                *self._question(data),
                codes.rcode_name(reply[3] & 15) if reply else "-",
                str(size) if reply else "-",
                view or "-",
            )
        )

    def _question(self, data: bytes) -> tuple[str, str, str, str]:
        """Name, class, type and flags."""
        if len(data) < 12:
            return "-", "-", "-", "-"
        bits = data[2] << 8 | data[3]
        flags = [word for bit, word in _FLAGS if bits & bit]
        question = question_of(data)
        opcode = data[2] >> 3 & 15
        if question is None:
            kind = _opcode_name(opcode) if opcode else "-"
            return "-", "-", kind, ",".join(flags) or "-"
        folded, qtype = question
        end = 12 + len(folded)
        qclass = data[end + 2] << 8 | data[end + 3]
        # RFC 6891 6.1.2: OPT right behind the question, as nearly all clients have it.
        if data[end + 4 : end + 7] == b"\0\0\x29" and len(data) >= end + 13:
            flags += ["E", "DO"] if data[end + 11] & 0x80 else ["E"]
        kind = _opcode_name(opcode) if opcode else codes.type_name(qtype)
        name = self._name(data[12:end])
        return name, codes.class_name(qclass), kind, ",".join(flags) or "-"

    def _name(self, name: bytes) -> str:
        """The name as text, in the letter case of the question."""
        found = self._names.get(name)
        if found is None:
            if len(self._names) >= 4096:
                self._names.clear()
            found = self._names[name] = name_text(name)
        return found


def _opcode_name(number: int) -> str:
    return _OPCODES.get(number, f"OPCODE{number}")


def make_query_log(services: Services, path: str, every: int) -> QueryLog:
    """The query log that the settings ask for.  ConfigurationError."""
    whole = services.settings
    file: LogFile[str] = LogFile(
        os.path.join(whole.state_directory, "log", path),
        "dns.query_log",
        str,
        services.clock,
        whole.log.events_delay,
        whole.log.events_waiting,
    )
    if os.path.isabs(path):
        file.check()
    return QueryLog(file, every, services.clock, whole.log.events_waiting)
