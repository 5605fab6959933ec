"""Answers a second, and CPU time an answer: ``python -m benchmarks.dns [--quick]``.

dnsperf asks this server, NSD, Knot, BIND and twisted.names in turns, on loopback: the
servers have one core and dnsperf another.  All serve the same zone of A records;
answers carry the zone's two servers and a glue record.  A peer whose program is missing
is left out with a message.  This server has all its settings at their defaults, so its
replies to loopback are not rated (``dns.rate_limit_exempt``), but all else is done for
them; ``benchmarks.dns_chain`` says what the rating takes.

The loads are ``plain``, ``edns+do``, ``cookie`` (with DO, as BIND asks, and a cookie of
the server's), ``0x20`` and ``tcp`` on 1,000 names, ``updates`` (a hundred durable
changes a second meanwhile) on the same, and ``million``: a million names, with the time
and memory that it takes to have them.  ``--quick`` takes one short round of each, with
a hundred thousand names for the million.  Other programs on the machine disturb the
rates; CPU time an answer much less so.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from pathlib import Path

from attrs import asdict, frozen

from benchmarks.dns_loads import (
    LOADS,
    UPDATES,
    Load,
    Result,
    median,
    run,
    write_questions,
)
from benchmarks.dns_servers import (
    SERVERS,
    Running,
    find,
    make_store,
    prepare,
    serve_ours,
    serve_twisted_names,
)

MILLION = Load("million")
WITHOUT_UPDATES = frozenset(("nsd", "twisted.names"))
WITHOUT_MILLION = frozenset(("twisted.names",))


@frozen
class Start:
    """What it takes a server to have its zone."""

    import_seconds: float
    """To put the zone into our store; the others read a file."""
    start_seconds: float
    """From the command to the first answer."""
    memory_mb: float


Results = dict[str, dict[str, Result]]
"""By load, then by server."""


def measure(
    dnsperf: str,
    servers: list[str],
    loads: list[Load],
    names: int,
    seconds: float,
    rounds: int,
) -> tuple[Results, dict[str, Start]]:
    """Each round asks each server each load, so that whatever else the machine does
    disturbs all alike."""
    runs: dict[str, dict[str, list[Result]]] = {load.name: {} for load in loads}
    starts = {}
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        Path(place).chmod(0o755)
        running = {}
        for name in servers:
            server = prepare(name, Path(place) / name, names)
            if server is not None:
                running[name] = stack.enter_context(server)
                starts[name] = _start(server)
        for number in range(-1, rounds):
            for load in loads:
                questions = Path(place) / f"questions.{load.name}"
                if number < 0:
                    write_questions(questions, names, load.is_random_case)
                for name, server in running.items():
                    if load.has_updates and name in WITHOUT_UPDATES:
                        continue
                    length = seconds if number >= 0 else 1.0
                    result = run(dnsperf, server, name, questions, load, length)
                    if number >= 0:
                        runs[load.name].setdefault(name, []).append(result)
    results = {
        load: {name: median(found) for name, found in by_name.items()}
        for load, by_name in runs.items()
    }
    return results, starts


def _start(server: Running) -> Start:
    imported = server.directory / "import"
    seconds = float(imported.read_text()) if imported.exists() else 0.0
    return Start(seconds, server.start_seconds, server.memory_mb())


def show(results: Results, starts: dict[str, Start]) -> None:
    """Tables, with ratios to NSD and of CPU time to Knot."""
    for load, by_name in results.items():
        nsd, knot = by_name.get("nsd"), by_name.get("knot")
        print(
            f"\n{load:16}{'answers/s':>10}{'to nsd':>8}{'CPU us':>8}{'to knot':>8}"
            f"{'lost %':>8}{'longest ms':>12}" + ("   updates/s" * (load == "updates"))
        )
        for name, found in by_name.items():
            print(
                f"  {name:14}{found.queries_a_second:>10,.0f}"
                f"{_ratio(found.queries_a_second, nsd and nsd.queries_a_second):>8}"
                f"{found.cpu_us:>8.2f}{_ratio(found.cpu_us, knot and knot.cpu_us):>8}"
                f"{found.lost_percent:>8.2f}{found.longest_ms:>12.1f}"
                + (f"{found.updates:>12.0f}" if found.updates else "")
            )
        if load == "updates":
            _show_drops(results)
    if "million" in results:
        print(f"\n{'million':16}{'import s':>10}{'start s':>10}{'memory MB':>12}")
        for name, start in starts.items():
            print(
                f"  {name:14}{start.import_seconds:>10.1f}{start.start_seconds:>10.1f}"
                f"{start.memory_mb:>12,.0f}"
            )


def _show_drops(results: Results) -> None:
    """How much updates take of the answers."""
    for name, found in results.get("updates", {}).items():
        plain = results.get("plain", {}).get(name)
        if plain is not None:
            drop = 100 - found.queries_a_second / plain.queries_a_second * 100
            print(f"  {name:14}{drop:>10.1f} % less with updates than without")


def _ratio(value: float, other: float | None) -> str:
    return f"{value / other:.2f}" if other else "-"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of each")
    parser.add_argument("--json", action="store_true", help="machine-readable results")
    parser.add_argument("--names", type=int, default=1000, help="names in the zone")
    parser.add_argument("--large", type=int, default=0, help="of ``million``")
    parser.add_argument("--servers", default=",".join(SERVERS), help="whom to ask")
    parser.add_argument("--loads", default="", help="which loads; all")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--serve", nargs=2, metavar=("PORT", "DIRECTORY"))
    parser.add_argument("--serve-names", nargs=2, metavar=("PORT", "DIRECTORY"))
    parser.add_argument("--store", metavar="DIRECTORY")
    options = parser.parse_args()
    if options.serve:
        return serve_ours(int(options.serve[0]), Path(options.serve[1]))
    if options.serve_names:
        return serve_twisted_names(
            int(options.serve_names[0]), Path(options.serve_names[1])
        )
    if options.store:
        return make_store(Path(options.store))
    return compare(options)


def compare(options: argparse.Namespace) -> None:
    """Run the loads that are wanted on the servers that are there."""
    dnsperf = find("dnsperf")
    if dnsperf is None:
        sys.exit("dnsperf is missing: install it with `apt-get install dnsperf`")
    loads = [*LOADS, UPDATES, MILLION]
    if options.loads:
        wanted = options.loads.split(",")
        loads = [load for load in loads if load.name in wanted]
    large = options.large or (100_000 if options.quick else 1_000_000)
    seconds, rounds = (2.0, 1) if options.quick else (4.0, 3)
    rounds = options.rounds or rounds
    servers = options.servers.split(",")
    results: Results = {}
    starts: dict[str, Start] = {}
    small = [load for load in loads if load is not MILLION]
    if small:
        found, _ = measure(dnsperf, servers, small, options.names, seconds, rounds)
        results |= found
    if MILLION in loads:
        able = [name for name in servers if name not in WITHOUT_MILLION]
        found, starts = measure(dnsperf, able, [MILLION], large, seconds, rounds)
        results |= found
    if options.json:
        values = {
            load: {name: asdict(found) for name, found in by_name.items()}
            for load, by_name in results.items()
        }
        start_values = {name: asdict(start) for name, start in starts.items()}
        print(json.dumps({"loads": values, "starts": start_values}, indent=2))
    else:
        show(results, starts)


if __name__ == "__main__":
    main()
