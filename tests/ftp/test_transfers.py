"""Transfers: truth, resume, listings, and what overtakes them."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from netservices.files.settings import FilesSettings
from netservices.ftp.settings import FTPSettings
from netservices.interfaces import NotFound
from netservices.testing import Peer
from tests.ftp.memory import LOGIN, MemoryFTP, MemoryPort


class TransferCase(MemoryFTP, SynchronousTestCase):
    """A logged-in session; data connections as the test says."""

    upload: list[bytes] = []
    is_broken = False
    is_missing = False
    holds = False

    def make_port(self) -> MemoryPort:
        """As the test says."""
        port = super().make_port()
        port.upload = self.upload
        port.is_broken, port.is_missing = self.is_broken, self.is_missing
        port.holds = self.holds
        return port

    def logged_in(self, *lines: str) -> Peer:
        """A session in image type."""
        return super().logged_in("TYPE I", *lines)

    def outcomes(self) -> list[object]:
        """The outcomes of the transfers in the events."""
        return [f["outcome"] for name, f in self.events.seen if name == "transfer"]


class UploadTests(TransferCase):
    """STOR, APPE, STOU."""

    upload = [b"one\r", b"\ntwo\r\n", b"\r"]
    content = {"old": b"0123456789", "dir/x": b""}

    def test_store(self) -> None:
        """226 after the commit; the octets are there.  RFC 959 4.1.3"""
        peer = self.logged_in()
        said = self.say(peer, "PASV", "STOR new")
        self.assertEqual(["227", "125", "226"], [line[:3] for line in said])
        self.assertEqual(b"one\r\ntwo\r\n\r", self.content_of("new"))
        self.assertEqual(["complete"], self.outcomes())

    def test_store_ascii(self) -> None:
        """CR LF becomes LF, also when it is cut in two; a lone CR stays."""
        peer = self.logged_in()
        self.say(peer, "TYPE A", "PASV", "STOR new")
        self.assertEqual(b"one\ntwo\n\r", self.content_of("new"))

    def test_append(self) -> None:
        """APPE continues a file, and makes one that is not there."""
        peer = self.logged_in()
        said = self.say(peer, "PASV", "APPE old", "PASV", "APPE new")
        self.assertEqual(2, [line[:3] for line in said].count("226"))
        self.assertEqual(b"0123456789one\r\ntwo\r\n\r", self.content_of("old"))
        self.assertEqual(b"one\r\ntwo\r\n\r", self.content_of("new"))

    def test_unique(self) -> None:
        """STOU tells the name.  RFC 1123 4.1.2.9"""
        peer = self.logged_in()
        said = self.say(peer, "PASV", "STOU")
        self.assertEqual("125 FILE: upload.", said[1][:17])
        name = said[1].partition("FILE: ")[2]
        self.assertEqual(b"one\r\ntwo\r\n\r", self.content_of(name))

    def test_restart(self) -> None:
        """REST and STOR continue inside a file; beyond its end is 554."""
        peer = self.logged_in()
        said = self.say(
            peer, "REST 3", "PASV", "STOR old", "PASV", "REST 99", "STOR old"
        )
        self.assertIn("554", [line[:3] for line in said])
        self.assertEqual(b"012one\r\ntwo\r\n\r", self.content_of("old"))

    def test_restart_counts_once(self) -> None:
        """REST is for the next transfer only, and not for APPE and STOU."""
        peer = self.logged_in()
        said = self.say(
            peer, "REST 3", "APPE old", "REST 3", "STOU", "PASV", "STOR old"
        )
        codes = [line[:3] for line in said]
        self.assertEqual(["350", "450", "350", "450", "227", "125", "226"], codes)
        self.assertEqual(b"one\r\ntwo\r\n\r", self.content_of("old"))

    def test_refused(self) -> None:
        """Directories, bad names, missing parents; and no data connection at all."""
        peer = self.logged_in()
        for line, code in (
            ("STOR dir", "550"), ("STOR /", "550"), ("STOR no/where", "550"),
            ("STOR a\r\0b", "553"), ("STOR new", "425"), ("APPE dir", "550"),
        ):  # fmt: skip
            with self.subTest(line=line):
                self.assertEqual(code, self.say(peer, line)[-1][:3])

    def test_announced(self) -> None:
        """ALLO of what cannot fit is 552, and counts for one upload only."""
        peer = self.logged_in()
        said = self.say(peer, "ALLO 5", "PASV", "STOR new")
        self.assertEqual("226", said[-1][:3])
        self.assertIsNone(self.talk.expected_octets)


class BrokenUploadTests(TransferCase):
    """Data connections that break."""

    upload = [b"abc", b"def"]
    is_broken = True
    content = {"old": b"old content"}

    def test_reset(self) -> None:
        """426; the old file is as it was, and the upload can be resumed."""
        peer = self.logged_in()
        said = self.say(peer, "PASV", "STOR old")
        self.assertEqual("426", said[-1][:3])
        self.assertEqual(b"old content", self.content_of("old"))
        self.assertEqual(["426"], self.outcomes())
        self.port.is_broken = False
        self.port.upload = [b"GHI"]
        said = self.say(peer, "REST 6", "PASV", "STOR old")
        self.assertEqual("226", said[-1][:3])
        self.assertEqual(b"abcdefGHI", self.content_of("old"))

    def test_new_file(self) -> None:
        """A file that never was complete is not there."""
        peer = self.logged_in()
        self.say(peer, "PASV", "STOR new")
        self.failureResultOf(self.tree.stat(("new",)), NotFound)


class MissingConnectionTests(TransferCase):
    """Clients that never connect."""

    is_missing = True
    content = {"old": b"old content"}

    def test_no_connection(self) -> None:
        """150, then 425; nothing has changed."""
        peer = self.logged_in()
        said = self.say(peer, "PORT 127,0,0,1,4,0", "STOR old")
        self.assertEqual(["200", "150", "425"], [line[:3] for line in said])
        said = self.say(peer, "PORT 127,0,0,1,4,0", "RETR old")
        self.assertEqual("425", said[-1][:3])
        self.assertEqual(b"old content", self.content_of("old"))


class DownloadTests(TransferCase):
    """RETR and the listings."""

    content = {"a.txt": b"one\ntwo\r\n", "b": b"", "dir/in ner": b"x", "dir/y": b"yy"}

    def test_retrieve(self) -> None:
        """Image type sends the octets, from the restart position on."""
        peer = self.logged_in()
        self.say(peer, "PASV", "RETR a.txt")
        self.assertEqual(b"one\ntwo\r\n", self.sent())
        self.say(peer, "REST 4", "PASV", "RETR a.txt")
        self.assertEqual(b"two\r\n", self.sent())
        self.assertEqual("554", self.say(peer, "PASV", "REST 10", "RETR a.txt")[-1][:3])
        self.assertEqual("226", self.say(peer, "PASV", "RETR a.txt")[-1][:3])

    def test_retrieve_ascii(self) -> None:
        """Each line ends with CR LF; the size is what SIZE says.  RFC 3659 4"""
        peer = self.logged_in()
        said = self.say(peer, "TYPE A", "SIZE a.txt", "PASV", "RETR a.txt")
        self.assertEqual(b"one\r\ntwo\r\n", self.sent())
        self.assertEqual(f"213 {len(self.sent())}", said[1])

    def test_refused(self) -> None:
        """550 before anything is opened; a file for MLSD is 501."""
        peer = self.logged_in()
        for line, code in (
            ("RETR nowhere", "550"), ("RETR dir", "550"), ("LIST nowhere", "550"),
            ("NLST nowhere", "550"), ("MLSD nowhere", "550"), ("MLSD a.txt", "501"),
            ("RETR a.txt", "425"), ("LIST", "425"), ("LIST *.xyz", "550"),
        ):  # fmt: skip
            with self.subTest(line=line):
                self.assertEqual(code, self.say(peer, line)[-1][:3])

    def listing(self, *lines: str) -> list[str]:
        """The lines of a listing."""
        peer = self.logged_in()
        self.assertEqual("226", self.say(peer, "PASV", *lines)[-1][:3])
        return self.sent().decode().split("\r\n")[:-1]

    def test_list(self) -> None:
        """A directory, a file, options, patterns."""
        names = [line.split()[-1] for line in self.listing("LIST")]
        self.assertEqual(["a.txt", "b", "dir"], names)
        self.assertEqual(self.listing("LIST"), self.listing("LIST -la /"))
        self.assertEqual(1, len(self.listing("LIST a.txt")))
        self.assertEqual(1, len(self.listing("LIST *.txt")))

    def test_pages(self) -> None:
        """A listing in many steps has each entry once, also where the tree gives less
        in a step than was asked for."""
        names = [f"f{number:03}" for number in range(23)]
        self.content = dict.fromkeys(names, b"")
        for page in (1, 7, 23, 24, 1000):
            with self.subTest(page=page):
                self.settings = FTPSettings(listing_page=page)
                self.assertEqual(names, self.listing("NLST"))
        self.files_settings = FilesSettings(durability="none", longest_page=5)
        self.assertEqual(names, self.listing("NLST"))

    def test_names(self) -> None:
        """NLST gives names that RETR takes.  RFC 1123 4.1.2.7"""
        self.assertEqual(["a.txt", "b", "dir"], self.listing("NLST"))
        self.assertEqual(["a.txt", "b", "dir"], self.listing("NLST /"))
        self.assertEqual(["dir/in ner", "dir/y"], self.listing("NLST dir"))
        self.assertEqual(["dir/in ner", "dir/y"], self.listing("NLST dir/"))
        self.assertEqual(["in ner", "y"], self.listing("CWD dir", "NLST"))
        self.assertEqual(["dir/y"], self.listing("NLST dir/?"))
        self.assertEqual(["a.txt"], self.listing("NLST a.txt"))

    def test_machine_listing(self) -> None:
        """MLSD with the facts that were chosen.  RFC 3659 7"""
        lines = self.listing("OPTS MLST type;size;perm;", "MLSD dir")
        self.assertEqual(
            ["type=file;perm=adfrw;size=1; in ner", "type=file;perm=adfrw;size=2; y"],
            lines,
        )


class OvertakingTests(TransferCase):
    """What is said while a transfer runs."""

    holds = True
    upload = [b"new content"]
    content = {"old": b"old content"}

    def let_go(self) -> None:
        """The transfer goes on."""
        channel: Any = self.port.channel
        channel.hold.callback(None)

    def test_noop_and_stat(self) -> None:
        """Answered at once.  RFC 959 4.1.3"""
        peer = self.logged_in()
        self.assertEqual(["227", "125"], self.codes(peer, "PASV", "STOR old"))
        self.assertEqual(["200 OK"], self.say(peer, "NOOP"))
        said = self.say(peer, "STAT")
        self.assertIn(" STOR /old: 0 octets so far, 0 octets a second", said)
        said = self.say(peer, "STAT old")
        self.assertEqual("213-Status of old:", said[0])
        self.let_go()
        self.assertEqual(["226"], self.codes(peer))
        self.assertEqual(b"new content", self.content_of("old"))

    def test_abort(self) -> None:
        """426 for the transfer, then 226; the old file is untouched."""
        peer = self.logged_in()
        self.say(peer, "PASV", "STOR old")
        peer.send(b"\xff\xf4\xff\xf2ABOR\r\n")
        self.assertEqual(["426", "226"], self.codes(peer))
        self.assertEqual(b"old content", self.content_of("old"))
        self.assertEqual(["225"], self.codes(peer, "ABOR"))

    def test_abort_twice(self) -> None:
        """Each ABOR has its reply, wherever the second one comes."""
        peer = self.logged_in()
        said = self.codes(peer, "PASV", "STOR old", "ABOR", "ABOR", "NOOP")
        self.assertEqual(["227", "125", "426", "226", "225", "200"], said)

    def test_quit(self) -> None:
        """The transfer is completed, then the session ends.  RFC 959 4.1.1"""
        peer = self.logged_in()
        self.assertEqual(
            ["227", "125", "221"], self.codes(peer, "PASV", "STOR old", "QUIT")
        )
        self.assertFalse(peer.is_closed)
        self.let_go()
        self.assertEqual(["226"], self.codes(peer))
        self.assertTrue(peer.is_closed)
        self.assertEqual(b"new content", self.content_of("old"))

    def test_order_of_what_is_held_back(self) -> None:
        """QUIT does not overtake a command that came before it."""
        peer = self.logged_in()
        said = self.codes(peer, "PASV", "STOR old", "DELE old", "NOOP", "QUIT")
        self.assertEqual(["227", "125"], said)
        self.let_go()
        self.assertEqual(["226", "250", "200", "221"], self.codes(peer))
        self.failureResultOf(self.tree.stat(("old",)), NotFound)

    def test_rein(self) -> None:
        """The transfer is completed for the old user; nothing else is done for him."""
        peer = self.logged_in()
        said = self.codes(peer, "PASV", "STOR old", "REIN", "SIZE old")
        self.assertEqual(["227", "125", "220", "530"], said)
        self.let_go()
        self.assertEqual(["226"], self.codes(peer))
        self.assertEqual(["530"], self.codes(peer, "PWD"))
        self.assertEqual(b"new content", self.content_of("old"))

    def test_client_leaves(self) -> None:
        """The upload is given up with the control connection; what came is kept."""
        peer = self.logged_in()
        self.say(peer, "PASV", "STOR old")
        peer.leave()
        self.assertEqual(b"old content", self.content_of("old"))
        self.assertEqual(["426"], self.outcomes())
        self.assertEqual("logout", self.events.seen[-1][0])

    def test_idle(self) -> None:
        """A session with a transfer is not idle."""
        peer = self.logged_in()
        self.say(peer, "PASV", "STOR old")
        peer.wait(2000)
        self.assertEqual([], peer.receive_lines())
        self.assertFalse(peer.is_closed)

    def test_drain(self) -> None:
        """A server that stops lets the transfer end first."""
        peer = self.logged_in()
        self.say(peer, "PASV", "STOR old")
        peer.session.drain()
        self.assertEqual([], peer.receive_lines())
        self.let_go()
        self.assertEqual(["226", "421"], self.codes(peer))
        self.assertTrue(peer.is_closed)


class QuotaTests(TransferCase):
    """An account that may hold 20 octets."""

    quota_octets = 20
    upload = [b"x" * 30]
    content = {"old": b"old content"}

    def test_exceeded(self) -> None:
        """552 in the middle of the transfer; the old file stays.  RFC 959 4.2.2"""
        peer = self.logged_in()
        said = self.codes(peer, "PASV", "STOR old")
        self.assertEqual(["227", "125", "552"], said)
        self.assertEqual(b"old content", self.content_of("old"))

    def test_announced(self) -> None:
        """552 at ALLO."""
        peer = self.logged_in()
        self.assertEqual(["552"], self.codes(peer, "ALLO 30"))


class TranscriptTests(TransferCase):
    """A whole session, three ways."""

    content = {"a.txt": b"hello\n"}
    upload = [b"content"]

    def test_session(self) -> None:
        """Cuts and pipelining make no difference."""
        self.assert_dialogue(
            LOGIN
            + """
            C: TYPE I
            S: 200 ...
            C: PASV
            S: 227 ...
            C: RETR a.txt
            S: 125 Sending 6 octets
            S: 226 Transfer complete, 6 octets
            C: EPSV
            S: 229 ...
            C: STOR b.txt
            S: 125 ...
            S: 226 Transfer complete, 7 octets
            C: SIZE b.txt
            S: 213 7
            C: QUIT
            S: 221 Goodbye
            S: <closes>
            """
        )
