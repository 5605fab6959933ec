"""Which of the mounted handlers answers."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netservices.http.mounts import Mounts
from netservices.web.handler import Handler
from netservices.web.request import Request, segments_of
from netservices.web.response import Answer, text


def named(name: str) -> Handler:
    """A handler that says its name."""

    def handle(request: Request) -> Answer:
        return text(name)

    return handle


class MountTests(SynchronousTestCase):
    """``Mounts``."""

    def setUp(self) -> None:
        self.mounts = Mounts()
        self.names: dict[Handler, str] = {}

    def add(self, path: str, host: str = "") -> None:
        handler = named(host + path)
        self.names[handler] = host + path
        self.mounts.add(path, handler, host)

    def found(self, path: str, host: str = "") -> tuple[str, int] | None:
        found = self.mounts.find(host, segments_of(path))
        return None if found is None else (self.names[found[0]], found[1])

    def test_longest(self) -> None:
        """The longest mount wins, and only whole segments count."""
        self.add("/a")
        self.add("/a/b/")

        self.assertEqual(("/a", 1), self.found("/a"))
        self.assertEqual(("/a", 1), self.found("/a/"))
        self.assertEqual(("/a", 1), self.found("/a/bc"))
        self.assertEqual(("/a/b/", 2), self.found("/a/b"))
        self.assertEqual(("/a/b/", 2), self.found("/a/b/c/d"))
        self.assertIsNone(self.found("/ab"))
        self.assertIsNone(self.found("/"))

    def test_hosts(self) -> None:
        """A mount for one host comes before one for all, and is nobody else's."""
        self.add("/a")
        self.add("/a", "one.example")
        self.add("/b", "one.example")

        self.assertEqual(("one.example/a", 1), self.found("/a", "one.example"))
        self.assertEqual(("/a", 1), self.found("/a", "two.example"))
        self.assertIsNone(self.found("/b", "two.example"))

    def test_root(self) -> None:
        """The root of a host takes what nothing longer takes."""
        self.add("/", "one.example")
        self.add("/dns-query")

        self.assertEqual(("one.example/", 0), self.found("/", "one.example"))
        self.assertEqual(("one.example/", 0), self.found("/x/y", "one.example"))
        self.assertEqual(("/dns-query", 1), self.found("/dns-query", "one.example"))
        self.assertIsNone(self.found("/", "two.example"))

    def test_decoded(self) -> None:
        """Paths are compared as what they mean."""
        self.add("/caf%C3%A9")

        self.assertEqual(("/caf%C3%A9", 1), self.found("/caf\xc3\xa9/x"))
        self.assertEqual(("/caf%C3%A9", 1), self.found("/x/../caf%c3%a9"))

    def test_refused(self) -> None:
        """One place, one handler; and a path begins with a slash."""
        self.add("/a", "One.Example.")
        self.assertRaises(ValueError, self.add, "/a/", "one.example")
        self.assertRaises(ValueError, self.add, "a")
