"""Contents over WebDAV: GET, PUT, DELETE, MKCOL, OPTIONS."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.http.dav_kit import DAVHouse, Said, basic
from tests.http.talk import Talk


class ReadTests(DAVHouse, SynchronousTestCase):
    """GET and HEAD."""

    content = {"a.txt": b"words", "d/b": b"x"}

    def test_get(self) -> None:
        """A file comes with its type, its entity tag and its date."""
        said = self.ask("GET", "/dav/a.txt")

        self.assertEqual((200, b"words"), (said.status, said.body))
        self.assertEqual("text/plain; charset=utf-8", said.fields["content-type"])
        self.assertRegex(said.fields["etag"], '^"[0-9a-f-]+"$')

    def test_head(self) -> None:
        """HEAD has the same fields, and no content.  RFC 9110 9.3.2."""
        said = self.ask("HEAD", "/dav/a.txt")

        self.assertEqual(
            (200, "5", b""), (said.status, said.fields["content-length"], said.body)
        )

    def test_missing(self) -> None:
        """404 for what is not there."""
        self.assertEqual(404, self.ask("GET", "/dav/nothing").status)
        self.assertEqual(404, self.ask("GET", "/dav/a.txt/below").status)
        self.assertEqual(404, self.ask("GET", "/dav/a.txt/").status)

    def test_directory(self) -> None:
        """A directory is a page; without its slash it is elsewhere."""
        listed = self.ask("GET", "/dav/d/")
        self.assertEqual(200, listed.status)
        self.assertIn(b">b</a>", listed.body)
        for path in ("/dav", "/dav/d"):
            said = self.ask("GET", path)
            self.assertEqual((301, path + "/"), (said.status, said.fields["location"]))

    def test_range(self) -> None:
        """A part of a file, and nothing where the client has it.  RFC 9110 13, 14."""
        said = self.ask("GET", "/dav/a.txt", Range="bytes=1-2")
        self.assertEqual((206, b"or"), (said.status, said.body))
        again = self.ask("GET", "/dav/a.txt", If_None_Match=said.fields["etag"])
        self.assertEqual(304, again.status)


class AccessTests(DAVHouse, SynchronousTestCase):
    """Who may ask."""

    def test_challenge(self) -> None:
        """Without a login: 401, and how to log in.  RFC 9110 15.5.2."""
        said = Said.parsed(
            self.talk_http().send(b"GET /dav/ HTTP/1.1\r\nHost: h\r\n\r\n")
        )

        self.assertEqual(401, said.status)
        self.assertRegex(said.fields["www-authenticate"], "^Basic realm=")

    def test_wrong_password(self) -> None:
        """401, too."""
        head = f"GET /dav/ HTTP/1.1\r\nHost: h\r\n{basic(password='wrong')}\r\n"
        self.assertEqual(401, Said.parsed(self.talk_http().send(head.encode())).status)

    def test_options(self) -> None:
        """OPTIONS tells what can be done, to anybody.  RFC 4918 10.1."""
        said = Said.parsed(
            self.talk_http().send(b"OPTIONS /dav/ HTTP/1.1\r\nHost: h\r\n\r\n")
        )

        self.assertEqual(200, said.status)
        self.assertIn("1", said.fields["dav"].split(", "))
        self.assertIn("PUT", said.fields["allow"].split(", "))

    def test_other_method(self) -> None:
        """405 with Allow (RFC 9110 15.5.6); 501 for what nobody knows (9.1)."""
        for method, path in (
            ("REPORT", "/dav/a"),
            ("PUT", "/dav/d/"),
            ("MKCOL", "/dav/"),
        ):
            said = self.ask(method, path)
            self.assertEqual(405, said.status)
            allowed = said.fields["allow"].split(", ")
            self.assertIn("GET", allowed)
            self.assertNotIn(method, allowed)
        self.assertEqual(501, self.ask("BREW", "/dav/a").status)

    def test_coded_content(self) -> None:
        """415 for a file in a content coding, which nobody would take off again.  RFC
        9110 15.5.16."""
        said = self.ask("PUT", "/dav/z", b"x", Content_Encoding="gzip")
        self.assertEqual(415, said.status)
        self.assertEqual(404, self.ask("GET", "/dav/z").status)


class PlainTests(DAVHouse, SynchronousTestCase):
    """Where passwords may not travel without TLS."""

    allow_plaintext = "never"

    def test_refused(self) -> None:
        """403 without TLS, before any password is asked for."""
        self.assertEqual(403, self.ask("GET", "/dav/").status)


def put_head(path: str, *lines: str) -> bytes:
    """The head of a PUT."""
    more = "".join(line + "\r\n" for line in lines)
    return f"PUT {path} HTTP/1.1\r\nHost: h\r\n{basic()}{more}\r\n".encode()


class QuotaTests(DAVHouse, SynchronousTestCase):
    """What the quota does not allow."""

    content = {"a": b"old"}
    quota_octets = 100

    def test_quota_before_the_content(self) -> None:
        """What the quota does not allow is refused before it is sent.  RFC 4918
        11.5."""
        talk = self.talk_http()
        self.ask("PUT", "/dav/b", b"x" * 60)
        said = Said.parsed(
            talk.send(put_head("/dav/a", "Content-Length: 60", "Expect: 100-continue"))
        )
        self.assertEqual(507, said.status)
        self.assertEqual(b"old", self.content_of("a"))


class PutTests(DAVHouse, SynchronousTestCase):
    """PUT."""

    content = {"a": b"old", "d/b": b"x"}
    http = {"largest_upload": 80}

    def test_new(self) -> None:
        """201 where a file is made, with its entity tag.  RFC 9110 9.3.4."""
        said = self.ask("PUT", "/dav/new%20one", b"words")

        self.assertEqual(
            (201, "/dav/new%20one"), (said.status, said.fields["location"])
        )
        self.assertEqual(b"words", self.content_of("new one"))
        again = self.ask("GET", "/dav/new%20one")
        self.assertEqual(said.fields["etag"], again.fields["etag"])

    def test_replaced(self) -> None:
        """204 where one is replaced."""
        self.assertEqual(204, self.ask("PUT", "/dav/a", b"new").status)
        self.assertEqual(b"new", self.content_of("a"))

    def test_broken_off(self) -> None:
        """An upload that breaks off leaves what was there."""
        talk = self.talk_http()
        talk.send(put_head("/dav/a", "Content-Length: 10") + b"12345")
        self.assertEqual(b"old", self.content_of("a"))
        talk.connection.connectionLost()
        self.assertEqual(b"old", self.content_of("a"))

    def test_too_large(self) -> None:
        """413 beyond the largest upload, told or not."""
        self.assertEqual(413, self.ask("PUT", "/dav/a", b"x" * 81).status)
        chunked = b"51\r\n" + b"x" * 81 + b"\r\n0\r\n\r\n"
        said = self.talk_http().send(
            put_head("/dav/a", "Transfer-Encoding: chunked") + chunked
        )
        self.assertEqual(413, Said.parsed(said).status)
        self.assertEqual(b"old", self.content_of("a"))

    def test_continue(self) -> None:
        """A client that waits for it is told to go on.  RFC 9110 10.1.1."""
        talk = self.talk_http()
        head = put_head("/dav/c", "Content-Length: 3", "Expect: 100-continue")
        self.assertEqual(b"HTTP/1.1 100 Continue\r\n\r\n", talk.send(head))
        self.assertEqual(201, Said.parsed(talk.send(b"abc")).status)

    def test_content_range(self) -> None:
        """A part is refused, not taken for the whole.  RFC 9110 14.5."""
        said = self.ask("PUT", "/dav/a", b"12", Content_Range="bytes 0-1/3")
        self.assertEqual((400, b"old"), (said.status, self.content_of("a")))

    def test_no_directory(self) -> None:
        """409 where the directory is missing.  RFC 4918 9.7.1."""
        self.assertEqual(409, self.ask("PUT", "/dav/no/a", b"").status)

    def test_directory(self) -> None:
        """405 where a directory has the name."""
        self.assertEqual(405, self.ask("PUT", "/dav/d", b"").status)
        self.assertEqual(405, self.ask("PUT", "/dav/d/", b"").status)

    def test_names_that_are_none(self) -> None:
        """Nothing leaves the home, and what is the server's own is refused."""
        for path in (
            "/dav/%2e%2e/%2e%2e/x",
            "/dav/..%2fx",
            "/dav/.ns-uploads/x",
            "/dav/a%0ab",
        ):
            said = self.ask("PUT", path, b"")
            self.assertIn(said.status, (400, 403, 404), path)

    def assert_put(self, status: int, **conditions: str) -> None:
        """PUT answers with that status."""
        self.assertEqual(status, self.ask("PUT", "/dav/a", b"1", **conditions).status)

    def test_conditions(self) -> None:
        """If-Match and If-None-Match decide.  RFC 9110 13.1."""
        etag = self.ask("GET", "/dav/a").fields["etag"]

        self.assert_put(412, If_Match='"other"')
        self.assert_put(412, If_None_Match="*")
        self.assert_put(412, If_None_Match=f'"x", {etag}')
        self.assert_put(412, If_Unmodified_Since="Sat, 29 Oct 1994 19:43:31 GMT")
        self.assertEqual(b"old", self.content_of("a"))
        self.assert_put(204, If_Match=f'"x", {etag}')
        self.assert_put(412, If_Match=etag)
        self.assertEqual(412, self.ask("PUT", "/dav/n", b"", If_Match="*").status)
        self.assertEqual(201, self.ask("PUT", "/dav/n", b"", If_None_Match="*").status)

    def begun(self, path: str, condition: str) -> Talk:
        """An upload of which all but the last octet has come."""
        talk = self.talk_http()
        talk.send(put_head(path, "Content-Length: 2", condition) + b"1")
        return talk

    def test_changed_meanwhile(self) -> None:
        """The conditions hold when the file takes its name, not only before."""
        etag = self.ask("GET", "/dav/a").fields["etag"]
        first, second = (self.begun("/dav/a", f"If-Match: {etag}") for _ in "12")
        self.assertEqual(204, Said.parsed(first.send(b"1")).status)
        self.assertEqual(412, Said.parsed(second.send(b"2")).status)
        self.assertEqual(b"11", self.content_of("a"))

    def test_made_meanwhile(self) -> None:
        """So does If-None-Match: *."""
        first, second = (self.begun("/dav/n", "If-None-Match: *") for _ in "12")
        self.assertEqual(201, Said.parsed(first.send(b"1")).status)
        self.assertEqual(412, Said.parsed(second.send(b"2")).status)
        self.assertEqual(b"11", self.content_of("n"))


class NameTests(DAVHouse, SynchronousTestCase):
    """DELETE and MKCOL."""

    content = {"a": b"old", "d/b": b"x", "d/e/f": b"x"}

    def test_delete(self) -> None:
        """A file goes.  RFC 9110 9.3.5."""
        self.assertEqual(412, self.ask("DELETE", "/dav/a", If_Match='"x"').status)
        self.assertEqual(204, self.ask("DELETE", "/dav/a").status)
        self.assertEqual(404, self.ask("DELETE", "/dav/a").status)

    def test_delete_directory(self) -> None:
        """A directory goes with all that is in it.  RFC 4918 9.6.1."""
        self.assertEqual(204, self.ask("DELETE", "/dav/d/").status)
        self.assertEqual(404, self.ask("GET", "/dav/d/e/f").status)
        self.assertEqual(403, self.ask("DELETE", "/dav/").status)

    def test_make_directory(self) -> None:
        """201; 405 where there is one, 409 without the one above, 415 with content.
        RFC 4918 9.3.1."""
        self.assertEqual(201, self.ask("MKCOL", "/dav/n/").status)
        self.assertEqual(405, self.ask("MKCOL", "/dav/n").status)
        self.assertEqual(405, self.ask("MKCOL", "/dav/").status)
        self.assertEqual(409, self.ask("MKCOL", "/dav/x/y/").status)
        self.assertEqual(415, self.ask("MKCOL", "/dav/m/", b"x").status)


class PatchTests(DAVHouse, SynchronousTestCase):
    """PATCH."""

    content = {"a": b'{"x": 1, "y": {"z": 2}}', "text": b"words"}
    http = {"largest_patched": 100}

    def patched(self, path: str, body: str, **fields: str) -> int:
        """The status of a PATCH with JSON."""
        kind = fields.pop("Content_Type", "application/merge-patch+json")
        return self.ask("PATCH", path, body, Content_Type=kind, **fields).status

    def test_merge(self) -> None:
        """JSON is merged.  RFC 7396."""
        self.assertEqual(204, self.patched("/dav/a", '{"x": null, "y": {"w": "ü"}}'))
        self.assertEqual(
            {"y": {"z": 2, "w": "ü"}}, json.loads(self.content_of("a").decode())
        )

    def test_refused(self) -> None:
        """What does not fit changes nothing.  RFC 5789 2.2."""
        self.assertEqual(422, self.patched("/dav/a", "{"))
        self.assertEqual(422, self.patched("/dav/text", "{}"))
        self.assertEqual(404, self.patched("/dav/none", "{}"))
        self.assertEqual(405, self.patched("/dav/", "{}"))
        self.assertEqual(412, self.patched("/dav/a", "{}", If_Match='"x"'))
        self.assertEqual(413, self.patched("/dav/a", " " * 101))
        said = self.ask("PATCH", "/dav/a", b"", Content_Type="text/plain")
        self.assertEqual(415, said.status)
        self.assertIn("application/merge-patch+json", said.fields["accept-patch"])

    def test_own(self) -> None:
        """Whoever wants adds a kind."""
        self.dav.patches["text/x-append"] = lambda content, more: content + more
        self.assertEqual(
            204, self.patched("/dav/text", "!", Content_Type="text/x-append; a=b")
        )
        self.assertEqual(b"words!", self.content_of("text"))

    def test_changed_meanwhile(self) -> None:
        """409 where somebody else was faster."""

        def slow(content: bytes, more: bytes) -> bytes:
            self.put("text", b"other")
            return content + more

        self.dav.patches["text/x-append"] = slow
        self.assertEqual(
            409, self.patched("/dav/text", "!", Content_Type="text/x-append")
        )
        self.assertEqual(b"other", self.content_of("text"))


class EventTests(DAVHouse, SynchronousTestCase):
    """What machines hear."""

    content = {"a": b"words"}

    def test_events(self) -> None:
        """Uploads and changes are told as FTP tells them."""
        self.ask("PUT", "/dav/b", b"123")
        self.ask("PUT", "/dav/b", b"123", Content_Length="3")
        self.ask("MKCOL", "/dav/d/")
        self.ask("COPY", "/dav/a", Destination="/dav/d/c")
        self.ask("MOVE", "/dav/a", Destination="/dav/e")
        self.ask("DELETE", "/dav/d/")
        talk = self.talk_http()
        talk.send(put_head("/dav/f", "Content-Length: 9") + b"12")
        talk.connection.connectionLost()

        found = [
            (
                fields.get("change") or fields["outcome"],
                fields["path"],
                fields.get("target") or fields["size_octets"],
            )
            for name, fields in self.events.seen
            if name in ("transfer", "file_changed")
        ]
        self.assertEqual(
            [
                ("complete", "/b", 3),
                ("complete", "/b", 3),
                ("made", "/d", None),
                ("copied", "/a", "/d/c"),
                ("renamed", "/a", "/e"),
                ("deleted", "/d/c", 5),
                ("removed", "/d", None),
                ("lost", "/f", 2),
            ],
            found,
        )

    def test_times(self) -> None:
        """Clients that keep times in step say which; the entity tag is right then."""
        said = self.ask("PUT", "/dav/b", b"123", X_OC_Mtime="1234567890")
        got = self.ask("GET", "/dav/b")

        self.assertEqual("accepted", said.fields["x-oc-mtime"])
        self.assertEqual("Fri, 13 Feb 2009 23:31:30 GMT", got.fields["last-modified"])
        self.assertEqual(said.fields["etag"], got.fields["etag"])
        for text in ("-1", "x", "9" * 30):
            said = self.ask("PUT", "/dav/b", b"123", X_OC_Mtime=text)
            self.assertEqual(204, said.status)
