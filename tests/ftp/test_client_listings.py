"""Listings of all kinds of servers, read by the client."""

from __future__ import annotations

import contextlib
from calendar import timegm

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.errors import SyntaxProblem
from netservices.ftp.client import Listing, TooMuch, Unexpected
from netservices.ftp.wire import list_line
from netservices.ftp.wire.listed import (
    Entry,
    check_name,
    parse_list_line,
    parse_mlsd_line,
)
from netservices.values import Node, NodeKind
from tests.ftp.client_kit import ClientCase

NOW = timegm((2026, 11, 21, 13, 0, 0))
FILE, DIRECTORY = NodeKind.FILE, NodeKind.DIRECTORY
SYMLINK, OTHER = NodeKind.SYMLINK, NodeKind.OTHER


def nanoseconds(*parts: int) -> int:
    """A time in UTC."""
    return timegm((*parts, 0, 0, 0, 0)[:6]) * 10**9


LINES = (
    # vsftpd
    (
        "-rw-r--r--    1 104      109             5 Nov 20 13:14 a b",
        Entry("a b", FILE, 5, nanoseconds(2026, 11, 20, 13, 14), 60, 0o644),
    ),
    (
        "drwxr-xr-x    2 0        0            4096 Jan 02  2020  lead",
        Entry(" lead", DIRECTORY, None, nanoseconds(2020, 1, 2), 86400, 0o755),
    ),
    # ProFTPD
    (
        "lrwxrwxrwx   1 bench    nogroup         4 Dec 31 23:59 x -> /etc",
        Entry("x", SYMLINK, None, nanoseconds(2025, 12, 31, 23, 59), 60, 0o777, "/etc"),
    ),
    # Pure-FTPd
    (
        "-rwsr-xr-t    1 65534      nogroup      5000000000 Feb 29 10:00 f",
        Entry("f", FILE, 5 * 10**9, nanoseconds(2024, 2, 29, 10, 0), 60, 0o5755),
    ),
    # without a group, with an access list, devices
    (
        "-rw-r--r--+ 1 alice 12 Nov  1 10:00 f",
        Entry("f", FILE, 12, nanoseconds(2026, 11, 1, 10, 0), 60, 0o644),
    ),
    (
        "crw-rw-rw- 1 root root 1, 3 Nov 21 12:14 null",
        Entry("null", OTHER, None, nanoseconds(2026, 11, 21, 12, 14), 60, 0o666),
    ),
    # a name that looks like the columns before it
    (
        "-rw------- 1 a b 99 Nov 21 12:14 1 Jan 01 2020 x",
        Entry(
            "1 Jan 01 2020 x", FILE, 99, nanoseconds(2026, 11, 21, 12, 14), 60, 0o600
        ),
    ),
    # DOS
    (
        "11-21-26  01:14PM       <DIR>          na me",
        Entry("na me", DIRECTORY, None, nanoseconds(2026, 11, 21, 13, 14), 60),
    ),
    (
        "11-21-1999  12:14AM               123 x",
        Entry("x", FILE, 123, nanoseconds(1999, 11, 21, 0, 14), 60),
    ),
    (
        "2026-11-21  00:14               123 x",
        Entry("x", FILE, 123, nanoseconds(2026, 11, 21, 0, 14), 60),
    ),
    (
        "11-21-26  01:14PM       <JUNCTION>     away [C:\\\\]",
        Entry("away [C:\\\\]", SYMLINK, None, nanoseconds(2026, 11, 21, 13, 14), 60),
    ),
)
BAD_NAMES = ("", ".", "..", "a/b", "/etc/passwd", "../x", "a\0b", "a\rb", "a\nb")


class ListTests(SynchronousTestCase):
    """Lines of LIST."""

    def test_lines(self) -> None:
        """Unix and DOS, as servers write them."""
        for line, entry in LINES:
            self.assertEqual(entry, parse_list_line(line, NOW), line)

    def test_no_entries(self) -> None:
        """Totals, empty lines, and the directory itself are no entries."""
        for line in (
            "total 12",
            "",
            "drwxr-xr-x 2 a b 4096 Nov 21 12:14 .",
            "drwxr-xr-x 2 a b 4096 Nov 21 12:14 ..",
            "11-21-26  01:14PM       <DIR>          ..",
        ):
            self.assertIsNone(parse_list_line(line, NOW), line)

    def test_not_understood(self) -> None:
        """Nonsense, and names that lead elsewhere, are told apart from entries."""
        for line in (
            "hello",
            "-rw-r--r-- 1 a b x Nov 21 12:14 f",
            *(f"-rw-r--r-- 1 a b 1 Nov 21 12:14 {name}" for name in BAD_NAMES[3:]),
            *(f"11-21-26  01:14PM  1 {name}" for name in BAD_NAMES[3:]),
        ):
            with self.assertRaises(SyntaxProblem, msg=line):
                parse_list_line(line, NOW)

    def test_impossible_times(self) -> None:
        """An entry with a time that there is not has none."""
        for when in ("Foo 21 12:14", "Nov 31 12:14", "Nov 21 25:14", "Nov 00 2020"):
            entry = parse_list_line(f"-rw-r--r-- 1 a b 1 {when} f", NOW)
            assert entry is not None
            self.assertIsNone(entry.mtime_ns)

    def test_long_lines_are_quick(self) -> None:
        """No line makes the patterns try again and again: 16 KB need linear time."""
        for line in (
            "-rw-r--r-- " + "1 " * 8000,
            "-rw-r--r--" + " " * 16000,
            "-rw-r--r-- 1 a b " + "9" * 16000 + " Nov 21 12:14",
            "11-21-26  01:14PM" + " " * 16000,
        ):
            with contextlib.suppress(SyntaxProblem):
                parse_list_line(line, NOW)

    @given(
        st.text(min_size=1, max_size=50),
        st.integers(0, 10**18 - 1),
        st.integers(0, NOW * 10**9),
        st.sampled_from([FILE, DIRECTORY]),
    )
    def test_own_lines(
        self, name: str, size: int, mtime_ns: int, kind: NodeKind
    ) -> None:
        """What our server writes, the client reads, for every name that can be one."""
        node = Node(name, kind, size, mtime_ns, 0o644, "alice@example.org", "1")
        line = list_line(node, NOW)
        shown = "".join("?" if ord(c) < 32 or ord(c) == 127 else c for c in name)
        try:
            check_name(shown)
        except SyntaxProblem:
            return
        entry = parse_list_line(line, NOW)
        assert entry is not None
        self.assertEqual((shown, kind), (entry.name, entry.kind))
        assert entry.mtime_ns is not None
        # Half a year ago the time of day gives way to the year.
        self.assertLess(abs(entry.mtime_ns - mtime_ns), 86400 * 10**9)
        if kind is FILE:
            self.assertEqual(size, entry.size)

    @given(st.text())
    def test_anything(self, line: str) -> None:
        """Whatever a server sends is an entry with a name, none, or not understood."""
        for parse in (lambda text: parse_list_line(text, NOW), parse_mlsd_line):
            with contextlib.suppress(SyntaxProblem):
                entry = parse(line)
                if entry is not None:
                    check_name(entry.name)


class MLSDTests(SynchronousTestCase):
    """Lines of MLSD."""

    def test_lines(self) -> None:
        """Facts in any letter case; what is not understood counts as not given."""
        for line, entry in (
            (
                "type=file;Size=5;MODIFY=20200102000000.123;unix.mode=0100644; a;b",
                Entry(
                    "a;b",
                    FILE,
                    5,
                    nanoseconds(2020, 1, 2) + 123_000_000,
                    1,
                    0o644,
                ),
            ),
            ("type=DIR;sizd=4096;modify=x; d", Entry("d", DIRECTORY)),
            ("type=OS.unix=slink:/etc;size=1; l", Entry("l", SYMLINK)),
            ("type=OS.unix=symlink; l", Entry("l", SYMLINK)),
            ("type=file;size=-5;UNIX.mode=9; f", Entry("f", FILE)),
            (" nothing", Entry("nothing", OTHER)),
        ):
            self.assertEqual(entry, parse_mlsd_line(line), line)

    def test_no_entries(self) -> None:
        """The directory and its parent are left out, under any name."""
        for line in ("type=cdir; /x", "type=pdir; ..", "type=dir; .", "type=dir; .."):
            self.assertIsNone(parse_mlsd_line(line), line)

    def test_bad_names(self) -> None:
        """Names that lead elsewhere are no names."""
        for name in BAD_NAMES:
            if name not in (".", ".."):
                with self.assertRaises(SyntaxProblem, msg=name):
                    parse_mlsd_line(f"type=file;size=1; {name}")


class SessionTests(ClientCase):
    """How the client asks."""

    def listed(self, command: str, *pieces: bytes, path: str = "") -> Listing:
        """What the client makes of a listing."""
        done = self.start(self.client.list(path))
        data = self.data()
        self.exchange((command, "150 x"))
        for piece in pieces:
            data.send(piece)
        data.end()
        self.answer("226 x")
        return self.successResultOf(done)

    def test_mlsd(self) -> None:
        """By MLSD where FEAT has MLST; lines may come in pieces."""
        self.log_in("MLST type*;size*;modify*;UNIX.mode*;")
        listing = self.listed(
            "MLSD /d", b"type=file;size=1; a\r\ntype=di", b"r; b\r\n", path="/d"
        )
        self.assertEqual(["a", "b"], [entry.name for entry in listing.entries])

    def test_list(self) -> None:
        """By LIST from inside the directory otherwise."""
        self.log_in()
        done = self.start(self.client.list("/d e"))
        self.exchange(("PWD", '257 "/"'), ("CWD /d e", "250 x"))
        data = self.data()
        self.exchange(("LIST -a", "150 x"))
        data.send(b"total 1\r\n-rw-r--r-- 1 a b 5 Nov 21 12:14 f\n")
        data.end()
        self.answer("226 x")
        self.exchange(("CWD /", "250 x"))
        self.assertEqual("f", self.successResultOf(done).entries[0].name)

    def test_list_without_options(self) -> None:
        """A server that has no options gets none."""
        self.log_in()
        done = self.start(self.client.list())
        self.data()
        self.exchange(("LIST -a", "501 x"))
        data = self.data(5001)
        self.exchange(("LIST", "150 x"))
        data.end()
        self.answer("226 x")
        self.assertEqual((), self.successResultOf(done).entries)

    def test_refused(self) -> None:
        """A directory that is not there is a refusal."""
        self.log_in()
        done = self.start(self.client.list("/d"))
        self.exchange(("PWD", '257 "/"'), ("CWD /d", "550 x"))
        self.failureResultOf(done, Unexpected)

    def test_not_understood(self) -> None:
        """Lines that are no entries are handed over as such, and names that come twice
        count once."""
        self.log_in("MLST type*;size*;modify*;UNIX.mode*;")
        listing = self.listed(
            "MLSD",
            b"nonsense\r\ntype=file; ../x\r\ntype=file; a\r\ntype=dir; a\r\n",
        )
        self.assertEqual(["a"], [entry.name for entry in listing.entries])
        self.assertEqual(3, len(listing.not_understood))

    def test_octets(self) -> None:
        """A name that is not UTF-8 keeps its octets."""
        self.log_in("MLST type*;size*;modify*;UNIX.mode*;")
        listing = self.listed("MLSD", b"type=file; caf\xe9\r\n")
        self.assertEqual("caf\udce9", listing.entries[0].name)

    def assert_too_much(self, data: bytes, **limits: int) -> None:
        """Such a listing is given up."""
        self.connect(**limits)
        self.log_in("MLST type*;size*;modify*;UNIX.mode*;")
        done = self.start(self.client.list())
        end = self.data()
        self.exchange(("MLSD", "150 x"))
        end.send(data)
        self.answer("426 x")
        self.failureResultOf(done, TooMuch)
        self.assertTrue(end.transport.disconnecting)

    def test_limits(self) -> None:
        """Lines, octets and entries of a listing are bounded."""
        self.assert_too_much(b"x" * 2000, line_octets=1000)
        self.assert_too_much(b"type=file; a\r\n" * 100, listing_octets=1000)
        lines = b"".join(b"type=file; %d\r\n" % number for number in range(11))
        self.assert_too_much(lines, listing_entries=10)
        self.assert_too_much(b"x\r\n" * 11, listing_entries=10)
