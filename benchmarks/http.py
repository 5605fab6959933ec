"""Requests a second, and CPU time a request: ``python -m benchmarks.http [--quick]``.

wrk asks this server, nginx (as it is, and with its cache of open files), twisted.web's
``static.File``, aiohttp and uvicorn with Starlette in turns, on loopback: the servers
have one core and wrk another.  All serve the same files and write an access log.  A
peer whose program is missing is left out with a message.

The loads: a file of 1 KB on connections that stay open, the same with the
``If-None-Match`` that makes it a 304, the same with a connection for each request,
files of 100 KB and 100 MB, some of that with TLS, the memory of 5,000 idle
connections, and an upload of 1 GiB by PUT.  Other programs on the machine disturb the
rates; CPU time a request much less so.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
from pathlib import Path

from attrs import asdict

from benchmarks.dns_servers import find
from benchmarks.http_loads import LOADS, Result, idle, run, upload
from benchmarks.http_servers import (
    SERVERS,
    Missing,
    Running,
    raise_descriptors,
    write_site,
)

IDLE, UPLOAD = "idle", "upload"
NAMES = (*(load.name for load in LOADS), IDLE, UPLOAD)

Results = dict[str, dict[str, Result]]
"""By load, then by server."""


def measure(
    wrk: str, servers: list[str], wanted: list[str], seconds: float, rounds: int
) -> Results:
    """Each round asks each server each load, so that whatever else the machine does
    disturbs all alike."""
    runs: dict[str, dict[str, list[Result]]] = {name: {} for name in wanted}
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        Path(place).chmod(0o755)
        site = Path(place) / "site"
        write_site(site)
        running: dict[str, Running] = {}
        for name in servers:
            directory = Path(place) / name
            directory.mkdir()
            try:
                running[name] = stack.enter_context(SERVERS[name](directory, site))
            except Missing as problem:
                print(f"{name}: {problem}; left out", file=sys.stderr)
        for load in LOADS:
            for number in range(-1, rounds) if load.name in wanted else ():
                for name, server in running.items():
                    if load.is_secure and not server.tls_port:
                        continue
                    result = run(wrk, server, load, seconds if number >= 0 else 1)
                    if number >= 0:
                        runs[load.name].setdefault(name, []).append(result)
        for name, server in running.items():
            if IDLE in wanted:
                runs[IDLE][name] = [idle(server)]
            if UPLOAD in wanted and server.upload:
                runs[UPLOAD][name] = [upload(server) for _ in range(rounds)]
    return {
        load: {name: _median(found) for name, found in by_name.items()}
        for load, by_name in runs.items()
    }


def _median(runs: list[Result]) -> Result:
    return Result(
        statistics.median(run.rate for run in runs),
        statistics.median(run.cpu for run in runs),
        max(run.memory_octets for run in runs),
    )


def show(results: Results) -> None:
    """Tables, with ratios to nginx."""
    bulk = {load.name for load in LOADS if load.is_bulk} | {UPLOAD}
    for load, by_name in results.items():
        nginx = by_name.get("nginx")
        if load == IDLE:
            print(f"\n{load:16}{'octets each':>12}")
            for name, found in by_name.items():
                print(f"  {name:14}{found.memory_octets:>12,}")
            continue
        per, unit = ("s/GiB", "MB/s") if load in bulk else ("us", "requests/s")
        print(
            f"\n{load:16}{unit:>12}{'to nginx':>10}{'CPU ' + per:>12}{'to nginx':>10}"
        )
        for name, found in by_name.items():
            rate = found.rate / 1e6 if load in bulk else found.rate
            cpu = found.cpu if load in bulk else found.cpu * 1e6
            memory = f"{found.memory_octets / 1e6:>10.1f} MB" if load == UPLOAD else ""
            print(
                f"  {name:14}{rate:>12,.0f}"
                f"{_ratio(found.rate, nginx and nginx.rate):>10}{cpu:>12.2f}"
                f"{_ratio(found.cpu, nginx and nginx.cpu):>10}{memory}"
            )


def _ratio(value: float, other: float | None) -> str:
    return f"{value / other:.2f}" if other else "-"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of each")
    parser.add_argument("--json", action="store_true", help="machine-readable results")
    parser.add_argument("--servers", default=",".join(SERVERS), help="whom to ask")
    parser.add_argument("--loads", default=",".join(NAMES), help="which loads")
    parser.add_argument("--rounds", type=int, default=0)
    options = parser.parse_args()
    wrk = find("wrk")
    if wrk is None:
        sys.exit("wrk is missing: install it with `apt-get install wrk`")
    raise_descriptors()
    seconds, rounds = (2, 1) if options.quick else (4, 3)
    results = measure(
        wrk,
        options.servers.split(","),
        options.loads.split(","),
        seconds,
        options.rounds or rounds,
    )
    if options.json:
        values = {
            load: {name: asdict(found) for name, found in by_name.items()}
            for load, by_name in results.items()
        }
        print(json.dumps(values, indent=2))
    else:
        show(results)


if __name__ == "__main__":
    main()
