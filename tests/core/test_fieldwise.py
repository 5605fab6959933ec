"""Classes that print and compare by their fields."""

from __future__ import annotations

from attrs import field, frozen
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.fieldwise import Fieldwise


@frozen
class Generated:
    """What attrs makes of it."""

    name: str
    secret: bytes = field(default=b"", repr=False)
    number: int = 0


@frozen(repr=False, eq=False)
class Written(Fieldwise):
    """The same, without generated methods."""

    name: str
    secret: bytes = field(default=b"", repr=False)
    number: int = 0


@frozen(repr=False, eq=False)
class Other(Fieldwise):
    """Another class with the same fields."""

    name: str
    secret: bytes = field(default=b"", repr=False)
    number: int = 0


class FieldwiseTests(SynchronousTestCase):
    """As attrs would have it."""

    def test_text(self) -> None:
        """It prints as attrs prints it, without what does not print."""
        generated = repr(Generated("a", b"s", 1))
        self.assertEqual(
            generated.replace("Generated", "Written"), repr(Written("a", b"s", 1))
        )
        self.assertNotIn("secret", generated)

    def test_equality(self) -> None:
        """Equal in all fields is equal, and has the same hash."""
        self.assertEqual(Written("a", b"s", 1), Written("a", b"s", 1))
        self.assertEqual(1, len({Written("a", b"s", 1), Written("a", b"s", 1)}))

    def test_difference(self) -> None:
        """One other field, also one that does not print, or another class, is not."""
        one = Written("a", b"s", 1)
        for other in (
            Written("b", b"s", 1),
            Written("a", b"t", 1),
            Written("a", b"s", 2),
            Other("a", b"s", 1),
            ("a", b"s", 1),
        ):
            with self.subTest(other=other):
                self.assertNotEqual(one, other)
                self.assertEqual(2, len({one, other}))
