"""Names of clients that speak an older encoding than UTF-8."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.settings import with_values
from netservices.ftp.options import parse_encoding
from netservices.ftp.settings import FTPSettings
from netservices.ftp.wire import UTF8, Names, Reply
from tests.ftp.memory import LOGIN, MemoryFTP

ENCODINGS = ("latin-1", "cp1251", "gbk", "shift_jis", "koi8-r", "big5", "euc_kr")
ODD = st.sampled_from("~u207EAC\udce9\udc80€é¥Ж中")


class NamesTests(SynchronousTestCase):
    """Text to octets and back."""

    @given(st.sampled_from(ENCODINGS), st.text(st.one_of(st.characters(), ODD)))
    def test_reversible(self, encoding: str, text: str) -> None:
        """Whatever a name is, the octets that stand for it mean it again."""
        names = Names(encoding)

        self.assertEqual(text, names.decode(names.encode(text)))

    @given(st.sampled_from(ENCODINGS), st.binary())
    def test_any_octets(self, encoding: str, octets: bytes) -> None:
        """Octets that are nothing in the encoding are a name, too."""
        names = Names(encoding)
        text = names.decode(octets)

        self.assertEqual(text, names.decode(names.encode(text)))

    @given(st.binary())
    def test_utf8(self, octets: bytes) -> None:
        """In UTF-8 all octets stay as they are."""
        self.assertEqual(octets, UTF8.encode(UTF8.decode(octets)))

    def test_numbers(self) -> None:
        """What the encoding lacks is a number; what looks like one is told apart."""
        names = Names("latin-1")

        self.assertEqual(b"5 ~u20AC~.txt", names.encode("5 €.txt"))
        self.assertEqual(b"~u7E~u20AC~", names.encode("~u20AC~"))
        self.assertEqual("~u41~ ~u0020AC~", names.decode(b"~u41~ ~u0020AC~"))
        self.assertEqual("~u110000~", names.decode(b"~u110000~"))

    def test_telnet(self) -> None:
        """The octet 255 is doubled in replies, whatever it stands for."""
        reply = Reply(257, "я").spelt(Names("cp1251"))

        self.assertEqual(b"257 \xff\xff\r\n", reply.encode())

    def test_what_is_an_encoding(self) -> None:
        """Encodings extend ASCII; others are refused with the right ones named."""
        self.assertEqual("iso8859-1", parse_encoding("latin-1"))
        for wrong in ("utf-16", "utf-7", "rot13", "hz", "idna", "nonsense", "cp037"):
            self.assertRaises(ValueError, parse_encoding, wrong)
        # What follows ESC, or a backslash, is something else in these.
        for wrong in ("iso2022_jp", "iso2022_kr", "raw-unicode-escape"):
            self.assertRaises(ValueError, parse_encoding, wrong)

    def test_listing(self) -> None:
        """In a page, names with odd characters do not change how others are spelt."""
        names = Names("latin-1")
        page = "gr\u00fcn ~u41~\r\n\u20ac ~u41~\r\n"

        self.assertEqual(
            b"gr\xfcn ~u7E~u41~\r\n~u20AC~ ~u7E~u41~\r\n", names.encode(page)
        )
        self.assertEqual(page, names.decode(names.encode(page)))


class SessionTests(MemoryFTP, SynchronousTestCase):
    """Sessions whose names travel in Latin-1."""

    content = {"grün.txt": b"green", "5€.txt": b"euro"}
    settings = with_values(FTPSettings, rules=("alice encoding=latin-1",))

    def run_lines(self, *lines: bytes) -> list[bytes]:
        """Play lines behind the login; the octets of the replies."""
        self.assert_dialogue(LOGIN)
        return [self.encoded(self.talk.handle(line)) for line in lines]

    def encoded(self, answer: object) -> bytes:
        """The octets of an answer that needs no waiting."""
        if hasattr(answer, "send"):
            answer = self.successResultOf(Deferred.fromCoroutine(answer))
        return answer.encode()  # type: ignore[attr-defined, no-any-return]

    @property
    def home(self) -> Path:
        """Where alice's files are."""
        return Path(self.state, "files", "alice@example.org")

    def test_commands(self) -> None:
        """Names of commands and replies are Latin-1, those on the disk UTF-8."""
        replies = self.run_lines(
            b"SIZE gr\xfcn.txt",
            b"MKD \xe9t\xe9",
            b"CWD \xe9t\xe9",
            b"PWD",
            b"SIZE /5~u20AC~.txt",
        )

        self.assertEqual(
            [
                b"213 5\r\n",
                b'257 "/\xe9t\xe9" created\r\n',
                b'250 "/\xe9t\xe9" is the current directory\r\n',
                b'257 "/\xe9t\xe9" is the current directory\r\n',
                b"213 4\r\n",
            ],
            replies,
        )
        self.assertIn("été".encode(), os.listdir(os.fsencode(self.home)))

    def test_listing(self) -> None:
        """Listings are in it, and so is the reply that announces them."""
        (self.home_after_login() / "été").mkdir()
        said: list[bytes] = []
        self.talk.say = lambda reply: said.append(reply.encode())
        self.encoded(self.talk.handle(b"PASV"))
        self.encoded(self.talk.handle(b"NLST"))
        assert self.port.channel is not None

        self.assertEqual(
            [b"5~u20AC~.txt\r\ngr\xfcn.txt\r\n\xe9t\xe9\r\n"], self.port.channel.sent
        )
        self.encoded(self.talk.handle(b"PASV"))
        self.encoded(self.talk.handle(b"NLST \xe9t\xe9"))
        self.assertIn(b"/\xe9t\xe9", said[-1])

    def home_after_login(self) -> Path:
        """Log in; alice's directory."""
        self.run_lines()
        return self.home

    def test_opts(self) -> None:
        """OPTS UTF8 switches a session, also before a login, and back."""
        replies = self.run_lines(
            b"OPTS UTF8 ON",
            "SIZE grün.txt".encode(),
            b"OPTS UTF8 OFF",
            b"SIZE gr\xfcn.txt",
            b"OPTS UTF8 ON",
            b"USER alice",
            b"PASS secret",
            "SIZE grün.txt".encode(),
        )

        self.assertEqual(
            [b"200", b"213", b"200", b"213", b"200", b"331", b"230", b"213"],
            [reply[:3] for reply in replies],
        )

    def test_rein(self) -> None:
        """REIN takes back what OPTS UTF8 said.  RFC 959 4.1.1"""
        replies = self.run_lines(
            b"OPTS UTF8 ON",
            b"REIN",
            b"USER alice",
            b"PASS secret",
            b"SIZE gr\xfcn.txt",
        )

        self.assertEqual(b"213 5\r\n", replies[-1])

    def test_half_a_character(self) -> None:
        """The number of half a character is a name that cannot be: 553."""
        self.assertEqual(
            [b"553", b"553", b"553"],
            [
                reply[:3]
                for reply in self.run_lines(
                    b"DELE ~uD800~", b"PASV", b"STOR ~uDC2F~", b"RNFR ~uDFFF~"
                )
                if not reply.startswith(b"227")
            ],
        )

    def test_octets_of_the_disk(self) -> None:
        """A name on the disk that is no UTF-8 is told apart from one that is."""
        home = os.fsencode(self.home_after_login())
        Path(os.fsdecode(home + b"/gr\xfcn.txt")).write_bytes(b"x")
        replies = [
            self.encoded(self.talk.handle(line))
            for line in (b"SIZE gr\xfcn.txt", b"SIZE gr~uDCFC~n.txt")
        ]

        self.assertEqual([b"213 5\r\n", b"213 1\r\n"], replies)


class RestrictedSessionTests(SessionTests):
    """The same where permissions differ by directory."""

    settings = with_values(
        FTPSettings,
        rules=("alice encoding=latin-1",),
        permissions=("alice /fixed read-only",),
    )


class ControlCharacterTests(MemoryFTP, SynchronousTestCase):
    """Names that no listing could show."""

    content = {"old": b"old"}

    def test_new_names(self) -> None:
        """No command makes a name with control characters; NUL is no part of any."""
        self.assert_dialogue(LOGIN)
        for name in (b"a\x01b", b"a\r\0b", b"a\x7fb", b"a\tb", b"\x1b[2J"):
            for command in (b"MKD ", b"STOR ", b"APPE ", b"STOU ", b"RNTO "):
                self.answer(b"PASV")
                if command == b"RNTO ":
                    self.answer(b"RNFR old")
                self.assertEqual(b"553", self.answer(command + name)[:3])
        self.assertEqual(b"5", self.answer(b"MKD a\0b")[:1])
        self.assertEqual(b"5", self.answer(b"SITE CPTO a\x01b")[:1])

    def answer(self, line: bytes) -> bytes:
        """The octets of the reply."""
        answer = self.talk.handle(line)
        if hasattr(answer, "send"):
            answer = self.successResultOf(Deferred.fromCoroutine(answer))
        assert answer is not None
        return answer.encode()
