"""A whole zone to another server: ``python -m benchmarks.dns_transfers [--records N]``.

Every server gives the same zone of 300,000 records (AXFR) to a client that does nothing
but take it, over loopback.  Shown are the time, the server's CPU time, the octets, and
the longest wait of a question that is asked over UDP every two milliseconds meanwhile.
A peer whose program is missing is left out with a message.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

from benchmarks.dns_servers import find, free_port
from netservices.testing import running_process

ORIGIN = "bench.example."
TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 120.0
ASK_EVERY_SECONDS = 0.002
APEX = b"\5bench\7example\0"
AXFR = b"\1\2\0\0\0\1\0\0\0\0\0\0" + APEX + b"\0\xfc\0\1"
QUESTION = b"\1\2\0\0\0\1\0\0\0\0\0\0\2h1" + APEX + b"\0\1\0\1"


@frozen
class Result:
    """One transfer."""

    seconds: float
    cpu_seconds: float
    octets: int
    longest_wait: float


@frozen
class Served:
    """A server that runs."""

    port: int
    pid: int
    """Of the process, or of the leader of its group."""


def zone_text(hosts: int) -> str:
    """A zone of so many addresses, and four other records."""
    head = (
        f"$TTL 3600\n@ IN SOA ns1.{ORIGIN} h.{ORIGIN} 1 7200 1800 1209600 300\n"
        f"@ IN NS ns1.{ORIGIN}\n@ IN NS ns2.example.net.\nns1 IN A 192.0.2.1\n"
    )
    return head + "".join(
        f"h{i} IN A 10.{i >> 16}.{i >> 8 & 255}.{i & 255}\n" for i in range(hosts)
    )


# --- the servers --------------------------------------------------------------------


def nsd_text(directory: Path, port: int, zone: Path) -> str:
    """nsd.conf."""
    return (
        f'server:\n server-count: 1\n ip-address: 127.0.0.1@{port}\n username: ""\n'
        f' zonesdir: "{directory}"\n database: ""\n pidfile: "{directory}/nsd.pid"\n'
        f' xfrdfile: "{directory}/xfrd.state"\n xfrdir: "{directory}"\n'
        f' zonelistfile: "{directory}/zone.list"\n'
        f"remote-control:\n control-enable: no\n"
        f'zone:\n name: "{ORIGIN}"\n zonefile: "{zone}"\n'
        " provide-xfr: 127.0.0.1 NOKEY\n"
    )


def knot_text(directory: Path, port: int, zone: Path) -> str:
    """knot.conf."""
    return (
        f"server:\n  listen: 127.0.0.1@{port}\n  rundir: {directory}\n"
        "  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n"
        f"database:\n  storage: {directory}\n"
        "acl:\n - id: transfer\n   address: 127.0.0.1\n   action: transfer\n"
        f"zone:\n - domain: {ORIGIN}\n   file: {zone}\n   zonefile-sync: -1\n"
        "   acl: transfer\n"
    )


def bind_text(directory: Path, port: int, zone: Path) -> str:
    """named.conf."""
    return (
        f'options {{ directory "{directory}"; listen-on port {port} {{ 127.0.0.1; }};'
        " listen-on-v6 { none; }; recursion no; pid-file none; allow-transfer { any; };"
        f' session-keyfile "{directory}/session.key"; notify no; }};\n'
        "controls { };\n"
        f'zone "{ORIGIN}" {{ type primary; file "{zone}"; }};\n'
    )


PEERS: dict[str, tuple[Callable[[Path, int, Path], str], tuple[str, ...]]] = {
    "nsd": (nsd_text, ("-d", "-c")),
    "knotd": (knot_text, ("-c",)),
    "named": (bind_text, ("-g", "-n", "1", "-c")),
}


@contextmanager
def foreign(name: str, directory: Path, zone: Path) -> Iterator[Served]:
    """A server of another make."""
    write, words = PEERS[name]
    port = free_port()
    path = directory / f"{name}.conf"
    path.write_text(write(directory, port, zone))
    process = subprocess.Popen(
        [find(name) or name, *words, str(path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield Served(port, process.pid)
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(5)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


@contextmanager
def ours(zone: Path) -> Iterator[Served]:
    """This server, on a store on disk."""
    port = free_port()
    here = f"{port}:interface=127.0.0.1"
    with running_process(
        dns=True,
        zones={ORIGIN: zone},
        settings={
            "dns.listen": [f"udp:{here}", f"tcp:{here}"],
            "dns.allow_transfer": ["loopback"],
        },
    ) as server:
        yield Served(port, server.process.pid)


# --- measuring ----------------------------------------------------------------------


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its group."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if pid in (int(fields[2]), int(stat.parent.name)):
            total += int(fields[11]) + int(fields[12])
    return total / TICKS


def is_ready(port: int) -> bool:
    """Whether it answers for the zone."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.2)
        try:
            asking.sendto(QUESTION, ("127.0.0.1", port))
            reply = asking.recv(512)
        except OSError:
            return False
        return reply[3] & 15 == 0 and reply[7] == 1


class Asker(threading.Thread):
    """Asks all the time, and notes the longest wait."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.longest = 0.0
        self.is_done = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._socket.settimeout(5)

    def run(self) -> None:
        while not self.is_done:
            began = time.perf_counter()
            self._socket.send(QUESTION)
            self._socket.recv(512)
            self.longest = max(self.longest, time.perf_counter() - began)
            time.sleep(ASK_EVERY_SECONDS)
        self._socket.close()


def take(port: int, records: int) -> int:
    """Take the zone, looking at nothing but counts; the octets."""
    octets = taken = 0
    with socket.create_connection(("127.0.0.1", port)) as stream:
        stream.sendall(len(AXFR).to_bytes(2, "big") + AXFR)
        received = stream.makefile("rb", 1 << 18)
        while taken < records + 1:
            length = int.from_bytes(received.read(2), "big")
            message = received.read(length)
            if not length or message[3] & 15:
                raise RuntimeError("the transfer broke off")
            taken += int.from_bytes(message[6:8], "big")
            octets += length
    return octets


def measure(served: Served, records: int, rounds: int) -> Result:
    """The quickest of some transfers; the longest wait of all of them."""
    deadline = time.monotonic() + START_SECONDS
    while not is_ready(served.port):
        if time.monotonic() > deadline:
            raise RuntimeError("did not start")
        time.sleep(0.1)
    asker = Asker(served.port)
    asker.start()
    best: tuple[float, float, int] | None = None
    for _ in range(rounds):
        before, began = cpu_seconds(served.pid), time.perf_counter()
        octets = take(served.port, records)
        seconds = time.perf_counter() - began
        found = seconds, cpu_seconds(served.pid) - before, octets
        best = min(best or found, found)
    asker.is_done = True
    asker.join()
    assert best is not None
    return Result(*best, asker.longest)


def main() -> None:
    """Measure all, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--records", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=3)
    words = parser.parse_args()
    print(f"{'':12} {'seconds':>8} {'cpu s':>8} {'MB':>8} {'longest wait ms':>16}")
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        directory.chmod(0o755)
        zone = directory / "zone"
        zone.write_text(zone_text(words.records - 4))
        for name in ("netservices", *PEERS):
            if name in PEERS and find(name) is None:
                print(f"{name}: not installed, left out", file=sys.stderr)
                continue
            serving = foreign(name, directory, zone) if name in PEERS else ours(zone)
            with serving as served:
                result = measure(served, words.records, words.rounds)
            print(
                f"{name:12} {result.seconds:8.2f} {result.cpu_seconds:8.2f}"
                f" {result.octets / 1e6:8.1f} {result.longest_wait * 1e3:16.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
