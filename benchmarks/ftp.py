"""FTP beside its peers: ``python -m benchmarks.ftp [--quick] [--json]``.

One client (plain sockets, in this process) asks this server, vsftpd, ProFTPD, Pure-FTPd
and pyftpdlib one after the other, on loopback: large transfers, small files, a listing,
logins, idle sessions.  CPU is that of the server's processes.  This server appears
twice: as it is, where 226 means that the file is on stable storage, and with
``files.durability = "none"``, as all peers work.  A peer whose program is missing is
named and left out; vsftpd, ProFTPD and Pure-FTPd want root.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import define, frozen

from benchmarks.ftp_peers import PEERS, Missing, Peer, started

TICKS = os.sysconf("SC_CLK_TCK")
MIB = 1 << 20
GIB = 1 << 30
NAMES = {
    "retr_mib_s": "RETR, MiB/s",
    "retr_cpu": "RETR, s CPU per GiB",
    "stor_mib_s": "STOR, MiB/s",
    "stor_cpu": "STOR, s CPU per GiB",
    "small_retr_s": "RETR of 1 KiB, files/s",
    "small_retr_cpu_us": "RETR of 1 KiB, us CPU each",
    "small_stor_s": "STOR of 1 KiB, files/s",
    "small_stor_cpu_us": "STOR of 1 KiB, us CPU each",
    "list_ms": "LIST of 5,000, ms",
    "list_cpu_ms": "LIST of 5,000, ms CPU",
    "logins_s": "logins/s, one after the other",
    "idle_kib": "idle session, KiB PSS each",
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


FULL = Load(GIB, 2000, 5000, 300, 2000, 100)
QUICK = Load(GIB // 8, 200, 5000, 40, 300, 20)


@define
class Client:
    """Just enough of FTP, with as little work of its own as possible."""

    control: socket.socket
    _unread: bytes = b""

    @classmethod
    def connect(cls, peer: Peer) -> Client:
        """Connected, logged in, in image type."""
        client = cls(socket.create_connection((peer.host, peer.port), 60))
        client.control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.expect("2")
        client.say(f"USER {peer.login}", "3")
        client.say(f"PASS {peer.password}", "2")
        client.say("TYPE I", "2")
        return client

    def expect(self, first: str) -> str:
        """The next reply, which begins with ``first``."""
        while True:
            line, end, rest = self._unread.partition(b"\r\n")
            if not end:
                received = self.control.recv(65536)
                if not received:
                    raise ConnectionError("the server has hung up")
                self._unread += received
                continue
            self._unread = rest
            if line[:3].isdigit() and line[3:4] == b" ":
                text = line.decode("utf-8", "replace")
                if not text.startswith(first):
                    raise ConnectionError(text)
                return text

    def say(self, line: str, first: str) -> str:
        """A command and its reply."""
        self.control.sendall(line.encode() + b"\r\n")
        return self.expect(first)

    def open_data(self, command: str) -> socket.socket:
        """The data connection of a command."""
        port = int(self.say("EPSV", "2").split("|")[3])
        data = socket.create_connection(self.control.getpeername()[:1] + (port,), 60)
        self.say(command, "1")
        return data

    def retrieve(self, command: str, buffer: bytearray) -> int:
        """How many octets came."""
        total = 0
        with self.open_data(command) as data:
            while count := data.recv_into(buffer):
                total += count
        self.expect("2")
        return total

    def store(self, name: str, piece: bytes, count: int) -> None:
        """Upload ``piece`` so many times."""
        with self.open_data(f"STOR {name}") as data:
            for _ in range(count):
                data.sendall(piece)
        self.expect("2")

    def quit(self) -> None:
        """Goodbye."""
        self.say("QUIT", "2")
        self.control.close()


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
    """One large file up and down; the better of two."""
    client = Client.connect(peer)
    piece, buffer = os.urandom(MIB), bytearray(MIB)
    gib = load.large_octets / GIB
    ups, downs = [], []
    for _ in range(2):
        with measured(peer) as up:
            client.store("large", piece, load.large_octets // MIB)
        ups.append(up)
    for _ in range(2):
        with measured(peer) as down:
            if client.retrieve("RETR large", buffer) != load.large_octets:
                raise ConnectionError("the download is short")
        downs.append(down)
    client.say("DELE large", "2")
    client.quit()
    return {
        "retr_mib_s": load.large_octets / MIB / min(d.seconds for d in downs),
        "retr_cpu": min(d.cpu for d in downs) / gib,
        "stor_mib_s": load.large_octets / MIB / min(u.seconds for u in ups),
        "stor_cpu": min(u.cpu for u in ups) / gib,
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
    Client.connect(peer).quit()
    with measured(peer) as cost:
        for _ in range(load.logins):
            Client.connect(peer).quit()
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


MEASUREMENTS: tuple[Callable[[Peer, Load], dict[str, float]], ...] = (
    # First, while no memory that other measurements have freed can be used again.
    idle,
    large,
    small,
    listing,
    logins,
)


def measure(name: str, load: Load) -> dict[str, Any]:
    """All figures of one server; ``missing`` says why there are none."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="ftp-bench-") as directory:
        try:
            with started(name, directory) as peer:
                for measurement in MEASUREMENTS:
                    try:
                        found.update(measurement(peer, load))
                    except (OSError, ConnectionError) as error:
                        found[f"{measurement.__name__}_failed"] = str(error)
        except Missing as missing:
            return {"missing": str(missing)}
    return found


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
