"""The servers that ``benchmarks.dns`` compares, each on one core, and their zone."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ORIGIN = "bench.example."
TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 120.0
UPDATES_A_SECOND = 100


def zone_head() -> str:
    """SOA and servers of the zone."""
    return (
        f"$TTL 3600\n@ IN SOA ns1.{ORIGIN} h.{ORIGIN} 1 7200 1800 1209600 300\n"
        f"@ IN NS ns1.{ORIGIN}\n@ IN NS ns2.example.net.\nns1 IN A 192.0.2.1\n"
    )


def write_zone(path: Path, names: int) -> None:
    """The zone that everybody serves: that many names of one A record."""
    with path.open("w") as zone:
        zone.write(zone_head())
        zone.writelines(
            f"h{i} IN A 10.{i >> 16}.{i >> 8 & 255}.{i & 255}\n" for i in range(names)
        )


def rrsets(names: int) -> Iterator[Any]:
    """The same zone for our store, without the reading of a master file."""
    from netservices.dns.wire.names import parse_name
    from netservices.dns.zonefile import read_zone
    from netservices.values import RRset

    yield from read_zone(zone_head(), ORIGIN)
    apex = parse_name(ORIGIN)
    for i in range(names):
        label = b"h%d" % i
        owner = bytes((len(label),)) + label + apex
        yield RRset(owner, 1, 3600, (bytes((10, i >> 16, i >> 8 & 255, i & 255)),))


# --- ours ---------------------------------------------------------------------------


def make_store(directory: Path) -> None:
    """A store on disk with the zone in it; prints the seconds that took."""
    from netservices.core.deferreds import value_of
    from netservices.dns.wire.names import parse_name
    from netservices.units import CreateZone, Unit

    names = int((directory / "names").read_text())
    began = time.monotonic()
    store = _open_store(directory)
    content = tuple(rrsets(names))
    value_of(store.apply(Unit((CreateZone(parse_name(ORIGIN), content),))))
    value_of(store.close())
    print(f"{time.monotonic() - began:.1f}", flush=True)


def _open_store(directory: Path, is_threaded: bool = False) -> Any:
    from netservices.core.deferreds import value_of
    from netservices.store.settings import StoreSettings
    from netservices.store.sqlite import SQLiteStore

    reactor = None
    if is_threaded:
        from twisted.internet import reactor
    store = SQLiteStore(directory / "store", StoreSettings(), reactor)
    if not is_threaded:
        value_of(store.open())
    return store


def serve_ours(port: int, directory: Path) -> None:
    """This server, on a store on disk; SIGUSR1 begins updates through the store,
    SIGUSR2 ends them and prints how many there were."""
    from twisted.internet import reactor as global_reactor

    from netservices.core.write import listen_tcp
    from netservices.datagram import DatagramPort
    from netservices.dns.server import make_server
    from netservices.dns.settings import DNSSettings
    from tests.dns.house import make_services

    reactor: Any = global_reactor
    store = _open_store(directory, is_threaded=True)
    server = make_server(DNSSettings(), make_services(store, reactor))
    bound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    bound.bind(("127.0.0.1", port))
    bound.setblocking(False)
    datagram, stream, start = server.datagram, server.stream, server.start
    assert datagram is not None
    assert stream is not None
    assert start is not None

    def begin() -> None:
        store.open().addCallback(lambda _: start()).addErrback(print)

    reactor.callWhenRunning(begin)
    DatagramPort(bound, datagram, reactor).start()
    listen_tcp(reactor, port, stream, interface="127.0.0.1")
    updates = _Updates(store, reactor)
    signal.signal(signal.SIGUSR1, lambda *_: reactor.callFromThread(updates.start))
    signal.signal(signal.SIGUSR2, lambda *_: reactor.callFromThread(updates.stop))
    reactor.run()


class _Updates:
    """Durable changes of the zone, so many a second."""

    def __init__(self, store: Any, reactor: Any) -> None:
        from twisted.internet.task import LoopingCall

        self._store = store
        self._call = LoopingCall(self._update)
        self._call.clock = reactor
        self._sent = self._done = 0
        self._serial = 1
        (soa,) = (rrset for rrset in rrsets(0) if rrset.type == 6)
        self._soa = soa

    def start(self) -> None:
        """Begin."""
        self._sent = self._done = 0
        self._call.start(1 / UPDATES_A_SECOND)

    def stop(self) -> None:
        """End."""
        self._call.stop()
        print(f"updates {self._done}", flush=True)

    def _update(self) -> None:
        from netservices.units import Unit, UpdateZone
        from netservices.values import RRset

        self._serial += 1
        self._sent += 1
        rdata = self._soa.rdatas[0]
        rdata = rdata[:-20] + self._serial.to_bytes(4, "big") + rdata[-16:]
        soa = RRset(self._soa.owner, 6, 3600, (rdata,))
        label = b"h%d" % (self._sent * 7 % 1000)
        name = bytes((len(label),)) + label + soa.owner
        address = RRset(name, 1, 3600, (self._serial.to_bytes(4, "big"),))
        update = UpdateZone(soa.owner, (), (soa, address))
        self._store.apply(Unit((update,))).addCallback(self._count)

    def _count(self, _: object) -> None:
        self._done += 1


# --- the others ---------------------------------------------------------------------


def serve_twisted_names(port: int, directory: Path) -> None:
    """twisted.names with the same records."""
    from twisted.internet import reactor as global_reactor
    from twisted.names import dns as names_dns
    from twisted.names.authority import BindAuthority
    from twisted.names.server import DNSServerFactory

    reactor: Any = global_reactor
    text = (directory / "zone").read_text()
    plain = directory / "zone.names"
    plain.write_text(text.replace("$TTL 3600\n", f"$ORIGIN {ORIGIN}\n$TTL 3600\n"))
    factory = DNSServerFactory(authorities=[BindAuthority(str(plain))], verbose=0)
    protocol = names_dns.DNSDatagramProtocol(factory)
    reactor.listenUDP(port, protocol, interface="127.0.0.1")
    reactor.listenTCP(port, factory, interface="127.0.0.1")
    reactor.run()


Command = Callable[[Path, int], list[str] | None]
"""``(directory with ``zone``, port) -> command``; None: not installed."""


def python_command(role: str) -> Command:
    """A server of these very files."""

    def command(directory: Path, port: int) -> list[str]:
        return [sys.executable, "-m", "benchmarks.dns", role, str(port), str(directory)]

    return command


def find(program: str) -> str | None:
    """A program, also where ordinary users do not look."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/local/sbin"
    return shutil.which(program, path=path)


def nsd_command(directory: Path, port: int) -> list[str] | None:
    """NSD with one child."""
    program = find("nsd")
    (directory / "nsd.conf").write_text(
        f'server:\n server-count: 1\n ip-address: 127.0.0.1@{port}\n username: ""\n'
        f' zonesdir: "{directory}"\n database: ""\n pidfile: "{directory}/nsd.pid"\n'
        f' xfrdfile: "{directory}/xfrd.state"\n xfrdir: "{directory}"\n'
        f' zonelistfile: "{directory}/zone.list"\n'
        f"remote-control:\n control-enable: no\n"
        f'zone:\n name: "{ORIGIN}"\n zonefile: "{directory}/zone"\n'
    )
    return program and [program, "-d", "-c", str(directory / "nsd.conf")] or None


def knot_command(directory: Path, port: int) -> list[str] | None:
    """Knot DNS with one worker of each kind; whoever asks may update."""
    program = find("knotd")
    (directory / "knot.conf").write_text(
        f"server:\n  listen: 127.0.0.1@{port}\n  rundir: {directory}\n"
        "  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n"
        f"database:\n  storage: {directory}\n"
        "log:\n - target: stderr\n   any: error\n"
        "acl:\n  - id: local\n    address: 127.0.0.1\n    action: update\n"
        f"zone:\n - domain: {ORIGIN}\n   file: {directory}/zone\n"
        "   zonefile-sync: -1\n   acl: local\n"
    )
    return program and [program, "-c", str(directory / "knot.conf")] or None


def bind_command(directory: Path, port: int) -> list[str] | None:
    """BIND with one thread; whoever asks may update."""
    program = find("named")
    (directory / "named.conf").write_text(
        f'options {{ directory "{directory}"; listen-on port {port} {{ 127.0.0.1; }};'
        " listen-on-v6 { none; }; recursion no; pid-file none; minimal-responses no;"
        f' session-keyfile "{directory}/session.key"; notify no; }};\n'
        "controls { };\n"
        f'zone "{ORIGIN}" {{ type primary; file "{directory}/zone";'
        " allow-update { 127.0.0.1; }; };\n"
    )
    conf = str(directory / "named.conf")
    return program and [program, "-g", "-n", "1", "-c", conf] or None


SERVERS: dict[str, Command] = {
    "netservices": python_command("--serve"),
    "nsd": nsd_command,
    "knot": knot_command,
    "bind": bind_command,
    "twisted.names": python_command("--serve-names"),
}


# --- running them -------------------------------------------------------------------


class Running:
    """A server on one core, from start to stop."""

    def __init__(self, command: list[str], directory: Path, port: int) -> None:
        self.port = port
        self.directory = directory
        self._command = command
        self._log_path = directory / "log"
        self.start_seconds = 0.0

    def __enter__(self) -> Running:
        self._log = self._log_path.open("wb")
        began = time.monotonic()
        self._process = subprocess.Popen(
            [*on_core(0), *self._command],
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        while not self._answers():
            late = time.monotonic() - began > START_SECONDS
            if late or self._process.poll() is not None:
                self.__exit__()
                raise RuntimeError("did not start: " + self.log()[-800:])
            time.sleep(0.05)
        self.start_seconds = time.monotonic() - began
        return self

    def __exit__(self, *_: object) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                break
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                continue
        self._log.close()

    def log(self) -> str:
        """What it has printed."""
        return self._log_path.read_text()

    def signal(self, number: int) -> None:
        """Tell the server something."""
        self._process.send_signal(number)

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

    def _processes(self) -> Iterator[Path]:
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == self._process.pid:
                yield stat

    def cpu_seconds(self) -> float:
        """User and system time of all processes of the server."""
        total = 0
        for stat in self._processes():
            fields = stat.read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def memory_mb(self) -> float:
        """What all processes of the server have in memory, shared pages counted for
        each that has them."""
        pages = 0
        for stat in self._processes():
            pages += int(stat.with_name("statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def on_core(core: int) -> list[str]:
    """The words that pin a command to a core, where there is more than one."""
    taskset = find("taskset")
    if taskset is None or (os.cpu_count() or 1) < 2:
        return []
    return [taskset, "-c", str(core)]


def free_port() -> int:
    """A port that nobody has now, for UDP and TCP."""
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagram:
        stream.bind(("127.0.0.1", 0))
        port: int = stream.getsockname()[1]
        datagram.bind(("127.0.0.1", port))
        return port


def prepare(name: str, directory: Path, names: int) -> Running | None:
    """A server of that zone, not started yet; None where it is not installed."""
    directory.mkdir()
    directory.chmod(0o755)
    (directory / "names").write_text(str(names))
    write_zone(directory / "zone", names)
    if name == "netservices":
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.dns", "--store", str(directory)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-800:])
        (directory / "import").write_text(done.stdout)
    port = free_port()
    command = SERVERS[name](directory, port)
    if command is None:
        print(f"{name}: not installed, left out", file=sys.stderr)
        return None
    return Running(command, directory, port)
