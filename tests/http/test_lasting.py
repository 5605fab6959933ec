"""Answers that hold until something changes."""

from __future__ import annotations

import os
import time
from typing import Any

from netservices.core.deferreds import value_of
from netservices.web.fields import Fields
from netservices.web.handler import answer_of
from netservices.web.request import Request
from netservices.web.response import Response
from tests.http.sites import SitesCase

INDEX = "sites/default/index.html"


class LastingTests(SitesCase):
    """``Response.lasting`` of files; nothing changed in the last minute."""

    def setUp(self) -> None:
        super().setUp()
        self.then = time.time() - 60
        # The clock is a minute ahead, for directories have the time of now.
        self.clock.rightNow = time.time() + 60
        self.index = self.put(INDEX, b"one", self.then)

    def respond(
        self, path: str = "/", method: str = "GET", host: str = "h", **fields: str
    ) -> Response:
        """The answer of the handler."""
        pairs = [(name.replace("_", "-"), value) for name, value in fields.items()]
        request = Request(method, path, fields=Fields(pairs), host=host)
        answer = answer_of(self.handler, request)
        assert isinstance(answer, Response)
        return answer

    def lasting(self, *args: Any, **fields: str) -> Any:
        """What says how long the answer holds."""
        found = self.respond(*args, **fields).lasting
        assert found is not None
        return found

    def is_current(self, lasting: Any) -> bool:
        """Whether it holds now."""
        return bool(lasting.is_current(self.clock.seconds()))

    def test_holds(self) -> None:
        """It holds while nothing changes; a look a second is all it costs."""
        lasting = self.lasting()
        looks: list[object] = []
        tree = lasting.place.tree
        glance = tree.glance
        tree.glance = lambda path: looks.append(path) or glance(path)

        for _ in range(20):
            self.assertTrue(self.is_current(lasting))
            self.clock.advance(0.25)
        self.assertLessEqual(len(looks), 2 * 5)

    def test_kinds(self) -> None:
        """GET, HEAD, 304 and ranges last; long files, and what is refused, do not."""
        self.put("sites/default/long.bin", bytes(300_000), self.then)
        tag = self.respond().get("ETag")

        for fields in ({}, {"if_none_match": tag}, {"range": "bytes=0-0"}):
            self.assertIsNotNone(self.respond(**fields).lasting)
        self.assertIsNotNone(self.respond("/", "HEAD").lasting)
        long = self.respond("/long.bin")
        self.assertIsNone(long.lasting)
        long.close()
        # Known by now: no file is opened for it.
        self.assertIsNotNone(self.respond("/long.bin", "HEAD").lasting)

    def test_changed_by_others(self) -> None:
        """What somebody else changes is seen within a second."""
        changes = (
            lambda: self.put(INDEX, b"two", self.then + 1),
            lambda: os.unlink(self.index),
            lambda: self.put(INDEX + "l", b"", self.then),
            lambda: self.put(INDEX, b"three", self.then),
            lambda: self.put("sites/h/index.html", b"mine", self.then),
        )
        for number, change in enumerate(changes):
            self.put(INDEX, b"one", self.then)
            os.utime(os.path.dirname(self.index), (self.then, self.then))
            self.handler = self.make_handler()
            lasting = self.lasting()
            change()
            self.clock.advance(1)
            self.assertFalse(self.is_current(lasting), str(number))
            self.clock.advance(1)
            self.assertFalse(self.is_current(lasting), str(number))

    def test_changed_by_us(self) -> None:
        """What this server changes in the tree is seen at once."""
        account = self.people.add("alice")
        home = self.files.home(account)
        value_of(home.make_directory(("www",)))
        self.upload(home, b"one")
        lasting = self.lasting("/~alice/x.txt")
        self.assertTrue(self.is_current(lasting))
        self.upload(home, b"two")

        self.assertFalse(self.is_current(lasting))
        self.assertEqual(b"two", self.respond("/~alice/x.txt").body)

    def upload(self, home: Any, content: bytes) -> None:
        """Put a file into the pages of an account."""
        upload = value_of(home.begin_write(("www", "x.txt")))
        upload.write(content)
        value_of(upload.commit())

    def test_other_changes_of_the_tree(self) -> None:
        """A change elsewhere in the tree costs a look."""
        home = self.files.home(self.people.add("alice"))
        value_of(home.make_directory(("www",)))
        self.upload(home, b"one")
        lasting = self.lasting("/~alice/x.txt")
        value_of(home.make_directory(("elsewhere",)))

        self.assertTrue(self.is_current(lasting))

    def test_just_changed(self) -> None:
        """What has changed a moment ago may change again unseen, and is not kept."""
        self.clock.rightNow = time.time()
        self.put("sites/default/new.txt", b"new", time.time())

        self.assertIsNone(self.respond("/new.txt").lasting)

    def test_settings_and_accounts(self) -> None:
        """Other settings, and accounts that have changed, end it."""
        lasting = self.lasting()
        self.sites.reconfigure(self.sites.settings)
        self.assertFalse(self.is_current(lasting))
        self.assertFalse(self.is_current(lasting))

    def test_root_replaced(self) -> None:
        """A site that is put in the place of another ends it."""
        lasting = self.lasting()
        site = os.path.dirname(self.index)
        os.rename(site, site + ".old")
        self.put(INDEX, b"two", self.then)
        self.clock.advance(1)

        self.assertFalse(self.is_current(lasting))
        self.assertEqual(b"two", self.respond().body)

    def test_bounded(self) -> None:
        """What is kept stays within its octets."""
        self.handler = self.make_handler(file_cache=50_000)
        for number in range(20):
            name = f"f{number}.bin"
            self.put(f"sites/default/{name}", bytes(10_000), self.then)
            self.assertEqual(10_000, len(self.respond(f"/{name}").body))  # type: ignore[arg-type]
        self.assertLessEqual(self.handler.kept._octets, 50_000)
        self.assertLess(len(self.handler.kept._known), 6)

    def test_made_up_hosts(self) -> None:
        """Hosts without a site of their own share what is kept."""
        for number in range(10):
            self.respond(host=f"host{number}.example")
        self.assertEqual(1, len(self.handler.kept._known))

        self.put("sites/host3.example/index.html", b"three", self.then)
        self.clock.advance(1)
        self.assertEqual(b"three", self.respond(host="host3.example").body)
        self.assertEqual(b"one", self.respond(host="host4.example").body)

    def test_downloads_go_on(self) -> None:
        """A download goes on with what the file was when it began."""
        place = self.put("sites/default/long.bin", b"a" * 300_000, self.then)
        response = self.respond("/long.bin")
        os.rename(self.put("new", b"b" * 300_000, self.then), place)
        body: Any = response.body

        self.assertEqual(b"aaa", value_of(body.file.read(299_997, 10)))
        response.close()
