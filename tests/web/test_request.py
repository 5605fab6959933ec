"""Requests as handlers see them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netservices.web.problems import Problem
from netservices.web.request import Request, segments_of


class SegmentTests(SynchronousTestCase):
    """Paths of URLs as segments."""

    def test_segments(self) -> None:
        """Segments are decoded; dots are resolved, empty ones dropped."""
        for path, expected in (
            ("/", ("",)),
            ("/a/b", ("a", "b")),
            ("/a//b/", ("a", "b", "")),
            ("/a/./b/..", ("a", "")),
            ("/%2e%2e%2Fx", ("../x",)),
            ("/a%20b/%C3%A9", ("a b", "é")),
            ("/%ff", ("\udcff",)),
        ):
            self.assertEqual(expected, segments_of(path), path)

    def test_bad(self) -> None:
        """Nothing leads out of the root, NUL is in no path, and escapes are whole."""
        for path in (
            "/..",
            "/%2e%2e/x",
            "/a/../../b",
            "/a%00b",
            "/%",
            "/a%2/b",
            "/%zz",
        ):
            with self.assertRaises(Problem) as caught:
                segments_of(path)
            self.assertEqual(400, caught.exception.status)

    def test_below(self) -> None:
        """What is mounted sees the rest of the path."""
        request = Request("GET", "/app/x/y").below(1)

        self.assertEqual((("app",), ("x", "y")), (request.mount, request.segments))
