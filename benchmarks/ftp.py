"""FTP beside its peers: ``python -m benchmarks.ftp [--quick] [--json]``.

One client (plain sockets, in this process) asks this server, vsftpd, ProFTPD, Pure-FTPd
and pyftpdlib one after the other, on loopback: large transfers, alone, eight at once
and in TLS, small files, a listing, logins, idle sessions.  CPU is that of the server's
processes.  This server appears twice: as it is, where 226 means that the file is on
stable storage, and with ``files.durability = "none"``, as all peers work.  A peer whose
program is missing is named and left out; vsftpd, ProFTPD and Pure-FTPd want root.

The servers that have one process for all sessions meet a slow disk, too: a shim below
the process makes every call on a file take 50 ms, while another session says NOOP.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, TypeAlias

from attrs import define, frozen

from benchmarks.ftp_client import Client
from benchmarks.ftp_peers import PEERS, Missing, Peer, slow_disk, started

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20
GIB = 1 << 30
NAMES = {
    "retr_mib_s": "RETR, MiB/s",
    "retr_cpu": "RETR, s CPU per GiB",
    "stor_mib_s": "STOR, MiB/s",
    "stor_cpu": "STOR, s CPU per GiB",
    "over_mib_s": "STOR over an old file, MiB/s",
    "over_cpu": "STOR over an old file, s CPU per GiB",
    "parallel_mib_s": "RETR, 8 at once, MiB/s",
    "parallel_cpu": "RETR, 8 at once, s CPU per GiB",
    "tls_retr_mib_s": "RETR in TLS, MiB/s",
    "tls_retr_cpu": "RETR in TLS, s CPU per GiB",
    "tls_stor_mib_s": "STOR in TLS, MiB/s",
    "tls_stor_cpu": "STOR in TLS, s CPU per GiB",
    "tls_over_mib_s": "STOR over an old file in TLS, MiB/s",
    "tls_over_cpu": "STOR over an old file in TLS, s CPU per GiB",
    "small_retr_s": "RETR of 1 KiB, files/s",
    "small_retr_cpu_us": "RETR of 1 KiB, us CPU each",
    "small_stor_s": "STOR of 1 KiB, files/s",
    "small_stor_cpu_us": "STOR of 1 KiB, us CPU each",
    "list_ms": "LIST of 5,000, ms",
    "list_cpu_ms": "LIST of 5,000, ms CPU",
    "logins_s": "logins/s, one after the other",
    "idle_kib": "idle session, KiB PSS each",
    "noop_p99_ms": "NOOP, slow disk, ms at p99",
    "noop_longest_ms": "NOOP, slow disk, longest ms",
}


@frozen
class Load:
    """How much of everything."""

    large_octets: int
    small_files: int
    listed: int
    logins: int
    idle: int
    idle_forking: int
    """Sessions where each is a process."""
    noops: int


FULL = Load(GIB, 2000, 5000, 300, 2000, 100, 3000)
QUICK = Load(GIB // 8, 200, 5000, 40, 300, 20, 500)
PARALLEL = 8
WORKING = 4
"""Sessions that use the slow disk."""


# --- what the server costs ----------------------------------------------------------


def processes(pid: int) -> list[int]:
    """A process and all that it forked."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2]
            except OSError:
                continue
            parents.setdefault(int(fields.split()[1]), []).append(int(entry))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found


def cpu_seconds(pid: int) -> float:
    """CPU time of a server so far, ended children included."""
    total = 0
    for one in processes(pid):
        try:
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))
    return total / TICKS


def pss_kib(pid: int) -> int:
    """Memory of a server, shared pages counted by share."""
    total = 0
    for one in processes(pid):
        try:
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            continue
        total += next(int(x.split()[1]) for x in text.splitlines() if "Pss:" in x)
    return total


@define
class Cost:
    """What a stretch took."""

    seconds: float = 0.0
    cpu: float = 0.0


@contextmanager
def measured(peer: Peer) -> Iterator[Cost]:
    """Time and CPU of the block."""
    cost = Cost()
    cpu, began = cpu_seconds(peer.pid), time.perf_counter()
    yield cost
    cost.seconds = time.perf_counter() - began
    cost.cpu = cpu_seconds(peer.pid) - cpu


# --- the measurements ---------------------------------------------------------------


def large(peer: Peer, load: Load) -> dict[str, float]:
    """One large file up and down; then down eight times at once."""
    client = Client.connect(peer)
    found = _up_and_down(peer, client, load)
    found.update(_parallel(peer, load))
    client.say("DELE large", "2")
    client.quit()
    return found


def tls(peer: Peer, load: Load) -> dict[str, float]:
    """The same in TLS, where the peer has that."""
    if not peer.has_tls:
        return {}
    client = Client.connect(peer, is_protected=True)
    found = _up_and_down(peer, client, load)
    client.say("DELE large", "2")
    client.quit()
    return {f"tls_{key}": value for key, value in found.items()}


def _up_and_down(peer: Peer, client: Client, load: Load) -> dict[str, float]:
    """The best of three; uploads under a free name, and over an old file.

    The peers write over an old file in place, and its pages are used again; this server
    keeps the old one until the new one is whole.
    """
    piece, buffer = os.urandom(MIB), bytearray(MIB)
    gib = load.large_octets / GIB
    ups, overs, downs = [], [], []
    for times, costs, is_new in ((3, ups, True), (2, overs, False)):
        for number in range(times):
            if is_new and number:
                client.say("DELE large", "2")
            with measured(peer) as up:
                client.store("large", piece, load.large_octets // MIB)
            costs.append(up)
    for _ in range(3):
        with measured(peer) as down:
            if client.retrieve("RETR large", buffer) != load.large_octets:
                raise ConnectionError("the download is short")
        downs.append(down)
    return {
        "retr_mib_s": load.large_octets / MIB / min(d.seconds for d in downs),
        "retr_cpu": min(d.cpu for d in downs) / gib,
        "stor_mib_s": load.large_octets / MIB / min(u.seconds for u in ups),
        "stor_cpu": min(u.cpu for u in ups) / gib,
        "over_mib_s": load.large_octets / MIB / min(u.seconds for u in overs),
        "over_cpu": min(u.cpu for u in overs) / gib,
    }


def _parallel(peer: Peer, load: Load) -> dict[str, float]:
    """Eight sessions download the large file together; the best of two."""
    clients = [Client.connect(peer) for _ in range(PARALLEL)]
    costs = []
    for _ in range(2):
        with measured(peer) as cost, ThreadPoolExecutor(PARALLEL) as threads:
            got = threads.map(
                lambda client: client.retrieve("RETR large", bytearray(MIB)), clients
            )
            if sum(got) != PARALLEL * load.large_octets:
                raise ConnectionError("a download is short")
        costs.append(cost)
    for client in clients:
        client.quit()
    octets = PARALLEL * load.large_octets
    return {
        "parallel_mib_s": octets / MIB / min(cost.seconds for cost in costs),
        "parallel_cpu": min(cost.cpu for cost in costs) / (octets / GIB),
    }


def small(peer: Peer, load: Load) -> dict[str, float]:
    """Many small files over one control connection."""
    client = Client.connect(peer)
    piece, buffer, count = os.urandom(1024), bytearray(65536), load.small_files
    with measured(peer) as up:
        for number in range(count):
            client.store(f"s{number}", piece, 1)
    with measured(peer) as down:
        for number in range(count):
            client.retrieve(f"RETR s{number}", buffer)
    for number in range(count):
        client.say(f"DELE s{number}", "2")
    client.quit()
    return {
        "small_retr_s": count / down.seconds,
        "small_retr_cpu_us": down.cpu / count * 1e6,
        "small_stor_s": count / up.seconds,
        "small_stor_cpu_us": up.cpu / count * 1e6,
    }


def listing(peer: Peer, load: Load) -> dict[str, float]:
    """A long directory, ten times."""
    directory = Path(peer.root) / "many"
    directory.mkdir()
    for number in range(load.listed):
        (directory / f"file-{number:05}.txt").touch()
    client = Client.connect(peer)
    client.say("CWD many", "2")
    buffer, times = bytearray(MIB), 10
    client.retrieve("LIST", buffer)
    with measured(peer) as cost:
        for _ in range(times):
            client.retrieve("LIST", buffer)
    client.quit()
    return {
        "list_ms": cost.seconds / times * 1e3,
        "list_cpu_ms": cost.cpu / times * 1e3,
    }


def logins(peer: Peer, load: Load) -> dict[str, float]:
    """Connect, log in, leave."""
    Client.log_in(peer).quit()
    with measured(peer) as cost:
        for _ in range(load.logins):
            Client.log_in(peer).quit()
    return {"logins_s": load.logins / cost.seconds}


def idle(peer: Peer, load: Load) -> dict[str, float]:
    """Sessions that have logged in and do nothing."""
    count = load.idle_forking if peer.is_forking else load.idle
    warm = [Client.connect(peer) for _ in range(20)]
    before = pss_kib(peer.pid)
    clients = [Client.connect(peer) for _ in range(count)]
    grown = pss_kib(peer.pid) - before
    for client in warm + clients:
        client.control.close()
    return {"idle_kib": grown / count}


def noops(peer: Peer, load: Load) -> dict[str, float]:
    """How long NOOP takes while other sessions work on a slow disk."""
    is_over = Event()

    def work(number: int) -> None:
        client, buffer = Client.connect(peer), bytearray(MIB)
        while not is_over.is_set():
            client.store(f"f{number}", b"x" * 65536, 4)
            client.retrieve(f"RETR f{number}", buffer)
            client.retrieve("LIST", buffer)
        client.quit()

    seconds = []
    client = Client.connect(peer)
    with ThreadPoolExecutor(WORKING) as threads:
        working = [threads.submit(work, number) for number in range(WORKING)]
        try:
            for _ in range(load.noops):
                began = time.perf_counter()
                client.say("NOOP", "2")
                seconds.append(time.perf_counter() - began)
                time.sleep(0.002)
        finally:
            is_over.set()
        for one in working:
            one.result()
    client.quit()
    seconds.sort()
    return {
        "noop_p99_ms": seconds[len(seconds) * 99 // 100] * 1e3,
        "noop_longest_ms": seconds[-1] * 1e3,
    }


Measurement: TypeAlias = Callable[[Peer, Load], dict[str, float]]
MEASUREMENTS: tuple[Measurement, ...] = (
    # First, while no memory that other measurements have freed can be used again.
    idle,
    large,
    tls,
    small,
    listing,
    logins,
)


def measure(name: str, load: Load) -> dict[str, Any]:
    """All figures of one server; ``missing`` says why there are none."""
    found: dict[str, Any] = {}
    try:
        with a_directory() as directory, started(name, directory) as peer:
            for measurement in MEASUREMENTS:
                attempt(found, measurement, peer, load)
        if peer.is_forking:
            return found
        with (
            a_directory() as directory,
            slow_disk(directory),
            started(name, directory) as peer,
        ):
            attempt(found, noops, peer, load)
    except Missing as missing:
        found.setdefault("missing", str(missing))
    return found


def attempt(
    found: dict[str, Any], measurement: Measurement, peer: Peer, load: Load
) -> None:
    """One measurement, or why it failed."""
    try:
        found.update(measurement(peer, load))
    except (OSError, ConnectionError) as error:
        found[f"{measurement.__name__}_failed"] = str(error)


def a_directory() -> tempfile.TemporaryDirectory[str]:
    """An empty one, for a server."""
    return tempfile.TemporaryDirectory(prefix="ftp-bench-")


def show(results: dict[str, dict[str, Any]]) -> None:
    """A table, one column a server."""
    present = {name: row for name, row in results.items() if "missing" not in row}
    print(f"{'':32}" + "".join(f"{name:>18}" for name in present))
    for key, title in NAMES.items():
        cells = (row.get(key) for row in present.values())
        texts = ("-" if cell is None else f"{cell:.4g}" for cell in cells)
        print(f"{title:32}" + "".join(f"{text:>18}" for text in texts))
    for name, row in results.items():
        for key, text in row.items():
            if key == "missing" or key.endswith("_failed"):
                print(f"{name}: {key}: {text}")


def main(arguments: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--json", action="store_true", help="print figures as JSON")
    parser.add_argument("--only", action="append", choices=list(PEERS), help="a server")
    chosen = parser.parse_args(arguments)
    load = QUICK if chosen.quick else FULL
    results = {}
    for name in chosen.only or PEERS:
        print(f"{name} ...", file=sys.stderr)
        results[name] = measure(name, load)
    if chosen.json:
        print(json.dumps(results, indent=2))
    else:
        show(results)


if __name__ == "__main__":
    main()
