"""BIND, Knot and this server with the same zones, all changeable from this machine."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from netservices.core.errors import SyntaxProblem
from netservices.dns.wire.codes import Type
from netservices.dns.wire.message import Message, Question
from netservices.dns.wire.names import fold, parse_name
from netservices.dns.zone.draft import canonical_rdata
from netservices.testing import running_process
from tests.house.twistd import environment
from tests.interop.test_dns_peers import READY, Peer
from tests.programs import SECONDS, located

KEY = "k.test."
SECRET = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
REPLY_SECONDS = 2.0

Content = frozenset[tuple[bytes, int, int, bytes]]
"""(owner, type, TTL, data) of all records of a zone; names are folded."""


def bind_configuration(place: Path, port: int, zones: list[str]) -> str:
    """named.conf."""
    head = (
        f'options {{ directory "{place}"; listen-on port {port} {{ 127.0.0.1; }};'
        " listen-on-v6 { none; }; recursion no; pid-file none; minimal-responses no;"
        f' session-keyfile "{place}/key"; notify no; minimal-any yes; }};\n'
        f'key "{KEY}" {{ algorithm hmac-sha256; secret "{SECRET}"; }};\ncontrols {{ }};'
    )
    return head + "".join(
        f'zone "{zone}" {{ type primary; file "{place}/{zone}zone";'
        " check-names ignore; check-integrity no; allow-update { 127.0.0.1; };"
        " allow-transfer { 127.0.0.1; }; };\n"
        for zone in zones
    )


def knot_configuration(place: Path, port: int, zones: list[str]) -> str:
    """knot.conf."""
    head = (
        f"server:\n  listen: 127.0.0.1@{port}\n  rundir: {place}\n  udp-workers: 1\n"
        "  tcp-workers: 1\n  background-workers: 1\n"
        f"key:\n - id: {KEY}\n   algorithm: hmac-sha256\n   secret: {SECRET}\n"
        "acl:\n - id: here\n   address: 127.0.0.1\n   action: [update, transfer]\n"
        f" - id: signed\n   key: {KEY}\n   action: [update, transfer]\n"
        f"database:\n  storage: {place}\nzone:\n"
    )
    return head + "".join(
        f" - domain: {zone}\n   file: {place}/{zone}zone\n   zonefile-sync: -1\n"
        "   acl: [here, signed]\n   serial-policy: increment\n"
        for zone in zones
    )


class Ended(Exception):
    """The server of that name is no more."""


class Twin:
    """One of the servers, by its ports."""

    def __init__(self, name: str, udp: int, tcp: int) -> None:
        self.name = name
        self._udp = udp
        self._tcp = tcp

    def ask(self, data: bytes, seconds: float = REPLY_SECONDS) -> bytes | None:
        """The reply to a datagram; None: silence."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(seconds)
            asking.connect(("127.0.0.1", self._udp))
            asking.send(data)
            try:
                return asking.recv(65535)
            except TimeoutError:
                return None
            except ConnectionRefusedError:
                raise Ended(self.name) from None

    def ask_stream(self, data: bytes, seconds: float = REPLY_SECONDS) -> bytes | None:
        """The first reply over TCP; None: the connection ends without."""
        with (
            self._connect(seconds) as asking,
            contextlib.suppress(TimeoutError, ConnectionError),
        ):
            asking.sendall(len(data).to_bytes(2, "big") + data)
            return _receive(asking)
        return None

    def _connect(self, seconds: float) -> socket.socket:
        try:
            return socket.create_connection(("127.0.0.1", self._tcp), seconds)
        except ConnectionRefusedError:
            raise Ended(self.name) from None

    def content(self, zone: str) -> Content:
        """All records of a zone, by AXFR."""
        asked = Question(parse_name(zone), Type.AXFR)
        data = Message(id=7, questions=(asked,)).encode()
        found: list[tuple[bytes, int, int, bytes]] = []
        with self._connect(10) as asking:
            asking.sendall(len(data).to_bytes(2, "big") + data)
            while len(found) < 2 or found[0] != found[-1]:
                message = Message.parse(_receive(asking) or b"")
                if message.rcode or not message.answer:
                    raise SyntaxProblem(f"{self.name} sends no {zone}")
                found += [
                    (fold(r.name), r.type, r.ttl, canonical_rdata(r.type, r.rdata))
                    for r in message.answer
                ]
        return frozenset(found)


def _receive(asking: socket.socket) -> bytes | None:
    with asking.makefile("rb") as stream:
        head = stream.read(2)
        return stream.read(int.from_bytes(head, "big")) if head else None


def start_twins(stack: ExitStack, texts: dict[str, str]) -> list[Twin]:
    """BIND, Knot and ours with those zones, in this order."""
    served = {**texts, READY: "$TTL 1\n@ SOA a. b. 1 2 3 4 5\n@ NS a.\n"}
    peers = []
    for program, configuration in (
        ("named", bind_configuration),
        ("knotd", knot_configuration),
    ):
        # A short path: knotd's socket lies there.
        place = Path(tempfile.mkdtemp())
        stack.callback(shutil.rmtree, place)
        peer = Peer(located(program), place, served, configuration)
        stack.callback(peer.stop)
        peers.append(peer)
    settings = {
        "dns.allow_update": "loopback",
        "dns.allow_transfer": "loopback",
        "dns.rotation": "none",
    }
    zones = {zone.rstrip("."): text for zone, text in served.items()}
    ours = stack.enter_context(
        running_process(dns=True, zones=zones, settings=settings)
    )
    subprocess.run(
        (sys.executable, "-m", "netservices.cli", "key", "add", KEY, "--secret-stdin"),
        env=environment(NETSERVICES_STATE=ours.state_directory),
        input=SECRET.encode(),
        stdout=subprocess.DEVNULL,
        timeout=SECONDS,
        check=True,
    )
    for peer in peers:
        peer.wait()
    twins = [
        Twin(name, peer.port, peer.port)
        for name, peer in zip(("bind", "knot"), peers, strict=True)
    ]
    return [*twins, Twin("ours", ours.port("dns", "udp"), ours.port("dns", "tcp"))]
