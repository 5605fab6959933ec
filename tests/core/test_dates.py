"""Tests for ``netservices.core.dates``."""

from __future__ import annotations

import re
from calendar import timegm

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.dates import ls_date

NOW = timegm((2026, 11, 21, 10, 44, 0))


class LsDateTests(SynchronousTestCase):
    """Dates of LIST, seen on 21 November 2026 at 10:44."""

    def test_recent(self) -> None:
        """Within half a year the time of day is shown, the day padded to two."""
        self.assertEqual("Nov 21 10:44", ls_date(NOW, NOW))
        written = timegm((2026, 7, 4, 9, 5, 59))
        self.assertEqual("Jul  4 09:05", ls_date(written, NOW))

    def test_old(self) -> None:
        """Before that the year is shown."""
        written = timegm((2026, 2, 28, 23, 59, 59))
        self.assertEqual("Feb 28  2026", ls_date(written, NOW))
        self.assertEqual("Jan  1  1970", ls_date(0, NOW))

    def test_boundary(self) -> None:
        """Half a mean year is where one form gives way to the other."""
        self.assertIn(":", ls_date(NOW - 15_778_475, NOW))
        self.assertNotIn(":", ls_date(NOW - 15_778_476, NOW))

    def test_future(self) -> None:
        """A clock that is a little ahead is forgiven; a time to come has its year."""
        self.assertEqual("Nov 21 11:43", ls_date(NOW + 3599, NOW))
        self.assertEqual("Nov 22  2026", ls_date(NOW + 86400, NOW))

    @given(st.floats(allow_nan=False, min_value=-1e300, max_value=1e300))
    def test_any_number(self, seconds: float) -> None:
        """Whatever a file system says, the result has twelve characters of that
        form."""
        form = r"[A-Z][a-z]{2} [ 1-3]\d (\d\d:\d\d| [ \d]{3}\d)"
        self.assertTrue(re.fullmatch(form, ls_date(seconds, NOW)))
