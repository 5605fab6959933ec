"""Answers a second, and CPU time an answer: ``python -m benchmarks.dns [--quick]``.

dnsperf asks this server, NSD, Knot, BIND and twisted.names one after the other, on
loopback: the server has one core and dnsperf another.  All serve the same zone, 1,000
names of one A record; answers carry the zone's two servers and a glue record.  A peer
whose program is missing is left out with a message.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import frozen

ORIGIN = "bench.example."
TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 20.0


@frozen
class Load:
    """One kind of questions."""

    name: str
    dnsperf: tuple[str, ...]
    is_random_case: bool = False


LOADS = (
    Load("plain", ()),
    Load("edns+do", ("-e", "-D")),
    Load("0x20", (), is_random_case=True),
    Load("tcp", ("-m", "tcp")),
)


@frozen
class Result:
    """One run of dnsperf."""

    queries_a_second: float
    cpu_us: float
    """CPU microseconds of the server an answer."""
    lost_percent: float


def zone_text(names: int) -> str:
    """The zone that everybody serves."""
    head = (
        f"$TTL 3600\n@ IN SOA ns1.{ORIGIN} h.{ORIGIN} 1 7200 1800 1209600 300\n"
        f"@ IN NS ns1.{ORIGIN}\n@ IN NS ns2.example.net.\nns1 IN A 192.0.2.1\n"
    )
    return head + "".join(
        f"h{i} IN A 10.{i >> 16}.{i >> 8 & 255}.{i & 255}\n" for i in range(names)
    )


def write_questions(path: Path, names: int, is_random_case: bool) -> None:
    """The questions of one load, in random order, the same in each run."""
    chance = random.Random(1)
    lines = []
    for _ in range(20_000):
        name = f"h{chance.randrange(names)}.{ORIGIN}"
        if is_random_case:
            name = "".join(chance.choice((c, c.upper())) for c in name)
        lines.append(f"{name} A\n")
    path.write_text("".join(lines))


# --- the servers --------------------------------------------------------------------


def serve_ours(port: int, zone: Path) -> None:
    """This server, on a store in memory."""
    from twisted.internet import reactor as global_reactor

    from netservices.datagram import DatagramPort
    from netservices.dns.server import make_server
    from netservices.dns.settings import DNSSettings
    from tests.dns.house import add_zone, make_services, make_store

    reactor: Any = global_reactor
    store = make_store()
    add_zone(store, zone.read_text(), ORIGIN)
    server = make_server(DNSSettings(), make_services(store, reactor))
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    bound.bind(("127.0.0.1", port))
    bound.setblocking(False)
    assert server.datagram is not None
    assert server.start is not None
    reactor.callWhenRunning(server.start)
    DatagramPort(bound, server.datagram, reactor).start()
    from netservices.core.write import listen_tcp

    assert server.stream is not None
    listen_tcp(reactor, port, server.stream, interface="127.0.0.1")
    reactor.run()


def serve_twisted_names(port: int, zone: Path) -> None:
    """twisted.names with the same records."""
    from twisted.internet import reactor as global_reactor
    from twisted.names import dns as names_dns
    from twisted.names.authority import BindAuthority
    from twisted.names.server import DNSServerFactory

    reactor: Any = global_reactor
    plain = zone.with_suffix(".names")
    text = zone.read_text().replace("$TTL 3600\n", f"$ORIGIN {ORIGIN}\n$TTL 3600\n")
    plain.write_text(text)
    authority = BindAuthority(str(plain))
    factory = DNSServerFactory(authorities=[authority], verbose=0)
    protocol = names_dns.DNSDatagramProtocol(factory)
    reactor.listenUDP(port, protocol, interface="127.0.0.1")
    reactor.listenTCP(port, factory, interface="127.0.0.1")
    reactor.run()


Command = Callable[[Path, int, Path], list[str] | None]


def python_command(role: str) -> Command:
    """A server of this very file."""

    def command(_directory: Path, port: int, zone: Path) -> list[str]:
        return [sys.executable, "-m", "benchmarks.dns", role, str(port), str(zone)]

    return command


def find(program: str) -> str | None:
    """A program, also where ordinary users do not look."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin"
    return shutil.which(program, path=path)


def nsd_command(directory: Path, port: int, zone: Path) -> list[str] | None:
    """NSD with one child."""
    program = find("nsd")
    (directory / "nsd.conf").write_text(
        f'server:\n server-count: 1\n ip-address: 127.0.0.1@{port}\n username: ""\n'
        f' zonesdir: "{directory}"\n database: ""\n pidfile: "{directory}/nsd.pid"\n'
        f' xfrdfile: "{directory}/xfrd.state"\n xfrdir: "{directory}"\n'
        f' zonelistfile: "{directory}/zone.list"\n'
        f"remote-control:\n control-enable: no\n"
        f'zone:\n name: "{ORIGIN}"\n zonefile: "{zone}"\n'
    )
    return program and [program, "-d", "-c", str(directory / "nsd.conf")] or None


def knot_command(directory: Path, port: int, zone: Path) -> list[str] | None:
    """Knot DNS with one worker of each kind."""
    program = find("knotd")
    (directory / "knot.conf").write_text(
        f"server:\n  listen: 127.0.0.1@{port}\n  rundir: {directory}\n"
        "  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n"
        f"database:\n  storage: {directory}\n"
        "log:\n - target: stderr\n   any: error\n"
        f"zone:\n - domain: {ORIGIN}\n   file: {zone}\n   zonefile-sync: -1\n"
    )
    return program and [program, "-c", str(directory / "knot.conf")] or None


def bind_command(directory: Path, port: int, zone: Path) -> list[str] | None:
    """BIND with one thread."""
    program = find("named")
    (directory / "named.conf").write_text(
        f'options {{ directory "{directory}"; listen-on port {port} {{ 127.0.0.1; }};'
        " listen-on-v6 { none; }; recursion no; pid-file none; minimal-responses no;"
        f' session-keyfile "{directory}/session.key"; notify no; }};\n'
        "controls { };\n"
        f'zone "{ORIGIN}" {{ type primary; file "{zone}"; }};\n'
    )
    return (
        program
        and [program, "-g", "-n", "1", "-c", str(directory / "named.conf")]
        or None
    )


SERVERS: dict[str, Command] = {
    "netservices": python_command("--serve"),
    "nsd": nsd_command,
    "knot": knot_command,
    "bind": bind_command,
    "twisted.names": python_command("--serve-names"),
}


# --- measuring ----------------------------------------------------------------------


class Running:
    """A server on one core, from start to stop."""

    def __init__(self, command: list[str], directory: Path, port: int) -> None:
        self.port = port
        self._log = (directory / "log").open("wb")
        self._process = subprocess.Popen(
            [*on_core(0), *command],
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        self._log_path = directory / "log"

    def __enter__(self) -> Running:
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                self.__exit__()
                raise RuntimeError(
                    "did not start: " + self._log_path.read_text()[-800:]
                )
            time.sleep(0.1)
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                break
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                continue
        self._log.close()

    def _answers(self) -> bool:
        query = b"\1\2\0\0\0\1\0\0\0\0\0\0\2h1\5bench\7example\0\0\1\0\1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(0.2)
            try:
                asking.sendto(query, ("127.0.0.1", self.port))
                reply = asking.recv(512)
            except OSError:
                return False
            return reply[3] & 15 == 0 and reply[7] == 1

    def cpu_seconds(self) -> float:
        """User and system time of all processes of the server."""
        total = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == self._process.pid:
                total += int(fields[11]) + int(fields[12])
        return total / TICKS


def on_core(core: int) -> list[str]:
    """The words that pin a command to a core, where there is more than one."""
    taskset = find("taskset")
    if taskset is None or (os.cpu_count() or 1) < 2:
        return []
    return [taskset, "-c", str(core)]


def run_dnsperf(
    dnsperf: str, server: Running, questions: Path, load: Load, seconds: float
) -> Result:
    """One run."""
    before = server.cpu_seconds()
    done = subprocess.run(
        [
            *on_core(1), dnsperf, "-s", "127.0.0.1", "-p", str(server.port),
            "-d", str(questions), "-l", str(seconds), "-c", "8", "-q", "200", "-T", "1",
            *load.dnsperf,
        ],
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    spent = server.cpu_seconds() - before

    def number(label: str) -> float:
        match = re.search(rf"{label}:\s+([\d.]+)", done.stdout)
        if match is None:
            raise RuntimeError(f"dnsperf did not say {label!r}: {done.stdout}")
        return float(match[1])

    completed, sent = number("Queries completed"), number("Queries sent")
    return Result(
        number("Queries per second"),
        spent / max(completed, 1) * 1e6,
        (sent - completed) / max(sent, 1) * 100,
    )


def measure(
    name: str,
    dnsperf: str,
    loads: tuple[Load, ...],
    names: int,
    seconds: float,
    rounds: int,
) -> dict[str, Result] | None:
    """The median run of each load on one server; None where it is not installed."""
    with tempfile.TemporaryDirectory() as place:
        directory = Path(place)
        directory.chmod(0o755)
        zone = directory / "zone"
        zone.write_text(zone_text(names))
        port = free_port()
        command = SERVERS[name](directory, port, zone)
        if command is None:
            print(f"{name}: not installed, left out", file=sys.stderr)
            return None
        found = {}
        with Running(command, directory, port) as server:
            for load in loads:
                questions = directory / "questions"
                write_questions(questions, names, load.is_random_case)
                run_dnsperf(dnsperf, server, questions, load, 1)
                runs = [
                    run_dnsperf(dnsperf, server, questions, load, seconds)
                    for _ in range(rounds)
                ]
                middle = statistics.median_low(run.queries_a_second for run in runs)
                found[load.name] = next(
                    run for run in runs if run.queries_a_second == middle
                )
        return found


def free_port() -> int:
    """A port that nobody has now, for UDP and TCP."""
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
        stream.bind(("127.0.0.1", 0))
        port: int = stream.getsockname()[1]
        datagram.bind(("127.0.0.1", port))
        return port


def show(results: dict[str, dict[str, Result]], loads: tuple[Load, ...]) -> None:
    """A table, with ratios to NSD."""
    for load in loads:
        print(f"\n{load.name}: answers a second, CPU us an answer, ratio to nsd, lost")
        nsd = results.get("nsd", {}).get(load.name)
        for name, found in results.items():
            run = found[load.name]
            ratio = f"{run.queries_a_second / nsd.queries_a_second:.2f}" if nsd else "-"
            print(
                f"  {name:14}{run.queries_a_second:>10,.0f}{run.cpu_us:>8.2f}"
                f"{ratio:>7}{run.lost_percent:>7.2f} %"
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short run of each")
    parser.add_argument("--json", action="store_true", help="machine-readable results")
    parser.add_argument("--names", type=int, default=1000, help="names in the zone")
    parser.add_argument("--servers", default=",".join(SERVERS), help="whom to ask")
    parser.add_argument("--serve", nargs=2, metavar=("PORT", "ZONE"))
    parser.add_argument("--serve-names", nargs=2, metavar=("PORT", "ZONE"))
    options = parser.parse_args()
    if options.serve:
        return serve_ours(int(options.serve[0]), Path(options.serve[1]))
    if options.serve_names:
        port, zone = options.serve_names
        return serve_twisted_names(int(port), Path(zone))
    dnsperf = find("dnsperf")
    if dnsperf is None:
        sys.exit("dnsperf is missing: install it with `apt-get install dnsperf`")
    loads = LOADS[:2] if options.quick else LOADS
    seconds, rounds = (2.0, 1) if options.quick else (5.0, 3)
    results: dict[str, dict[str, Result]] = {}
    for name in options.servers.split(","):
        found = measure(name, dnsperf, loads, options.names, seconds, rounds)
        if found is not None:
            results[name] = found
    if options.json:
        as_values = {
            name: {
                load: {
                    "queries_a_second": run.queries_a_second,
                    "cpu_us": run.cpu_us,
                    "lost_percent": run.lost_percent,
                }
                for load, run in found.items()
            }
            for name, found in results.items()
        }
        print(json.dumps(as_values, indent=2))
    else:
        show(results, loads)
    return None


if __name__ == "__main__":
    main()
