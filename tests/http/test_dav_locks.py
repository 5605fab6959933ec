"""LOCK and UNLOCK, the field If, and what FTP hears of locks."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from tests.ftp.memory import NOW
from tests.http.dav_kit import DAVHouse, Said

LOCK = (
    '<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope>'
    "<D:locktype><D:write/></D:locktype>"
    "<D:owner><D:href>mailto:z@h</D:href></D:owner></D:lockinfo>"
)
NOTE = '<propertyupdate xmlns="DAV:"><set><prop><x/></prop></set></propertyupdate>'
SHARED = LOCK.replace("exclusive", "shared")


def token_of(said: Said) -> str:
    """The token of a lock that was given."""
    return said.fields["lock-token"].strip("<>")


class LockTests(DAVHouse, SynchronousTestCase):
    """Locks as their clients see them."""

    content = {"a": b"words", "b": b"other", "d/e": b"x"}
    http = {"webdav_longest_lock": 600}

    def lock(self, path: str, body: str = LOCK, **fields: str) -> Said:
        """One LOCK."""
        return self.ask("LOCK", path, body, **fields)

    def put(self, path: str, content: bytes, condition: str = "") -> int:  # type: ignore[override]
        """The status of a PUT."""
        if not path.startswith("/dav/"):
            super().put(path, content)
            return 0
        fields = {"If": condition} if condition else {}
        return self.ask("PUT", path, content, **fields).status

    def test_lock(self) -> None:
        """Who has a lock may write, others may not.  RFC 4918 7, 9.10."""
        said = self.lock("/dav/a")

        self.assertEqual(200, said.status)
        token = token_of(said)
        self.assertRegex(token, "^urn:uuid:")
        for part in (
            "<D:exclusive/>",
            "<D:depth>infinity</D:depth>",
            '<D:owner xmlns:D="DAV:"><D:href>mailto:z@h</D:href></D:owner>',
            "<D:timeout>Second-600</D:timeout>",
            f"<D:locktoken><D:href>{token}</D:href></D:locktoken>",
            "<D:lockroot><D:href>/dav/a</D:href></D:lockroot>",
        ):
            self.assertIn(part, said.body.decode())
        self.assertEqual(423, self.put("/dav/a", b"1"))
        self.assertEqual(204, self.put("/dav/a", b"2", f"(<{token}>)"))
        self.assertEqual(b"2", self.content_of("a"))

    def test_refused(self) -> None:
        """423 tells which lock is in the way.  RFC 4918 9.10.6, 16."""
        self.lock("/dav/d/")
        again = self.lock("/dav/d/e")
        change = self.ask("PROPPATCH", "/dav/d/e", NOTE)

        self.assertEqual(423, again.status)
        self.assertIn(b"<D:no-conflicting-lock><D:href>/dav/d</D:href>", again.body)
        self.assertEqual(423, change.status)
        self.assertIn(b"<D:lock-token-submitted><D:href>/dav/d</D:href>", change.body)

    def test_malformed(self) -> None:
        """400 for what is no such request; 422 for other kinds of locks."""
        for body in ("<a/>", LOCK.replace("exclusive", "other"), ""):
            self.assertEqual(400, self.lock("/dav/a", body).status, body)
        self.assertEqual(422, self.lock("/dav/a", LOCK.replace("write", "read")).status)
        self.assertEqual(400, self.lock("/dav/a", Depth="1").status)
        self.assertEqual(400, self.lock("/dav/a", If="nonsense").status)

    def test_long_owner(self) -> None:
        """What every listing would repeat is short."""
        owner = "mailto:" + "z" * 3000

        self.assertEqual(
            413, self.lock("/dav/a", LOCK.replace("mailto:", owner)).status
        )
        self.assertEqual(204, self.put("/dav/a", b"1"))

    def test_empty(self) -> None:
        """A name that is free is locked with an empty file.  RFC 4918 7.3."""
        said = self.lock("/dav/new")

        self.assertEqual(201, said.status)
        self.assertEqual(b"", self.content_of("new"))
        self.assertEqual(423, self.put("/dav/new", b"1"))
        self.assertEqual(204, self.put("/dav/new", b"1", f"(<{token_of(said)}>)"))
        self.assertEqual(409, self.lock("/dav/none/x").status)
        self.assertEqual(201, self.ask("MKCOL", "/dav/none/").status)
        self.assertEqual(201, self.put("/dav/none/x", b""))

    def test_shared(self) -> None:
        """Two may share one.  RFC 4918 6.2."""
        first, second = (token_of(self.lock("/dav/a", SHARED)) for _ in "12")

        self.assertEqual(423, self.lock("/dav/a").status)
        self.assertEqual(423, self.put("/dav/a", b""))
        self.assertEqual(204, self.put("/dav/a", b"", f"(<{second}>)"))
        self.assertNotEqual(first, second)

    def test_depth(self) -> None:
        """A lock of depth 0 keeps the names of a directory, not what is in its files.
        RFC 4918 7.4."""
        token = token_of(self.lock("/dav/d/", Depth="0"))

        self.assertEqual(204, self.put("/dav/d/e", b""))
        self.assertEqual(423, self.put("/dav/d/new", b""))
        self.assertEqual(423, self.ask("MKCOL", "/dav/d/new/").status)
        self.assertEqual(423, self.ask("DELETE", "/dav/d/e").status)
        self.assertEqual(423, self.lock("/dav/d/new").status)
        self.assertEqual(201, self.put("/dav/d/new", b"", f"</dav/d/> (<{token}>)"))

    def test_refresh(self) -> None:
        """No content, and a token: the lock lasts longer.  RFC 4918 9.10.2."""
        token = token_of(self.lock("/dav/a", Timeout="Second-5"))
        said = self.ask("LOCK", "/dav/a", If=f"(<{token}>)", Timeout="Second-9")

        self.assertEqual(200, said.status)
        self.assertNotIn("lock-token", said.fields)
        self.assertIn(b"<D:timeout>Second-9</D:timeout>", said.body)
        (held,) = value_of(self.tree.locks(("a",)))
        self.assertEqual(NOW + 9, held.expires)
        self.assertEqual(412, self.ask("LOCK", "/dav/b", If=f"(<{token}>)").status)
        self.assertEqual(400, self.ask("LOCK", "/dav/a").status)

    def test_timeouts(self) -> None:
        """Wishes are read in their order, and none lasts longer than allowed.  RFC 4918
        10.7."""
        for wish, seconds in (
            ("Infinite, Second-4100000000", 600),
            ("Second-4100000000", 600),
            ("Extended-x, Second-7", 7),
            ("Second-" + "9" * 500, 600),
            ("nonsense", 600),
            ("Second-7", 7),
        ):
            said = self.lock("/dav/a", Timeout=wish)
            self.assertIn(f"Second-{seconds}<".encode(), said.body)
            token = f"<{token_of(said)}>"
            self.assertEqual(204, self.ask("UNLOCK", "/dav/a", Lock_Token=token).status)

    def test_unlock(self) -> None:
        """A lock is given back where it is.  RFC 4918 9.11.1."""
        token = f"<{token_of(self.lock('/dav/a'))}>"

        self.assertEqual(400, self.ask("UNLOCK", "/dav/a").status)
        self.assertEqual(400, self.ask("UNLOCK", "/dav/a", Lock_Token="x").status)
        self.assertEqual(409, self.ask("UNLOCK", "/dav/b", Lock_Token=token).status)
        self.assertEqual(204, self.ask("UNLOCK", "/dav/a", Lock_Token=token).status)
        self.assertEqual(409, self.ask("UNLOCK", "/dav/a", Lock_Token=token).status)
        self.assertEqual(204, self.put("/dav/a", b""))

    def test_told(self) -> None:
        """Locks are told of what they are on.  RFC 4918 15.8."""
        token = token_of(self.lock("/dav/d/")).encode()

        for path, depth, count in (
            ("/dav/d/e", "0", 1),
            ("/dav/d/", "1", 2),
            ("/dav/", "0", 0),
            ("/dav/", "infinity", 2),
        ):
            said = self.ask("PROPFIND", path, Depth=depth)
            self.assertEqual(count, said.body.count(token), path)


class ConditionTests(DAVHouse, SynchronousTestCase):
    """The field If.  RFC 4918 10.4."""

    content = {"a": b"words", "b": b"other"}

    def setUp(self) -> None:
        """``a`` is locked."""
        super().setUp()
        self.token = token_of(self.ask("LOCK", "/dav/a", LOCK))
        self.etag = self.ask("GET", "/dav/a").fields["etag"]

    def test_lists(self) -> None:
        """A request goes on where one list holds; the tokens of all are submitted."""
        token, etag = self.token, self.etag
        for status, condition in (
            (412, "(<urn:other>)"),
            (412, f'(<{token}> ["other"])'),
            (412, f"(Not <{token}>)"),
            (412, f"</dav/b> (<{token}>)"),
            (412, f"<http://elsewhere/dav/a> (<{token}>)"),
            (423, "(Not <DAV:no-lock>)"),
            (423, f"([{etag}])"),
            (204, f'(["other"]) (<{token}> Not <DAV:no-lock>)'),
            (204, f"(<urn:other>) (Not <DAV:no-lock>) (<{token}>)"),
            (204, f"<http://h/dav/a> (<{token}>)"),
        ):
            said = self.ask("PUT", "/dav/a", b"", If=condition)
            self.assertEqual(status, said.status, condition)
        self.assertEqual(412, self.ask("GET", "/dav/a", If="(<urn:other>)").status)
        self.assertEqual(412, self.ask("PUT", "/dav/b", b"", If=f"(<{token}>)").status)

    def test_strong(self) -> None:
        """Entity tags are compared strongly.  RFC 4918 10.4.4."""
        said = self.ask("PUT", "/dav/b", b"", If=f"([W/{self.etag}])")
        self.assertEqual(412, said.status)


class OtherProtocolTests(DAVHouse, SynchronousTestCase):
    """What is locked over WebDAV is locked for FTP."""

    content = {"a": b"words", "b": b"other", "d/e": b"x"}

    def test_ftp(self) -> None:
        """450 for whatever would change it; reading goes on."""
        token = token_of(self.ask("LOCK", "/dav/a", LOCK))
        peer = self.logged_in("TYPE I")
        self.port.upload = [b"by FTP"]
        for command in ("STOR a", "APPE a", "DELE a", "MFMT 20260101000000 a"):
            lines = ["PASV", command] if command[:4] in ("STOR", "APPE") else [command]
            self.assertEqual("450", self.codes(peer, *lines)[-1], command)
        self.assertEqual(["350", "450"], self.codes(peer, "RNFR a", "RNTO z"))
        self.assertEqual(["350", "450"], self.codes(peer, "RNFR b", "RNTO a"))
        self.assertEqual("226", self.codes(peer, "PASV", "RETR a")[-1])
        self.assertEqual(b"words", self.content_of("a"))
        self.ask("UNLOCK", "/dav/a", Lock_Token=f"<{token}>")
        self.assertEqual("226", self.codes(peer, "PASV", "STOR a")[-1])
        self.assertEqual(b"by FTP", self.content_of("a"))

    def test_directory(self) -> None:
        """So for what is in a locked directory, and for the directory."""
        self.ask("LOCK", "/dav/d/", LOCK)
        peer = self.logged_in("TYPE I")
        self.assertEqual(["450"], self.codes(peer, "MKD d/new"))
        self.assertEqual(["450"], self.codes(peer, "DELE d/e"))
        self.assertEqual(["350", "450"], self.codes(peer, "RNFR d", "RNTO z"))
