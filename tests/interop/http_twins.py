"""nginx and this server with the same files, asked with the same octets."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from netservices.testing import running_process
from tests.programs import SECONDS, located

MODIFIED = 1_700_000_000
"""Tue, 14 Nov 2023 22:13:20 GMT"""
PAGE = b"0123456789" * 10
REPLY_SECONDS = 5.0
HOST = "h.test"
LAST = f"GET /last HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
"""What follows each question: is it heard, and as what?"""

_CONFIGURATION = """\
daemon off; master_process off; pid {place}/pid; error_log {place}/errors;
events {{ worker_connections 64; }}
http {{
  access_log off; root {root}; default_type application/octet-stream;
  types {{ text/html html; text/plain txt; }}
  gzip_static on; server_tokens off; etag on; keepalive_requests 10000;
  client_body_temp_path {place}/b; proxy_temp_path {place}/p;
  fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
  server {{ listen 127.0.0.1:{port} default_server; }}
}}
"""


class Reply:
    """One response as its octets say it."""

    def __init__(self, head: bytes, content: bytes) -> None:
        lines = head.decode("latin-1").split("\r\n")
        self.status = int(lines[0].split(" ")[1])
        pairs = [line.partition(":") for line in lines[1:]]
        self.fields = {name.lower(): value.strip() for name, _, value in pairs}
        self.content = content


class Twin:
    """One of the two servers."""

    def __init__(self, name: str, port: int) -> None:
        self.name = name
        self._port = port
        self.etag = ""
        self.etag = self.ask(request(), "GET")[0].fields["etag"]

    def ask(self, data: bytes, methods: str) -> list[Reply]:
        """All responses to ``data`` and what follows it; ``methods`` are those of the
        requests."""
        return list(_replies(self._exchange(data), methods.split()))

    def status(self, data: bytes) -> int:
        """The status of the first response to ``data``, where nothing follows."""
        return int(self._exchange(data, ends=True).split(b" ", 2)[1])

    def _exchange(self, data: bytes, ends: bool = False) -> bytes:
        """All that comes back until the end of the connection; with ``ends`` the server
        sees an end, too.  AssertionError where it waits for more."""
        data = data.replace(b"{etag}", self.etag.encode())
        received = b""
        with socket.create_connection(("127.0.0.1", self._port)) as asking:
            asking.settimeout(REPLY_SECONDS)
            asking.sendall(data + LAST)
            if ends:
                asking.shutdown(socket.SHUT_WR)
            try:
                # Whoever is cut off while it still sends is told so by a reset.
                with contextlib.suppress(ConnectionError):
                    while more := asking.recv(65536):
                        received += more
            except TimeoutError:
                raise AssertionError(f"{self.name} waits after {received!r}") from None
        return received


def _replies(received: bytes, methods: list[str]) -> Iterator[Reply]:
    """Cut what came into responses."""
    while received:
        head, found, received = received.partition(b"\r\n\r\n")
        assert found, head
        reply = Reply(head, b"")
        is_final = reply.status >= 200
        method = methods.pop(0) if is_final and methods else "GET"
        if "transfer-encoding" in reply.fields:
            reply.content, received = _chunked(received)
        elif is_final and reply.status not in (204, 304) and method != "HEAD":
            length = int(reply.fields.get("content-length", len(received)))
            reply.content, received = received[:length], received[length:]
        yield reply


def _chunked(received: bytes) -> tuple[bytes, bytes]:
    content = b""
    while True:
        size, _, received = received.partition(b"\r\n")
        count = int(size, 16)
        content, received = content + received[:count], received[count + 2 :]
        if not count:
            return content, received


def request(
    target: str = "/page.txt",
    *fields: str,
    method: str = "GET",
    version: str = "HTTP/1.1",
    host: str | None = HOST,
) -> bytes:
    """A request without content."""
    lines = [f"{method} {target} {version}"]
    lines += [] if host is None else [f"Host: {host}"]
    return "\r\n".join([*lines, *fields, "", ""]).encode("latin-1")


def essence(replies: list[Reply]) -> str:
    """What has to agree, in a line: statuses, ranges, codings, which content."""
    return " ".join(_told(reply) for reply in replies)


def _told(reply: Reply) -> str:
    words = [str(reply.status)]
    if reply.status < 300:
        words.append(reply.fields.get("content-encoding", ""))
        if reply.fields.get("content-type", "").startswith("multipart/byteranges"):
            found = re.findall(rb"(?i)Content-Range: bytes (\S+)", reply.content)
            words.append(b",".join(found).decode())
    words.append(reply.fields.get("content-range", "").removeprefix("bytes "))
    if reply.content == b"last":
        words = ["last"]
    return "|".join(word for word in words if word)


def write_site(site: Path) -> None:
    """The files that both serve."""
    (site / "directory").mkdir(parents=True)
    (site / ".hidden").mkdir()
    for name, content in (
        ("page.txt", PAGE),
        ("packed.txt", PAGE * 50),
        ("packed.txt.gz", b"\x1f\x8bpacked"),
        ("last", b"last"),
        ("empty.txt", b""),
        ("a b.txt", b"space"),
        ("a+b.txt", b"plus"),
        ("ä.txt", b"umlaut"),
        ("directory/index.html", b"index"),
    ):
        (site / name).write_bytes(content)
    for path in site.rglob("*"):
        os.utime(path, (MODIFIED, MODIFIED))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def start_twins(scratch: Path, stack: ExitStack) -> tuple[Twin, Twin]:
    """This server and nginx, until the end of ``stack``."""
    state, place = scratch / "state", scratch / "nginx"
    place.mkdir()
    site = state / "sites" / "default"
    write_site(site)
    port = _free_port()
    written = place / "nginx.conf"
    written.write_text(_CONFIGURATION.format(place=place, root=site, port=port))
    nginx = subprocess.Popen(
        (located("nginx"), "-p", str(place), "-c", str(written)),
        stderr=subprocess.PIPE,
    )
    stack.callback(_end, nginx)
    ours = stack.enter_context(running_process(http=True, state=str(state)))
    return Twin("ours", ours.port("http", "tcp")), Twin("nginx", _reached(nginx, port))


def _reached(process: subprocess.Popen[bytes], port: int) -> int:
    """The port, once somebody listens there."""
    while process.poll() is None:
        with contextlib.suppress(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port)).close()
            return port
    assert process.stderr is not None
    raise AssertionError(f"nginx does not start: {process.stderr.read().decode()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.communicate(timeout=SECONDS)
