"""PROPFIND and PROPPATCH."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from tests.http.dav_kit import DAVHouse, Said, told, wanting

NOTE = """<?xml version="1.0"?>
<D:propertyupdate xmlns:D="DAV:" xmlns:Z="urn:z" xml:lang="fr">
  <D:set>
    <D:prop><Z:author><Z:name>Zo&#233; &amp; co</Z:name></Z:author></D:prop>
  </D:set>
  <D:set><D:prop><Z:gone>x</Z:gone><plain/></D:prop></D:set>
  <D:remove><D:prop><Z:gone/></D:prop></D:remove>
</D:propertyupdate>"""


class FindTests(DAVHouse, SynchronousTestCase):
    """What there is."""

    content = {"a & b.txt": b"words", "d/b": b"x", "d/e/f": b"x", "d/\udcff": b"x"}
    http = {"webdav_most_listed": 7}
    quota_octets = 1000

    def find(self, path: str, body: str | None = None, depth: str = "0") -> Said:
        """One PROPFIND."""
        return self.ask("PROPFIND", path, body, Depth=depth)

    def test_file(self) -> None:
        """Without content, all is told of a file; its entity tag is that of GET.  RFC
        4918 9.1, 15.6."""
        said = self.find("/dav/a%20%26%20b.txt")
        got = self.ask("GET", "/dav/a%20%26%20b.txt")

        self.assertEqual(207, said.status)
        ((href, properties),) = told(said).items()
        self.assertEqual("/dav/a%20%26%20b.txt", href)
        self.assertEqual((200, got.fields["etag"]), properties["getetag"])
        self.assertEqual((200, "5"), properties["getcontentlength"])
        self.assertEqual(
            (200, got.fields["content-type"]), properties["getcontenttype"]
        )
        self.assertEqual(
            (200, got.fields["last-modified"]), properties["getlastmodified"]
        )
        self.assertEqual((200, ""), properties["resourcetype"])
        self.assertIn("creationdate", properties)
        self.assertNotIn("quota-used-bytes", properties)

    def test_depth(self) -> None:
        """Depth 0 is the resource, 1 what is in it, too, infinity all below.  RFC 4918
        10.2."""
        only = ["/dav/d/"]
        children = [*only, "/dav/d/b", "/dav/d/e/", "/dav/d/%FF"]

        self.assertEqual(only, list(told(self.find("/dav/d"))))
        self.assertEqual(children, list(told(self.find("/dav/d/", depth="1"))))
        self.assertEqual(
            {*children, "/dav/d/e/f"},
            set(told(self.find("/dav/d/", depth="infinity"))),
        )
        self.assertEqual(400, self.find("/dav/d/", depth="2").status)
        self.assertEqual(404, self.find("/dav/none").status)

    def test_links(self) -> None:
        """Links are told as what they lead to, if that is in the home; what comes after
        one that leads nowhere is told all the same."""
        home = self.tree.volume.disk.directory
        os.symlink("nowhere", os.path.join(home, "d", "0"))
        os.symlink("b", os.path.join(home, "d", "link"))
        found = told(self.find("/dav/d/", depth="infinity"))

        self.assertNotIn("/dav/d/0", found)
        self.assertEqual((200, "1"), found["/dav/d/link"]["getcontentlength"])
        self.assertIn("/dav/d/e/f", found)

    def test_too_much(self) -> None:
        """Depth infinity has an end.  RFC 4918 9.1.1."""
        self.put("g", b"")
        said = self.find("/dav/", depth="infinity")

        self.assertEqual(403, said.status)
        self.assertIn(b"<D:propfind-finite-depth>", said.body)

    def test_many(self) -> None:
        """A directory of more than a page is told whole, and each name once."""
        for number in range(1001):
            self.put(f"many/{number:04}", b"")
        found = list(told(self.find("/dav/many/", wanting("resourcetype"), "1")))

        self.assertEqual(1002, len(found))
        self.assertEqual(1002, len(set(found)))

    def test_named(self) -> None:
        """Properties that are asked for by name come, or are said to be missing.  RFC
        4918 9.1.3."""
        body = wanting("getcontentlength", "none", "quota-used-bytes")
        (of_file,) = told(self.find("/dav/d/b", body)).values()
        (of_directory,) = told(self.find("/dav/d/", body)).values()

        self.assertEqual((200, "1"), of_file["getcontentlength"])
        self.assertEqual((404, ""), of_file["none"])
        self.assertEqual(404, of_file["quota-used-bytes"][0])
        self.assertEqual(404, of_directory["getcontentlength"][0])
        self.assertEqual((200, "8"), of_directory["quota-used-bytes"])

    def test_quota(self) -> None:
        """What may still come is told.  RFC 4331 3."""
        (found,) = told(self.find("/dav/", wanting("quota-available-bytes"))).values()

        self.assertEqual((200, "992"), found["quota-available-bytes"])

    def test_names(self) -> None:
        """Names are told without values.  RFC 4918 9.1.4."""
        body = '<propfind xmlns="DAV:"><propname/></propfind>'
        (found,) = told(self.find("/dav/d/b", body)).values()

        self.assertEqual((200, ""), found["getcontentlength"])
        self.assertEqual((200, ""), found["getetag"])

    def test_include(self) -> None:
        """All, and something more by name.  RFC 4918 9.1.5."""
        body = (
            '<propfind xmlns="DAV:"><allprop/><include><quota-used-bytes/><none/>'
            "</include></propfind>"
        )
        (found,) = told(self.find("/dav/", body)).values()

        self.assertEqual((200, "8"), found["quota-used-bytes"])
        self.assertEqual(404, found["none"][0])
        self.assertEqual(200, found["getlastmodified"][0])

    def test_malformed(self) -> None:
        """400 for what is no such request, 413 for too much of it."""
        for body in (
            "<a/>",
            '<propfind xmlns="DAV:"/>',
            "<propfind",
            "<!DOCTYPE a><a/>",
        ):
            self.assertEqual(400, self.find("/dav/", body).status, body)
        self.assertEqual(413, self.find("/dav/", "<a>" + " " * 300_000).status)


class NoteTests(DAVHouse, SynchronousTestCase):
    """What clients note."""

    content = {"a": b"words", "b": b"", "d/e": b""}

    def note(self, path: str, body: str = NOTE) -> Said:
        """One PROPPATCH."""
        return self.ask("PROPPATCH", path, body)

    def noted(self, path: str) -> dict[str, tuple[int, str]]:
        """Properties that are none of WebDAV's."""
        said = self.ask("PROPFIND", path, Depth="0")
        ((_, found),) = told(said).items()
        return {name: told for name, told in found.items() if name.startswith("{urn")}

    def test_set(self) -> None:
        """Properties are set in their order, and told as they were written.  RFC 4918
        4.3, 9.2."""
        said = self.note("/dav/a")

        self.assertEqual(207, said.status)
        self.assertEqual(
            {
                "/dav/a": {
                    "{urn:z}author": (200, ""),
                    "{urn:z}gone": (200, ""),
                    "plain": (200, ""),
                }
            },
            told(said),
        )
        self.assertEqual(
            {"{urn:z}author": (200, "Zoé & co<{urn:z}name>")}, self.noted("/dav/a")
        )
        self.assertIn(b'xml:lang="fr"', self.ask("PROPFIND", "/dav/a", Depth="0").body)

    def test_follow(self) -> None:
        """They stay when the file is written, follow it when it is moved or copied, and
        go with it."""
        self.note("/dav/a")
        self.note("/dav/d/")
        self.ask("PUT", "/dav/a", b"other")
        self.ask("MOVE", "/dav/a", Destination="/dav/b")
        self.ask("COPY", "/dav/d/", Destination="/dav/f")

        self.assertEqual(["{urn:z}author"], list(self.noted("/dav/b")))
        self.assertEqual(["{urn:z}author"], list(self.noted("/dav/f/")))
        self.ask("DELETE", "/dav/b")
        self.ask("PUT", "/dav/b", b"")
        self.assertEqual({}, self.noted("/dav/b"))

    def test_protected(self) -> None:
        """Where one is the server's own, none is set.  RFC 4918 9.2.1."""
        said = self.note(
            "/dav/a",
            '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><D:getetag>x</D:getetag>'
            '<x xmlns="urn:z"/></D:prop></D:set></D:propertyupdate>',
        )

        self.assertEqual(
            {"/dav/a": {"getetag": (403, ""), "{urn:z}x": (424, "")}}, told(said)
        )
        self.assertIn(b"<D:cannot-modify-protected-property>", said.body)
        self.assertEqual({}, self.noted("/dav/a"))

    def test_too_long(self) -> None:
        """507 for more than there is room for."""
        long = NOTE.replace("Zo&#233;", "x" * 70_000)

        (found,) = told(self.note("/dav/a", long)).values()
        self.assertEqual({507}, {status for status, _ in found.values()})
        self.assertEqual({}, self.noted("/dav/a"))

    def test_refused(self) -> None:
        """404 where there is nothing, 400 for what is no such request."""
        self.assertEqual(404, self.note("/dav/none").status)
        self.assertEqual(400, self.note("/dav/a", "<a/>").status)
        empty = '<propertyupdate xmlns="DAV:"><set/></propertyupdate>'
        self.assertEqual(400, self.note("/dav/a", empty).status)
