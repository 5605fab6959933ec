"""What ``benchmarks.dns`` asks its servers: questions and updates, and the figures."""

from __future__ import annotations

import contextlib
import random
import re
import signal
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import frozen

from benchmarks.dns_servers import ORIGIN, UPDATES_A_SECOND, Running, on_core

_CLIENT_COOKIE = b"resolver"
_APEX = b"\5bench\7example\0"


@frozen
class Load:
    """One kind of questions."""

    name: str
    dnsperf: tuple[str, ...] = ()
    is_random_case: bool = False
    has_updates: bool = False
    has_cookie: bool = False


LOADS = (
    Load("plain"),
    Load("edns+do", ("-e", "-D")),
    Load("cookie", ("-e", "-D"), has_cookie=True),
    Load("0x20", is_random_case=True),
    Load("tcp", ("-m", "tcp")),
)
UPDATES = Load("updates", has_updates=True)
"""A hundred names change every second, durably, while the questions come."""


@frozen
class Result:
    """One run of dnsperf."""

    queries_a_second: float
    cpu_us: float
    """CPU microseconds of the server an answer."""
    lost_percent: float
    longest_ms: float
    """For which any question waited."""
    updates: float = 0.0
    """Updates a second that were done."""


def write_questions(path: Path, names: int, is_random_case: bool) -> None:
    """The questions of one load, in random order, the same in each run."""
    chance = random.Random(1)
    with path.open("w") as questions:
        for _ in range(20_000 if names <= 20_000 else 500_000):
            name = f"h{chance.randrange(names)}.{ORIGIN}"
            if is_random_case:
                name = "".join(chance.choice((c, c.upper())) for c in name)
            questions.write(f"{name} A\n")


def run(
    dnsperf: str,
    server: Running,
    name: str,
    questions: Path,
    load: Load,
    seconds: float,
) -> Result:
    """One run of one load."""
    if not load.has_updates:
        return _run_dnsperf(dnsperf, server, questions, load, seconds)
    began = time.monotonic()
    with _updating(server, name) as count:
        result = _run_dnsperf(dnsperf, server, questions, load, seconds)
        spent = time.monotonic() - began
    return Result(
        result.queries_a_second,
        result.cpu_us,
        result.lost_percent,
        result.longest_ms,
        count() / spent,
    )


def _run_dnsperf(
    dnsperf: str, server: Running, questions: Path, load: Load, seconds: float
) -> Result:
    words = list(load.dnsperf)
    if load.has_cookie:
        words += ["-E", f"10:{_cookie(server).hex()}"]
    before = server.cpu_seconds()
    done = subprocess.run(
        [
            *on_core(1), dnsperf, "-s", "127.0.0.1", "-p", str(server.port),
            "-d", str(questions), "-l", str(seconds), "-c", "8", "-q", "200", "-T", "1",
            *words,
        ],
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    spent = server.cpu_seconds() - before

    def number(pattern: str) -> float:
        match = re.search(pattern, done.stdout)
        if match is None:
            raise RuntimeError(f"dnsperf did not say {pattern!r}: {done.stdout}")
        return float(match[1])

    completed = number(r"Queries completed:\s+(\d+)")
    sent = number(r"Queries sent:\s+(\d+)")
    return Result(
        number(r"Queries per second:\s+([\d.]+)"),
        spent / max(completed, 1) * 1e6,
        (sent - completed) / max(sent, 1) * 100,
        number(r"Average Latency \(s\):.*max ([\d.]+)") * 1e3,
    )


def _cookie(server: Running) -> bytes:
    """A cookie of the server's, or, where it has none, a client's alone."""
    option = b"\0\x0a\0\x08" + _CLIENT_COOKIE
    query = b"\1\2\0\0\0\1\0\0\0\0\0\1" + _APEX + b"\0\6\0\1"
    query += b"\0\0\x29\4\xd0\0\0\0\0\0\x0c" + option
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(1)
        asking.connect(("127.0.0.1", server.port))
        asking.send(query)
        _, found, cookie = asking.recv(1232).rpartition(b"\0\x0a\0\x18")
    is_ours = bool(found) and cookie[:8] == _CLIENT_COOKIE
    return cookie[:24] if is_ours else _CLIENT_COOKIE


@contextlib.contextmanager
def _updating(server: Running, name: str) -> Iterator[Callable[[], float]]:
    """Updates while it lasts, ours through the store, others by UPDATE over UDP; what
    is given counts those that were done, afterwards."""
    counts: list[float] = []
    if name == "netservices":
        server.signal(signal.SIGUSR1)
        yield lambda: counts[-1]
        server.signal(signal.SIGUSR2)
        time.sleep(0.5)
        found = re.findall(r"updates (\d+)", server.log())
        counts.append(float(found[-1]) if found else 0.0)
        return
    stopping = threading.Event()
    sender = threading.Thread(target=_send_updates, args=(server, stopping, counts))
    sender.start()
    try:
        yield lambda: float(len(counts))
    finally:
        stopping.set()
        sender.join()


def _send_updates(
    server: Running, stopping: threading.Event, counts: list[float]
) -> None:
    """RFC 2136: a new address for a name, again and again, one after the other."""
    began = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(1)
        asking.connect(("127.0.0.1", server.port))
        for number in range(1, 1_000_000):
            pause = began + number / UPDATES_A_SECOND - time.monotonic()
            if stopping.wait(max(pause, 0)):
                return
            asking.send(_update(number))
            with contextlib.suppress(TimeoutError):
                if asking.recv(512)[3] & 15 == 0:
                    counts.append(1)


def _update(number: int) -> bytes:
    label = b"h%d" % (number * 7 % 1000)
    name = bytes((len(label),)) + label + b"\xc0\x0c"
    head = (number & 0xFFFF).to_bytes(2, "big") + b"\x28\0\0\1\0\0\0\2\0\0"
    gone = name + b"\0\1\0\xff\0\0\0\0\0\0"
    come = name + b"\0\1\0\1\0\0\x0e\x10\0\4" + number.to_bytes(4, "big")
    return head + _APEX + b"\0\6\0\1" + gone + come


def median(runs: list[Result]) -> Result:
    """Of each figure the median, but the longest wait of all."""

    def middle(pick: Callable[[Result], float]) -> float:
        return statistics.median(map(pick, runs))

    return Result(
        middle(lambda run: run.queries_a_second),
        middle(lambda run: run.cpu_us),
        middle(lambda run: run.lost_percent),
        max(run.longest_ms for run in runs),
        middle(lambda run: run.updates),
    )
