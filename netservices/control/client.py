"""Ask the running server something: the client half of ``control.server``.

Plain standard library, so that a command starts at once.
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any

SOCKET_NAME = "control"
LONGEST_REPLY = 8 * 1024 * 1024
DEFAULT_TIMEOUT = 10.0


class NotRunning(Exception):
    """No server runs on that state directory."""


class ControlProblem(ValueError):
    """The server answered that it could not do it; ``str()`` is its reason."""


def ask(
    state_directory: str, request: dict[str, Any], timeout: float = DEFAULT_TIMEOUT
) -> dict[str, Any]:
    """The server's reply to ``request``, whose ``verb`` says what is wanted.

    NotRunning; ControlProblem where the server refused; OSError, and ValueError for a
    reply that is none.  ``timeout`` is in seconds, for each step.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        _connect(connection, state_directory)
        connection.sendall(json.dumps(request).encode() + b"\n")
        reply = json.loads(_line(connection))
    if not isinstance(reply, dict):
        raise ValueError("the reply is no JSON object")
    if "error" in reply:
        raise ControlProblem(str(reply["error"]))
    return reply


def _connect(connection: socket.socket, state_directory: str) -> None:
    """Connect by a descriptor of the directory: a socket's path is at most 107
    octets."""
    try:
        directory = os.open(state_directory, os.O_PATH | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        raise NotRunning(state_directory) from None
    try:
        connection.connect(f"/proc/self/fd/{directory}/{SOCKET_NAME}")
    except (FileNotFoundError, ConnectionRefusedError):
        raise NotRunning(state_directory) from None
    finally:
        os.close(directory)


def _line(connection: socket.socket) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := connection.recv(65536):
        pieces.append(piece)
        size += len(piece)
        if piece.endswith(b"\n"):
            return b"".join(pieces)
        if size > LONGEST_REPLY:
            raise ValueError("the reply is too long")
    raise ValueError("the server closed the connection without a reply")
