"""Conditional requests: RFC 9110 13."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.web.conditions import (
    Outcome,
    Validators,
    entity_tags,
    evaluate,
    wants_range,
)
from netservices.web.dates import http_date
from netservices.web.fields import Fields

NOW = 1_795_000_000.0
MODIFIED = 1_794_000_000
OLD, SAME, NEW = (http_date(MODIFIED + step) for step in (-9, 0, 9))
CURRENT = Validators('"a"', MODIFIED)
GO, NOT, FAIL = Outcome.PROCEED, Outcome.NOT_MODIFIED, Outcome.FAILED

IM, IUS, INM, IMS = (
    "if-match",
    "if-unmodified-since",
    "if-none-match",
    "if-modified-since",
)

# What the fields say; outcome for GET; outcome for PUT.
TABLE: tuple[tuple[dict[str, str], Outcome, Outcome], ...] = (
    ({}, GO, GO),
    # RFC 9110 13.1.1
    ({IM: '"a"'}, GO, GO),
    ({IM: '"b"'}, FAIL, FAIL),
    ({IM: '"b", "a"'}, GO, GO),
    ({IM: '"b",,\t, "a" ,'}, GO, GO),
    ({IM: "*"}, GO, GO),
    ({IM: 'W/"a"'}, FAIL, FAIL),
    ({IM: "a"}, FAIL, FAIL),
    ({IM: '"a'}, FAIL, FAIL),
    ({IM: ""}, FAIL, FAIL),
    # RFC 9110 13.1.2
    ({INM: '"a"'}, NOT, FAIL),
    ({INM: 'W/"a"'}, NOT, FAIL),
    ({INM: '"b"'}, GO, GO),
    ({INM: '"b", W/"a"'}, NOT, FAIL),
    ({INM: "*"}, NOT, FAIL),
    ({INM: '"a"b'}, GO, GO),
    ({INM: 'w/"a"'}, GO, GO),
    ({INM: "a"}, GO, GO),
    # RFC 9110 13.1.3
    ({IMS: OLD}, GO, GO),
    ({IMS: SAME}, NOT, GO),
    ({IMS: NEW}, NOT, GO),
    ({IMS: "Monday"}, GO, GO),
    ({IMS: f"{NEW}, {NEW}"}, GO, GO),
    # RFC 9110 13.1.4
    ({IUS: OLD}, FAIL, FAIL),
    ({IUS: SAME}, GO, GO),
    ({IUS: NEW}, GO, GO),
    ({IUS: "nonsense"}, GO, GO),
    # RFC 9110 13.2.2: the order.
    ({IM: '"a"', IUS: OLD}, GO, GO),
    ({IM: '"b"', IUS: NEW}, FAIL, FAIL),
    ({INM: '"b"', IMS: NEW}, GO, GO),
    ({INM: '"a"', IMS: OLD}, NOT, FAIL),
    ({IM: '"a"', INM: '"a"'}, NOT, FAIL),
    ({IM: '"b"', INM: '"b"'}, FAIL, FAIL),
    ({IM: '"a"', INM: '"b"', IUS: OLD, IMS: NEW}, GO, GO),
    ({IUS: OLD, INM: '"a"'}, FAIL, FAIL),
    ({IUS: NEW, IMS: SAME}, NOT, GO),
)

# The same for something that is not there.
NOWHERE: tuple[tuple[dict[str, str], Outcome], ...] = (
    ({IM: "*"}, FAIL),
    ({IM: '"a"'}, FAIL),
    ({INM: "*"}, GO),
    ({INM: '"a"'}, GO),
    ({IUS: OLD}, GO),
    ({IMS: NEW}, GO),
)


class ConditionTests(SynchronousTestCase):
    """Whether a method is performed."""

    def test_table(self) -> None:
        """Each condition alone, and those that come together."""
        for fields, reading, writing in TABLE:
            received = Fields(fields.items())
            for method, expected in (
                ("GET", reading),
                ("HEAD", reading),
                ("PUT", writing),
                ("DELETE", writing),
            ):
                found = evaluate(method, received, CURRENT, NOW)
                self.assertEqual(expected, found, f"{method} {fields}")

    def test_nothing_there(self) -> None:
        """``If-Match: *`` wants something there, ``If-None-Match: *`` nothing."""
        for fields, expected in NOWHERE:
            found = evaluate("PUT", Fields(fields.items()), None, NOW)
            self.assertEqual(expected, found, str(fields))

    def test_weak(self) -> None:
        """A weak tag never matches strongly."""
        current = Validators('W/"a"', MODIFIED)
        for fields, expected in (
            ({IM: 'W/"a"'}, FAIL),
            ({IM: '"a"'}, FAIL),
            ({IM: "*"}, GO),
            ({INM: '"a"'}, NOT),
            ({INM: 'W/"a"'}, NOT),
        ):
            found = evaluate("GET", Fields(fields.items()), current, NOW)
            self.assertEqual(expected, found, str(fields))

    def test_without_validators(self) -> None:
        """Dates are ignored where nobody knows when it changed."""
        current = Validators()
        for fields, expected in (
            ({IUS: OLD}, GO),
            ({IMS: NEW}, GO),
            ({INM: '"a"'}, GO),
            ({INM: '""'}, GO),
            ({IM: '""'}, FAIL),
            ({INM: "*"}, NOT),
        ):
            found = evaluate("GET", Fields(fields.items()), current, NOW)
            self.assertEqual(expected, found, str(fields))

    def test_lines(self) -> None:
        """Several lines of a field are one list."""
        fields = Fields([(INM, '"x"'), (INM, '"a"')])
        self.assertEqual(NOT, evaluate("GET", fields, CURRENT, NOW))

    def test_methods_without_conditions(self) -> None:
        """OPTIONS and its like are about no representation.  RFC 9110 13.2.1."""
        fields = Fields([(IM, '"b"')])
        for method in ("OPTIONS", "TRACE", "CONNECT"):
            self.assertEqual(GO, evaluate(method, fields, CURRENT, NOW))

    def test_commas_in_tags(self) -> None:
        """A comma inside quotes parts nothing."""
        self.assertEqual(('"a,b"', 'W/"c"'), entity_tags('"a,b", W/"c"'))

    def test_if_range(self) -> None:
        """If-Range wants the same representation, by strong comparison.  RFC 9110
        13.1.5."""
        recent = Validators('"a"', int(NOW))
        for current, written, expected in (
            (CURRENT, '"a"', True),
            (CURRENT, '"b"', False),
            (CURRENT, 'W/"a"', False),
            (Validators('W/"a"', MODIFIED), 'W/"a"', False),
            (CURRENT, SAME, True),
            (CURRENT, OLD, False),
            (CURRENT, NEW, False),
            (CURRENT, "nonsense", False),
            (CURRENT, '"a", "b"', False),
            # It may have changed again in this second.
            (recent, http_date(int(NOW)), False),
        ):
            fields = Fields([("if-range", written)])
            self.assertEqual(expected, wants_range(fields, current, NOW), written)
        self.assertTrue(wants_range(Fields(), CURRENT, NOW))

    @given(st.text(alphabet='W/"a,*\t \x80é', max_size=30))
    def test_anything(self, written: str) -> None:
        """Whatever is written is a list of tags as they stand there, or none."""
        for tag in entity_tags(written):
            self.assertIn(tag, written)

    @given(st.lists(st.sampled_from(['"a"', 'W/"a"', '"b"', '""', '"x,y"'])))
    def test_lists(self, tags: list[str]) -> None:
        """What is joined by commas is found again."""
        self.assertEqual(tuple(tags), entity_tags(" ,, ".join(tags)))
