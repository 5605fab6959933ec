"""The same commands said to vsftpd and to our server: the codes of the replies agree,
or the table below tells why they do not."""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from netservices.testing import running_process
from tests.ftp.sockets import SECONDS, Wire
from tests.interop.ftp_peers import (
    LOGIN,
    PASSWORD,
    Missing,
    Running,
    made_place,
    started,
)
from tests.tls.authority import Authority

# What follows " #" only tells lines apart.
SCRIPT = """
NOOP
STAT
PWD
USER {login}
PASS {password}
SYST
FEAT
NOOP #2
PWD #2
CWD up
PWD #3
CDUP
PWD #4
CWD nowhere
XPWD
TYPE I
TYPE A
TYPE A N
TYPE L 8
TYPE X
TYPE
STRU R
STRU X
STRU F
MODE B
MODE X
MODE S
ALLO 7
REST 10
REST x
SITE
SITE NOSUCH
OPTS UTF8 ON
OPTS NOSUCH
MKD up/d
MKD up/d #2
MKD
XMKD up/e
RMD up/nowhere
RMD up/e
RNTO up/x
RNFR up/nowhere
RNFR up/d
RNTO up/d2
CWD up/d2
CWD /
RMD up/d2
TYPE I #2
RETR up/file
STOR up/file
SIZE up/file
<<EPSV STOR up/file
<<EPSV RETR up/file
<<EPSV RETR up/nowhere
<<PASV LIST up
<<PASV NLST up
<<PASV LIST up/nowhere
<<PASV NLST up/nowhere
<<EPSV APPE up/file
RETR up/file #2
LIST up
CWD up #2
<<EPSV STOU
CWD / #2
<<EPSV MLSD up
MLST up
SIZE up/file #2
SIZE up/nowhere
SIZE up
MDTM up/file
MDTM up/nowhere
MDTM 20200101000000 up/file
STAT up/file
STAT up/nowhere
PORT 127,0,0,1,0,22
PORT 10,0,0,1,200,200
PORT 1,2,3
PORT 256,0,0,1,200,200
EPRT |1|127.0.0.1|99999|
EPRT |3|x|5|
EPRT x
EPSV 1
EPSV 2
EPSV 9
EPSV ALL
PASV
ABOR
HELP
HELP NOSUCH
NOSUCH
DELE up/nowhere
DELE up/file
DELE up
ACCT x
SMNT x
REIN
USER {login} #2
PASS {password} #2
QUIT
"""
_NOT_A_CHOICE = "RFC 959 4.2: 501 is for an argument that is wrong, 500 for a verb"
_MISSING = "RFC 1123 4.1.2.9: a path that is not there is an error, not an empty list"
TABLE = {
    "NOOP": ("530", "200", "RFC 959 5.4 lists no 530 for NOOP"),
    "STAT": ("530", "211", "RFC 959 5.4: STAT tells of the session before the login"),
    "TYPE X": ("500", "501", _NOT_A_CHOICE),
    "TYPE": ("500", "501", _NOT_A_CHOICE),
    "STRU R": ("504", "200", "RFC 1123 4.1.2.13: we know records"),
    "STRU X": ("504", "501", "there is no such structure"),
    "MODE B": ("504", "200", "we know block mode"),
    "MODE X": ("504", "501", "there is no such mode"),
    "REST x": ("350", "501", "an offset is a number"),
    "SITE": ("550", "501", "the argument is missing"),
    "SITE NOSUCH": ("550", "504", "RFC 959 4.2: a parameter that is not implemented"),
    "MKD": ("550", "501", "the argument is missing"),
    "RETR up/file": ("425", "550", "the file is missing, too, which is for good"),
    "<<PASV LIST up/nowhere": ("150 226", "550", _MISSING),
    "<<PASV NLST up/nowhere": ("150 226", "550", _MISSING),
    "<<EPSV MLSD up": ("500", "150 226", "vsftpd has no RFC 3659 7"),
    "MLST up": ("500", "250", "vsftpd has no RFC 3659 7"),
    "STAT up/nowhere": ("213", "550", _MISSING),
    "PORT 127,0,0,1,0,22": ("500", "501", _NOT_A_CHOICE),
    "PORT 10,0,0,1,200,200": ("500", "501", _NOT_A_CHOICE),
    "PORT 1,2,3": ("500", "501", _NOT_A_CHOICE),
    "PORT 256,0,0,1,200,200": ("500", "501", _NOT_A_CHOICE),
    "EPRT |1|127.0.0.1|99999|": ("500", "501", _NOT_A_CHOICE),
    "EPRT |3|x|5|": ("500", "522", "RFC 2428 2: 522 names the families we know"),
    "EPRT x": ("500", "501", _NOT_A_CHOICE),
    "PASV": ("550", "501", "after EPSV ALL; RFC 2428 4 leaves the code open"),
    "HELP NOSUCH": ("214", "502", "RFC 959 5.4: there is no such command"),
    "ACCT x": ("502", "202", "RFC 959 4.1.1: an account is superfluous here"),
    "REIN": ("502", "220", "RFC 959 4.1.1: the session begins anew"),
    "USER {login} #2": ("530", "331", "it has begun anew, so this is a first login"),
}
"""Command to the code of vsftpd, ours, and why."""


class ScriptedWire(Wire):
    """A control connection to either server."""

    def say(self, line: str | bytes) -> str:
        """The reply; empty where the server has closed the connection."""
        with contextlib.suppress(OSError):
            return super().say(line)
        return ""

    def codes(self, line: str) -> str:
        """The codes of all replies to a line of the script."""
        if not line.startswith("<<"):
            code = self.say(line)[:3]
            return f"{code} {self.reply()[:3]}" if code[:1] == "1" else code
        opening, _, command = line[2:].partition(" ")
        reply = self.say(opening)
        port = port_of(reply)
        with socket.create_connection((self.address, port), SECONDS) as data:
            first = self.say(command)[:3]
            if first[:1] != "1":
                return first
            if command.startswith(("STO", "APPE")):
                data.sendall(b"hello\r\n")
                data.shutdown(socket.SHUT_WR)
            else:
                while data.recv(65536):
                    pass
        # RFC 959 4.2: 125 and 150 differ in whether the connection is there already,
        # which vsftpd does not look at.
        return f"{'150' if first == '125' else first} {self.reply()[:3]}"

    def close(self) -> None:
        """Hang up."""
        self.file.close()
        self.socket.close()


def port_of(reply: str) -> int:
    """The port of a 227 or 229 reply."""
    if reply.startswith("229"):
        return int(reply.split("|")[3])
    high, low = reply.partition("(")[2].partition(")")[0].split(",")[4:]
    return int(high) * 256 + int(low)


def transcript(server: Running) -> list[tuple[str, str]]:
    """Commands and codes; what is said when the connection has gone has none."""
    wire = ScriptedWire(server.port, server.host)
    try:
        names = {"login": server.login, "password": server.password}
        return [
            (line, wire.codes(line.partition(" #")[0].format(**names)))
            for line in SCRIPT.strip().splitlines()
        ]
    finally:
        wire.close()


@contextlib.contextmanager
def ours() -> Iterator[Running]:
    """Our server."""
    settings = {"files.durability": "none", "limits.exempt": "127.0.0.0/8"}
    with running_process(
        ftp=True, accounts=[(LOGIN, PASSWORD)], settings=settings
    ) as server:
        directory = Path(server.state_directory) / f"files/{LOGIN}@localhost/up"
        directory.mkdir(parents=True)
        yield Running("127.0.0.1", server.port("ftp", "tcp"), directory)


class DifferenceTests(SynchronousTestCase):
    """One session with each."""

    def test_codes(self) -> None:
        """Codes are the same but for the differences that are explained, and each
        explanation is still needed."""
        with tempfile.TemporaryDirectory(prefix="ftp-peer-") as directory:
            place = made_place(Path(directory) / "place", "127.0.0.1", Authority())
            try:
                with started("vsftpd", place) as peer:
                    theirs = transcript(peer)
            except Missing as problem:
                if os.environ.get("CI") and os.geteuid() == 0:
                    raise
                raise SkipTest(f"{problem}; .ci/peers unpacks it") from None
        with ours() as server:
            found = transcript(server)
        different = {
            line: (vsftpd, code)
            for (line, vsftpd), (_line, code) in zip(theirs, found, strict=True)
            if vsftpd != code
        }
        explained = {line: (one, two) for line, (one, two, _why) in TABLE.items()}

        self.assertEqual(explained, different)
