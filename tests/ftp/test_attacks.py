"""Classic attacks on FTP servers, said to a session: each gets its code, and the
session goes on, or ends where that is the answer."""

from __future__ import annotations

import os
from pathlib import Path as DiskPath
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from netservices.core.errors import SyntaxProblem
from netservices.core.settings import with_values
from netservices.ftp.dialogue.hashes import parse_range
from netservices.ftp.settings import FTPSettings
from tests.ftp.memory import LOGIN, MemoryFTP

HOSTILE = b"a\r\nb\n226 Done\x1b[2Jc\x7f"
"""A name that lies on the disk already: no client can make it."""


class HTTPTests(MemoryFTP, SynchronousTestCase):
    """Requests of HTTP: a web page makes a browser send them, and puts commands of its
    own into their body."""

    def test_before_login(self) -> None:
        """The session ends with the first line; the others are not heard."""
        self.assert_dialogue(
            """
            S: 220 ...
            C: POST / HTTP/1.1
            S: 421 This is an FTP server
            S: <closes>
            """
        )

    def test_all_methods(self) -> None:
        """Whatever the method is, and also in the middle of a session."""
        for line in (
            "GET / HTTP/1.0",
            "OPTIONS * HTTP/1.1",
            "CONNECT example.org:443 HTTP/1.1",
            "propfind /a%20b HTTP/1.1",
            "PRI * HTTP/2.0",
        ):
            self.assert_dialogue(LOGIN + f"C: {line}\nS: 421 ...\nS: <closes>\n")

    def test_no_request(self) -> None:
        """What only looks like one is an unknown command; files may be named so."""
        self.assert_dialogue(
            LOGIN
            + """
            C: GET file
            S: 500 Unknown command
            C: HEAD / HTTP
            S: 500 Unknown command
            C: Host: example.org
            S: 500 Syntax error: no FTP verb
            C: MKD x HTTP
            S: 257 ...
            C: MKD x HTTP/1.1
            S: 257 "/x HTTP/1.1" created
            """
        )


class OldExploitsTests(MemoryFTP, SynchronousTestCase):
    """What brought down other servers."""

    content = {"f": b"content"}

    def test_strings(self) -> None:
        """Formats, shells, tildes, dots, and the server's own directory are names like
        others, or none."""
        self.assert_dialogue(
            LOGIN
            + """
            C: CWD ~{
            S: 550 No such file or directory
            C: CWD ~root
            S: 550 No such file or directory
            C: CWD %n%n%s%x
            S: 550 No such file or directory
            C: SITE EXEC %p%p id
            S: 504 No such SITE command
            C: SITE CHMOD 4777 f
            S: 200 Permissions changed
            C: RETR ../../../../etc/passwd
            S: 550 No such file or directory
            C: CWD ....//....//etc
            S: 550 No such file or directory
            C: RETR |id
            S: 550 No such file or directory
            C: RETR .ns-uploads/x
            S: 553 That name is not allowed
            C: MKD .ns-uploads
            S: 553 That name is not allowed
            C: DELE $(id)
            S: 550 No such file or directory
            C: HELP %n%n%n
            S: 502 No such command
            C: USER %n%n%n
            S: 331 ...
            """
        )
        mode = os.stat(self.home / "f").st_mode
        self.assertEqual(0o777, mode & 0o7777)

    def test_bounce(self) -> None:
        """Foreign hosts, low ports and numbers that are none.  RFC 2577 3"""
        self.assert_dialogue(
            LOGIN
            + """
            C: PORT 192,0,2,1,200,1
            S: 501 ...
            C: PORT 127,0,0,1,0,25
            S: 501 ...
            C: PORT 256,0,0,1,200,1
            S: 501 ...
            C: PORT 127,0,0,1,256,1
            S: 501 ...
            C: PORT 127,0,0,1,-1,1
            S: 501 ...
            C: EPRT |1|192.0.2.1|5000|
            S: 501 ...
            C: EPRT |1|127.0.0.1|65536|
            S: 501 ...
            C: EPRT |1|127.0.0.1|25|
            S: 501 ...
            C: EPRT |9|127.0.0.1|5000|
            S: 522 ...
            C: EPSV 9
            S: 522 ...
            C: EPSV 99999999999999999999
            S: 522 ...
            C: RETR f
            S: 425 ...
            """
        )

    def test_numbers(self) -> None:
        """Offsets, sizes and times beyond all bounds."""
        self.assert_dialogue(
            LOGIN
            + """
            C: TYPE I
            S: 200 ...
            C: REST -1
            S: 501 ...
            C: REST 99999999999999999999
            S: 501 ...
            C: REST 9223372036854775807
            S: 350 ...
            C: RETR f
            S: 554 ...
            C: REST 9223372036854775807
            S: 350 ...
            C: STOR f
            S: 554 ...
            C: RANG 5 1
            S: 501 ...
            C: XCRC f 5 1
            S: 501 ...
            C: XCRC f 999999999999999999
            S: 551 ...
            C: ALLO 999999999999999999
            S: 452 ...
            C: MFMT 99999999999999 f
            S: 501 ...
            C: MFMT 00000000000000 f
            S: 501 ...
            C: MFMT 99991231235959 f
            S: 213 ...
            C: SITE IDLE 999999999
            S: 501 ...
            C: SITE CHMOD 77777 f
            S: 501 ...
            """
        )

    @property
    def home(self) -> DiskPath:
        """Where alice's files are."""
        return DiskPath(self.state, "files", "alice@example.org")


class HostileNameTests(MemoryFTP, SynchronousTestCase):
    """A name with line ends and control characters, as rsync may bring one."""

    def make_house(self) -> None:
        """Beside a harmless one."""
        super().make_house()
        home = DiskPath(self.state, "files", "alice@example.org")
        os.makedirs(home, exist_ok=True)
        (home / os.fsdecode(HOSTILE)).write_bytes(b"x")
        os.mkdir(home / os.fsdecode(b"d" + HOSTILE))

    def play(self, text: str) -> Any:
        """What follows the login."""
        self.assert_dialogue(LOGIN + text)

    def test_data(self) -> None:
        """In LIST, NLST and MLSD it is one line without control characters."""
        for command in ("LIST", "NLST", "MLSD", "NLST a*", "LIST d*"):
            self.play(f"C: PASV\nS: 227 ...\nC: {command}\nS: 125 ...\nS: 226 ...\n")
            assert self.port.channel is not None
            sent = b"".join(self.port.channel.sent)
            lines = sent.split(b"\r\n")[:-1]
            self.assertEqual(1 if "*" in command else 2, len(lines), sent)
            for line in lines:
                self.assertTrue(line.endswith(b"a??b?226 Done?[2Jc?"), line)
                self.assertFalse(any(octet < 32 or octet == 127 for octet in line))

    def test_replies(self) -> None:
        """In replies, too; and none is made by a command."""
        self.play(
            """
            C: STAT
            S: 211-...
            S:  Connected from 127.0.0.1
            S:  Logged in as alice@example.org
            S:  ...
            S:  No transfer
            S: 211 End
            C: MKD a\x1bb
            S: 553 That name is not allowed
            C: HASH a\x1b[2Jb
            S: 550 No such file or directory
            """
        )


class Latin1:
    """A session in that encoding."""

    @staticmethod
    def decode(octets: bytes) -> str:
        """A name."""
        return octets.decode("latin-1")


class ConstantWorkTests(SynchronousTestCase):
    """Arguments that made a parser look again and again."""

    def test_spaces_before_a_range(self) -> None:
        """A digest's argument is read once, however many spaces are in it."""

        talk: Any = Latin1()
        many = b" " * 200_000
        for argument in (b"a" + many + b"x", b"a" + many + b"1" + many + b"x"):
            wanted = parse_range(talk, argument, "MD5")
            self.assertEqual(argument.decode(), wanted.text)
        wanted = parse_range(talk, b"a" + many + b"1" + many + b"2", "MD5")
        self.assertEqual(("a", 1, 2), (wanted.text, wanted.start, wanted.end))

    def test_ranges(self) -> None:
        """At most two numbers behind a name are a range."""

        talk: Any = Latin1()
        for argument, expected in (
            (b"a", ("a", 0, None)),
            (b"a 5", ("a", 5, None)),
            (b"a 5 7", ("a", 5, 7)),
            (b"a 1 5 7", ("a 1", 5, 7)),
            (b"7", ("7", 0, None)),
            (b" 7", (" 7", 0, None)),
            (b"7 7", ("7", 7, None)),
            (b'"a 5 7"', ("a 5 7", 0, None)),
            (b'"a ""5""" 6 7', ('a "5"', 6, 7)),
            (b'"a" 5 x', ('"a" 5 x', 0, None)),
            (b"a 1234567890123456789", ("a 1234567890123456789", 0, None)),
        ):
            wanted = parse_range(talk, argument, "MD5")
            self.assertEqual(expected, (wanted.text, wanted.start, wanted.end))
        self.assertRaises(SyntaxProblem, parse_range, talk, b"a 7 5", "MD5")


class RulesTests(MemoryFTP, SynchronousTestCase):
    """Ways around what is allowed in a directory."""

    content = {"box/sub/key": b"key", "box/file": b"file"}
    settings = with_values(
        FTPSettings,
        permissions=(
            "alice / list rename mkdir create",
            "alice /shown/sub read-only",
            "alice /hidden none",
        ),
    )

    def test_directory_into_place(self) -> None:
        """No directory takes a name below which more is allowed than where it was."""
        self.assert_dialogue(
            LOGIN
            + """
            C: MLST box/sub/key
            S: 250-...
            S:  ...
            S: 250 ...
            C: PASV
            S: 227 ...
            C: RETR box/sub/key
            S: 550 Permission denied
            C: RNFR box
            S: 350 ...
            C: RNTO shown
            S: 550 Permission denied
            C: RETR shown/sub/key
            S: 550 No such file or directory
            """
        )

    def test_other_spellings(self) -> None:
        """However a path is written, it is the same place."""
        for path in (
            "hidden",
            "/hidden/",
            "//hidden//",
            "./hidden/.",
            "box/../hidden",
            "hidden/x/..",
            "../../hidden",
        ):
            self.assert_dialogue(
                LOGIN
                + f"""
                C: CWD {path}
                S: 550 Permission denied
                C: MKD {path}
                S: 550 Permission denied
                C: MLST {path}
                S: 550 Permission denied
                C: RNFR box
                S: 350 ...
                C: RNTO {path}
                S: 550 Permission denied
                C: SITE CPFR {path}/x
                S: 550 Permission denied
                C: STAT {path}
                S: 550 Permission denied
                """
            )
