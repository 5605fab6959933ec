"""Listings of directories."""

from __future__ import annotations

import json
import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import begun
from netservices.files.service import Files
from netservices.files.settings import FilesSettings
from netservices.http.handlers.listing import list_directory, order_of, size_text
from netservices.testing import MemoryStore
from netservices.web.fields import Fields
from netservices.web.request import Request
from netservices.web.response import Response


def is_hidden(name: str) -> bool:
    """Whether a name begins with a dot."""
    return name.startswith(".")


class ListingTests(SynchronousTestCase):
    """Directories as pages and as JSON."""

    def setUp(self) -> None:
        state = self.mktemp()
        self.directory = os.path.join(state, "pub")
        os.makedirs(self.directory)
        store: Any = MemoryStore()
        self.tree = Files(state, store, FilesSettings(), None).public()

    def put(self, name: str, size: int = 0, mtime: int = 0) -> None:
        """A file."""
        path = os.path.join(self.directory, name)
        with open(path, "wb") as file:
            file.write(bytes(size))
        os.utime(path, (mtime, mtime))

    def ask(
        self, query: str = "", accept: str = "text/html", *more: tuple[str, str]
    ) -> Response:
        """The listing of the root."""
        fields = Fields([("accept", accept), *more])
        request = Request("GET", "/", query=query or None, fields=fields)
        return self.successResultOf(
            begun(list_directory(request, self.tree, (), is_hidden))
        )

    def names(self, query: str = "") -> list[str]:
        """The names in a listing as JSON."""
        body = self.ask(query, "application/json").body
        assert isinstance(body, bytes)
        return [one["name"] for one in json.loads(body)["entries"]]

    def test_unchanged(self) -> None:
        """A browser that has the page fetches it again only when it has changed."""
        self.put("a")
        known = ("if-none-match", self.ask().get("ETag"))
        again = self.ask("", "text/html", known)
        self.assertEqual((304, b""), (again.status, again.body))
        self.assertEqual(known[1], again.get("ETag"))
        self.assertIn("Accept-Encoding", again.get("Vary"))
        self.put("b")

        self.assertEqual(200, self.ask("", "text/html", known).status)

    def test_orders(self) -> None:
        """By name, size and date, both ways; directories are the smallest."""
        self.put("b", 10, 300)
        self.put("a", 30, 100)
        self.put("c", 20, 200)
        os.mkdir(os.path.join(self.directory, "d"))

        self.assertEqual(["a", "b", "c", "d"], self.names())
        self.assertEqual(["d", "c", "b", "a"], self.names("sort=name&order=desc"))
        self.assertEqual(["d", "b", "c", "a"], self.names("sort=size"))
        self.assertEqual(["a", "c", "b", "d"], self.names("sort=date"))
        self.assertEqual(["a", "b", "c", "d"], self.names("sort=%00&order=x&after="))

    def test_hidden(self) -> None:
        """Names that are hidden are not in it."""
        self.put(".secret")
        self.put("seen")

        self.assertEqual(["seen"], self.names())

    def test_page(self) -> None:
        """Names are shown as text, and their links work whatever is in them."""
        self.put('<b>"x')
        self.put("a:b?c#d e")
        body = self.ask().body
        assert isinstance(body, bytes)

        self.assertIn(b"&lt;b&gt;&#34;x</a>", body)
        self.assertIn(b'href="./a%3Ab%3Fc%23d%20e"', body)
        self.assertIn(b'aria-sort="ascending"', body)

    def test_strange_octets(self) -> None:
        """A name that is no UTF-8 is shown as well as it can be, and its link works."""
        self.put(os.fsdecode(b"\xff"))
        body = self.ask().body
        assert isinstance(body, bytes)

        self.assertIn(b'href="./%FF"', body)
        self.assertEqual(["\ufffd"], self.names())

    def test_paged(self) -> None:
        """A long directory comes in pages, in every order."""
        for number in range(1100):
            self.put(f"{number:04}", number)
        for sort in ("name", "size"):
            found: list[str] = []
            query: str | None = f"?sort={sort}"
            while query is not None:
                body = self.ask(query[1:], "application/json").body
                assert isinstance(body, bytes)
                told = json.loads(body)
                found += [one["name"] for one in told["entries"]]
                query = told["next"]
            self.assertEqual([f"{number:04}" for number in range(1100)], found)

    def test_queries(self) -> None:
        """What a query does not make sense of is ignored."""
        self.assertEqual("name", order_of(None).column)
        self.assertEqual("name", order_of("monkeys&banana").column)
        self.assertEqual(200, self.ask("&".join(["a=b"] * 50)).status)
        self.assertEqual([], self.names("sort=size&after=99999999999999999999"))

    def test_sizes(self) -> None:
        """Sizes are short to read."""
        for octets, expected in (
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 KB"),
            (1536, "1.5 KB"),
            (200 * 1024, "200 KB"),
            (5 << 30, "5.0 GB"),
        ):
            self.assertEqual(expected, size_text(octets))
