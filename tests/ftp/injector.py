"""A fault injector: it stands on a data connection, and cuts it after so many octets.

The client talks to one end of a socket pair; a thread carries what it says to the
server, and what the server says back.  When ``limit`` octets have gone in one direction
the connection breaks there, in one of the ways of ``Cut``.
"""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections.abc import Callable
from enum import Enum, auto

SECONDS = 20.0
_PIECE = 16384
_SMALL_WINDOW = 4096


class Cut(Enum):
    """How a connection breaks."""

    RESET = auto()
    """RST: a network or a firewall that gives up."""
    END = auto()
    """FIN, and nothing else: over TLS, a truncation."""
    DEATH = auto()
    """FIN of the control connection and then of this one: the client was killed."""


class Injector:
    """One data connection that will break."""

    def __init__(
        self,
        address: tuple[str, int],
        cut: Cut,
        limit: int,
        is_upload: bool,
        hang_up: Callable[[], None],
    ) -> None:
        self.client, self._near = socket.socketpair()
        self.client.settimeout(SECONDS)
        self._far = socket.socket()
        if not is_upload:
            # What lies in the kernel of the client has arrived, whoever reads it.
            self._far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_WINDOW)
        self._far.settimeout(SECONDS)
        self._far.connect(address)
        self._cut, self._limit, self._is_upload = cut, limit, is_upload
        self._hang_up = hang_up
        self.is_cut = False
        """Whether it broke; else everything has gone through, the end included."""
        self.octets = 0
        """How many have gone in the direction that is watched."""
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the end of it."""
        self._thread.join(SECONDS)
        assert not self._thread.is_alive(), "a connection that does not end"
        self.client.close()

    def _carry(self) -> None:
        """Carry octets both ways up to both ends, or to the limit."""
        targets = {self._near: self._far, self._far: self._near}
        watched = self._near if self._is_upload else self._far
        open_ends = set(targets)
        try:
            while open_ends:
                ready, _, _ = select.select(open_ends, (), (), SECONDS)
                for source in ready:
                    if source is watched and self.octets >= self._limit:
                        self._break()
                        return
                    if not self._pass_on(source, targets[source], source is watched):
                        open_ends.discard(source)
                        targets[source].shutdown(socket.SHUT_WR)
        except OSError:
            # One side has broken it off.
            pass
        finally:
            self._near.close()
            self._far.close()

    def _pass_on(
        self, source: socket.socket, target: socket.socket, is_watched: bool
    ) -> bool:
        """Carry one piece; false at the end of the stream."""
        room = min(_PIECE, self._limit - self.octets) if is_watched else _PIECE
        piece = source.recv(room)
        target.sendall(piece)
        if is_watched:
            self.octets += len(piece)
        return bool(piece)

    def _break(self) -> None:
        self.is_cut = True
        if self._cut is Cut.DEATH:
            self._hang_up()
        if self._cut is Cut.RESET:
            linger = struct.pack("ii", 1, 0)
            self._far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
