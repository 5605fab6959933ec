"""Names, digests, intents and promises, each by itself."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.files import names
from netservices.files.content import Tally
from netservices.files.intents import Intent, Intents
from netservices.files.quota import Ledger, Reservation
from netservices.files.service import directory_name
from netservices.interfaces import BadName, QuotaExceeded


class NameTests(SynchronousTestCase):
    """``names``."""

    @given(st.binary(min_size=1, max_size=300))
    def test_octets_survive(self, octets: bytes) -> None:
        """What is accepted is encoded to the octets it came from; the rest is no
        name."""
        segment = names.decode_name(octets)
        is_name = (
            len(octets) <= 255
            and octets not in (b".", b"..")
            and b"/" not in octets
            and b"\0" not in octets
            and not octets.startswith(b".ns-upload")
        )
        if is_name:
            self.assertEqual(octets, names.encode_segment(segment))
            self.assertEqual((segment,), names.canonical((segment,)))
        else:
            with self.assertRaises(BadName):
                names.encode_segment(segment)

    @given(st.text(max_size=20))
    def test_any_text(self, text: str) -> None:
        """Any text is a name or BadName; the canonical form is the same file."""
        try:
            octets = names.encode_segment(text)
        except BadName:
            return
        (canonical,) = names.canonical((text,))
        self.assertEqual(octets, names.encode_segment(canonical))

    def test_directories_of_logins(self) -> None:
        """A login's directory has its name, and is one segment, whatever it is."""
        self.assertEqual("alice@example.org", directory_name("alice@example.org"))
        for login in ("../x@y", "a/b@y", ".a@y", "a\0@y", "é@ü", "~@y", "x" * 400):
            name = directory_name(login)
            self.assertEqual(name.encode(), names.encode_segment(name))
            self.assertFalse(name.startswith("."))
        self.assertNotEqual(directory_name("x" * 400), directory_name("x" * 401))
        self.assertNotEqual(directory_name("a%2Fb@y"), directory_name("a/b@y"))


class TallyTests(SynchronousTestCase):
    """``content.Tally``."""

    @given(st.lists(st.text("\r\na", max_size=4)))
    def test_any_split(self, pieces: list[str]) -> None:
        """Wherever content is cut, its digest and bare line feeds are the same."""
        tally = Tally()
        for piece in pieces:
            tally.add(piece.encode())
        whole = "".join(pieces).encode()
        bare = whole.replace(b"\r\n", b"").count(b"\n")
        self.assertEqual(bare, tally.digests().lf_count)
        self.assertEqual(sha256(whole).digest(), tally.digests().sha256)


_paths = st.lists(st.sampled_from("ab"), max_size=3).map(tuple)


class IntentTests(SynchronousTestCase):
    """``intents``."""

    def test_one_name_one_change(self) -> None:
        """The second who wants a name waits, in order."""
        intents = Intents()
        first = value_of(intents.take(("a",)))
        second, third = intents.take(("a",)), intents.take(("a",))
        other = value_of(intents.take(("b",)))
        self.assertNoResult(second)
        intents.release(first)
        got = value_of(second)
        self.assertNoResult(third)
        intents.release(other)
        self.assertNoResult(third)
        intents.release(got)
        intents.release(value_of(third))

    def test_a_directory_waits_for_what_is_below(self) -> None:
        """A deep intent and one below exclude each other, both ways."""
        intents = Intents()
        below = value_of(intents.take(("a", "b")))
        deep = intents.take(deep=(("a",), ("z",)))
        self.assertNoResult(deep)
        # Nobody overtakes it for what it waits for, or it would starve.
        late = intents.take(("a", "c"))
        self.assertNoResult(late)
        intents.release(value_of(intents.take(("b",))))
        intents.release(below)
        held = value_of(deep)
        self.assertNoResult(late)
        intents.release(held)
        intents.release(value_of(late))

    @settings(max_examples=200)
    @given(
        st.lists(
            st.tuples(
                st.lists(_paths, max_size=2, unique=True),
                st.lists(_paths, max_size=2, unique=True),
            ),
            max_size=8,
        ),
        st.randoms(use_true_random=False),
    )
    def test_all_are_served(self, wanted: list[tuple[list, list]], random) -> None:  # type: ignore[type-arg,no-untyped-def]
        """Whatever is asked for, all are served, and never two that conflict."""
        intents = Intents()
        waiting: list[Deferred[Intent]] = []
        held: list[Intent] = []
        for paths, deep in wanted:
            taken = intents.take(*paths, deep=tuple(deep))
            waiting.append(taken)
            taken.addCallback(held.append)
        for _ in wanted:
            for one in held:
                for other in held:
                    if one is not other:
                        self.assertFalse(self.conflict(one, other))
            intents.release(held.pop(random.randrange(len(held))))
        self.assertEqual([], held)

    def conflict(self, one: Intent, other: Intent) -> bool:
        """By definition."""
        return bool(set(one.paths) & set(other.paths)) or any(
            path[: len(top)] == top
            for a, b in ((one, other), (other, one))
            for top in a.deep
            for path in b.paths + b.deep
        )


class ReservationTests(SynchronousTestCase):
    """``quota``."""

    def test_promises_add_up(self) -> None:
        """All promises together never pass the quota, and are given back."""
        ledger = Ledger()
        ledger.used_octets = 40
        first = Reservation(ledger, 100, 0, 0, step=10)
        first.grow(1)
        self.assertEqual(10, ledger.reserved_octets)
        first.grow(50)
        second = Reservation(ledger, 100, 5, 0, step=10)
        second.grow(5)
        self.assertEqual(50, ledger.reserved_octets)
        with self.assertRaises(QuotaExceeded):
            second.grow(16)
        second.grow(15)
        self.assertEqual(60, ledger.reserved_octets)
        first.release()
        first.release()
        second.settle(12, 5, 0)
        self.assertEqual(7, ledger.reserved_octets)
        second.release()
        self.assertEqual(0, ledger.reserved_octets)

    def test_no_quota(self) -> None:
        """Without a quota anything is promised."""
        ledger = Ledger()
        Reservation(ledger, None, 0, 0, 10).grow(10**15)
        self.assertIsNone(ledger.room(None))
        self.assertEqual(0, ledger.room(0))
