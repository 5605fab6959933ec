"""Dates of HTTP (RFC 9110 5.6.7): one form to write, three to read."""

from __future__ import annotations

import re
from calendar import timegm
from datetime import date
from functools import lru_cache
from time import gmtime

from netservices.core.dates import MONTHS

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_MONTH = "|".join(MONTHS)
_DAY = "|".join(_DAYS)
_TIME = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"

_FORMS = tuple(
    re.compile(form, re.ASCII)
    for form in (
        # Sun, 06 Nov 1994 08:49:37 GMT
        rf"(?:{_DAY}), (?P<day>\d\d) (?P<month>{_MONTH}) (?P<year>\d{{4}}) {_TIME} GMT",
        # Sunday, 06-Nov-94 08:49:37 GMT
        rf"(?:{_LONG_DAYS}), (?P<day>\d\d)-(?P<month>{_MONTH})-(?P<year>\d\d) "
        rf"{_TIME} GMT",
        # Sun Nov  6 08:49:37 1994
        rf"(?:{_DAY}) (?P<month>{_MONTH}) (?P<day>\d\d| \d) {_TIME} (?P<year>\d{{4}})",
    )
)

_FAR_YEARS = 50
"""A year of two digits is not so many years ahead."""


@lru_cache(maxsize=1024)
def http_date(seconds: int) -> str:
    """``Sun, 06 Nov 1994 08:49:37 GMT``, of seconds since 1970."""
    when = gmtime(seconds)
    return (
        f"{_DAYS[when.tm_wday]}, {when.tm_mday:02} {MONTHS[when.tm_mon - 1]}"
        f" {when.tm_year:04} {when.tm_hour:02}:{when.tm_min:02}:{when.tm_sec:02} GMT"
    )


def parse_http_date(text: str, now: float) -> int | None:
    """Seconds since 1970; None for what is no date.

    ``now`` tells the century of a year of two digits.
    """
    for form in _FORMS:
        match = form.fullmatch(text)
        if match is not None:
            return _seconds_of(match, now)
    return None


def _seconds_of(match: re.Match[str], now: float) -> int | None:
    month = MONTHS.index(match["month"]) + 1
    day, year = int(match["day"]), int(match["year"])
    clock = tuple(int(match[part]) for part in ("hour", "minute", "second"))
    if len(match["year"]) == 2:
        year = _full_year(year, gmtime(now).tm_year)
    # RFC 9110 5.6.7: second = 2DIGIT, 60 being a leap second.
    if clock[0] > 23 or clock[1] > 59 or clock[2] > 60:
        return None
    try:
        date(year, month, day)
    except ValueError:
        return None
    return timegm((year, month, day, *clock))


def _full_year(two_digits: int, this_year: int) -> int:
    """RFC 9110 5.6.7: what appears to be more than 50 years in the future is the most
    recent year in the past with the same last two digits."""
    year = this_year - this_year % 100 + two_digits
    return year - 100 if year > this_year + _FAR_YEARS else year
