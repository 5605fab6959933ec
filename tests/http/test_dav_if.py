"""The grammar of the field If.  RFC 4918 10.4."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netservices.http.handlers.dav.ifheader import (
    MAX_CONDITIONS,
    Condition,
    ConditionList,
    parse_if,
    tokens_of,
)
from netservices.web.problems import Problem

A, B = Condition(False, "urn:a"), Condition(False, "", '"b"')
NOT_A, NOT_B = Condition(True, "urn:a"), Condition(True, "", '"b"')

GOOD = {
    "(<urn:a>)": [ConditionList("", (A,))],
    '  ( <urn:a>["b"] ) ': [ConditionList("", (A, B))],
    '(Not <urn:a> not["b"])': [ConditionList("", (NOT_A, NOT_B))],
    '(<urn:a>) (["b"])': [ConditionList("", (A,)), ConditionList("", (B,))],
    '(<urn:a>)(["b"])': [ConditionList("", (A,)), ConditionList("", (B,))],
    '([W/"x"])': [ConditionList("", (Condition(False, "", 'W/"x"'),))],
    "</x> (<urn:a>)": [ConditionList("/x", (A,))],
    '<http://h/x>(<urn:a>)(["b"])</y>(Not <urn:a>)': [
        ConditionList("http://h/x", (A,)),
        ConditionList("http://h/x", (B,)),
        ConditionList("/y", (NOT_A,)),
    ],
    # RFC 4918 10.4.8
    "(<urn:a>) (Not <DAV:no-lock>)": [
        ConditionList("", (A,)),
        ConditionList("", (Condition(True, "DAV:no-lock"),)),
    ],
}

BAD = (
    *("", "()", "(", ")", "<urn:a>", "urn:a", "(urn:a)", "(<urn:a>", "<urn:a>)"),
    *("(Not)", "(Not Not <urn:a>)", "(<urn:a>) Not", "((<urn:a>))", "(<a b>)"),
    *("(<urn:a>) </x>", "(<urn:a>) </x> (<urn:a>)", "</x> </y> (<urn:a>)"),
    *('("b")', "([b])", '(["b)', '(["b"]) x', "(<urn:a>), (<urn:a>)", "(<>)"),
)


class GrammarTests(SynchronousTestCase):
    """Lists of conditions."""

    def test_good(self) -> None:
        """What follows the grammar is understood."""
        for text, lists in GOOD.items():
            self.assertEqual(tuple(lists), parse_if(text), text)

    def test_bad(self) -> None:
        """All else is 400."""
        for text in BAD:
            problem = self.assertRaises(Problem, parse_if, text)
            self.assertEqual(400, problem.status, text)

    def test_bounded(self) -> None:
        """There is an end to conditions, and to the time for reading them."""
        self.assertRaises(Problem, parse_if, "(<a>)" * (MAX_CONDITIONS + 1))
        self.assertRaises(Problem, parse_if, f"({'<a>' * (MAX_CONDITIONS + 1)})")
        self.assertRaises(Problem, parse_if, "(" + " " * 30_000)

    def test_tokens(self) -> None:
        """All tokens that appear are submitted."""
        lists = parse_if('</x>(<urn:a>["b"]) </y>(Not <urn:c>)')
        self.assertEqual({"urn:a", "urn:c"}, tokens_of(lists))
