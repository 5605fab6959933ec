"""What is remembered of a view's answers when the zone or the overlay changes."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.backend.views import ViewedZones
from netservices.dns.dialogue.answer import Dialogue
from netservices.dns.dialogue.exact import ExactAnswers
from netservices.dns.views import Views
from netservices.dns.wire.codes import Type
from netservices.dns.wire.message import Message
from netservices.dns.wire.names import fold, name_text, parse_name
from netservices.dns.zone.overlay import Overlay
from netservices.dns.zone.tree import Zones, ZoneTree
from netservices.dns.zonefile import parse_record
from netservices.values import RRset
from tests.dns.authority import make_dialogue, make_tree, never_later, question
from tests.dns.test_overlay import (
    NAMES,
    ORIGIN,
    SOA,
    bases,
    changes,
    essence,
    fill,
    make_overlay,
    overlays,
    put,
    rebuilt,
)

PEER = ("192.0.2.7", 4711)
QUESTIONS = [
    question(f"{prefix}{name_text(parse_name(name, ORIGIN))}", qtype)
    for name in NAMES
    for prefix in ("", "q.")
    for qtype in (Type.A, Type.MX)
]


class Viewed:
    """A zone and the overlay of the view ``inside``, behind all caches."""

    def __init__(self, base: ZoneTree, overlay: Overlay) -> None:
        self.base, self.overlay = base, overlay
        self.dialogue: Dialogue = make_dialogue(base)
        zones: Zones = self.dialogue.zones
        views = Views(("inside clients=192.0.2.0/24",))
        self.viewed = ViewedZones(zones, views.views)
        self.dialogue.views = self.viewed.zones
        self.viewed.put(base)
        self.viewed.put(overlay)
        self.exact = ExactAnswers(self.dialogue, 4096, later=never_later)
        self.exact.choose_view = lambda address, server: "inside"
        self.ask = self.exact.answerer()

    def change(self, tree: ZoneTree, owner: bytes) -> bool:
        """A tree has changed at a name; whether something was kept all the same."""
        sources = self.viewed.follow(tree, (fold(owner),), tree.touch())
        self.exact.forget(sources)
        return sources is not None

    def replies(self) -> list[Any]:
        """To all questions."""
        ask = self.ask
        return [essence(Message.parse(ask(q, PEER, None) or b"")) for q in QUESTIONS]


class ChangeTests(SynchronousTestCase):
    """Views follow changes."""

    def test_precise(self) -> None:
        """What has nothing to do with a change is still remembered."""
        viewed = Viewed(make_tree(), make_overlay("www 60 A 10.0.0.1"))
        asked = [question(f"{name}.example.com.", "A") for name in ("www", "mail", "t")]
        for _ in range(2):
            for data in asked:
                viewed.ask(data, PEER, None)
        self.assertEqual(3, len(viewed.exact))
        viewed.base.put(parse_record(ORIGIN, "mail 60 A 10.0.0.2"))
        self.assertTrue(viewed.change(viewed.base, parse_name("mail", ORIGIN)))
        # NODATA shows the SOA, so that any change may concern it.
        self.assertEqual(1, len(viewed.exact))
        viewed.overlay.put(parse_record(ORIGIN, "www 60 A 10.0.0.3"))
        self.assertTrue(viewed.change(viewed.overlay, parse_name("www", ORIGIN)))
        self.assertEqual(0, len(viewed.exact))

    @settings(max_examples=60, deadline=None)
    @given(bases, overlays, changes)
    def test_never_old(
        self,
        first: list[RRset],
        above: list[RRset],
        later: list[tuple[bool, bool, RRset]],
    ) -> None:
        """After any change, what is remembered is what a tree built anew says."""
        base, overlay = ZoneTree(ORIGIN), Overlay("inside", ORIGIN)
        fill(base, (parse_record(ORIGIN, SOA), parse_record(ORIGIN, "@ 60 NS a")))
        fill(base, first)
        fill(overlay, above)
        viewed = Viewed(base, overlay)
        for is_base, is_removal, rrset in later:
            viewed.replies()
            viewed.replies()
            if is_base and rrset.type == Type.HIDE:
                continue
            changed: ZoneTree = base if is_base else overlay
            if is_removal:
                changed.remove(rrset.owner, rrset.type)
            else:
                put(changed, rrset)
            viewed.change(changed, rrset.owner)
            wanted = Viewed(rebuilt(base, overlay), make_overlay())
            self.assertEqual(wanted.replies(), viewed.replies())
