"""A program of the administrator's, run with bounds on its time and its output.

Everything here blocks and belongs into a thread.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from threading import Event
from typing import Any

from attrs import frozen

_LOOK_SECONDS = 0.1
"""How often it is looked whether the program has ended, or shall."""

_DEATH_SECONDS = 5.0
"""How long one that was killed may take to be gone; a broken disk can hold it."""

_READ_OCTETS = 65536


@frozen
class Ended:
    """How a program ended."""

    status: int
    """The exit status; that of a signal is negative."""
    output: bytes
    seconds: float
    reason: str = ""
    """Why it was killed, or not even begun."""


def check_program(path: str) -> None:
    """ValueError where ``path`` is no program that this process may run."""
    if not os.path.isabs(path):
        raise ValueError(f"{path}: the whole path of a program is wanted")
    if not os.path.isfile(path):
        raise ValueError(f"{path}: there is no such file")
    if not os.access(path, os.X_OK):
        raise ValueError(f"{path}: the server's user may not execute it")


def run_program(
    path: str,
    environment: Mapping[bytes, bytes],
    timeout_seconds: float,
    most_output: int,
    shall_stop: Event,
) -> Ended:
    """Run it to its end, or kill it with all that it has begun.

    No shell is between: the environment is all that it gets, and its input is empty.
    Of its output and errors, ``most_output`` octets are kept; the rest is read and
    dropped, so that it does not wait.  What it leaves running when it ends, runs on.
    """
    began = time.monotonic()
    if shall_stop.is_set():
        return Ended(-1, b"", 0.0, "not begun, as the server stops")
    try:
        process = subprocess.Popen(
            [path],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd="/",
            start_new_session=True,
            bufsize=0,
        )
    except (OSError, ValueError) as error:
        return Ended(-1, b"", 0.0, f"not begun: {error}")
    output = bytearray()
    reason = _attend(process, output, began + timeout_seconds, most_output, shall_stop)
    status = _kill(process) if reason else process.wait()
    assert process.stdout is not None
    process.stdout.close()
    return Ended(status, bytes(output), time.monotonic() - began, reason)


def _kill(process: subprocess.Popen[bytes]) -> int:
    """End it and its group; what is beyond that is not waited for."""
    with suppress(PermissionError):  # it runs as somebody else
        os.killpg(process.pid, signal.SIGKILL)
    try:
        return process.wait(_DEATH_SECONDS)
    except subprocess.TimeoutExpired:
        return -signal.SIGKILL


def _attend(
    process: subprocess.Popen[bytes],
    output: bytearray,
    deadline: float,
    most_output: int,
    shall_stop: Event,
) -> str:
    """Take the output until the program has ended; why it must be killed instead."""
    pipe: Any = process.stdout
    os.set_blocking(pipe.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            # What it wrote before its end is there when its end is seen.
            has_ended = process.poll() is not None
            is_open = _drain(pipe, output, most_output)
            if has_ended:
                return ""
            left = deadline - time.monotonic()
            if left <= 0:
                return "it took too long"
            if shall_stop.is_set():
                return "the server stops"
            if is_open:
                selector.select(min(left, _LOOK_SECONDS))
            else:
                _wait(process, min(left, _LOOK_SECONDS))


def _drain(pipe: Any, output: bytearray, most_output: int) -> bool:
    """Read what is there, one piece of it at most; whether there may be more."""
    try:
        data = os.read(pipe.fileno(), _READ_OCTETS)
    except BlockingIOError:
        return True
    output += data[: max(0, most_output - len(output))]
    return bool(data)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return
