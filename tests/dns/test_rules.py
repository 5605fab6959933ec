"""Access lists, what is particular to a zone, and how the store keeps it."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import begun
from netservices.dns.backend.shelf import ZONE_OPTIONS, Shelf
from netservices.dns.options import Peer, ZoneOptions
from netservices.dns.policy import Client
from netservices.dns.rules import AccessList
from netservices.dns.wire.names import parse_name
from netservices.dns.wire.tsig import Key
from netservices.units import PutValue
from tests.dns.house import apply, make_authority, make_store

ANNA = Key(parse_name("anna-key."), parse_name("hmac-sha256."), b"secret", "anna")


class AccessTests(SynchronousTestCase):
    """Who a list of words means."""

    def allows(self, words: str, address: str, key: Key | None = None) -> bool:
        return AccessList(words.split()).allows(Client(address, key=key))

    def test_networks(self) -> None:
        """A network means the addresses in it, in both families."""
        words = "192.0.2.0/24 2001:db8::/32"
        self.assertTrue(self.allows(words, "192.0.2.9"))
        self.assertTrue(self.allows(words, "::ffff:192.0.2.9"))
        self.assertTrue(self.allows(words, "2001:db8::9"))
        self.assertFalse(self.allows(words, "192.0.3.9"))
        self.assertFalse(self.allows(words, "2001:db9::9"))

    def test_empty(self) -> None:
        """An empty list means nobody, with whatever key."""
        self.assertFalse(self.allows("", "127.0.0.1", ANNA))

    def test_words(self) -> None:
        """``any`` and ``loopback`` are networks with names."""
        self.assertTrue(self.allows("any", "198.51.100.1"))
        self.assertTrue(self.allows("loopback", "127.3.2.1"))
        self.assertTrue(self.allows("loopback", "::1"))
        self.assertFalse(self.allows("loopback", "192.0.2.1"))

    def test_keys(self) -> None:
        """A key is meant by its name in any letter case, or by its account."""
        self.assertTrue(self.allows("key:Anna-Key", "192.0.2.1", ANNA))
        self.assertTrue(self.allows("account:anna", "192.0.2.1", ANNA))
        self.assertFalse(self.allows("key:anna-key", "192.0.2.1"))
        other = evolve(ANNA, name=parse_name("other."), account="")
        self.assertFalse(self.allows("key:anna-key account:anna", "::1", other))

    def test_shut_out(self) -> None:
        """``!`` shuts a network out, whatever else is said, in any order."""
        self.assertFalse(self.allows("any !192.0.2.0/24", "192.0.2.1", ANNA))
        self.assertFalse(
            self.allows("key:anna-key !192.0.2.0/24 any", "192.0.2.1", ANNA)
        )
        self.assertTrue(self.allows("!192.0.2.0/24 any", "192.0.3.1"))

    def test_nonsense(self) -> None:
        """A word that means nobody is named."""
        for word in ("example.org", "192.0.2.0/33", "key:a..b", "!"):
            with self.subTest(word):
                self.assertRaises(ValueError, AccessList, [word])


class OptionsTests(SynchronousTestCase):
    """Peers, and the options of zones in the store."""

    def test_peers(self) -> None:
        """A peer reads back as it was written."""
        for text in (
            "192.0.2.1",
            "192.0.2.1@5353",
            "[2001:db8::1]@53",
            "[2001:db8::1]",
            "ns1.example.net key=k1 tls=ns1.example.net",
        ):
            with self.subTest(text):
                self.assertEqual(text, str(Peer.parse(text)))

    def test_bad_peers(self) -> None:
        """What is no peer says why."""
        for text in ("a b", "192.0.2.1@x", "192.0.2.1@70000", "::1@", "h key="):
            with self.subTest(text):
                self.assertRaises(ValueError, Peer.parse, text)

    def test_json(self) -> None:
        """Options come back from JSON, and defaults take no room."""
        options = ZoneOptions(primaries=("192.0.2.1",), is_catalog=True)
        self.assertEqual(options, ZoneOptions.from_json(dict(options.to_json())))
        self.assertEqual({}, ZoneOptions().to_json())

    def test_shelf(self) -> None:
        """A server sees what the store keeps, at its start and when it changes; what
        cannot be read is left out and named."""
        clock, store = Clock(), make_store()
        self.addCleanup(store.close)
        zone = parse_name("example.com.")
        options = ZoneOptions(notify=("192.0.2.1",))
        apply(store, ZONE_OPTIONS.put(zone, options))
        authority = make_authority(store, clock)
        complaints: list[str] = []
        shelf: Shelf[Any] = Shelf(store, ZONE_OPTIONS, complain=complaints.append)
        authority.backend.shelves.append(shelf)
        self.successResultOf(begun(authority.backend.start()))
        self.addCleanup(authority.stop)
        self.assertEqual({zone: options}, shelf.things)
        kept = shelf.things[zone]
        apply(store, ZONE_OPTIONS.put(parse_name("example.net."), options))
        clock.advance(0)
        self.assertEqual(2, len(shelf.things))
        self.assertIs(kept, shelf.things[zone])
        apply(store, ZONE_OPTIONS.delete(parse_name("example.net.")))
        apply(store, PutValue("dns", b"zone/bad", b'{"colour": "green"}'))
        apply(store, ZONE_OPTIONS.delete(zone))
        clock.advance(0)
        self.assertEqual({}, shelf.things)
        (complaint,) = set(complaints)
        self.assertIn("colour", complaint)
