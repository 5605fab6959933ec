"""The servers that ``benchmarks.http`` compares, each on one core, and their files."""

from __future__ import annotations

import importlib.util
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.dns_servers import find, free_port, on_core

TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 60.0
FILES = {"1k": 1024, "100k": 100 * 1024, "100m": 100 * 1024 * 1024}
"""Names in the site, and how many octets they have."""
LOGIN, PASSWORD = "bench", "bench-secret"
DESCRIPTORS = 20_000
_SETTINGS = {"limits.exempt": "127.0.0.0/8"}


class Missing(Exception):
    """The program is not there, or does not start."""


def write_site(site: Path) -> None:
    """The files that everybody serves."""
    site.mkdir(parents=True)
    block = bytes(range(256)) * 4096
    for name, octets in FILES.items():
        with (site / f"{name}.bin").open("wb") as file:
            for position in range(0, octets, len(block)):
                file.write(block[: octets - position])


class Running:
    """A server that runs: a process alone, or all of a group."""

    def __init__(
        self,
        port: int,
        group: int,
        upload: str = "",
        login: str = "",
        tls_port: int = 0,
    ) -> None:
        self.port = port
        self.tls_port = tls_port
        """0: it has no TLS."""
        self.upload = upload
        """The path below which PUT is taken; empty: nowhere."""
        self.login = login
        """``name:password`` for uploads."""
        self._group = group

    def url(self, path: str, is_secure: bool = False) -> str:
        """Of a path of the server."""
        scheme, port = ("https", self.tls_port) if is_secure else ("http", self.port)
        return f"{scheme}://127.0.0.1:{port}{path}"

    def _processes(self) -> Iterator[Path]:
        alone = Path(f"/proc/{self._group}")
        if os.getpgid(self._group) != self._group:
            yield alone
            return
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == self._group:
                yield stat.parent

    def cpu_seconds(self) -> float:
        """User and system time of all processes of the server."""
        total = 0
        for process in self._processes():
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def memory_octets(self) -> int:
        """What the processes have in memory and share with nobody."""
        total = 0
        for process in self._processes():
            lines = (process / "smaps_rollup").read_text().splitlines()
            total += sum(
                int(line.split()[1]) * 1024
                for line in lines
                if line.startswith(("Private_Clean", "Private_Dirty"))
            )
        return total


@contextmanager
def spawned(command: list[str], port: int, directory: Path) -> Iterator[int]:
    """The group of a command that runs on core 0 and listens on the port.  Missing."""
    with (directory / "output").open("wb") as output:
        process = subprocess.Popen(
            [*on_core(0), *command],
            stdout=output,
            stderr=output,
            cwd=directory,
            start_new_session=True,
        )
    try:
        _wait_for(port, process, directory)
        yield process.pid
    finally:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, number)
                process.wait(10)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue


def _wait_for(port: int, process: subprocess.Popen[bytes], directory: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                said = (directory / "output").read_text(errors="replace")
                raise Missing(f"does not start: {said[-800:]}") from None
            time.sleep(0.05)
        else:
            return


def raise_descriptors() -> None:
    """Let this process and its children have many connections."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if most < 0 else min(DESCRIPTORS, most)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


# --- each of them -------------------------------------------------------------------


@contextmanager
def netservices(directory: Path, site: Path) -> Iterator[Running]:
    """This server, with its access log."""
    from netservices.testing import running_process

    state = directory / "state"
    (state / "sites").mkdir(parents=True)
    (state / "sites" / "default").symlink_to(site)
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        with running_process(
            http=True,
            accounts=[(LOGIN, PASSWORD)],
            settings=_SETTINGS,
            state=str(state),
        ) as server:
            os.sched_setaffinity(0, cores)
            port, login = server.port("http", "tcp"), f"{LOGIN}:{PASSWORD}"
            tls_port = server.port("http", "tls")
            yield Running(port, server.process.pid, "/dav/", login, tls_port)
    finally:
        os.sched_setaffinity(0, cores)


_NGINX = """
daemon off; worker_processes 1; pid {directory}/pid; error_log {directory}/errors;
worker_rlimit_nofile {descriptors};
events {{ worker_connections {descriptors}; }}
http {{
  types {{ application/octet-stream bin; }}
  access_log {directory}/access combined buffer=64k flush=1s;
  sendfile on; tcp_nopush on; keepalive_requests 1000000000; keepalive_timeout 300s;
  client_max_body_size 0; client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  {more}
  server {{
    listen 127.0.0.1:{port} backlog=1024; root {site};
    listen 127.0.0.1:{tls_port} ssl backlog=1024;
    ssl_certificate {pem}; ssl_certificate_key {pem};
    location /upload/ {{ root {directory}; dav_methods PUT DELETE; }}
  }}
}}
"""


def _certificate(directory: Path) -> Path:
    """A key and a self-signed certificate of the kind that ours makes, in one file.
    Missing."""
    path = directory / "server.pem"
    command = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"]
    command += ["-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=localhost"]
    command += ["-keyout", str(path), "-out", str(directory / "crt")]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise Missing("openssl, which makes the certificate, is not installed")
    with path.open("a") as file:
        file.write((directory / "crt").read_text())
    return path


@contextmanager
def nginx(directory: Path, site: Path, more: str = "") -> Iterator[Running]:
    """One worker with sendfile and a buffered access log."""
    program = find("nginx")
    if program is None:
        raise Missing("not installed")
    port, tls_port = free_port(), free_port()
    (directory / "upload").mkdir()
    if os.geteuid() == 0:
        (directory / "upload").chmod(0o777)
    configuration = directory / "nginx.conf"
    configuration.write_text(
        _NGINX.format(
            directory=directory,
            site=site,
            port=port,
            tls_port=tls_port,
            pem=_certificate(directory),
            more=more,
            descriptors=DESCRIPTORS,
        )
    )
    command = [program, "-c", str(configuration), "-e", str(directory / "errors")]
    with spawned(command, port, directory) as group:
        yield Running(port, group, "/upload/", "", tls_port)


@contextmanager
def nginx_cache(directory: Path, site: Path) -> Iterator[Running]:
    """The same, which remembers open files for a second."""
    more = "open_file_cache max=1000; open_file_cache_valid 1s;"
    with nginx(directory, site, more) as running:
        yield running


_TWISTED_WEB = """
import sys
from twisted.internet import reactor
from twisted.web.server import Site
from twisted.web.static import File
site = Site(File(sys.argv[2]), logPath="access.log")
reactor.listenTCP(int(sys.argv[1]), site, backlog=1024, interface="127.0.0.1")
reactor.run()
"""

_AIOHTTP = """
import logging, sys
from aiohttp import web
logging.basicConfig(filename="access.log", level=logging.INFO)
application = web.Application()
application.router.add_static("/", sys.argv[2])
web.run_app(application, host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""

_STARLETTE = """
import sys, uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
application = Starlette(routes=[Mount("/", StaticFiles(directory=sys.argv[2]))])
uvicorn.run(application, host="127.0.0.1", port=int(sys.argv[1]))
"""


def python_server(
    program: str, *packages: str
) -> Callable[[Path, Path], Iterator[Running]]:
    """A server of files that is a few lines of Python."""

    def serve(directory: Path, site: Path) -> Iterator[Running]:
        for package in packages:
            if importlib.util.find_spec(package) is None:
                raise Missing(f"{package} is not installed")
        port = free_port()
        command = [sys.executable, "-c", program, str(port), str(site)]
        with spawned(command, port, directory) as group:
            yield Running(port, group)

    return serve


SERVERS = {
    "netservices": netservices,
    "nginx": nginx,
    "nginx+cache": nginx_cache,
    "twisted.web": contextmanager(python_server(_TWISTED_WEB, "twisted.web")),
    "aiohttp": contextmanager(python_server(_AIOHTTP, "aiohttp")),
    "starlette": contextmanager(python_server(_STARLETTE, "starlette", "uvicorn")),
}
