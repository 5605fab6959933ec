"""HASH, its options, and the commands of one algorithm each."""

from __future__ import annotations

import hashlib
import zlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.errors import SyntaxProblem
from netservices.files.digests import SUMS
from netservices.files.settings import FilesSettings
from netservices.ftp.dialogue.hashes import ALGORITHMS, parse_range
from netservices.testing import Peer
from netservices.values import FileDigest
from tests.ftp.memory import LOGIN, MemoryFTP

CONTENT = b"0123456789" * 10
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()


class HashTests(MemoryFTP, SynchronousTestCase):
    """HASH and OPTS HASH.  draft-bryan-ftpext-hash-02"""

    content = {"a": CONTENT, "empty": b"", "d/x y": CONTENT}
    files_settings = FilesSettings(durability="none", digest_limit=99)

    def test_hash(self) -> None:
        """The algorithm, the first and the last octet, the digest, the path."""
        self.assert_dialogue(
            LOGIN
            + f"""
            C: HASH a
            S: 213 SHA-256 0-99 {SHA256} a
            C: HASH d/x y
            S: 213 SHA-256 0-99 {SHA256} d/x y
            C: HASH empty
            S: 213 SHA-256 0-0 {hashlib.sha256(b"").hexdigest()} empty
        """
        )

    def test_range(self) -> None:
        """RANG counts for the next HASH, and only for that."""
        part = hashlib.sha256(CONTENT[5:10]).hexdigest()
        self.assert_dialogue(
            LOGIN
            + f"""
            C: TYPE I
            S: 200 ...
            C: RANG 5 9
            S: 350 ...
            C: HASH a
            S: 213 SHA-256 5-9 {part} a
            C: HASH a
            S: 213 SHA-256 0-99 {SHA256} a
            C: RANG 100 200
            S: 350 ...
            C: HASH a
            S: 213 SHA-256 100-100 {hashlib.sha256(b"").hexdigest()} a
            C: RANG 101 200
            S: 350 ...
            C: HASH a
            S: 551 ...
        """
        )

    def test_refused(self) -> None:
        """No such file, a directory, a file that is too long to be read."""
        self.assert_dialogue(
            LOGIN
            + """
            C: HASH nothing
            S: 550 No such file or directory
            C: HASH d
            S: 553 A directory has no digest
            C: OPTS HASH MD5
            S: 200 MD5
            C: HASH a
            S: 556 ...
            C: XMD5 "a" 0 99
            S: 250 ...
            C: XMD5 "a" 101 102
            S: 551 ...
        """
        )

    def test_options(self) -> None:
        """The selection lasts until REIN, and FEAT shows it with a star."""
        self.assert_dialogue(
            LOGIN
            + f"""
            C: OPTS HASH
            S: 200 SHA-256
            C: OPTS HASH md5
            S: 200 MD5
            C: OPTS HASH CRC-37
            S: 501 Unknown algorithm; it is still MD5
            C: HASH empty
            S: 213 MD5 0-0 {hashlib.md5(b"").hexdigest()} empty
            C: REIN
            S: 220 ...
            C: USER alice
            S: 331 ...
            C: PASS secret
            S: 230 ...
            C: OPTS HASH
            S: 200 SHA-256
        """
        )
        peer = Peer(self.make_session)
        peer.send(b"FEAT\r\n")
        line = b" HASH SHA-256*;SHA-512;SHA-1;MD5;CRC32\r\n"
        self.assertIn(line, peer.receive())
        peer.leave()

    def test_algorithms(self) -> None:
        """The files know the algorithms that are offered, and no other."""
        self.assertEqual(set(SUMS), set(ALGORITHMS))


class OlderTests(MemoryFTP, SynchronousTestCase):
    """XCRC, XMD5, XSHA, XSHA1, XSHA256, XSHA512, MD5."""

    content = {"a": CONTENT, "x y 5": CONTENT}

    def test_whole(self) -> None:
        """250 and the digest; MD5 has a reply of its own."""
        crc = f"{zlib.crc32(CONTENT):08x}"
        sha1 = hashlib.sha1(CONTENT).hexdigest()
        self.assert_dialogue(
            LOGIN
            + f"""
            C: XCRC a
            S: 250 {crc}
            C: XMD5 "x y 5"
            S: 250 {MD5}
            C: XSHA a
            S: 250 {sha1}
            C: XSHA1 a
            S: 250 {sha1}
            C: XSHA256 a
            S: 250 {SHA256}
            C: XSHA512 a
            S: 250 {hashlib.sha512(CONTENT).hexdigest()}
            C: MD5 a
            S: 251 a {MD5.upper()}
        """
        )

    def test_ranges(self) -> None:
        """From an octet on, or up to another one; a name may have spaces."""
        tail = hashlib.md5(CONTENT[5:]).hexdigest()
        part = hashlib.md5(CONTENT[5:10]).hexdigest()
        self.assert_dialogue(
            LOGIN
            + f"""
            C: XMD5 a 5
            S: 250 {tail}
            C: XMD5 "x y 5" 5 10
            S: 250 {part}
            C: XMD5 "a" 10 5
            S: 501 ...
            C: XMD5 "a
            S: 550 No such file or directory
            C: XMD5 a 101
            S: 551 ...
        """
        )

    @given(st.binary(min_size=1, max_size=60))
    def test_any_argument(self, argument: bytes) -> None:
        """An argument is a path with or without a range, or a syntax error."""
        try:
            wanted = parse_range(_Decoding(), argument, "MD5")  # type: ignore[arg-type]
        except SyntaxProblem:
            return
        self.assertTrue(wanted.end is None or wanted.start <= wanted.end)


class _Decoding:
    """What the parser needs of a conversation."""

    def decode(self, argument: bytes) -> str:
        """Octets as text."""
        return argument.decode("utf-8", "surrogateescape")


class LongTests(MemoryFTP, SynchronousTestCase):
    """While a digest is being found."""

    content = {"a": CONTENT}

    def begin(self) -> tuple[Peer, Deferred[FileDigest]]:
        """A session that waits for a digest, and what it waits for."""
        peer = self.logged_in()
        waiting: Deferred[FileDigest] = Deferred()
        self.talk.view.tree = _Slow(waiting)  # type: ignore[assignment]
        return peer, waiting

    def test_order(self) -> None:
        """Nothing is answered before the digest: no 1xx reply has been said."""
        peer, waiting = self.begin()
        peer.send(b"HASH a\r\nNOOP\r\n")
        self.assertEqual(b"", peer.receive())
        waiting.callback(FileDigest("MD5", b"\0" * 16, 0, 100))
        self.assertEqual(
            ["213 MD5 0-99 " + "00" * 16 + " a", "200 OK"], peer.receive_lines()
        )
        peer.leave()

    def test_abort(self) -> None:
        """ABOR ends the wait.  RFC 959 4.1.3"""
        peer, _ = self.begin()
        peer.send(b"HASH a\r\n")
        status = self.talk.transfer.status(0.0)
        self.assertEqual("HASH", status["verb"])
        peer.send(b"ABOR\r\nNOOP\r\n")
        codes = [line[:3] for line in peer.receive_lines()]
        self.assertEqual(["426", "226", "200"], codes)
        peer.leave()

    def test_gone(self) -> None:
        """A client that leaves waits no longer."""
        peer, waiting = self.begin()
        peer.send(b"HASH a\r\n")
        peer.leave()
        self.assertTrue(waiting.called)


class _Slow:
    """A tree whose digest takes as long as the test wants."""

    def __init__(self, waiting: Deferred[FileDigest]) -> None:
        self.waiting = waiting

    def digest(self, *_: object) -> Deferred[FileDigest]:
        """What the test holds back."""
        return self.waiting
