"""XML of clients: read, kept, written again; and what is refused."""

from __future__ import annotations

from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from netservices.http.handlers.dav.elements import (
    MAX_ATTRIBUTES,
    MAX_DEPTH,
    MAX_ELEMENTS,
    Element,
    dav,
    parse,
    written,
)
from netservices.web.problems import Problem

KEPT = (
    "<a/>",
    "<a>text &amp; &lt;more&gt; ü</a>",
    '<D:a xmlns:D="DAV:"/>',
    '<a xmlns="x"><b xmlns=""/></a>',
    '<p:a xmlns:p="x" p:q="1" r="2"><p:b/></p:a>',
    '<p:a xmlns:p="x"><p:b xmlns:p="y"><c xmlns="z" p:d="e"/></p:b></p:a>',
    '<a b="&quot;&lt;&amp;&#10;&#9;">x&#13;y</a>',
    '<a xml:lang="de"> <b/> tail <c>&#x10FFFF;</c></a>',
)


class KeptTests(SynchronousTestCase):
    """What was written is written again.  RFC 4918 4.3, 4.4."""

    def test_round_trip(self) -> None:
        """Each element means the same afterwards, prefixes included."""
        for text in KEPT:
            again = written(parse(text.encode()))
            self.assertEqual(
                ElementTree.canonicalize(text), ElementTree.canonicalize(again)
            )
            self.assertEqual(again, written(parse(again.encode())))

    def test_part(self) -> None:
        """A part of a document stands for itself: its namespaces, and the language that
        was said around it, are in it."""
        root = parse(b'<x:a xmlns:x="u" xmlns="v" xml:lang="fr"><x:b><c/></x:b></x:a>')
        (part,) = root.elements

        self.assertEqual(
            ElementTree.canonicalize(
                '<x:b xmlns:x="u" xml:lang="fr"><c xmlns="v"/></x:b>'
            ),
            ElementTree.canonicalize(written(part, keeps_language=True)),
        )

    def test_made(self) -> None:
        """Elements with namespaces but without prefixes get some that fit."""
        element = Element(dav("a"), "", {"{u}b": ("", "1"), "{v}c": ("", "2")})
        text = written(element)

        found = ElementTree.fromstring(text)
        self.assertEqual(dav("a"), found.tag)
        self.assertEqual({"{u}b": "1", "{v}c": "2"}, found.attrib)

    def test_encodings(self) -> None:
        """UTF-8 and UTF-16 are read (RFC 4918 8.2)."""
        text = '<?xml version="1.0" encoding="{}"?><a>ü</a>'
        for name in ("utf-8", "utf-16", "iso-8859-1"):
            root = parse(text.format(name).encode(name))
            self.assertEqual("ü", root.text)


class RefusedTests(SynchronousTestCase):
    """What is no XML, and what would cost too much."""

    def assert_refused(self, status: int, data: bytes) -> None:
        """Such content has that status."""
        problem = self.assertRaises(Problem, parse, data)
        self.assertEqual(status, problem.status, data[:60])

    def test_malformed(self) -> None:
        """400; RFC 4918 8.2."""
        for data in (
            b"",
            b"<a>",
            b"<a></b>",
            b"<a/><b/>",
            b"<x:a/>",
            b'<a xmlns:x=""/>',
            b"<a b='1' b='2'/>",
            b"<a>\0</a>",
            b"<a>\xff</a>",
            b'<?xml version="1.0" encoding="no-such"?><a/>',
            b"nothing of the kind",
        ):
            self.assert_refused(400, data)

    def test_document_types(self) -> None:
        """No entities are taken, neither those that explode nor those that read files;
        RFC 4918 20.6."""
        for kind in (
            "<!DOCTYPE a>",
            '<!DOCTYPE a [<!ENTITY x "y">]>',
            '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
            '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
            '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://h/"> %x;]>',
        ):
            self.assert_refused(400, f"{kind}<a>&x;</a>".encode())
        self.assert_refused(400, b"<a>&x;</a>")

    def test_limits(self) -> None:
        """413 for more depth, elements or attributes than anybody needs."""
        parse(b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH)
        self.assert_refused(413, b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1))
        self.assert_refused(413, b"<a>" + b"<b/>" * MAX_ELEMENTS + b"</a>")
        many = " ".join(f"a{n}='1'" for n in range(MAX_ATTRIBUTES + 1))
        self.assert_refused(413, f"<a {many}/>".encode())
