"""Zones that chance makes, asked of NSD, Knot and BIND: where those that serve a zone
agree, we agree with them.

Compared are the response code, AA, the answer section, and the authority section of
answers that have no answer section.  The zones hold wildcards, delegations, DNAMEs and
chains in every combination; a server that refuses to load one is left out of it.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import SkipTest

import dns.flags
import dns.message
import dns.rcode
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.dialogue.answer import Dialogue
from netservices.dns.policy import Client, Policy, Transport
from netservices.dns.settings import DNSSettings
from netservices.dns.wire.names import parse_name
from netservices.dns.zone.tree import Zones, ZoneTree
from netservices.dns.zonefile import ZoneFileError, read_zone
from tests.interop.dns_programs import SECONDS, Program, free_port, short_place

SEED = 20261121
ZONES = 40
TYPES = ("A", "NS", "CNAME", "DNAME", "MX", "DS")
QUESTIONS = (
    *("@", "a", "b", "*", "c", "q", "a.a", "b.a", "*.a", "q.a", "q.b", "q.c", "ns.a"),
    *("ns.b", "q.*", "a.*", "a.b", "b.b.a", "q.q.a", "q.a.b", "a.b.c", "q.a.b.c"),
    *("c.b", "*.b", "q.*.b"),
)
READY = "ready.test."


def random_zone(chance: random.Random, origin: str) -> str:
    """A master file of a few names, each with something interesting."""
    names = {
        ".".join(chance.choice("ab*c") for _ in range(chance.choice((1, 1, 2, 2, 3))))
        for _ in range(chance.randrange(3, 9))
    }
    targets = [f"{name}.{origin}" for name in sorted(names)]
    targets += [origin, f"b.a.{origin}", f"a.b.c.{origin}", "x.other.test."]
    lines = ["@ SOA ns1.out.test. h.out.test. 1 2 3 4 77", "@ NS ns1.out.test."]
    if chance.random() < 0.1:
        lines.append(f"@ DNAME {chance.choice(targets)}")
    for name in sorted(names):
        kind = chance.choice(("A", "A", "CNAME", "CNAME", "NS", "NS", "DNAME", "MX"))
        target = chance.choice(targets)
        if kind == "A":
            lines.append(f"{name} A 10.0.0.{chance.randrange(200)}")
        else:
            lines.append(f"{name} {kind} {'1 ' * (kind == 'MX')}{target}")
        if kind == "NS" and chance.random() < 0.5:
            lines += [f"{name} NS ns.{name}", f"ns.{name} A 10.1.1.1"]
        if kind == "NS" and chance.random() < 0.3:
            lines.append(f"{name} DS 1 8 1 {'00' * 20}")
    return "$TTL 500\n" + "\n".join(lines) + "\n"


def nsd_configuration(place: Path, port: int, zones: list[str]) -> str:
    """nsd.conf."""
    head = (
        f'server:\n server-count: 1\n ip-address: 127.0.0.1@{port}\n username: ""\n'
        f' database: ""\n pidfile: "{place}/pid"\n xfrdfile: "{place}/xfrd"\n'
        f' xfrdir: "{place}"\n zonelistfile: "{place}/list"\n'
        "remote-control:\n control-enable: no\n"
    )
    return head + "".join(
        f'zone:\n name: "{zone}"\n zonefile: "{place}/{zone}zone"\n' for zone in zones
    )


def knot_configuration(place: Path, port: int, zones: list[str]) -> str:
    """knot.conf."""
    head = (
        f"server:\n  listen: 127.0.0.1@{port}\n  rundir: {place}\n  udp-workers: 1\n"
        f"  tcp-workers: 1\n  background-workers: 1\ndatabase:\n  storage: {place}\n"
        "zone:\n"
    )
    return head + "".join(
        f" - domain: {zone}\n   file: {place}/{zone}zone\n   zonefile-sync: -1\n"
        for zone in zones
    )


def bind_configuration(place: Path, port: int, zones: list[str]) -> str:
    """named.conf."""
    head = (
        f'options {{ directory "{place}"; listen-on port {port} {{ 127.0.0.1; }};'
        " listen-on-v6 { none; }; recursion no; pid-file none; minimal-responses no;"
        f' session-keyfile "{place}/key"; notify no; }};\ncontrols {{ }};\n'
    )
    return head + "".join(
        f'zone "{zone}" {{ type primary; file "{place}/{zone}zone";'
        " check-names ignore; check-integrity no; };\n"
        for zone in zones
    )


PEERS = {
    "nsd": nsd_configuration,
    "knotd": knot_configuration,
    "named": bind_configuration,
}


class Peer:
    """A foreign server that runs in a directory of its own."""

    def __init__(
        self,
        program: str,
        place: Path,
        texts: dict[str, str],
        configuration: Callable[[Path, int, list[str]], str] | None = None,
    ) -> None:
        configure = configuration or PEERS[os.path.basename(program)]
        for zone, text in texts.items():
            (place / f"{zone}zone").write_text(text)
        self.port = free_port()
        (place / "conf").write_text(configure(place, self.port, list(texts)))
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", self.port))
        self.running = Program(program, place)

    def wait(self) -> None:
        """Until it answers for its last zone."""
        query = dns.message.make_query(READY, "SOA").to_wire()
        self.socket.settimeout(0.2)
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                if dns.message.from_wire(self.ask(query)).answer:
                    self.socket.settimeout(5)
                    return
            except ConnectionRefusedError:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.running.process.wait(0.05)
                    break
            except TimeoutError:
                continue
        raise AssertionError(f"no answer: {self.running.said()}")

    def ask(self, query: bytes) -> bytes:
        """The reply to a query."""
        self.socket.send(query)
        return self.socket.recv(4096)

    def stop(self) -> None:
        """End it, and its children."""
        self.socket.close()
        self.running.stop()


def essence(reply: bytes) -> tuple[Any, ...]:
    """What has to agree."""
    message = dns.message.from_wire(reply)
    answer, authority = (
        frozenset(
            (rrset.name.to_text().lower(), rrset.ttl, rdata.to_text().lower())
            for rrset in section
            for rdata in rrset
        )
        for section in message.sections[1:3]
    )
    is_authoritative = bool(message.flags & dns.flags.AA)
    return message.rcode(), is_authoritative, answer, () if answer else authority


class PeerTests(SynchronousTestCase):
    """Forty zones, and every question that could be interesting."""

    def setUp(self) -> None:
        chance = random.Random(SEED)
        zones = Zones()
        self.texts = {}
        for number in range(ZONES):
            origin = f"z{number}.test."
            text = random_zone(chance, origin)
            try:
                rrsets = read_zone(text, origin)
            except ZoneFileError:
                continue  # two records that cannot be together; chance makes such too
            tree = ZoneTree(parse_name(origin))
            for rrset in rrsets:
                tree.put(rrset)
            tree.touch()
            zones.put(tree)
            self.texts[origin] = text
        self.dialogue = Dialogue(zones, Policy(DNSSettings()))
        served = {**self.texts, READY: "$TTL 1\n@ SOA a. b. 1 2 3 4 5\n@ NS a.\n"}
        self.peers = [self.start(program, served) for program in self.programs()]
        for peer in self.peers:
            peer.wait()

    def programs(self) -> list[str]:
        """The peers that are installed; at least two, so that there is a judgement."""
        path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
        found = [found for name in PEERS if (found := shutil.which(name, path=path))]
        if len(found) < 2:
            if os.environ.get("CI"):
                raise AssertionError(f"two of {', '.join(PEERS)} are wanted")
            raise SkipTest(f"fewer than two of {', '.join(PEERS)} are installed")
        return found

    def start(self, program: str, texts: dict[str, str]) -> Peer:
        place = short_place()
        self.addCleanup(shutil.rmtree, place)
        peer = Peer(program, place, texts)
        self.addCleanup(peer.stop)
        return peer

    def test_agreement(self) -> None:
        """Where two or more servers serve a zone and agree, we give their answer."""
        client = Client("127.0.0.1", Transport.TCP)
        wrong = []
        judged = 0
        for origin in self.texts:
            for name in QUESTIONS:
                qname = origin if name == "@" else f"{name}.{origin}"
                for qtype in TYPES:
                    query = dns.message.make_query(
                        qname, qtype, flags=0, use_edns=0, payload=4096
                    ).to_wire()
                    theirs = [essence(peer.ask(query)) for peer in self.peers]
                    unable = (dns.rcode.SERVFAIL, dns.rcode.REFUSED)
                    theirs = [found for found in theirs if found[0] not in unable]
                    if len(theirs) < 2 or len(set(theirs)) > 1:
                        continue
                    judged += 1
                    if essence(self.dialogue.answer(query, client) or b"") != theirs[0]:
                        wrong.append(f"{qname} {qtype}")
        self.assertEqual([], wrong)
        self.assertGreater(judged, 1000)
