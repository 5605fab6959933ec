"""Dates of HTTP."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.web.dates import http_date, parse_http_date

NOW = 1_795_000_000.0  # 2026-11-18
EXAMPLE = 784_111_777


class DateTests(SynchronousTestCase):
    """Three forms are read, one is written."""

    def test_forms(self) -> None:
        """The three forms of one moment.  RFC 9110 5.6.7."""
        for text in (
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ):
            self.assertEqual(EXAMPLE, parse_http_date(text, NOW), text)
        self.assertEqual("Sun, 06 Nov 1994 08:49:37 GMT", http_date(EXAMPLE))

    def test_two_digits(self) -> None:
        """A year more than 50 years ahead is one of the century before."""
        for digits, year in (("26", 2026), ("76", 2076), ("77", 1977), ("00", 2000)):
            found = parse_http_date(f"Sunday, 06-Nov-{digits} 08:49:37 GMT", NOW)
            assert found is not None
            self.assertIn(f" {year} ", http_date(found))

    def test_no_dates(self) -> None:
        """What is no date is none, however much it looks like one."""
        for text in (
            "",
            "0",
            "yesterday",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37 +0000",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 06 Nov 0000 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
            "sun, 06 nov 1994 08:49:37 gmt",
            "Sun, ٠٦ Nov 1994 08:49:37 GMT",
            "Sun Nov 6 08:49:37 1994",
        ):
            self.assertIsNone(parse_http_date(text, NOW), text)

    def test_leap_second(self) -> None:
        """The second 60 is one."""
        found = parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT", NOW)
        self.assertEqual(parse_http_date("Sun, 01 Jan 2017 00:00:00 GMT", NOW), found)

    @given(st.integers(0, 253_402_300_799))
    def test_round_trip(self, seconds: int) -> None:
        """What is written is read."""
        self.assertEqual(seconds, parse_http_date(http_date(seconds), NOW))

    @given(st.text(max_size=60))
    def test_anything(self, text: str) -> None:
        """No text does harm."""
        parse_http_date(text, NOW)
