"""Restart markers, REST and RANG: where transfers begin, go on and end."""

from __future__ import annotations

from itertools import product

import attrs

from netservices.core.deferreds import value_of
from netservices.core.settings import with_values
from netservices.files.service import Files
from netservices.ftp.settings import FTPSettings
from netservices.ftp.wire import (
    Marker,
    Mode,
    Part,
    Representation,
    Structure,
    Type,
)
from netservices.interfaces import NotFound
from netservices.testing import Peer
from tests.ftp.memory import LOGIN
from tests.ftp.test_representation import RepresentationCase, parts_of, say

BLOCK = Representation(Type.IMAGE, "N", Structure.FILE, Mode.BLOCK)
TEXT = b"one\n\n   two \r\n\xff\xff\nlast line without an end"
MARKED = [
    Representation(t, "N", s, m)
    for t, s, m in product(Type, Structure, (Mode.BLOCK, Mode.COMPRESSED))
]


def joined(parts: list[Part]) -> list[Part]:
    """Parts with neighbouring data put together."""
    found: list[Part] = []
    for part in parts:
        if isinstance(part, bytes) and found and isinstance(found[-1], bytes):
            found[-1] += part
        elif part != b"":
            found.append(part)
    return found


class DownloadTests(RepresentationCase):
    """Markers that we send."""

    settings = with_values(FTPSettings, restart_markers=4)
    content = {"text": TEXT}

    def test_going_on(self) -> None:
        """From each marker on, a transfer sends what the whole one had after it, in
        every type and structure.  RFC 959 3.5"""
        for chosen in MARKED:
            with self.subTest(chosen=str(chosen)):
                peer = self.logged_in()
                self.codes(peer, *say(chosen), "PASV", "RETR text")
                whole = parts_of(chosen, self.sent())
                marks = [part for part in whole if isinstance(part, Marker)]
                self.assertEqual((len(TEXT) - 1) // 4, len(marks))
                for mark in marks:
                    said = self.codes(peer, f"REST {mark.text.decode()}", "RETR text")
                    self.assertEqual(["350", "125", "250"], said)
                    rest = parts_of(chosen, self.sent())
                    self.assertEqual(
                        joined(_unmarked(whole[whole.index(mark) :])),
                        joined(_unmarked(rest)),
                    )

    def test_period(self) -> None:
        """A marker every so many octets of the file, none at its end; 0 for none."""
        for period in (4, 18, len(TEXT), 0):
            with self.subTest(period=period):
                self.settings = with_values(FTPSettings, restart_markers=period)
                peer = self.logged_in()
                self.codes(peer, *say(BLOCK), "PASV", "RETR text")
                parts = parts_of(BLOCK, self.sent())
                marks = [part for part in parts if isinstance(part, Marker)]
                self.assertEqual((len(TEXT) - 1) // period if period else 0, len(marks))
                self.assertEqual(TEXT, b"".join(_data(parts)))

    def test_beyond_the_end(self) -> None:
        """554 for a marker that cannot be one of that file.  RFC 1123 4.1.3.4"""
        peer = self.logged_in()
        said = self.codes(peer, "MODE B", "PASV", "REST 999", "RETR text", "RETR text")
        self.assertEqual(["200", "227", "350", "554", "125", "250"], said)

    def test_markers_of_others(self) -> None:
        """Markers that are not ours: 501 where they look it, 554 where they are of
        uploads, 555 where type or structure are others.  RFC 1123 4.1.3.4"""
        peer = self.logged_in()
        for line, code in (
            ("MODE B", "200"), ("REST six", "501"), ("REST 5x", "501"),
            ("REST -1", "501"), ("REST 99999999999999999999", "501"),
            ("PASV", "227"), ("REST 4c", "350"), ("RETR text", "554"),
            ("REST 4c", "350"), ("TYPE I", "200"), ("RETR text", "555"),
            ("REST 4c", "350"), ("TYPE A", "200"), ("STRU R", "200"),
            ("STOR text", "555"), ("RETR text", "125"),
        ):  # fmt: skip
            with self.subTest(line=line):
                self.assertEqual(code, self.codes(peer, line)[0])


def _unmarked(parts: list[Part]) -> list[Part]:
    return [part for part in parts if not isinstance(part, Marker)]


def _data(parts: list[Part]) -> list[bytes]:
    return [part for part in parts if isinstance(part, bytes)]


class UploadTests(RepresentationCase):
    """Markers that we receive, and answer."""

    content = {"old": b"old content"}

    def begin(self, chosen: Representation, *parts: Part) -> tuple[Peer, list[str]]:
        """A session, and what was said to an upload that breaks off behind the
        parts."""
        peer = self.logged_in()
        writer = chosen.writer()
        pieces = [writer.feed([part]) for part in parts]
        self.upload(*filter(None, pieces))
        said = self.say(peer, *say(chosen), "PASV", "STOR old")
        return peer, said

    def test_answered(self) -> None:
        """110 with the marker and our position; the file is as it was.  RFC 1123
        4.1.3.4"""
        _, said = self.begin(BLOCK, b"abc", Marker(b"m1"), b"def", Marker(b"m2"), b"gh")
        self.assertEqual("110 MARK m1 = 3", said[-3])
        self.assertEqual("110 MARK m2 = 6", said[-2])
        self.assertEqual("426", said[-1][:3])
        self.assertEqual(b"old content", self.content_of("old"))

    def test_going_on(self) -> None:
        """REST with our position, and the upload goes on from there."""
        peer, _ = self.begin(BLOCK, b"abc", Marker(b"m1"), b"XXX", Marker(b"m2"), b"X")
        self.upload(BLOCK.writer().feed([b"DEF", *BLOCK.sender().finish()]))
        said = self.codes(peer, "REST 3", "PASV", "STOR old")
        self.assertEqual(["350", "227", "125", "250"], said)
        self.assertEqual(b"abcDEF", self.content_of("old"))

    def test_held_cr(self) -> None:
        """A marker between CR and LF: our position says so.  RFC 1123 4.1.3.4"""
        chosen = attrs.evolve(BLOCK, type=Type.ASCII)
        for rest, content in ((b"\nb", b"a\nb"), (b"b", b"a\rb")):
            with self.subTest(rest=rest):
                peer, said = self.begin(chosen, b"a\r", Marker(b"m"), b"X")
                self.assertEqual("110 MARK m = 1c", said[-2])
                self.upload(chosen.writer().feed([rest, *chosen.sender().finish()]))
                self.codes(peer, "REST 1c", "PASV", "STOR old")
                self.assertEqual(content, self.content_of("old"))

    def test_records(self) -> None:
        """Positions in records are positions in the file with its lines."""
        chosen = Representation(Type.ASCII, "N", Structure.RECORD, Mode.COMPRESSED)
        sender = chosen.sender()
        parts = [*sender.feed(b"one\ntwo\n"), Marker(b"m"), b"X"]
        peer, said = self.begin(chosen, *parts)
        self.assertEqual("110 MARK m = 8", said[-2])
        sender = chosen.sender()
        self.upload(chosen.writer().feed([*sender.feed(b"3\n"), *sender.finish()]))
        self.codes(peer, "REST 8", "PASV", "STOR old")
        self.assertEqual(b"one\ntwo\n3\n", self.content_of("old"))

    def test_together(self) -> None:
        """Of markers that arrive together the last one is answered."""
        peer = self.logged_in()
        parts: list[Part] = [b"ab", Marker(b"1"), b"cd", Marker(b"2"), b"e"]
        self.upload(BLOCK.writer().feed([*parts, *BLOCK.sender().finish()]))
        said = self.say(peer, *say(BLOCK), "PASV", "STOR new")
        self.assertEqual("110 MARK 2 = 4", said[-2])
        self.assertEqual("250", said[-1][:3])
        self.assertEqual(b"abcde", self.content_of("new"))
        self.assertIsNone(value_of(self.tree.partial_octets(("new",))))

    def test_promise(self) -> None:
        """What a 110 has promised is kept also where nonsense follows it."""
        peer = self.logged_in()
        marked = BLOCK.writer().feed([b"abc", Marker(b"m")])
        self.upload(marked, b"\0\0\x01X\x03nonsense")
        said = self.say(peer, *say(BLOCK), "PASV", "STOR old")
        self.assertEqual("110 MARK m = 3", said[-2])
        self.assertEqual("426", said[-1][:3])
        self.upload(BLOCK.writer().feed([b"def", *BLOCK.sender().finish()]))
        said = self.codes(peer, "PASV", "REST 3", "STOR old")
        self.assertEqual(["227", "350", "125", "250"], said)
        self.assertEqual(b"abcdef", self.content_of("old"))

    def test_deaf_client(self) -> None:
        """A client that does not read replies gets none to its markers."""
        peer = self.logged_in()
        self.port.hears = False
        self.upload(BLOCK.writer().feed([b"ab", Marker(b"1"), b"c"]))
        said = self.codes(peer, *say(BLOCK), "PASV", "STOR new")
        self.assertEqual(["200"] * 3 + ["227", "125", "426"], said)

    def test_crash(self) -> None:
        """What a 110 has promised is there after a crash of the server."""
        peer = self.logged_in()
        self.upload(BLOCK.writer().feed([b"abc", Marker(b"m"), b"def", Marker(b"n")]))
        self.port.is_stuck = True
        said = self.say(peer, *say(BLOCK), "PASV", "STOR new")
        self.assertEqual("110 MARK n = 6", said[-1])
        # Another process finds the state as it is now.
        again = Files(self.state, self.store, self.files_settings, None)
        value_of(again.start())
        account = value_of(self.policy.accounts.find("alice"))
        assert account is not None
        octets = value_of(again.home(account).partial_octets(("new",)))
        self.assertEqual(6, octets)
        self.failureResultOf(again.home(account).stat(("new",)), NotFound)

    def test_beyond_the_end(self) -> None:
        """554 where neither a file nor a broken upload reaches the position."""
        peer, _ = self.begin(BLOCK, b"abc", Marker(b"m"))
        said = self.codes(peer, "PASV", "REST 99", "STOR old", "REST 9", "STOR none")
        self.assertEqual(["227", "350", "554", "350", "554"], said)
        said = self.codes(peer, "MODE S", "REST 99", "STOR old")
        self.assertEqual(["200", "350", "554"], said)

    def test_append_and_unique(self) -> None:
        """REST and RANG are not for APPE and STOU, whatever TYPE is."""
        peer = self.logged_in()
        said = self.codes(
            peer, "TYPE I", "REST 3", "TYPE A", "APPE old", "APPE old", "TYPE I",
            "RANG 1 2", "MODE B", "STOU",
        )  # fmt: skip
        self.assertEqual("200 350 200 450 425 200 350 200 450", " ".join(said))
        said = self.codes(
            peer, "MODE C", "PASV", "REST 3", "APPE old", "REST 3", "STOU"
        )
        self.assertEqual(["200", "227", "350", "450", "350", "450"], said)


class QuotaTests(RepresentationCase):
    """An account that may hold 20 octets."""

    quota_octets = 20

    def test_promise(self) -> None:
        """What a 110 has promised is kept where the quota ends an upload (552), counts
        for it once, and can be gone on from."""
        peer = self.logged_in()
        marked = BLOCK.writer().feed([b"x" * 15, Marker(b"m")])
        self.upload(marked, BLOCK.writer().feed([b"x" * 15, *BLOCK.sender().finish()]))
        said = self.say(peer, *say(BLOCK), "PASV", "STOR new")
        self.assertEqual("110 MARK m = 15", said[-2])
        self.assertEqual("552", said[-1][:3])
        self.upload(BLOCK.writer().feed([b"y" * 5, *BLOCK.sender().finish()]))
        said = self.codes(peer, "PASV", "REST 15", "STOR new")
        self.assertEqual(["227", "350", "125", "250"], said)
        self.assertEqual(b"x" * 15 + b"y" * 5, self.content_of("new"))


class RangeTests(RepresentationCase):
    """RANG.  draft-bryan-ftp-range-08"""

    content = {"digits": b"0123456789"}

    def test_ranges(self) -> None:
        """Both ends belong to the range; what is beyond the file is empty."""
        peer = self.logged_in()
        self.codes(peer, "TYPE I")
        for first, last, content in (
            (0, 0, b"0"), (2, 5, b"2345"), (8, 99, b"89"), (10, 12, b""), (99, 99, b""),
        ):  # fmt: skip
            with self.subTest(first=first, last=last):
                said = self.codes(peer, f"RANG {first} {last}", "PASV", "RETR digits")
                self.assertEqual(["350", "227", "125", "226"], said)
                self.assertEqual(content, self.sent())

    def test_once(self) -> None:
        """A range is for the next transfer; RANG 1 0 and REST take it back, and RANG
        takes REST back."""
        peer = self.logged_in()
        self.codes(peer, "TYPE I")
        for lines, content in (
            (["RANG 1 2", "RANG 1 0"], b"0123456789"),
            (["RANG 1 2", "REST 0"], b"0123456789"),
            (["RANG 1 2", "REST 7"], b"789"),
            (["REST 7", "RANG 1 2"], b"12"),
            (["REST 7", "RANG 1 0"], b"0123456789"),
            (["RANG 1 2", "RANG 2 1"], b"0123456789"),
            (["RANG 1 2", "PASV", "NLST"], b"0123456789"),
            (["RANG 1 2", "PASV", "RETR digits"], b"0123456789"),
        ):
            with self.subTest(lines=lines):
                self.codes(peer, *lines, "PASV", "RETR digits")
                self.assertEqual(content, self.sent())

    def test_dialogue(self) -> None:
        """What is wrong with ranges, and FEAT."""
        self.assert_dialogue(
            LOGIN
            + """
            C: RANG 0 1
            S: 551 A range needs TYPE I, STRU F and MODE S
            C: RANG 1 0
            S: 350 The next transfer is of the whole file
            C: TYPE I
            S: 200 ...
            C: RANG 0 1
            S: 350 The next transfer is of the octets 0 to 1
            C: RANG 2 1
            S: 501 ...
            C: RANG 1
            S: 501 ...
            C: RANG 1 2 3
            S: 501 ...
            C: RANG -1 2
            S: 501 ...
            C: RANG 0 9999999999999999999
            S: 501 ...
            C: PASV
            S: 227 ...
            C: RANG 0 1
            S: 350 ...
            C: STOR digits
            S: 504 RANG is for downloads
            C: RANG 0 1
            S: 350 ...
            C: MODE B
            S: 200 ...
            C: RETR digits
            S: 551 A range needs TYPE I, STRU F and MODE S
            C: RANG 0 1
            S: 551 ...
            C: HELP RANG
            S: 214 RANG <first> <last> - octets of the file that RETR sends
            """
        )

    def test_restart_and_changes(self) -> None:
        """An offset counts octets of the file: 501 where others travel.  RFC 3659 5"""
        peer = self.logged_in()
        said = self.codes(
            peer, "PASV", "REST 3", "REST 0", "TYPE I", "REST 3", "TYPE E",
            "RETR digits", "TYPE I", "REST 3", "STRU R", "STOR digits", "REST 3",
            "STRU F", "REST 3c", "REST 3", "MODE B", "RETR digits",
        )  # fmt: skip
        self.assertEqual(
            "227 501 350 200 350 200 501 200 350 200 501 501 200 501 350 200 125 250",
            " ".join(said),
        )
