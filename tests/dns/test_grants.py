"""Grants: which names and types a key may change."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import begun
from netservices.dns.backend.keys import GRANTS, KEYS, KeyRing, make_key
from netservices.dns.grants import GUARDED, Grants, Pattern, make_grant
from netservices.dns.wire.codes import Type
from netservices.dns.wire.names import parse_name
from netservices.units import CreateAccount, CreateDomain, UpdateAccount
from tests.dns.house import apply, make_authority, make_store

KEY = make_key("anna.example.org", "hmac-sha256", "MDEyMzQ1Njc4OWFiY2RlZg==", "a@b")


class PatternTests(SynchronousTestCase):
    """What patterns mean, and how they read back."""

    def check(self, text: str, fitting: str, others: str) -> None:
        pattern = Pattern.parse(text)
        self.assertEqual(pattern, Pattern.parse(str(pattern)))
        for name in fitting.split():
            self.assertTrue(pattern.fits(parse_name(name), KEY), (text, name))
        for name in others.split():
            self.assertFalse(pattern.fits(parse_name(name), KEY), (text, name))

    def test_exact(self) -> None:
        """A name means itself."""
        self.check("WWW.Example.org", "www.example.org.", "a.www.example.org. org.")
        self.check(r"\*.example.org", "*.example.org.", "www.example.org.")

    def test_below(self) -> None:
        """``*.x`` is all below x and not x; ``*`` is everything."""
        self.check(
            "*.example.org",
            "a.example.org. a.b.example.org. *.example.org.",
            "example.org. myexample.org. example.org.net. .",
        )
        self.check("*", ". org. a.b.c.", "")

    def test_first(self) -> None:
        """``_x.*`` is all names that begin with that label, and nothing below them."""
        self.check(
            "_acme-challenge.*",
            "_acme-challenge. _acme-challenge.a. _acme-challenge.a.b.c.",
            "a._acme-challenge.b. acme-challenge.b. x_acme-challenge.b.",
        )
        self.check(
            "_acme-challenge.*.example.org",
            "_acme-challenge.example.org. _acme-challenge.a.b.example.org.",
            "_acme-challenge.example.net. a.example.org. _acme-challenge.org.",
        )
        self.check("a.b.*.c", "a.b.c. a.b.x.c.", "a.c. b.c. a.b.d.")

    def test_self(self) -> None:
        """``self`` is the name of the key."""
        self.check("Self", "anna.example.org.", "example.org. x.anna.example.org.")

    def test_nonsense(self) -> None:
        """Patterns that nobody can mean are refused."""
        for text in ("", "*.*", "a*", "a.*b.c", "*.a.*", "a..b", "_x.*.*.b"):
            self.assertRaises(ValueError, Pattern.parse, text)

    @given(
        st.lists(st.sampled_from(["a", "b", "*"]), min_size=1, max_size=5),
        st.lists(st.sampled_from(["a", "b"]), max_size=6),
    )
    def test_model(self, pattern: list[str], name: list[str]) -> None:
        """A pattern is what a list of labels with a gap says."""
        if pattern.count("*") > 1:
            return
        fits = pattern == name
        if "*" in pattern:
            at = pattern.index("*")
            first, last = pattern[:at], pattern[at + 1 :]
            least = len(first) + len(last) + (1 if last and not first else 0)
            fits = (
                len(name) >= least
                and name[:at] == first
                and name[len(name) - len(last) :] == last
            )
        parsed = Pattern.parse(".".join(pattern))
        owner = parse_name(".".join(name) + ".")
        self.assertEqual(fits, parsed.fits(owner, KEY))


class GrantTests(SynchronousTestCase):
    """Who may change what."""

    ZONE = parse_name("example.org.")

    def allows(self, name: str, type_: int, *words: Any) -> bool:
        grants = Grants((make_grant(*words),)).of(KEY, self.ZONE)
        owner = parse_name(name)
        return any(g.allows(KEY, self.ZONE, owner, type_) for g in grants)

    def test_types(self) -> None:
        """A grant means its types, or any but those that hold a zone together."""
        holder = "key:anna.example.org"
        self.assertTrue(self.allows("x.example.org.", Type.TXT, holder, "*", "TXT,A"))
        self.assertFalse(self.allows("x.example.org.", Type.MX, holder, "*", "TXT,A"))
        self.assertTrue(self.allows("x.example.org.", 65280, holder, "*"))
        for type_ in GUARDED:
            self.assertFalse(self.allows("x.example.org.", type_, holder, "*"))
        self.assertTrue(self.allows("x.example.org.", Type.NS, holder, "*", "ns"))

    def test_holders(self) -> None:
        """The key by its name, or the account whose key it is."""
        self.assertTrue(self.allows("x.", Type.A, "account:A@B", "*"))
        self.assertFalse(self.allows("x.", Type.A, "account:c@b", "*"))
        self.assertFalse(self.allows("x.", Type.A, "key:bob", "*"))
        nobody = evolve(KEY, account="")
        grant = make_grant("account:a@b", "*")
        self.assertFalse(grant.allows(nobody, self.ZONE, b"\0", Type.A))

    def test_zones(self) -> None:
        """A grant may be for one zone, and for no other with such names."""
        words = ("key:anna.example.org", "*.x.example.org", "any")
        self.assertTrue(self.allows("a.x.example.org.", Type.A, *words, "example.org"))
        grant = make_grant(*words, "x.example.org")
        self.assertEqual((), Grants((grant,)).of(KEY, self.ZONE))


class StoreTests(SynchronousTestCase):
    """Keys and grants in the store of a running server."""

    def setUp(self) -> None:
        self.store = make_store()
        self.addCleanup(self.store.close)

    def test_json(self) -> None:
        """A grant reads back as it was put."""
        for grant in (
            make_grant("key:k", "_acme-challenge.*", "TXT"),
            make_grant("account:a@b", "self", "A,AAAA,NS", "example.org"),
            make_grant("account:a@b", r"\*.x", "any"),
        ):
            apply(self.store, GRANTS.put(grant.id, grant))
            ring = KeyRing(self.store)
            for shelf in ring.shelves:
                self.successResultOf(begun(shelf.load()))
            self.assertIn(grant, ring.grants._grants)

    def test_account(self) -> None:
        """A key goes with its account, disabled or replaced by another of that name,
        at once."""
        clock = Clock()
        _, number = apply(self.store, CreateDomain("b"), CreateAccount("a", "b", False))
        key = evolve(KEY, account_id=number)
        foreign = evolve(make_key("k", "hmac-sha1", "eA=="), account_id=number + 1)
        apply(self.store, KEYS.put(key.name, key), KEYS.put(foreign.name, foreign))
        authority = make_authority(self.store, clock)
        self.successResultOf(authority.start())
        self.addCleanup(authority.stop)
        self.assertEqual({key.name: key}, authority.keys.current())
        apply(self.store, UpdateAccount(number, is_enabled=False))
        clock.advance(0)
        self.assertEqual({}, authority.keys.current())
        apply(self.store, UpdateAccount(number, is_enabled=True))
        clock.advance(0)
        self.assertEqual({key.name: key}, authority.keys.current())
