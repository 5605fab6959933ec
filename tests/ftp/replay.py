"""Plays a transcript to a real server, word by word, with real data connections.

Beside ``C:`` and ``S:`` lines as in ``netservices.testing.transcripts``, a transcript
begins with comments that say how the server is set up::

    # with: ftp.data_timeout=1s        a setting
    # sessions: 2                      sessions that are open already
    # quota: 1000                      octets that alice may store
    # file: a 5                        a file of hers, and its size
    # directory: d
    # disk: full

and what the client does without a line stands in angle brackets, see ``Player``.
``{port}`` is the port on which the client waits for a data connection.
"""

from __future__ import annotations

import re
import socket
import ssl
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import define, field

from netservices.testing.transcripts import Step, parse_transcript

SECONDS = 10.0
_HEADER = re.compile(r"# (with|sessions|quota|file|directory|disk): (.+)")
_PORT = re.compile(r"\|\|\|(\d+)\||(\d+),(\d+)\)")


@define
class Transcript:
    """One file: how the server is set up, and what is said."""

    path: Path
    steps: tuple[Step, ...]
    settings: dict[str, str] = field(factory=dict)
    files: dict[str, int] = field(factory=dict)
    directories: list[str] = field(factory=list)
    quota: int | None = None
    sessions: int = 0
    is_disk_full: bool = False


def read_transcript(path: Path) -> Transcript:
    """The transcript of a file.  ValueError names a line that is none."""
    text = path.read_text(encoding="utf-8")
    found = Transcript(path, parse_transcript(text))
    for kind, value in _HEADER.findall(text):
        if kind == "with":
            name, _, written = value.partition("=")
            found.settings[name] = written
        elif kind == "sessions":
            found.sessions = int(value)
        elif kind == "quota":
            found.quota = int(value)
        elif kind == "file":
            name, _, size = value.rpartition(" ")
            found.files[name] = int(size)
        elif kind == "directory":
            found.directories.append(value)
        else:
            found.is_disk_full = value == "full"
    return found


def play(transcript: Transcript, port: int) -> None:
    """Play it to the server on that port; blocks.  AssertionError."""
    Player(transcript, port).play()


class Player:
    """The client of one transcript; everything here blocks."""

    def __init__(self, transcript: Transcript, port: int) -> None:
        self._transcript = transcript
        self._others = [self._session_at(port) for _ in range(transcript.sessions)]
        self._control = socket.create_connection(("127.0.0.1", port), SECONDS)
        self._data: socket.socket | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(SECONDS)
        self._passive = 0
        self._received = b""
        self._context = ssl._create_unverified_context()
        self._deeds: dict[str, Callable[..., None]] = {
            r"<connects>": self.connects,
            r"<connects from (\S+), and is closed>": self.connects_in_vain,
            r"<accepts>": self.accepts,
            r"<sends (\d+) octets>": self.sends,
            r"<says (\d+) octets without an end>": self.says,
            r"<reads everything>": self.reads,
            r"<reads (\d+) octets>": self.reads,
            r"<closes the data connection>": self.closes,
            r"<resets the data connection>": self.resets,
            r"<ends TLS on the data connection>": self.ends_tls,
            r"<TLS>": self.secures,
            r"<TLS on the data connection>": self.secures_data,
            r"<TLS on the data connection, as a stranger>": self.stranger,
        }

    @staticmethod
    def _session_at(port: int) -> socket.socket:
        other = socket.create_connection(("127.0.0.1", port), SECONDS)
        assert other.recv(3) == b"220"
        return other

    def play(self) -> None:
        """Say and hear everything.  AssertionError."""
        told: list[str] = []
        try:
            for step in self._transcript.steps:
                if step.who == "S":
                    self._hear(step, told)
                elif step.is_barrier:
                    self._do(step)
                else:
                    text = step.text.format(port=self._listener.getsockname()[1])
                    self._control.sendall(text.encode() + b"\r\n")
                told.append(str(step))
        finally:
            for one in (self._control, self._data, self._listener, *self._others):
                if one is not None:
                    one.close()

    def _hear(self, step: Step, told: list[str]) -> None:
        line = self._line()
        found = _PORT.search(line)
        if line.startswith(("227", "229")) and found:
            high, low = int(found[2] or 0), int(found[3] or 0)
            self._passive = int(found[1]) if found[1] else high << 8 | low
        pattern = ".*".join(map(re.escape, step.text.split("...")))
        if not re.fullmatch(pattern, line):
            so_far = "\n".join(told)
            raise AssertionError(
                f"{self._transcript.path}:\n{so_far}\n- {step}\n+ S: {line}"
            )

    def _line(self) -> str:
        while b"\r\n" not in self._received:
            try:
                piece = self._control.recv(4096)
            except ConnectionResetError:
                piece = b""
            if not piece:
                return "<closes>"
            self._received += piece
        line, _, self._received = self._received.partition(b"\r\n")
        return line.decode("utf-8", "replace")

    def _do(self, step: Step) -> None:
        for pattern, deed in self._deeds.items():
            found = re.fullmatch(pattern, step.text)
            if found:
                deed(*found.groups())
                return
        raise ValueError(f"{self._transcript.path}: {step}: nobody knows how")

    # --- what a client does without a line ------------------------------------------

    def connects(self, source: str = "127.0.0.1") -> None:
        """A passive data connection, to the port of the last 227 or 229."""
        self._data = socket.create_connection(
            ("127.0.0.1", self._passive), SECONDS, (source, 0)
        )

    def connects_in_vain(self, source: str) -> None:
        """Another host's connection to that port, which the server closes."""
        self.connects(source)
        try:
            octets = self._connection.recv(1)
        except ConnectionResetError:
            octets = b""
        assert octets == b"", "a stranger was served"
        self.closes()

    def accepts(self) -> None:
        """The server's active data connection."""
        self._data, _ = self._listener.accept()
        self._data.settimeout(SECONDS)

    @property
    def _connection(self) -> socket.socket:
        assert self._data is not None, "there is no data connection"
        return self._data

    def sends(self, octets: str) -> None:
        """So many octets on the data connection."""
        self._connection.sendall(b"x" * int(octets))

    def says(self, octets: str) -> None:
        """So many octets on the control connection."""
        self._control.sendall(b"x" * int(octets))

    def reads(self, octets: str = "") -> None:
        """So many octets of the data connection, or all."""
        left = int(octets) if octets else -1
        while left and (piece := self._connection.recv(left if left > 0 else 65536)):
            left -= len(piece) if left > 0 else 0

    def closes(self) -> None:
        """FIN, without close_notify where there is TLS."""
        if isinstance(self._connection, ssl.SSLSocket):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def resets(self) -> None:
        """RST."""
        linger = struct.pack("ii", 1, 0)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._connection.close()

    def ends_tls(self) -> None:
        """close_notify, then FIN."""
        connection: Any = self._connection
        connection.unwrap().close()

    def secures(self) -> None:
        """A handshake on the control connection."""
        self._control = self._context.wrap_socket(self._control)

    def secures_data(self) -> None:
        """One on the data connection, which resumes that session."""
        control: Any = self._control
        self._data = self._context.wrap_socket(
            self._connection, session=control.session
        )

    def stranger(self) -> None:
        """One that resumes nothing."""
        context = ssl._create_unverified_context()
        self._data = context.wrap_socket(self._connection)
