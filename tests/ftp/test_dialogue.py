"""What may be said when, and the answers, as transcripts."""

from __future__ import annotations

from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase

from netservices.ftp.settings import FTPSettings
from netservices.testing import Peer
from tests.ftp.memory import LOGIN, MemoryFTP


def _what(fields: Mapping[str, object]) -> tuple[object, object]:
    """What an event says of a change."""
    return fields["change"], fields["path"]


class LoginTests(MemoryFTP, SynchronousTestCase):
    """USER, PASS, ACCT, REIN, QUIT."""

    def test_login(self) -> None:
        """The minimum of a session.  RFC 959 7"""
        self.assert_dialogue(
            LOGIN
            + """
            C: PWD
            S: 257 "/" is the current directory
            C: ACCT nobody
            S: 202 ...
            C: NOOP
            S: 200 OK
            C: QUIT
            S: 221 Goodbye
            S: <closes>
            """
        )

    def test_order(self) -> None:
        """PASS first is 503, anything else before the login 530.  RFC 959 5.4"""
        self.assert_dialogue("""
            S: 220 ...
            C: PASS secret
            S: 503 Say USER first
            C: CWD /
            S: 530 ...
            C: RNTO x
            S: 530 ...
            C: STAT /
            S: 530 ...
            C: SITE CHMOD 600 x
            S: 530 ...
            C: USER alice
            S: 331 ...
            C: PWD
            S: 530 ...
            C: PASS secret
            S: 230 ...
            C: PASS secret
            S: 503 ...
        """)

    def test_wrong_password(self) -> None:
        """530, and unknown users get the same; the third failure ends the session."""
        self.assert_dialogue("""
            S: 220 ...
            C: USER alice
            S: 331 Password, please
            C: PASS wrong
            S: 530 Login incorrect
            C: PASS secret
            S: 503 Say USER first
            C: USER nobody
            S: 331 Password, please
            C: PASS wrong
            S: 530 Login incorrect
            C: USER alice
            S: 331 ...
            C: PASS still wrong
            S: 530 Login incorrect
            S: <closes>
        """)

    def test_anonymous_reads_only(self) -> None:
        """Whatever changes something is refused.  RFC 1635"""
        self.assert_dialogue("""
            S: 220 ...
            C: USER anonymous
            S: 331 Anonymous access; ...
            C: PASS joe@example.com
            S: 230 Logged in as anonymous
            C: PASV
            S: 227 ...
            C: STOR x
            S: 550 Permission denied
            C: MKD x
            S: 550 Permission denied
            C: DELE x
            S: 550 Permission denied
            C: RNFR x
            S: 550 Permission denied
            C: SITE CHMOD 600 x
            S: 550 Permission denied
            C: MFMT 20200101000000 x
            S: 550 Permission denied
            C: LIST
            S: 125 ...
            S: 226 ...
        """)

    def test_rein(self) -> None:
        """REIN logs out and stays connected.  RFC 959 4.1.1"""
        self.assert_dialogue(
            LOGIN
            + """
            C: TYPE I
            S: 200 ...
            C: REIN
            S: 220 ...
            C: PWD
            S: 530 ...
            C: USER alice
            S: 331 ...
            C: PASS secret
            S: 230 ...
            C: STAT
            S: 211-Status:
            S:  Connected from 127.0.0.1
            S:  Logged in as alice@example.org
            S:  TYPE A N; STRU F; MODE S
            S:  No transfer
            S: 211 End
            """
        )

    def test_second_user(self) -> None:
        """USER after the login begins anew."""
        self.assert_dialogue(
            LOGIN
            + """
            C: USER anonymous
            S: 331 ...
            C: PWD
            S: 530 ...
            C: PASS x
            S: 230 ...
            """
        )

    def test_idle(self) -> None:
        """A silent client is sent away."""
        self.assert_dialogue(
            LOGIN
            + """
            C: <waits 902 seconds>
            S: 421 Idle for too long
            S: <closes>
            """
        )

    def test_overlong_lines(self) -> None:
        """500 for a line that is too long, 421 for the third.  Notes 1b"""
        self.make_house()
        peer = Peer(self.make_session)
        peer.receive()
        long_line = b"NOOP " + b"x" * 200_000 + b"\r\n"
        peer.send(long_line + b"NOOP\r\n")
        self.assertEqual(["500 Line too long", "200 OK"], peer.receive_lines())
        peer.send(long_line * 2)
        self.assertEqual(
            ["500 Line too long", "421 Too many overlong lines"], peer.receive_lines()
        )
        self.assertTrue(peer.is_closed)

    def test_odd_lines(self) -> None:
        """Bare LF, NUL, Telnet and empty lines do not end a session."""
        peer = Peer(self.make_session)
        peer.receive()
        peer.send(b"NOOP\n\r\nNO\0OP\r\n\xff\xf4\xff\xf2noop\r\n\x80\r\nXYZ\r\n")
        codes = [line[:3] for line in peer.receive_lines()]
        self.assertEqual(["200", "500", "500", "200", "500", "500"], codes)

    def test_passwords_are_masked(self) -> None:
        """A trace never shows one, whatever Telnet puts before it."""
        self.make_session(Peer(self.make_session).wheel)
        self.assertEqual(b"PASS ****", self.talk.masked(b"pass secret"))
        self.assertEqual(b"PASS ****", self.talk.masked(b"\xff\xf4PASS secret"))
        self.assertEqual(b"USER alice", self.talk.masked(b"USER alice"))
        self.assertEqual(b"RETR pass me", self.talk.masked(b"RETR pass me"))
        for slip in (
            b" PASS secret",
            b"PASS\tsecret",
            b"PASS:secret",
            b"PA\0SS secret",
            b"alice\rpass secret",
            b"USERPASS secret",
        ):
            self.assertNotIn(b"secret", self.talk.masked(slip))


class PlaintextTests(MemoryFTP, SynchronousTestCase):
    """Where a password must not travel in the clear."""

    allow_plaintext = "never"

    def test_login_needs_tls(self) -> None:
        """534 before the password is sent; after AUTH TLS the login works.  RFC 4217"""
        self.assert_dialogue("""
            S: 220 ...
            C: USER alice
            S: 534 ...
            C: PBSZ 0
            S: 503 ...
            C: AUTH KERBEROS
            S: 504 ...
            C: AUTH TLS
            S: 234 ...
            C & S: <TLS>
            C: PROT P
            S: 503 ...
            C: PBSZ 0
            S: 200 PBSZ=0
            C: PROT P
            S: 200 ...
            C: PROT S
            S: 536 ...
            C: PROT X
            S: 504 ...
            C: AUTH TLS
            S: 503 ...
            C: USER alice
            S: 331 ...
            C: PASS secret
            S: 230 ...
        """)
        self.assertTrue(self.port.is_protected)


class TooManyTests(MemoryFTP, SynchronousTestCase):
    """Limits on sessions."""

    settings = FTPSettings(sessions_per_address=1)

    def test_sessions_per_address(self) -> None:
        """421 for one too many; room again when one has left."""
        self.make_house()
        first = Peer(self.make_session)
        self.assertEqual("220", first.receive_lines()[0][:3])
        self.make_house = lambda: None  # type: ignore[method-assign]
        second = Peer(self.make_session)
        self.assertEqual("421", second.receive_lines()[0][:3])
        self.assertTrue(second.is_closed)
        first.leave()
        self.assertEqual("220", Peer(self.make_session).receive_lines()[0][:3])


class PathTests(MemoryFTP, SynchronousTestCase):
    """Directories and names."""

    content = {"a.txt": b"one\ntwo\r\n", "dir/inner": b"x", 'q"uote': b""}

    def test_directories(self) -> None:
        """CWD, CDUP, PWD, MKD, RMD and their X forms.  RFC 1123 4.1.3.1"""
        self.assert_dialogue(
            LOGIN
            + """
            C: CWD dir
            S: 250 "/dir" ...
            C: XCUP
            S: 250 "/" ...
            C: CDUP
            S: 250 "/" ...
            C: CWD ../../dir/../dir/.
            S: 250 "/dir" ...
            C: XPWD
            S: 257 "/dir" is the current directory
            C: CWD
            S: 250 "/" ...
            C: MKD a "b"
            S: 257 "/a ""b""\" created
            C: MKD a "b"
            S: 550 The name is taken
            C: MKD /
            S: 550 ...
            C: CWD a.txt
            S: 550 Not a directory
            C: CWD nowhere
            S: 550 No such file or directory
            C: RMD dir
            S: 550 The directory is not empty
            C: RMD a "b"
            S: 250 ...
            C: RMD /
            S: 550 ...
            C: RMD a.txt
            S: 550 Not a directory
            """
        )

    def test_files(self) -> None:
        """DELE, RNFR and RNTO.  RFC 959 4.1.3"""
        self.assert_dialogue(
            LOGIN
            + """
            C: RNTO b.txt
            S: 503 Say RNFR first
            C: RNFR nowhere
            S: 550 ...
            C: RNFR a.txt
            S: 350 ...
            C: NOOP
            S: 200 OK
            C: RNTO b.txt
            S: 503 Say RNFR first
            C: RNFR a.txt
            S: 350 ...
            C: RNTO dir
            S: 553 ...
            C: RNFR a.txt
            S: 350 ...
            C: RNTO b.txt
            S: 250 Renamed
            C: DELE dir
            S: 550 Is a directory
            C: DELE a.txt
            S: 550 No such file or directory
            C: DELE b.txt
            S: 250 File deleted
            """
        )

    def test_names(self) -> None:
        """Control characters are refused in new names, octets are kept."""
        self.make_session(Peer(self.make_session).wheel)
        peer = Peer(self.make_session)
        peer.send(b"USER alice\r\nPASS secret\r\n")
        peer.receive()
        peer.send(b"MKD caf\xe9\r\nMKD a\r\0b\r\nMKD a\0b\r\nMKD \xc3\xa9 \r\n")
        said = peer.receive()
        self.assertIn(b'257 "/caf\xe9" created\r\n553 ', said)
        self.assertIn(b"500 ", said)
        self.assertTrue(said.endswith('257 "/é " created\r\n'.encode()))

    def test_attributes_are_reported(self) -> None:
        """A changed time or mode is an event like other changes; a refusal is none."""
        self.assert_dialogue(
            LOGIN
            + """
            C: MFMT 20200101123456 a.txt
            S: 213 ...
            C: SITE UTIME 202101020304 a.txt
            S: 200 ...
            C: SITE CHMOD 600 a.txt
            S: 200 ...
            C: SITE CHMOD 600 nowhere
            S: 550 ...
            """
        )
        changes = [f for name, f in self.events.seen if name == "file_changed"]

        # The transcript is played three ways; self.events are those of the last.
        self.assertEqual([("attributes", "/a.txt")] * 3, [_what(f) for f in changes])

    def test_information(self) -> None:
        """SIZE (exact in both types), MDTM, MFMT, MLST, SITE.  RFC 3659"""
        self.assert_dialogue(
            LOGIN
            + """
            C: SIZE a.txt
            S: 213 10
            C: TYPE I
            S: 200 ...
            C: SIZE a.txt
            S: 213 9
            C: SIZE dir
            S: 550 ...
            C: MDTM dir
            S: 550 ...
            C: MFMT 20200101123456 a.txt
            S: 213 Modify=20200101123456; a.txt
            C: MDTM a.txt
            S: 213 20200101123456
            C: MFMT 2020 a.txt
            S: 501 ...
            C: MFMT 20200101123456
            S: 501 ...
            C: SITE UTIME 202101020304 a.txt
            S: 200 ...
            C: MDTM a.txt
            S: 213 20210102030400
            C: SITE UTIME a.txt 20220102030405 20230102030405 20240102030405 UTC
            S: 200 ...
            C: SITE CHMOD 600 a.txt
            S: 200 ...
            C: SITE CHMOD 999 a.txt
            S: 501 ...
            C: OPTS MLST size;modify;UNIX.mode;
            S: 200 MLST OPTS size;modify;unix.mode;
            C: MLST a.txt
            S: 250-Facts of a.txt
            S:  size=9;modify=20230102030405;unix.mode=0600; /a.txt
            S: 250 End
            C: MLST nowhere
            S: 550 ...
            C: STAT nowhere
            S: 550 ...
            """
        )

    def test_help(self) -> None:
        """HELP and SITE HELP come from the registry."""
        self.assert_dialogue("""
            S: 220 ...
            C: HELP RETR
            S: 214 RETR <path> - download a file
            C: HELP XYZ
            S: 502 ...
            C: SITE HELP CHMOD
            S: 214 CHMOD <octal mode> <path> - change permissions
            C: SYST
            S: 215 UNIX Type: L8
        """)


class ParameterTests(MemoryFTP, SynchronousTestCase):
    """TYPE, STRU, MODE, PASV, EPSV, PORT, EPRT, ALLO, REST, OPTS."""

    def test_representation(self) -> None:
        """200 for what is there, 504 for what the RFC knows, 501 for nonsense."""
        self.assert_dialogue(
            LOGIN
            + """
            C: TYPE A N
            S: 200 ...
            C: type a t
            S: 200 ...
            C: TYPE I
            S: 200 ...
            C: TYPE L 8
            S: 200 ...
            C: TYPE L 7
            S: 200 Type is ASCII, non-print
            C: TYPE L 9
            S: 504 ...
            C: TYPE E
            S: 200 ...
            C: TYPE A C
            S: 200 ...
            C: TYPE Q
            S: 501 ...
            C: STRU F
            S: 200 ...
            C: STRU R
            S: 200 ...
            C: STRU P
            S: 504 ...
            C: STRU X
            S: 501 ...
            C: MODE S
            S: 200 ...
            C: MODE B
            S: 200 ...
            C: MODE Z
            S: 501 ...
            C: OPTS UTF8 ON
            S: 200 ...
            C: OPTS UTF8 OFF
            S: 504 ...
            C: OPTS XYZ
            S: 501 ...
            C: OPTS MLST bad
            S: 501 ...
            C: OPTS MLST
            S: 200 MLST OPTS
            """
        )

    def test_addresses(self) -> None:
        """Numbers above 255, strange families, bounces and low ports.  RFC 2577 3"""
        self.assert_dialogue(
            LOGIN
            + """
            C: PORT 127,0,0,1,256,1
            S: 501 ...
            C: PORT 127,0,0,1,4,0
            S: 200 ...
            C: PORT 127,0,0,1,3,255
            S: 501 Data does not go to a privileged port
            C: PORT 127,0,0,2,4,0
            S: 501 Data does not go to a foreign address
            C: EPRT |1|127.0.0.1|1024|
            S: 200 ...
            C: EPRT |1|192.0.2.1|1024|
            S: 501 ...
            C: EPRT |2|::1|1024|
            S: 522 Network protocol not supported, use (1)
            C: EPRT |9|x|1024|
            S: 522 ...
            C: EPRT 1024
            S: 501 ...
            C: EPSV 9
            S: 522 Network protocol not supported, use (1)
            C: EPSV 2
            S: 522 ...
            C: EPSV 1
            S: 229 Entering Extended Passive Mode (|||50000|)
            C: PASV
            S: 227 Entering Passive Mode (127,0,0,1,195,80).
            C: EPSV ALL
            S: 200 ...
            C: PASV
            S: 501 ...
            C: PORT 127,0,0,1,4,0
            S: 501 ...
            C: EPSV
            S: 229 ...
            """
        )

    def test_numbers(self) -> None:
        """ALLO and REST take numbers, REST only in image type."""
        self.assert_dialogue(
            LOGIN
            + """
            C: ALLO 100
            S: 202 ...
            C: ALLO 100 R 10
            S: 202 ...
            C: ALLO x
            S: 202 ...
            C: ALLO 999999999999999999
            S: 452 ...
            C: REST 5
            S: 501 ...
            C: TYPE I
            S: 200 ...
            C: REST 4294967296
            S: 350 The next transfer begins at 4294967296
            C: REST -1
            S: 501 ...
            C: REST 99999999999999999999
            S: 501 ...
            """
        )
