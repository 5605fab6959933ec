"""ALIAS: names that have the addresses of another one."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.wire.codes import Type, type_name, type_number
from netservices.dns.wire.names import parse_name
from netservices.dns.zonefile import (
    FATAL_CODES,
    ZoneFileError,
    check_zone,
    parse_record,
    read_zone,
    record_text,
)
from netservices.values import RRset

HEAD = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.53\n"


def codes_of(text: str) -> list[str]:
    """What is wrong with the zone of these lines."""
    rrsets = read_zone(HEAD + text, "example.com.")
    return [finding.code for finding in check_zone("example.com.", rrsets)]


class RecordTests(SynchronousTestCase):
    """The record in master files."""

    def test_text(self) -> None:
        """ALIAS and ANAME are the same type, written as ALIAS."""
        for word in ("ALIAS", "ANAME", "alias", "TYPE65401"):
            self.assertEqual(65401, type_number(word))
        self.assertEqual("ALIAS", type_name(65401))
        rrset = parse_record("example.com.", "@ 60 ANAME www.example.net.")
        self.assertEqual((parse_name("www.example.net."),), rrset.rdatas)
        self.assertEqual(
            "example.com. 60 IN ALIAS www.example.net.",
            record_text(rrset, rrset.rdatas[0]),
        )

    def test_malformed(self) -> None:
        """A target that is no name is an error."""
        for text in ("@ 60 ALIAS", "@ 60 ALIAS a b", "@ 60 ALIAS a..b"):
            with self.assertRaises(ValueError, msg=text):
                parse_record("example.com.", text)

    def test_beside(self) -> None:
        """SOA, NS, MX and TXT go with ALIAS; addresses, CNAME and a second ALIAS do
        not."""
        read_zone(HEAD + "@ ALIAS a.example.net.\n@ MX 5 ns\n", "example.com.")
        for other in ("A 192.0.2.1", "AAAA ::1", "CNAME x", "ALIAS b.example.net."):
            text = f"{HEAD}@ ALIAS a.example.net.\n@ {other}\n"
            with self.assertRaises(ZoneFileError, msg=other) as caught:
                read_zone(text, "example.com.")
            self.assertEqual(6, caught.exception.line)

    def test_check(self) -> None:
        """The check finds targets that are not there, and those without address."""
        self.assertEqual([], codes_of("@ ALIAS www.example.net.\n"))
        self.assertEqual([], codes_of("@ ALIAS ns\n* ALIAS @\nm MX 5 @\n"))
        self.assertEqual([], codes_of("@ ALIAS w\nw CNAME ns\n"))
        self.assertEqual(["dangling"], codes_of("@ ALIAS missing\n"))
        self.assertEqual(["no-address"], codes_of("@ ALIAS t\nt TXT x\n"))
        self.assertEqual(["no-address"], codes_of("@ NS b\nb ALIAS ns\n"))

    def test_loops(self) -> None:
        """An ALIAS that leads back to itself is fatal, one that leads into another
        loop is not called one."""
        self.assertEqual(["alias-loop"], codes_of("@ ALIAS @\n"))
        found = codes_of("a ALIAS b\nb CNAME a\nc ALIAS b\n")
        self.assertEqual(["alias-loop"], found)
        self.assertIn("alias-loop", FATAL_CODES)

    def test_check_of_values(self) -> None:
        """What no reader has refused is found by the check as well."""
        apex = parse_name("example.com.")
        rrsets = [
            *read_zone(HEAD, apex),
            RRset(apex, Type.ALIAS, 60, (parse_name("a.x."), parse_name("b.x."))),
            RRset(apex, Type.A, 60, (b"\1\2\3\4",)),
        ]
        found = {finding.code for finding in check_zone(apex, rrsets)}
        self.assertEqual({"alias-and-address", "many-records"}, found)
