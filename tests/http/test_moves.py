"""Redirections that the operator has written down."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netservices.http.layers.moves import Moves, parse_move
from netservices.web.request import Request
from netservices.web.response import Response, text


class MoveTests(SynchronousTestCase):
    """Lines of ``http.moves``."""

    def asked(self, lines: list[str], path: str, **more: object) -> tuple[int, str]:
        """Status and location that the request gets."""
        request = Request("GET", path, **more)  # type: ignore[arg-type]
        answer = Moves(tuple(lines))(request, lambda _request: text("here"))
        assert isinstance(answer, Response)
        return answer.status, answer.get("Location")

    def test_one_path(self) -> None:
        """A path leads to another one, and takes its query along."""
        lines = ["/old /new", "/gone /new?x=1 302"]

        self.assertEqual((301, "/new"), self.asked(lines, "/old"))
        self.assertEqual((301, "/new?a=b"), self.asked(lines, "/old", query="a=b"))
        self.assertEqual((302, "/new?x=1"), self.asked(lines, "/gone", query="a=b"))
        self.assertEqual((200, ""), self.asked(lines, "/older"))

    def test_all_below(self) -> None:
        """A pattern with a star takes what is below along."""
        lines = ["/blog/* https://blog.example/* 308"]

        self.assertEqual(
            (308, "https://blog.example/a/b"), self.asked(lines, "/blog/a/b")
        )
        self.assertEqual((200, ""), self.asked(lines, "/blog"))

    def test_host(self) -> None:
        """A pattern with a host is for that one only."""
        lines = ["www.example.org/* https://example.org/*"]

        self.assertEqual(
            (301, "https://example.org/x"),
            self.asked(lines, "/x", host="www.example.org"),
        )
        self.assertEqual((200, ""), self.asked(lines, "/x", host="example.org"))

    def test_stays_on_its_host(self) -> None:
        """Slashes in what the star stands for never name another host."""
        for path in ("/a//evil.example", "/a/\\evil.example", "/a///evil.example"):
            for line in ("/a/* /*", "h/a/* /*"):
                _status, location = self.asked([line], path, host="h")
                self.assertEqual("/evil.example", location)

    def test_bad_lines(self) -> None:
        """A line that cannot be meant is refused, with what is wrong."""
        for line, told in (
            ("/old", "no line such as '/old /new'"),
            ("old /new", "no path"),
            ("/old new", "no path and no URL"),
            ("/old //evil.example/", "no path and no URL"),
            ("/old /new 200", "none of 301"),
            ("/old /new/*", "needs a pattern"),
        ):
            with self.assertRaises(ValueError) as caught:
                parse_move(line)
            self.assertIn(told, str(caught.exception))
