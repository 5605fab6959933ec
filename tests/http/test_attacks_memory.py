"""Requests that are made to fill memory."""

from __future__ import annotations

import os
from typing import Any

from netservices.http.server.known import Known
from netservices.http.wire.head import parse_head
from netservices.web.fields import Fields
from netservices.web.negotiation import _codings, codings_of
from tests.http.sites import SitesCase
from tests.http.talk import NOW, Talk


class SpellingTests(SitesCase):
    """One file under many names: each host and each spelling of a path is kept apart,
    and none of them may cost more than it is counted for."""

    def test_answers_hold_no_content(self) -> None:
        """An answer that is known by heart keeps nothing but itself: the content of the
        file may go."""
        place = self.put("sites/default/a.html", b"x" * 50_000)
        os.utime(os.path.dirname(place), (NOW - 1000, NOW - 1000))
        known = Known(10_000_000)
        talk = Talk(self.handler, known=known)
        raw = b"HEAD /a.html HTTP/1.1\r\nHost: h\r\n\r\n"
        for _ in range(3):
            talk.send(raw)
        [answer] = known.answers.values()
        reached = held_octets(answer.lasting)

        self.assertLess(reached, 10_000)

    def test_long_paths(self) -> None:
        """What is asked for counts, with the content."""
        place = self.put("sites/default/a.txt")
        os.utime(os.path.dirname(place), (NOW - 1000, NOW - 1000))
        handler = self.make_handler(file_cache=500_000)
        for number in range(100):
            host = "a." * 10_000 + str(number)
            Talk(handler).send(
                b"GET /a.txt HTTP/1.1\r\nHost: %b\r\n\r\n" % host.encode()
            )

        self.assertLess(len(handler.kept._known), 60)
        self.assertLessEqual(handler.kept._octets, 500_000)
        self.assertTrue(handler.kept._known)

    def test_long_names(self) -> None:
        """Names that no file has are not remembered."""
        for number in range(10):
            self.assertEqual(404, self.status(f"/~{number}" + "x" * 300))
            self.assertEqual(404, self.status(f"/{number}" + "x" * 300))

        self.assertEqual({}, self.sites._pages)

    def test_long_codings(self) -> None:
        """Nor is what no browser sends."""
        before = _codings.cache_info().currsize
        for number in range(10):
            fields = Fields([("accept-encoding", f"x{number}," * 1000 + "gzip")])
            codings_of(fields)

        self.assertEqual(before, _codings.cache_info().currsize)

    def test_many_short_fields(self) -> None:
        """A head takes more memory than it has octets, and is counted so."""
        raw = b"GET / HTTP/1.1\r\nHost: h\r\n" + b"a:\r\n" * 120 + b"\r\n"
        known, head = Known(1_000_000), parse_head(raw)
        known.learn_head(raw, head)

        self.assertGreater(head.size_octets, 15_000)
        self.assertIsNone(known.head(raw))


def held_octets(thing: Any) -> int:
    """The octets that ``thing`` holds itself: strings in what it is made of, but not
    those of sites and trees."""
    if isinstance(thing, str | bytes):
        return len(thing)
    if isinstance(thing, tuple | list):
        return sum(map(held_octets, thing))
    if isinstance(thing, dict):
        return held_octets(list(thing.values()))
    names = [one.name for one in getattr(type(thing), "__attrs_attrs__", ())]
    kept = [name for name in names if name not in ("sites", "tree")]
    return sum(held_octets(getattr(thing, name)) for name in kept)
