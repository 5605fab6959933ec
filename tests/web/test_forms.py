"""Forms: in queries, in content, with files; small, large and hostile ones."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import begun, value_of
from netservices.web.body import Body
from netservices.web.fields import Fields
from netservices.web.forms import Form, FormLimits, parse_form, query_of, read_form
from netservices.web.multipart import MultipartLimits, Part, Parts
from netservices.web.problems import BodyLost, Problem
from netservices.web.request import Request

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"

FORM = (
    b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
    b'--b\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\n'
    b"Content-Type: text/x\r\n\r\nline 1\r\n--xb\r\n\r\n--b\r\n"
    b'Content-Disposition: form-data; name="a"\r\n\r\n\xc3\xa9\r\n--b--\r\n'
)


def posted(content: bytes, kind: str, piece: int = 0, **fields: str) -> Request:
    """A request with a form, whose content comes in pieces of that size."""
    body = Body(len(content))
    for start in range(0, len(content), piece or max(len(content), 1)):
        body.feed(content[start : start + (piece or len(content))])
    body.finish()
    pairs = [("content-type", kind), *fields.items()]
    given = Fields((name.replace("_", "-"), value) for name, value in pairs)
    return Request("POST", "/", fields=given, body=body)


def read(request: Request, **more: Any) -> Form:
    """The form in a request."""
    return value_of(begun(read_form(request, **more)))


class QueryTests(SynchronousTestCase):
    """``parse_form`` and ``query_of``."""

    def test_pairs(self) -> None:
        """Names and values in their order, decoded."""
        for text, pairs in (
            ("", []),
            ("monkeys&banana", [("monkeys", ""), ("banana", "")]),
            ("q=a+b&q=%63&&x=", [("q", "a b"), ("q", "c"), ("x", "")]),
            ("a=b=c", [("a", "b=c")]),
            ("=x", [("", "x")]),
            ("caf%C3%A9=%E2%82%AC", [("café", "€")]),
            ("a=%&b=%zz", [("a", "%"), ("b", "%zz")]),
            ("a;b=1", [("a;b", "1")]),
        ):
            self.assertEqual(tuple(pairs), parse_form(text).pairs, text)

    def test_form(self) -> None:
        """A form is asked by name."""
        form = query_of(Request("GET", "/", "q=a&q=b&x"))

        self.assertEqual(("a", ["a", "b"]), (form.get("q"), form.all("q")))
        self.assertEqual(["q", "x"], form.names())
        self.assertEqual(("", "z"), (form.get("no"), form.get("no", "z")))
        self.assertTrue("x" in form and "y" not in form)
        self.assertEqual((3, form.pairs), (len(form), tuple(form)))

    def test_no_query(self) -> None:
        """Without a query there is an empty form."""
        self.assertEqual(0, len(query_of(Request("GET", "/"))))

    def test_values_are_not_shown(self) -> None:
        """A form that is logged keeps its values to itself."""
        self.assertNotIn("secret", repr(parse_form("password=secret")))

    def test_not_text(self) -> None:
        """Octets that are no UTF-8 are refused."""
        for text in ("a=%ff", "%c0%af", "a=%ed%a0%80"):
            problem = self.assertRaises(Problem, parse_form, text)
            self.assertEqual(400, problem.status)

    def test_too_many(self) -> None:
        """A million fields are refused before any is looked at."""
        problem = self.assertRaises(Problem, parse_form, "a&" * 1_000_000)
        self.assertEqual(413, problem.status)
        self.assertEqual(1000, len(parse_form("&".join(["a=1"] * 1000))))


class URLEncodedTests(SynchronousTestCase):
    """``read_form`` of content that looks like a query."""

    def test_read(self) -> None:
        """As in a query, however it comes."""
        for piece in (0, 1):
            form = read(posted(b"a=1&b=%20", URLENCODED, piece))
            self.assertEqual((("a", "1"), ("b", " ")), form.pairs)

    def test_charset(self) -> None:
        """UTF-8, unless the peer says that it is one of those before it."""
        request = posted(b"a=%e9", f"{URLENCODED}; charset=ISO-8859-1")
        self.assertEqual("é", read(request).get("a"))
        request = posted(b"a=1", f"{URLENCODED}; charset=utf-7")
        self.assertEqual(415, self.assertRaises(Problem, read, request).status)

    def test_refused(self) -> None:
        """What is no form, compressed, or too long."""
        for request, status in (
            (posted(b"{}", "application/json"), 415),
            (posted(b"a", ""), 415),
            (posted(b"a", URLENCODED, content_encoding="gzip"), 415),
            (posted(b"a" * 100_000, URLENCODED), 413),
        ):
            limits = FormLimits(longest=50_000)
            problem = self.assertRaises(Problem, read, request, limits=limits)
            self.assertEqual(status, problem.status)

    def test_lost(self) -> None:
        """A form that breaks off is none."""
        body = Body(100)
        body.feed(b"a=1")
        body.fail()
        request = Request(
            "POST", "/", None, Fields([("content-type", URLENCODED)]), body
        )
        self.assertRaises(BodyLost, read, request)


class MultipartTests(SynchronousTestCase):
    """``Parts`` and ``read_form`` with files."""

    def collected(self, request: Request, **limits: int) -> list[Any]:
        """All parts: name, file name, media type, content."""

        async def collect() -> list[Any]:
            return [
                (part.name, part.filename, part.media_type, await part.whole(10**9))
                async for part in Parts(request, MultipartLimits(**limits))
            ]

        return value_of(begun(collect()))

    def status(self, content: bytes, kind: str = MULTIPART, **limits: int) -> int:
        """The status with which a form is refused."""
        request = posted(content, kind)
        return self.assertRaises(Problem, self.collected, request, **limits).status

    def test_parts(self) -> None:
        """Every part with its name and content, split anywhere."""
        for piece in (0, 1, 2, 3, 7, 50):
            self.assertEqual(
                [
                    ("a", None, "text/plain", b"1"),
                    ("f", "x.txt", "text/x", b"line 1\r\n--xb\r\n"),
                    ("a", None, "text/plain", "é".encode()),
                ],
                self.collected(posted(FORM, MULTIPART, piece)),
                piece,
            )

    def test_read_form(self) -> None:
        """Fields are in the form, files go to whoever keeps them."""
        kept = []

        async def keep(part: Part) -> None:
            kept.append((part.safe_name, await part.read()))

        form = read(posted(FORM, MULTIPART), keep=keep)

        self.assertEqual((("a", "1"), ("a", "é")), form.pairs)
        self.assertEqual("x.txt", kept[0][0])
        problem = self.assertRaises(Problem, read, posted(FORM, MULTIPART))
        self.assertEqual(415, problem.status)

    def test_no_file_chosen(self) -> None:
        """A file field without a file is no reason to refuse."""
        content = (
            b'--b\r\nContent-Disposition: form-data; name="f"; filename=""\r\n\r\n'
            b"\r\n--b--\r\n"
        )
        self.assertEqual(0, len(read(posted(content, MULTIPART))))

    def test_unread(self) -> None:
        """What nobody reads of a part is passed over."""

        async def names() -> list[str]:
            return [part.name async for part in Parts(posted(FORM, MULTIPART, 5))]

        self.assertEqual(["a", "f", "a"], value_of(begun(names())))

    def test_streamed(self) -> None:
        """A part is there before the rest has come, and nothing is read ahead."""
        wanted: list[bool] = []
        body = Body(1_000_000, lambda: wanted.append(True))
        request = Request(
            "POST", "/", None, Fields([("content-type", MULTIPART)]), body
        )
        parts = Parts(request)
        head = b'--b\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\n'

        found: Deferred[Part] = begun(parts.__anext__())
        self.assertNoResult(found)
        body.feed(head + b"begin")
        part = self.successResultOf(found)
        self.assertEqual(b"begin", value_of(begun(part.read())))
        more = begun(part.read())
        self.assertNoResult(more)
        self.assertEqual(2, len(wanted))
        body.fail()
        self.failureResultOf(more, BodyLost)

    def test_names(self) -> None:
        """No path that a peer writes is left of a file's name."""
        for written, name in (
            (b"x.txt", "x.txt"),
            (b"../../etc/passwd", "passwd"),
            (rb"C:\\evil\\x.exe", "x.exe"),
            (b"/abs", "abs"),
            (b"caf\xc3\xa9 1.txt", "café 1.txt"),
            (b"..", ""),
            (b"a/..", ""),
            (b"a/", ""),
            (b"x\x00y", ""),
            (b"x\ty", ""),
            (b"x" * 300, ""),
        ):
            head = b'form-data; name="f"; filename="' + written + b'"'
            content = b"--b\r\nContent-Disposition: " + head + b"\r\n\r\nx\r\n--b--\r\n"
            found: list[str] = []

            async def keep(part: Part, found: list[str] = found) -> None:
                try:
                    found.append(part.safe_name)
                except Problem:
                    found.append("")

            read(posted(content, MULTIPART), keep=keep)
            self.assertEqual([name], found, written)

    def test_broken(self) -> None:
        """What is cut short or has no right form is 400."""
        for cut in range(len(FORM) - 4):
            self.assertEqual(400, self.status(FORM[:cut]), cut)
        head = b"--b\r\nContent-Disposition: form-data; name=a\r\n"
        for content in (
            b"",
            b"--c\r\n",
            b"--b\r\n\r\nx\r\n--b--\r\n",
            b"--b\r\nContent-Disposition: attachment; name=a\r\n\r\nx\r\n--b--",
            head + b"X\xff: y\r\n\r\nx\r\n--b--",
            head + b"no colon\r\n\r\nx\r\n--b--",
            head.replace(b"\r\n", b"\n") + b"\nx\n--b--\n",
        ):
            self.assertEqual(400, self.status(content), content)

    def test_boundaries(self) -> None:
        """A boundary is there, and is one."""
        for kind in (
            "multipart/form-data",
            "multipart/form-data; boundary=",
            'multipart/form-data; boundary=""',
            "multipart/form-data; boundary=" + "x" * 71,
            'multipart/form-data; boundary="x "',
            'multipart/form-data; boundary="a\tb"',
            "multipart/form-data; boundary=\xe9",
        ):
            self.assertEqual(400, self.status(FORM, kind), kind)
        for kind in ('multipart/form-data;boundary="b"', f"{MULTIPART}; x=y"):
            self.assertEqual(3, len(self.collected(posted(FORM, kind))))

    def test_boundary_in_content(self) -> None:
        """What only looks like a boundary is content, wherever it is split."""
        inside = b"\r\n--\r\n\r--b\r\n-b\r\n --b\n--b\r\n--"
        content = (
            b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n"
            + inside
            + b"\r\n--b--\r\n"
        )
        for piece in (0, 1, 2, 3, 5):
            [(_, _, _, found)] = self.collected(posted(content, MULTIPART, piece))
            self.assertEqual(inside, found, piece)

    def test_limits(self) -> None:
        """Each limit has its 413."""
        part = b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\nxxxxx\r\n"
        file = part.replace(b"name=a", b"name=a; filename=x")
        fields = b"".join(b"X-%d: y\r\n" % number for number in range(20))
        long = part.replace(b"name=a", b"name=" + b"a" * 10_000)
        for content, limits in (
            (part * 201 + b"--b--", {}),
            (file + b"--b--", {"longest_file": 4}),
            (part + b"--b--", {"longest": 20}),
            (long + b"--b--", {}),
            (part.replace(b"\r\n\r\n", b"\r\n" + fields + b"\r\n") + b"--b--", {}),
        ):
            self.assertEqual(413, self.status(content, **limits))
        limits = FormLimits(multipart=MultipartLimits(longest_field=4))
        request = posted(part + b"--b--", MULTIPART)
        problem = self.assertRaises(Problem, read, request, limits=limits)
        self.assertEqual(413, problem.status)
        request = posted(part * 10 + b"--b--", MULTIPART)
        problem = self.assertRaises(
            Problem, read, request, limits=FormLimits(longest=30)
        )
        self.assertEqual(413, problem.status)
