"""How long a start takes: ``python -m benchmarks.start``.

Prints the seconds from the start of the process to READY=1, as systemd would see them:
on a state directory that does not exist yet (first start: keys, account, zone), and on
one that does; beside ``twistd -n ftp``, which has nothing to open, and an interpreter
that does nothing.  Medians of several runs.  Everything is compiled before, as an
installation has it, also where ``PYTHONDONTWRITEBYTECODE`` is set.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "-n"]
TWISTD += ["--pidfile=", f"--logfile={os.devnull}"]
ROOT = str(Path(__file__).parents[1])
LISTEN = (
    "--ftp-listen=tcp:0:interface=127.0.0.1",
    "--dns-listen=udp:0:interface=127.0.0.1",
    "--http-listen=tcp:0:interface=127.0.0.1",
)
TARGETS = {"first start": 1.5, "later start": 0.5}


def seconds_to_ready(scratch: str, state: str) -> float:
    """Seconds from the start of our server to its READY=1."""
    path = os.path.join(scratch, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(path)
        notify.settimeout(30)
        began = time.perf_counter()
        server = subprocess.Popen(
            [*TWISTD, "netservices", "--state", state, *LISTEN],
            env={**os.environ, "NOTIFY_SOCKET": path, "PYTHONPATH": ROOT},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while b"READY=1" not in notify.recv(4096).split(b"\n"):
            pass
        took = time.perf_counter() - began
        server.send_signal(signal.SIGTERM)
        server.wait(30)
    os.unlink(path)
    return took


def seconds_of_twistd_ftp() -> float:
    """Seconds until Twisted's own FTP server accepts a connection."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    began = time.perf_counter()
    server = subprocess.Popen(
        [*TWISTD, "ftp", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except ConnectionRefusedError:
            time.sleep(0.002)
    took = time.perf_counter() - began
    server.terminate()
    server.wait(30)
    return took


def seconds_of_interpreter() -> float:
    """Seconds of a process that does nothing."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", ""], check=True)
    return time.perf_counter() - began


def measure(runs: int) -> dict[str, float]:
    """Medians by name."""
    for package in ("netservices", "twisted"):
        compileall.compile_dir(os.path.join(ROOT, package), quiet=2)
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(runs):
            state = os.path.join(scratch, f"state{number}")
            times.setdefault("first start", []).append(seconds_to_ready(scratch, state))
            times.setdefault("later start", []).append(seconds_to_ready(scratch, state))
            times.setdefault("twistd ftp", []).append(seconds_of_twistd_ftp())
            times.setdefault("interpreter", []).append(seconds_of_interpreter())
    return {name: statistics.median(found) for name, found in times.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="three runs, not nine")
    options = parser.parse_args()
    found = measure(3 if options.quick else 9)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    for name, seconds in found.items():
        target = TARGETS.get(name)
        wanted = f"   (at most {target} s)" if target else ""
        print(f"{name:<12} {seconds:6.3f} s{wanted}")


if __name__ == "__main__":
    main()
