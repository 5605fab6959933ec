"""Durable updates a second: ``python -m benchmarks.dns_updates [--seconds 10]``.

Programs that each wait for the answer to one update before they send the next, over
TCP; then the same while dnsperf asks as fast as it gets answers.  Every update adds a
record, is on stable storage before its answer, and has a serial of its own.
"""

from __future__ import annotations

import argparse
import os
import re
import select
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from netservices.dns.wire.codes import Class, Opcode, Type
from netservices.dns.wire.message import Message, Question, Record
from netservices.dns.wire.names import parse_name
from tests.house.twistd import Running, environment

ZONE = parse_name("bench.example.")
NAMES = 1000
PROGRAMS = (1, 4, 16, 64)


def update(number: int) -> bytes:
    """An update that adds one record, framed for TCP."""
    owner = parse_name(f"u{number}", ZONE)
    record = Record(owner, Type.A, Class.IN, 60, number.to_bytes(4, "big"))
    data = Message(
        id=number & 0xFFFF,
        opcode=Opcode.UPDATE,
        questions=(Question(ZONE, Type.SOA),),
        authority=(record,),
    ).encode()
    return len(data).to_bytes(2, "big") + data


def run(port: int, programs: int, seconds: float, first: int) -> tuple[float, ...]:
    """Updates a second, and the median and longest wait for one in milliseconds."""
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(programs)]
    number = first
    begun: dict[socket.socket, float] = {}
    waits: list[float] = []
    start = time.perf_counter()
    for one in sockets:
        number += 1
        begun[one] = time.perf_counter()
        one.sendall(update(number))
    while time.perf_counter() < start + seconds:
        for one in select.select(sockets, [], [], 1)[0]:
            reply = one.recv(14)
            assert len(reply) == 14 and not reply[5] & 15, reply
            now = time.perf_counter()
            waits.append(now - begun[one])
            number += 1
            begun[one] = now
            one.sendall(update(number))
    elapsed = time.perf_counter() - start
    for one in sockets:
        one.close()
    rate = len(waits) / elapsed
    return rate, statistics.median(waits) * 1000, max(waits) * 1000, number


def question_load(place: Path, port: int, seconds: float) -> subprocess.Popen[str]:
    """dnsperf, which asks for names of the zone."""
    program = shutil.which("dnsperf")
    assert program is not None, "dnsperf is not installed"
    data = place / "queries"
    data.write_text("".join(f"n{n}.bench.example. A\n" for n in range(NAMES)))
    command = [program, "-s", "127.0.0.1", "-p", str(port), "-d", str(data)]
    command += ["-l", str(int(seconds)), "-c", "4", "-q", "100"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def answers(process: subprocess.Popen[str]) -> str:
    """What dnsperf has measured: answers a second, and the longest wait for one."""
    output = process.communicate()[0]
    rate = re.search(r"Queries per second:\s+([\d.]+)", output)
    longest = re.search(r"Average Latency.*max ([\d.]+)\)", output)
    assert rate is not None and longest is not None, output
    waited = float(longest[1]) * 1000
    return f"{float(rate[1]):8.0f} answers/s, longest {waited:.1f} ms"


def prepare(place: Path) -> Running:
    """A server of a zone of ``NAMES`` names."""
    options = ["--dns", "--interface", "127.0.0.1", "--dns-listen", "udp:0"]
    options += ["--dns-listen", "tcp:0", "--set", "dns.allow_update=loopback"]
    server = Running(str(place / "state"), *options)
    server.__enter__()
    zone = place / "zone"
    lines = ["$TTL 60", "@ SOA ns h 1 7200 1800 1209600 300", "@ NS ns"]
    lines += ["ns A 192.0.2.1"] + [f"n{n} A 192.0.2.2" for n in range(NAMES)]
    zone.write_text("\n".join(lines) + "\n")
    command: list[Any] = ["python", "-m", "netservices.cli", "zone", "import"]
    subprocess.run(
        [*command, "bench.example", zone],
        env=environment(NETSERVICES_STATE=server.state),
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return server


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0)
    seconds = parser.parse_args().seconds
    place = Path(tempfile.mkdtemp(dir=os.environ.get("BENCH_DIRECTORY")))
    server = prepare(place)
    try:
        tcp, udp = (server.port("dns", kind) for kind in ("tcp", "udp"))
        number: float = 0
        for programs in PROGRAMS:
            rate, median, longest, number = run(tcp, programs, seconds, int(number))
            print(
                f"{programs:3} programs: {rate:7.0f} updates/s, "
                f"median {median:.1f} ms, longest {longest:.1f} ms",
                flush=True,
            )
        print("questions alone:   ", answers(question_load(place, udp, seconds)))
        asking = question_load(place, udp, seconds)
        rate, median, longest, _ = run(tcp, 4, seconds - 1, int(number))
        print("with 4 programs:   ", answers(asking))
        print(f"  and they: {rate:.0f} updates/s, longest {longest:.1f} ms")
    finally:
        server.stop()
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
