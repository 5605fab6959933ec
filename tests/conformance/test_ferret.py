"""3,006 zones, questions and answers on which BIND, NSD, Knot and PowerDNS agree.

The data is FerretDataset's (dns-groot, MIT).  Compared are the response code, AA, and
the answer, authority and additional sections as sets of records.
"""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any
from unittest import SkipTest

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.dialogue.answer import Dialogue
from netservices.dns.policy import Client, Policy
from netservices.dns.settings import DNSSettings
from netservices.dns.wire.names import parse_name
from netservices.dns.zone.tree import Zones, ZoneTree
from netservices.dns.zonefile import read_zone

CASES = Path(__file__).parents[3] / "shared/data/ferret/cases.jsonl.gz"
LOOPBACK = Client("127.0.0.1")


def load_cases() -> list[dict[str, Any]]:
    """All cases, or a skipped test where the data is absent."""
    if not CASES.exists():
        if os.environ.get("CI"):
            raise AssertionError(f"{CASES} is absent")
        raise SkipTest(f"{CASES} is absent")
    with gzip.open(CASES, "rt") as file:
        return [json.loads(line) for line in file]


def answer_case(case: dict[str, Any]) -> dns.message.Message:
    """Our answer to the question of a case, decoded by dnspython."""
    origin = case["zone"][0].split()[0]
    tree = ZoneTree(parse_name(origin))
    for rrset in read_zone("\n".join(case["zone"]), origin):
        tree.put(rrset)
    tree.touch()
    zones = Zones()
    zones.put(tree)
    query = dns.message.make_query(case["qname"], case["qtype"], flags=0)
    reply = Dialogue(zones, Policy(DNSSettings())).answer(query.to_wire(), LOOPBACK)
    assert reply is not None
    return dns.message.from_wire(reply)


def essence(message: dns.message.Message) -> tuple[Any, ...]:
    """What has to agree."""
    sections = [
        {
            (rrset.name.to_text(), rrset.ttl, int(rrset.rdtype), rdata.to_text())
            for rrset in section
            for rdata in rrset
        }
        for section in message.sections[1:]
    ]
    is_authoritative = bool(message.flags & dns.flags.AA)
    return dns.rcode.to_text(message.rcode()), is_authoritative, *sections


class FerretTests(SynchronousTestCase):
    """The whole sample, in process."""

    def test_all_cases(self) -> None:
        """Every answer agrees with that of the four servers."""
        cases = load_cases()
        wrong = []
        for case in cases:
            reference = dns.message.from_text("\n".join(["id 1", *case["response"]]))
            if essence(answer_case(case)) != essence(reference):
                wrong.append(f"{case['id']} ({case['tag']})")
        self.assertEqual([], wrong, f"{len(wrong)} of {len(cases)} differ")
        self.assertGreaterEqual(len(cases), 3006)
