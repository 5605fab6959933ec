"""What ``benchmarks.http`` asks its servers, and the figures."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import threading
import time
from base64 import b64encode

from attrs import frozen

from benchmarks.dns_servers import on_core
from benchmarks.http_servers import Running

GIB = 1 << 30
IDLE_CONNECTIONS = 5000


@frozen
class Load:
    """Requests that wrk makes."""

    name: str
    path: str
    connections: int = 32
    is_conditional: bool = False
    fields: tuple[str, ...] = ()
    is_bulk: bool = False
    """Whether octets are what counts."""
    is_secure: bool = False


LOADS = (
    Load("1 KB", "/1k.bin"),
    Load("304", "/1k.bin", is_conditional=True),
    Load("close", "/1k.bin", fields=("Connection: close",)),
    Load("100 KB", "/100k.bin", is_bulk=True),
    Load("100 MB", "/100m.bin", connections=4, is_bulk=True),
    Load("TLS 1 KB", "/1k.bin", is_secure=True),
    Load("TLS close", "/1k.bin", fields=("Connection: close",), is_secure=True),
    Load("TLS 100 MB", "/100m.bin", connections=4, is_bulk=True, is_secure=True),
)


@frozen
class Result:
    """One run of one load."""

    rate: float
    """Requests a second, or octets where the load is bulk."""
    cpu: float
    """CPU seconds of the server a request, or a GiB where the load is bulk."""
    memory_octets: int = 0


def run(wrk: str, server: Running, load: Load, seconds: float) -> Result:
    """One run of wrk."""
    words: list[str] = []
    for field in load.fields:
        words += ["-H", field]
    if load.is_conditional:
        words += ["-H", f"If-None-Match: {etag(server, load.path)}"]
    before = server.cpu_seconds()
    done = subprocess.run(
        [
            *on_core(1), wrk, "-t1", f"-c{load.connections}", f"-d{seconds}s",
            "--timeout", "20s", *words, server.url(load.path, load.is_secure),
        ],
        capture_output=True,
        text=True,
        check=True,
    )  # fmt: skip
    spent = server.cpu_seconds() - before
    found = re.search(
        r"(\d+) requests in ([\d.]+)s, ([\d.]+)(B|KB|MB|GB|TB)", done.stdout
    )
    errors = re.search(r"Non-2xx or 3xx responses: \d+|Socket errors: .*", done.stdout)
    if found is None or errors:
        raise RuntimeError(f"{load.name}: {errors and errors[0]}\n{done.stdout}")
    requests, took = int(found[1]), float(found[2])
    octets = float(found[3]) * 1024 ** ("B", "KB", "MB", "GB", "TB").index(found[4])
    if load.is_bulk:
        return Result(octets / took, spent / (octets / GIB))
    return Result(requests / took, spent / max(requests, 1))


def etag(server: Running, path: str) -> str:
    """The ETag of a path."""
    asking = http.client.HTTPConnection("127.0.0.1", server.port)
    asking.request("GET", path)
    reply = asking.getresponse()
    reply.read()
    asking.close()
    return reply.getheader("ETag") or '"none"'


def idle(server: Running, connections: int = IDLE_CONNECTIONS) -> Result:
    """Memory that a connection takes between two requests."""
    ask = b"GET /1k.bin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    held: list[socket.socket] = []
    for _ in range(200):
        held.append(_open(server, ask))
    before = server.memory_octets()
    for _ in range(connections):
        held.append(_open(server, ask))
    octets = (server.memory_octets() - before) // connections
    for one in held:
        one.close()
    time.sleep(0.5)
    return Result(0.0, 0.0, octets)


def _open(server: Running, ask: bytes) -> socket.socket:
    opened = socket.create_connection(("127.0.0.1", server.port))
    opened.sendall(ask)
    octets = 0
    while octets < 1024:
        octets += len(opened.recv(65536))
    return opened


def upload(server: Running, octets: int = GIB) -> Result:
    """One PUT; the memory is what the server has more of at its worst moment."""
    before, memory = server.cpu_seconds(), server.memory_octets()
    highest = [memory]
    stopping = threading.Event()

    def watch() -> None:
        while not stopping.wait(0.05):
            highest[0] = max(highest[0], server.memory_octets())

    watching = threading.Thread(target=watch)
    watching.start()
    began = time.monotonic()
    try:
        status = _put(server, f"{server.upload}upload.bin", octets)
    finally:
        stopping.set()
        watching.join()
    took = time.monotonic() - began
    if status not in (201, 204):
        raise RuntimeError(f"PUT was answered with {status}")
    spent = server.cpu_seconds() - before
    return Result(octets / took, spent / (octets / GIB), highest[0] - memory)


def _put(server: Running, path: str, octets: int) -> int:
    block = os.urandom(1 << 20)
    with socket.create_connection(("127.0.0.1", server.port)) as sending:
        fields = ""
        if server.login:
            code = b64encode(server.login.encode()).decode()
            fields = f"Authorization: Basic {code}\r\n"
        head = f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{fields}"
        sending.sendall(f"{head}Content-Length: {octets}\r\n\r\n".encode())
        for _ in range(octets // len(block)):
            sending.sendall(block)
        reply = http.client.HTTPResponse(sending)
        reply.begin()
        return reply.status
