"""Every command of the FTP standards, and what it is answered with."""

from __future__ import annotations

import re
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from netservices.ftp.dialogue.conversation import COMMANDS
from netservices.testing import Peer
from tests.ftp.memory import MemoryFTP

STANDARDS = {
    "RFC 959": "USER PASS ACCT CWD CDUP SMNT QUIT REIN PORT PASV TYPE STRU MODE RETR "
    "STOR STOU APPE ALLO REST RNFR RNTO ABOR DELE RMD MKD PWD LIST NLST SITE SYST STAT "
    "HELP NOOP",
    "RFC 1123": "XMKD XRMD XPWD XCUP XCWD",
    "RFC 1639": "LPRT LPSV",
    "RFC 2228": "AUTH ADAT PBSZ PROT CCC MIC CONF ENC",
    "RFC 2389": "FEAT OPTS",
    "RFC 2428": "EPRT EPSV",
    "RFC 2640": "LANG",
    "RFC 3659": "MDTM SIZE MLST MLSD",
    "RFC 7151": "HOST",
    "draft-somers-ftp-mfxx": "MFMT MFCT MFF",
    "draft-bryan-ftpext-hash": "HASH",
    "draft-bryan-ftp-range": "RANG",
    "draft-peterson-streamlined-ftp": "AVBL CSID CLNT",
}
"""Which document has which commands."""

EXAMPLES = {
    "USER": "alice", "PASS": "secret", "ACCT": "x", "CWD": "d", "XCWD": "d",
    "SMNT": "/d", "PORT": "127,0,0,1,200,0", "TYPE": "I", "STRU": "F", "MODE": "S",
    "RETR": "a", "STOR": "b", "APPE": "a", "ALLO": "10", "REST": "0", "RNFR": "a",
    "RNTO": "b", "DELE": "a", "RMD": "e", "XRMD": "e", "MKD": "e", "XMKD": "e",
    "SITE": "HELP", "LPRT": "4,4,127,0,0,1,2,200,0", "AUTH": "TLS", "ADAT": "AAAA",
    "PBSZ": "0", "PROT": "P", "MIC": "AAAA", "CONF": "AAAA", "ENC": "AAAA",
    "OPTS": "UTF8 ON", "EPRT": "|1|127.0.0.1|51200|", "LANG": "en", "MDTM": "a",
    "SIZE": "a", "HOST": "example.org", "MFMT": "20200101000000 a",
    "MFCT": "20200101000000 a", "MFF": "UNIX.mode=600; a", "HASH": "a", "RANG": "0 1",
    "CLNT": "x",
}  # fmt: skip
"""An argument for each command that needs one."""

_LOGIN = b"USER alice\r\nPASS secret\r\nTYPE I\r\n"
_BEFORE = {
    "USER": b"", "HOST": b"", "PASS": b"USER alice\r\n", "AUTH": b"",
    "RNTO": _LOGIN + b"RNFR a\r\n",
    "RMD": _LOGIN + b"MKD e\r\n", "XRMD": _LOGIN + b"MKD e\r\n",
}  # fmt: skip
"""What a client says before."""
_TRANSFERS = frozenset({"RETR", "STOR", "STOU", "APPE", "LIST", "NLST", "MLSD"})
_MANUAL = Path(__file__).parents[2] / "docs" / "ftp.md"
_SECTION = re.compile(r"<!-- standards:[^\n]*-->\n\n(.*?)\n\n<!-- end", re.DOTALL)


class StandardTests(MemoryFTP, SynchronousTestCase):
    """The commands of ``STANDARDS``."""

    content = {"a": b"words", "d/x": b""}

    def answer(self, verb: str) -> str:
        """The codes that a client hears when it uses the command as it is meant."""
        peer = Peer(self.make_session)
        before = _BEFORE.get(verb, _LOGIN)
        if verb in _TRANSFERS:
            self.port.upload = [b"x"]
            before += b"PASV\r\n"
        peer.send(before)
        peer.receive()
        peer.send(f"{verb} {EXAMPLES.get(verb, '')}".strip().encode() + b"\r\n")
        final = [line for line in peer.receive_lines() if re.match(r"\d{3} ", line)]
        peer.leave()
        return " ".join(line[:3] for line in final)

    def rows(self) -> str:
        """The table of the manual."""
        rows = ["| Command | From | Answer |", "|---|---|---|"]
        for document, verbs in STANDARDS.items():
            for verb in verbs.split():
                rows.append(f"| `{verb}` | {document} | {self.answer(verb)} |")
        return "\n".join(rows)

    def test_manual(self) -> None:
        """The manual's table is what the server does."""
        match = _SECTION.search(_MANUAL.read_text(encoding="utf-8"))
        assert match is not None
        self.assertEqual(self.rows().splitlines(), match[1].splitlines())

    def test_none_is_unknown(self) -> None:
        """No command of a standard gets 500; those of ours are the rest."""
        known = {verb for verbs in STANDARDS.values() for verb in verbs.split()}
        for verb in sorted(known):
            self.assertNotIn("500", self.answer(verb))
        ours = set(COMMANDS.verbs) - known
        self.assertEqual(
            {"XCRC", "XMD5", "XSHA", "XSHA1", "XSHA256", "XSHA512", "MD5"}, ours
        )
