"""Master files: read, written, checked."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import dns.rdatatype
import dns.zone
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import parse_name
from netservices.dns.zonefile import (
    ZoneFileError,
    check_zone,
    default_zone,
    is_newer_serial,
    next_serial,
    parse_record,
    read,
    read_zone,
    record_text,
    serial_of,
    with_serial,
    write_zone,
)
from netservices.dns.zonefile.texts import parse_rdata, rdata_text
from netservices.values import Finding, RRset, Zone, ZoneInfo
from tests.dns.authority import EXAMPLE
from tests.programs import located

HEAD = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\n"

MANY_TYPES = """
ns     A      192.0.2.53
a      A      192.0.2.1
aaaa   AAAA   2001:db8::1
mx     MX     10 a
txt    TXT    "two words" single "quote\\"d" "semi;colon" "\\195\\164" ""
spf    SPF    "v=spf1 -all"
srv    SRV    1 2 3 a
naptr  NAPTR  100 10 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .
caa    CAA    0 issue "ca.example"
tlsa   TLSA   3 1 1 ( 0123456789abcdef0123456789abcdef
                      0123456789abcdef0123456789abcdef )
sshfp  SSHFP  1 1 0123456789abcdef0123456789abcdef01234567
ds     DS     1 8 2 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
ds     NS     a
svcb   SVCB   1 a alpn=h2,h3 port=8443 ipv4hint=192.0.2.1
https  HTTPS  0 svcb
loc    LOC    52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m
hinfo  HINFO  "PDP-11" UNIX
rp     RP     a txt
uri    URI    10 1 "ftp://ftp.example/public"
ptr    PTR    a
dname  DNAME  example.net.
cert   CERT   PGP 0 0 AQID
odd    TYPE65280 \\# 3 010203
"""


def content(rrsets: tuple[RRset, ...]) -> set[tuple[Any, ...]]:
    """RRsets whatever their order."""
    return {(r.owner.lower(), r.type, r.ttl, frozenset(r.rdatas)) for r in rrsets}


class ReadTests(SynchronousTestCase):
    """Lines to RRsets; RFC 1035 5."""

    def read(self, body: str, **options: Any) -> dict[tuple[str, int], RRset]:
        rrsets = read_zone(HEAD + body, "x.", **options)
        from netservices.dns.wire.names import name_text

        return {(name_text(rrset.owner), rrset.type): rrset for rrset in rrsets}

    def assert_error(self, body: str, line: int, text: str, **options: Any) -> None:
        with self.assertRaises(ZoneFileError) as caught:
            read_zone(HEAD + body, "x.", file="zones/x.zone", **options)
        self.assertIn(text, str(caught.exception))
        self.assertTrue(
            str(caught.exception).startswith(f"zones/x.zone:{line}: "), caught.exception
        )

    def test_against_dnspython(self) -> None:
        """Another reader finds the same records in the same file."""
        for text in (EXAMPLE, HEAD + MANY_TYPES):
            found = content(read_zone(text, "example.com."))
            other = dns.zone.from_text(
                text, "example.com.", relativize=False, check_origin=False
            )
            expected = {
                (
                    name.to_wire().lower(),
                    int(rdataset.rdtype),
                    rdataset.ttl,
                    frozenset(rdata.to_wire() for rdata in rdataset),
                )
                for name, rdataset in other.iterate_rdatasets()
            }
            self.assertEqual(expected, found)

    def test_line_17(self) -> None:
        """An error names file, line, and what is wrong."""
        body = "".join(f"h{i} A 192.0.2.{i}\n" for i in range(13))
        self.assert_error(body + "bad A 192.0.2.256\n", 17, "'192.0.2.256' is no IPv4")

    def test_errors(self) -> None:
        """Each kind of mistake is called by its name."""
        for body, text in (
            ("a FOO b\n", "unknown record type 'FOO'"),
            ("a A\n", "data is missing"),
            ("a\n", "without a type"),
            ("a CH A 192.0.2.1\n", "only IN"),
            ("a AAAA 192.0.2.1\n", "no IPv6 address"),
            ("a MX ten b\n", "MX:"),
            ('a TXT "open\n', "a quote without its end"),
            ("a A 192.0.2.1 )\n", "a ) without its ("),
            ("a A ( 192.0.2.1\n", "never closes"),
            ("a CNAME b..c\n", "empty label"),
            ("a CNAME " + "x" * 64 + "\n", "63 octets"),
            ("a TXT " + "x" * 256 + "\n", "255 octets"),
            ("a 99999999999 A 192.0.2.1\n", "longer than 2147483647"),
            ("$FOO bar\n", "unknown directive $FOO"),
            ("$TTL\n", "wrong number of words"),
            ("$TTL soon\n", "no time to live"),
            ("a SOA b c 1 2 3 4 5\n", "not at the zone's own name"),
            ("@ SOA b c 1 2 3 4 6\n", "a second SOA"),
            ("a CNAME b\na A 192.0.2.1\n", "a CNAME and other records"),
            ("a A 192.0.2.1\na CNAME b\n", "a CNAME and other records"),
            ("a CNAME b\na CNAME c\n", "a second CNAME"),
            ("a AXFR\n", "no type that a zone can hold"),
            ("a TYPE1 \\# 3 010203\n", "A"),
            ("a\u0378 A 192.0.2.1\n", "is no label"),
        ):
            line = 4 + body.count("\n") - 1
            self.assert_error(body, line, text)

    def test_no_soa(self) -> None:
        """A file without a SOA is no zone."""
        with self.assertRaisesRegex(ZoneFileError, "^zone: no SOA record for x.$"):
            read_zone("a 60 A 192.0.2.1\n", "x.")

    def test_owner_is_repeated(self) -> None:
        """A line that begins with a blank has the owner of the one before."""
        found = self.read("a A 192.0.2.1\n\tAAAA ::1\n; comment\n\n  TXT t\n")
        self.assertIn(("a.x.", Type.TXT), found)

    def test_ttl_and_class_in_any_order(self) -> None:
        """``[ttl] [class]`` and ``[class] [ttl]``; TTLs with units."""
        found = self.read(
            "a 1h IN A 192.0.2.1\nb IN 1h30m A 192.0.2.1\nc in A 192.0.2.1\n"
        )
        self.assertEqual(
            [3600, 5400, 60], [found[f"{n}.x.", Type.A].ttl for n in "abc"]
        )

    def test_default_ttl(self) -> None:
        """Without $TTL the TTL of the record before counts (RFC 1035 5.1); without
        that, the SOA's MINIMUM."""
        rrsets = read_zone(
            "@ SOA a b 1 2 3 4 7\n NS a\na 9 A 192.0.2.1\n TXT t\n", "x."
        )
        self.assertEqual([7, 7, 9, 9], [rrset.ttl for rrset in rrsets])
        with self.assertRaisesRegex(ZoneFileError, "no time to live"):
            read_zone("a A 192.0.2.1\n", "x.")

    def test_origin(self) -> None:
        """$ORIGIN is what relative names are below; a relative one is below the one
        before."""
        found = self.read("$ORIGIN a.x.\nh A 192.0.2.1\n$ORIGIN b\nh A 192.0.2.2\n")
        self.assertIn(("h.a.x.", Type.A), found)
        self.assertIn(("h.b.a.x.", Type.A), found)

    def test_generate(self) -> None:
        """$GENERATE makes a record for each number, with offset, width and base."""
        found = self.read(
            "$GENERATE 1-3 h$ A 192.0.2.$\n$GENERATE 0-20/10 n${1,3,x} 9 IN TXT $$$\n"
        )
        self.assertEqual(b"\xc0\0\2\3", found["h3.x.", Type.A].rdatas[0])
        self.assertEqual(b"\3$20", found["n015.x.", Type.TXT].rdatas[0])
        self.assertEqual(9, found["n001.x.", Type.TXT].ttl)
        self.assert_error("$GENERATE 1-99999999 h$ A 192.0.2.1\n", 4, "65536")
        self.assert_error("$GENERATE 3-1 h$ A 192.0.2.1\n", 4, "is empty")
        self.assert_error("$GENERATE 1-2 h${x} A 192.0.2.1\n", 4, "bad ${")

    def test_nibbles(self) -> None:
        """Base ``n`` gives the nibbles of an address, least first, as BIND does."""
        found = self.read("$GENERATE 26-26 ${0,7,n} PTR a\n")
        self.assertIn(("a.1.0.0.x.", Type.PTR), found)

    def test_twice_is_once(self) -> None:
        """The same record twice is one record; RFC 2181 5."""
        found = self.read("a MX 1 b\na MX 1 B\na MX 2 b\n")
        self.assertEqual(2, len(found["a.x.", Type.MX].rdatas))

    def test_warnings(self) -> None:
        """Two TTLs in a set, and records of other zones, are told."""
        warnings: list[Finding] = []
        found = self.read(
            "a 1 A 192.0.2.1\na 2 A 192.0.2.2\nb.y. A 192.0.2.3\n", warnings=warnings
        )
        self.assertEqual(1, found["a.x.", Type.A].ttl)
        self.assertEqual(["ttl-mismatch", "out-of-zone"], [w.code for w in warnings])
        self.assertIn("zone:5:", warnings[0].text)
        self.assertEqual(4 - 1, len(found))

    def test_windows_line_ends(self) -> None:
        """CR before LF is no part of a word."""
        self.assertIn(("a.x.", Type.A), self.read("a A 192.0.2.1\r\n"))

    def test_progress(self) -> None:
        """Progress is told in characters of how many."""
        seen: list[tuple[int, int]] = []
        body = "".join(f"h{i} A 192.0.2.1\n" for i in range(6000))
        self.read(body, progress=lambda done, total: seen.append((done, total)))
        self.assertGreaterEqual(len(seen), 2)
        self.assertTrue(all(done <= total for done, total in seen))

    @given(st.text(max_size=80))
    def test_random_text(self, text: str) -> None:
        """Any text is read or is an error with a line number."""
        try:
            read_zone(HEAD + text, "x.", file="f")
        except ZoneFileError as error:
            self.assertRegex(str(error), r"^f:\d+: ")

    @given(
        st.sampled_from(sorted(dns.rdatatype.RdataType)),
        st.text('1aA.\\"#-: ()', max_size=30),
    )
    def test_random_rdata(self, type_: int, text: str) -> None:
        """Any words after any type are RDATA or a ValueError."""
        if type_ in (0, 41) or 128 <= type_ <= 255:
            return
        try:
            parse_rdata(type_, text.split(), parse_name("x."))
        except ValueError:
            return


class IncludeTests(SynchronousTestCase):
    """$INCLUDE; RFC 1035 5.1."""

    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        (self.directory / "parts").mkdir(parents=True)

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        return path

    def test_beside_the_file(self) -> None:
        """An included file is looked for beside the one that names it; origin and owner
        come back after it."""
        self.write("parts/b.zone", "h A 192.0.2.2\n$ORIGIN q.x.\n$INCLUDE c.zone\n")
        self.write("parts/c.zone", "h A 192.0.2.3\n")
        main = self.write(
            "main.zone",
            HEAD
            + "a A 192.0.2.1\n$INCLUDE parts/b.zone sub\n"
            + "  TXT still-a\nz A 192.0.2.4\n",
        )
        owners = {rrset.owner for rrset in read_zone(main, "x.")}
        for name in ("a.x.", "h.sub.x.", "h.q.x.", "z.x."):
            self.assertIn(parse_name(name), owners)
        kinds = {r.type for r in read_zone(main, "x.") if r.owner == parse_name("a.x.")}
        self.assertEqual({Type.A, Type.TXT}, kinds)

    def test_error_inside(self) -> None:
        """An error in an included file names that file."""
        self.write("parts/b.zone", "ok A 192.0.2.2\nbad A x\n")
        main = self.write("main.zone", HEAD + "$INCLUDE parts/b.zone\n")
        with self.assertRaisesRegex(ZoneFileError, r"parts/b\.zone:2: 'x' is no IPv4"):
            read_zone(main, "x.")

    def test_loops_and_absence(self) -> None:
        """A file that includes itself, or one that is not there, is an error."""
        main = self.write("main.zone", HEAD + "$INCLUDE main.zone\n")
        with self.assertRaisesRegex(ZoneFileError, "include itself"):
            read_zone(main, "x.")
        main = self.write("main.zone", HEAD + "$INCLUDE missing.zone\n")
        with self.assertRaisesRegex(ZoneFileError, r"main\.zone:4: .*No such file"):
            read_zone(main, "x.")
        with self.assertRaisesRegex(ZoneFileError, "No such file"):
            read_zone(self.directory / "none.zone", "x.")

    def test_outside(self) -> None:
        """What is not below the directory of the first file is not included, by
        whatever way it is named; nothing of it is shown."""
        secret = self.directory / "secret"
        secret.write_text("a password\n")
        (self.directory / "parts" / "link").symlink_to("../secret")
        for word in ("../secret", str(secret.absolute()), "link", "x/../../secret"):
            main = self.write("parts/main.zone", HEAD + f"$INCLUDE {word}\n")
            with self.assertRaisesRegex(ZoneFileError, "is not below") as caught:
                read_zone(main, "x.")
            self.assertNotIn("password", str(caught.exception))
        self.write("shared", "h A 192.0.2.2\n")
        main = self.write("parts/main.zone", HEAD + "$INCLUDE ../shared\n")
        read_zone(main, "x.", include_below=str(self.directory))

    def test_working_directory(self) -> None:
        """A file that is not beside the one that names it is looked for where files may
        lie, as BIND does in its working directory."""
        self.write("parts/b.zone", "h A 192.0.2.2\n")
        main = self.write("parts/main.zone", HEAD + "$INCLUDE parts/b.zone\n")
        with self.assertRaisesRegex(ZoneFileError, "No such file"):
            read_zone(main, "x.")
        rrsets = read_zone(main, "x.", include_below=str(self.directory))
        self.assertIn(parse_name("h.x."), {rrset.owner for rrset in rrsets})

    def test_devices(self) -> None:
        """What is no regular file is not included: a pipe would never end."""
        os.mkfifo(self.directory / "pipe")
        for word in ("pipe", "parts"):
            main = self.write("main.zone", HEAD + f"$INCLUDE {word}\n")
            with self.assertRaisesRegex(ZoneFileError, "no regular file"):
                read_zone(main, "x.")

    def test_line_without_end(self) -> None:
        """A file without any end of line is not read as one line."""
        main = self.write("main.zone", HEAD + "a TXT " + "x" * 3_000_000)
        with self.assertRaisesRegex(ZoneFileError, "zone:4: an entry without end"):
            read_zone(main, "x.")

    def test_generate_without_end(self) -> None:
        """Many $GENERATE lines make no more than a limit together."""
        line = "$GENERATE 0-65535 h$ A 192.0.2.1\n"
        main = self.write("main.zone", HEAD + "$INCLUDE more.zone\n" * 40)
        self.write("more.zone", line)
        self.patch(read, "MAX_GENERATED_IN_ALL", 100_000)
        with self.assertRaisesRegex(ZoneFileError, "more than 100000 records in all"):
            read_zone(main, "x.")

    def test_forbidden(self) -> None:
        """A text may not include files, nor a file that was told not to."""
        with self.assertRaisesRegex(ZoneFileError, "not allowed"):
            read_zone(HEAD + "$INCLUDE /etc/passwd\n", "x.")
        main = self.write("main.zone", HEAD + "$INCLUDE main.zone\n")
        with self.assertRaisesRegex(ZoneFileError, "not allowed"):
            read_zone(main, "x.", may_include=False)


class WriteTests(SynchronousTestCase):
    """RRsets to lines."""

    def zone(self, text: str, origin: str = "example.com.") -> Zone:
        rrsets = read_zone(text, origin)
        serial = serial_of(rrsets)
        assert serial is not None
        return Zone(ZoneInfo(parse_name(origin), serial, 1), rrsets)

    def test_round_trip(self) -> None:
        """What is written reads back the same, and is written the same again."""
        for text in (EXAMPLE, HEAD + MANY_TYPES):
            zone = self.zone(text)
            written = write_zone(zone)
            again = self.zone(written)
            self.assertEqual(content(zone.rrsets), content(again.rrsets))
            self.assertEqual(written, write_zone(again))

    def test_order(self) -> None:
        """The SOA comes first, names in canonical order."""
        owners = [
            line.split()[0] for line in write_zone(self.zone(EXAMPLE)).split("\n")[1:-1]
        ]
        self.assertEqual("example.com.", owners[0])
        self.assertLess(
            owners.index("alias.example.com."), owners.index("www.example.com.")
        )

    def test_named_checkzone(self) -> None:
        """BIND accepts what we write."""
        program = located("named-checkzone")
        path = Path(self.mktemp())
        for text in (EXAMPLE, HEAD + MANY_TYPES):
            path.write_text(write_zone(self.zone(text)))
            done = subprocess.run(
                [program, "-i", "none", "example.com", str(path)],
                capture_output=True,
                text=True,
                check=False,
            )
            self.assertEqual(0, done.returncode, done.stdout + done.stderr)

    @given(
        st.sampled_from(
            (1, 2, 5, 6, 15, 16, 28, 33, 35, 39, 43, 52, 64, 99, 257, 65280)
        ),
        st.binary(max_size=60),
    )
    def test_any_rdata(self, type_: int, rdata: bytes) -> None:
        """RDATA that a zone may hold can be written and read back, octet by octet."""
        from netservices.core.errors import SyntaxProblem
        from netservices.dns.wire.rdata import check_rdata
        from netservices.dns.zonefile.lines import split_entries

        try:
            check_rdata(type_, rdata)
        except SyntaxProblem:
            return
        if type_ in (43, 52, 64, 257) and not rdata:
            return
        line = record_text(RRset(b"\1x\0", type_, 60, (rdata,)), rdata)
        (entry,) = split_entries([line], "f")
        try:
            found = parse_rdata(type_, entry.words[4:], b"\0")
        except ValueError:
            # Octets that dnspython does not take for that type, in any form.
            self.assertIn("\\#", rdata_text(type_, rdata))
            return
        self.assertEqual(rdata, found)


class RecordTests(SynchronousTestCase):
    """Single records, as people type them."""

    def test_good(self) -> None:
        """A line is a record; the TTL may be left out."""
        expected = RRset(parse_name("www.x."), 1, 300, (b"\xc0\0\2\1",))
        self.assertEqual(expected, parse_record("x.", "www 300 A 192.0.2.1"))
        self.assertEqual(3600, parse_record("x.", "www A 192.0.2.1").ttl)
        self.assertEqual(parse_name("x."), parse_record("x.", "@ MX 1 a").owner)

    def test_bad(self) -> None:
        """Everything else is a ValueError that says why."""
        for text, reason in (
            ("www A 1.2.3", "no IPv4"),
            ("www.y. A 192.0.2.1", "not in the zone"),
            ("$TTL 5", "no directive"),
            ("$INCLUDE /etc/passwd", "no directive"),
            ("", "one record"),
            ("a A 192.0.2.1\nb A 192.0.2.2", "one record"),
            ("www", "without a type"),
        ):
            with self.assertRaisesRegex(ValueError, reason):
                parse_record("x.", text)


class SerialTests(SynchronousTestCase):
    """RFC 1982."""

    def test_circle(self) -> None:
        """Serials go round: half of them are newer."""
        self.assertTrue(is_newer_serial(1, 0))
        self.assertTrue(is_newer_serial(0, 0xFFFFFFFF))
        self.assertTrue(is_newer_serial(0x7FFFFFFF, 0))
        self.assertFalse(is_newer_serial(0x80000000, 0))
        self.assertFalse(is_newer_serial(0, 0x80000000))
        self.assertFalse(is_newer_serial(5, 5))

    def test_next(self) -> None:
        """The next serial is newer, dated if the old one is, and never 0."""
        self.assertEqual(8, next_serial(7))
        self.assertEqual(1, next_serial(0xFFFFFFFF))
        self.assertEqual(2026112100, next_serial(2026112003, 20261121))
        self.assertEqual(2026112104, next_serial(2026112103, 20261121))
        self.assertEqual(8, next_serial(7, 20261121))

    @given(st.integers(0, 0xFFFFFFFF), st.sampled_from((None, 20261121)))
    def test_always_newer(self, serial: int, today: int | None) -> None:
        """Whatever it was."""
        self.assertTrue(is_newer_serial(next_serial(serial, today), serial))

    def test_with_serial(self) -> None:
        """The SOA alone changes."""
        rrsets = read_zone(HEAD, "x.")
        changed = with_serial(rrsets, 99)
        self.assertEqual(99, serial_of(changed))
        self.assertEqual(rrsets[1:], changed[1:])


class DefaultZoneTests(SynchronousTestCase):
    """What a new domain starts with."""

    def test_sound(self) -> None:
        """A new zone has nothing to complain of, and BIND accepts it."""
        rrsets = default_zone(
            "example.org", "host.example.org", ["192.0.2.1", "2001:db8::1"]
        )
        self.assertEqual([], check_zone("example.org.", rrsets))
        kinds = [(r.owner, r.type) for r in rrsets]
        self.assertIn((parse_name("host.example.org."), Type.AAAA), kinds)
        self.assertIn((parse_name("example.org."), Type.A), kinds)
        text = write_zone(Zone(ZoneInfo(parse_name("example.org."), 1, 1), rrsets))
        self.assertEqual(content(rrsets), content(read_zone(text, "example.org.")))

    def test_host_elsewhere(self) -> None:
        """A host of another domain gets no address here."""
        rrsets = default_zone("example.org", "host.example.net", ["192.0.2.1"])
        self.assertEqual({parse_name("example.org.")}, {r.owner for r in rrsets})
        self.assertEqual([], check_zone("example.org.", rrsets))

    def test_localhost(self) -> None:
        """Domain and host may be the same."""
        rrsets = default_zone("localhost", "localhost", ["127.0.0.1"])
        self.assertEqual([], check_zone("localhost.", rrsets))


class CheckTests(SynchronousTestCase):
    """Mistakes that only the whole zone shows."""

    def codes(self, body: str) -> set[str]:
        return {
            finding.code for finding in check_zone("x.", read_zone(HEAD + body, "x."))
        }

    def test_sound(self) -> None:
        """A good zone has none."""
        self.assertEqual(set(), self.codes("ns A 192.0.2.1\n"))

    def test_mistakes(self) -> None:
        """One mistake, one code."""
        for body, code in (
            ("a CNAME b\n", "dangling"),
            ("a MX 1 b\n", "dangling"),
            ("a MX 1 b\nb TXT t\n", "no-address"),
            ("a MX 1 b\nb CNAME ns\n", "alias"),
            ("d NS n.d\n", "no-glue"),
            ("d NS y.\nh.d TXT t\n", "occluded"),
            ("d DNAME y.\nh.d A 192.0.2.2\n", "occluded"),
        ):
            self.assertEqual({code}, self.codes("ns A 192.0.2.1\n" + body), body)

    def test_fine(self) -> None:
        """What looks odd and is right."""
        for body in (
            "a MX 0 .\n",
            "d NS n.d\nn.d A 192.0.2.2\nd DS 1 8 1 " + "00" * 20 + "\n",
            "*.w A 192.0.2.2\na MX 1 q.w\n",
            "d NS y.\na CNAME h.d\n",
        ):
            self.assertEqual(set(), self.codes("ns A 192.0.2.1\n" + body), body)

    def test_without_soa(self) -> None:
        """Neither SOA nor NS; records of another zone; broken RDATA."""
        rrsets = (
            RRset(parse_name("a.y."), 1, 60, (bytes(4),)),
            RRset(parse_name("a.x."), 1, 60, (bytes(3),)),
        )
        codes = {finding.code for finding in check_zone("x.", rrsets)}
        self.assertEqual({"no-soa", "no-ns", "out-of-zone", "bad-rdata"}, codes)
