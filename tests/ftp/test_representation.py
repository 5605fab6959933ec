"""Transfers in every TYPE, STRU and MODE, both ways; and what is wrong with some."""

from __future__ import annotations

from itertools import product

import attrs
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.core.errors import SyntaxProblem
from netservices.ftp.wire import (
    Mark,
    Mode,
    Part,
    Representation,
    Structure,
    Type,
)
from netservices.interfaces import NotFound
from netservices.testing import Peer
from tests.ftp.memory import LOGIN, MemoryFTP

TEXT = b"one\n\n   two \r \n\xff\xff\xc3\xa9" + b"x" * 300 + b"\nlast\n"
ALL = [Representation(t, "N", s, m) for t, s, m in product(Type, Structure, Mode)]


def say(chosen: Representation) -> list[str]:
    """The commands that choose it."""
    return [
        f"TYPE {chosen.type.value}",
        f"STRU {chosen.structure.value}",
        f"MODE {chosen.mode.value}",
    ]


def encoded(chosen: Representation, content: bytes) -> bytes:
    """What a client sends."""
    sender, writer = chosen.sender(), chosen.writer()
    return writer.feed(sender.feed(content) + sender.finish())


def parts_of(chosen: Representation, sent: bytes) -> list[Part]:
    """What a client has received, up to the end of the file."""
    if chosen.is_stream:
        return [sent, Mark.EOF]
    reader = chosen.reader()
    parts: list[Part] = []
    while sent and not reader.is_done:
        parts += reader.feed(sent)
        sent = reader.rest
    assert reader.is_done and reader.rest == b"", sent
    return parts


def decoded(chosen: Representation, sent: bytes) -> bytes:
    """The file that a client has received."""
    receiver = chosen.receiver()
    return receiver.feed(parts_of(chosen, sent)) + receiver.finish()


class RepresentationCase(MemoryFTP, SynchronousTestCase):
    """A logged-in session."""

    def upload(self, *pieces: bytes) -> None:
        """What the client sends on its next data connection."""
        self.port.upload = list(pieces)


class EveryCombinationTests(RepresentationCase):
    """TYPE x STRU x MODE."""

    content = {"text": TEXT}

    def test_both_ways(self) -> None:
        """What is stored in a representation is retrieved in it.  RFC 959 3.1.2"""
        for chosen in ALL:
            with self.subTest(chosen=str(chosen)):
                peer = self.logged_in()
                done = "250" if chosen.keeps_connection else "226"
                self.upload(encoded(chosen, TEXT))
                said = self.codes(peer, *say(chosen), "PASV", "STOR new")
                self.assertEqual(["200"] * 3 + ["227", "125", done], said)
                self.assertEqual(TEXT, self.content_of("new"))
                said = self.codes(peer, "PASV", "RETR text")
                self.assertEqual(["227", "125", done], said)
                self.assertEqual(TEXT, decoded(chosen, self.sent()))
                outcomes = [
                    f["outcome"] for n, f in self.events.seen if n == "transfer"
                ]
                self.assertEqual(["complete"] * 2, outcomes)

    def test_every_cut(self) -> None:
        """An upload may come in pieces of any size."""
        content = b"a\n   \xff\r \nzzzzzz\n"
        peer = self.logged_in()
        for chosen in ALL:
            sent = encoded(chosen, content)
            for step in (1, 2, 3, 7):
                with self.subTest(chosen=str(chosen), step=step):
                    pieces = [sent[i : i + step] for i in range(0, len(sent), step)]
                    self.upload(*pieces)
                    self.codes(peer, *say(chosen), "PASV", "STOR new")
                    self.assertEqual(content, self.content_of("new"))

    def test_empty(self) -> None:
        """Files of no octets."""
        peer = self.logged_in()
        for chosen in ALL:
            with self.subTest(chosen=str(chosen)):
                self.upload(encoded(chosen, b""))
                self.codes(peer, *say(chosen), "PASV", "STOR new")
                self.assertEqual(b"", self.content_of("new"))
                self.codes(peer, "PASV", "RETR new")
                self.assertEqual(b"", decoded(chosen, self.sent()))

    def test_without_end(self) -> None:
        """Where the end of a file is marked, its absence is 426, and nothing is stored
        under the name; a stream without records has no such mark.  RFC 959 3.4"""
        peer = self.logged_in()
        for chosen in ALL:
            sent = encoded(chosen, TEXT)
            for cut in (0, 1, len(sent) // 2, len(sent) - 1):
                if chosen.is_stream:
                    continue
                with self.subTest(chosen=str(chosen), cut=cut):
                    self.upload(sent[:cut])
                    said = self.codes(peer, *say(chosen), "PASV", "STOR text2")
                    self.assertEqual("426", said[-1])
                    self.failureResultOf(self.tree.stat(("text2",)), NotFound)
                    self.upload(sent[:cut])
                    self.assertEqual("426", self.codes(peer, "PASV", "STOR text")[-1])
                    self.assertEqual(TEXT, self.content_of("text"))

    def test_listings(self) -> None:
        """Listings travel as text in the structure and the mode of all transfers; in
        EBCDIC where TYPE is E.  RFC 1123 4.1.2.7"""
        peer = self.logged_in()
        for chosen in ALL:
            with self.subTest(chosen=str(chosen)):
                kind = Type.EBCDIC if chosen.type is Type.EBCDIC else Type.ASCII
                listed = Representation(kind, "N", chosen.structure, chosen.mode)
                done = "250" if chosen.keeps_connection else "226"
                for verb, line in (
                    ("NLST", b"text\n"),
                    ("MLSD", b"type=file;"),
                    ("LIST", b"-rw"),
                ):
                    said = self.codes(peer, *say(chosen), "PASV", verb)
                    self.assertEqual(done, said[-1])
                    listing = decoded(listed, self.sent())
                    self.assertEqual(line, listing[: len(line)])
                    self.assertEqual(1, listing.count(b"\n"))

    def test_listing_ends(self) -> None:
        """In stream mode the lines end with CR LF, in EBCDIC with NL."""
        peer = self.logged_in()
        self.codes(peer, "TYPE I", "PASV", "NLST")
        self.assertEqual(b"text\r\n", self.sent())
        self.codes(peer, "TYPE E", "PASV", "NLST")
        self.assertEqual(b"\xa3\x85\xa7\xa3\x15", self.sent())


class KeptConnectionTests(RepresentationCase):
    """Modes that leave the data connection open.  RFC 959 3.3"""

    content = {"a": b"aaaa\n", "b": b"bb\n"}

    def test_many_files(self) -> None:
        """After 250 the next transfer needs no PASV; octets behind the end of a file
        are those of the next one."""
        block = Representation(Type.IMAGE, "N", Structure.FILE, Mode.BLOCK)
        peer = self.logged_in()
        files = [b"first", b"", b"x" * 100_000]
        self.upload(b"".join(encoded(block, content) for content in files))
        said = self.codes(
            peer, *say(block), "PASV", "STOR 0", "STOR 1", "STOR 2", "RETR a", "NLST"
        )
        self.assertEqual(["227"] + ["125", "250"] * 5, said[3:])
        for number, content in enumerate(files):
            self.assertEqual(content, self.content_of(str(number)))

    def test_back_to_streams(self) -> None:
        """In stream mode the connection is used once more, and closed."""
        peer = self.logged_in()
        said = self.codes(
            peer, "MODE C", "PASV", "RETR a", "MODE S", "RETR b", "RETR a"
        )
        self.assertEqual(["200", "227", "125", "250", "200", "125", "226", "425"], said)

    def test_refused_transfer(self) -> None:
        """What is refused before it begins leaves the connection to the next one."""
        peer = self.logged_in()
        said = self.codes(peer, "MODE B", "PASV", "RETR a", "RETR none", "RETR b")
        self.assertEqual(["200", "227", "125", "250", "550", "125", "250"], said)

    def test_failed_transfer(self) -> None:
        """After a failure the connection is closed.  RFC 959 3.2"""
        peer = self.logged_in()
        self.upload(b"\x40\0\0junk")
        said = self.codes(peer, "MODE B", "PASV", "STOR 1", "STOR 2", "RETR a")
        self.assertEqual(["200", "227", "125", "250", "125", "426", "425"], said)
        self.failureResultOf(self.tree.stat(("2",)), NotFound)


class NonsenseTests(RepresentationCase):
    """Clients that send what is not in the mode."""

    content = {"old": b"old content"}

    def test_nothing_is_stored(self) -> None:
        """426; neither the file nor a beginning of it is there."""
        for mode, sent in (
            ("B", b"\0\xff\xff" + b"x" * 9),
            ("B", b"\x01\0\x01a"),
            ("B", b"\0\0\x01a\x10\0\x02 a\x40\0\0"),
            ("B", b"GET / HTTP/1.1\r\n\r\n"),
            ("C", b"\x05abc"),
            ("C", b"\x01a\x80a\0\x40\xc0"),
            ("C", b"\x01a\0\x04"),
            ("C", b"\xff" * 5000),
            ("C", b"\xc0" * 5000),
        ):
            with self.subTest(mode=mode, sent=sent[:20]):
                peer = self.logged_in()
                self.upload(sent)
                said = self.codes(peer, "TYPE I", f"MODE {mode}", "PASV", "STOR old")
                self.assertEqual(["200", "200", "227", "125", "426"], said)
                self.assertEqual(b"old content", self.content_of("old"))

    def test_bad_records(self) -> None:
        """The same for control codes in a stream."""
        peer = self.logged_in()
        self.upload(b"a\xff\x01b\xff\x09c\xff\x03")
        said = self.codes(peer, "STRU R", "PASV", "STOR new", "PASV", "APPE new")
        self.assertEqual("426", said[3])
        self.failureResultOf(self.tree.stat(("new",)), NotFound)

    def test_no_partial_of_nonsense(self) -> None:
        """What came before nonsense is not kept to be resumed."""
        peer = self.logged_in()
        self.upload(b"\0\0\x03abc\x03\0\0")
        self.codes(peer, "TYPE I", "MODE B", "PASV", "STOR new")
        self.assertIsNone(value_of(self.tree.partial_octets(("new",))))

    def test_suspect(self) -> None:
        """Data that the sender suspects is stored, and the reply says so.  RFC 959
        3.4.2"""
        peer = self.logged_in()
        self.upload(b"\x60\0\x03abc")
        said = self.say(peer, "TYPE I", "MODE B", "PASV", "STOR new")
        self.assertEqual("250", said[-1][:3])
        self.assertIn("suspects", said[-1])
        self.assertEqual(b"abc", self.content_of("new"))


class AnythingTests(RepresentationCase):
    """Uploads of any octets at all."""

    content = {"old": b"old content"}

    @given(st.sampled_from(ALL), st.lists(st.binary(min_size=1), max_size=4))
    @settings(max_examples=150, deadline=None)
    def test_complete_or_nothing(
        self, chosen: Representation, pieces: list[bytes]
    ) -> None:
        """An upload whose end has come is stored, any other leaves the old file; there
        is no third outcome."""
        if chosen.is_stream:
            chosen = attrs.evolve(chosen, mode=Mode.BLOCK)
        peer = self.one_session()
        self.upload(*pieces)
        said = self.codes(peer, *say(chosen), "PASV", "STOR old")
        expected = stored(chosen, b"".join(pieces))
        if expected is None:
            self.assertEqual("426", said[-1])
            expected = b"old content"
        else:
            self.assertIn(said[-1], ("226", "250"))
        self.assertEqual(expected, self.content_of("old"))
        self.put("old", b"old content")

    def one_session(self) -> Peer:
        """The same one for all examples."""
        if self._peer is None:
            self._peer = self.logged_in()
        return self._peer

    _peer: Peer | None = None


def stored(chosen: Representation, sent: bytes) -> bytes | None:
    """The file that ``sent`` is; None where it is none."""
    reader, receiver = chosen.reader(), chosen.receiver()
    content = b""
    while sent and not reader.is_done:
        try:
            content += receiver.feed(reader.feed(sent))
        except SyntaxProblem:
            return None
        sent = reader.rest
    return content + receiver.finish() if reader.is_done else None


class TranscriptTests(RepresentationCase):
    """Whole sessions, three ways."""

    content = {"a": b"hello\n"}

    def test_parameters(self) -> None:
        """Types with their formats, local bytes, structures, modes."""
        self.assert_dialogue(
            LOGIN
            + """
            C: TYPE A
            S: 200 Type is ASCII, non-print
            C: type a c
            S: 200 Type is ASCII, carriage control
            C: TYPE E T
            S: 200 Type is EBCDIC, Telnet format
            C: STAT
            S: 211-Status:
            S:  Connected from 127.0.0.1
            S:  Logged in as alice@example.org
            S:  TYPE E T; STRU F; MODE S
            S:  No transfer
            S: 211 End
            C: TYPE E X
            S: 501 No such type
            C: TYPE I N
            S: 501 No such type
            C: TYPE L 8
            S: 200 Type is image
            C: TYPE L 36
            S: 504 Bytes have eight bits here
            C: TYPE L
            S: 501 No such type
            C: STRU R
            S: 200 Structure is record
            C: STRU P
            S: 504 There are no pages here
            C: STRU Q
            S: 501 No such structure
            C: MODE C
            S: 200 Mode is compress
            C: MODE Q
            S: 501 No such mode
            C: STAT
            S: 211-Status:
            S:  Connected from 127.0.0.1
            S:  Logged in as alice@example.org
            S:  TYPE I; STRU R; MODE C
            S:  No transfer
            S: 211 End
            """
        )

    def test_block_mode(self) -> None:
        """One data connection for two files and a listing."""
        self.assert_dialogue(
            LOGIN
            + """
            C: MODE B
            S: 200 Mode is block
            C: PASV
            S: 227 ...
            C: RETR a
            S: 125 Sending 6 octets
            S: 250 Transfer complete, 10 octets
            C: RETR a
            S: 125 Sending 6 octets
            S: 250 Transfer complete, 10 octets
            C: NLST
            S: 125 ...
            S: 250 Transfer complete, 6 octets
            C: REIN
            S: 220 ...
            C: USER alice
            S: 331 ...
            C: PASS secret
            S: 230 ...
            C: RETR a
            S: 425 ...
            """
        )
