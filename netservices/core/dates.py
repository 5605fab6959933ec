"""Dates as protocols write them: pure functions, in UTC, in English, whatever the
locale."""

from __future__ import annotations

from functools import lru_cache
from time import gmtime, strftime

MONTHS = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)

_HALF_YEAR_SECONDS = 15_778_476
"""Half of a mean Gregorian year, as GNU ls takes it."""
_SKEW_SECONDS = 3600
"""So far ahead a clock may be before a time is shown as one of the future."""
_EARLIEST = -62_167_219_200  # 0000-01-01
_LATEST = 253_402_300_799  # 9999-12-31 23:59:59


def ls_date(seconds: float, now: float) -> str:
    """Twelve characters as ``ls -l`` writes them; both times in seconds since 1970.

    ``Nov 21 10:44`` within half a year before ``now``, else ``Nov 21  2024``: clients
    take a time of day to mean the last year (Not RFC 959, which leaves LIST open).
    """
    recent, distant = _ls_dates(seconds // 60)
    is_recent = -_SKEW_SECONDS <= now - seconds < _HALF_YEAR_SECONDS
    return recent if is_recent else distant


def internet_date(seconds: float) -> str:
    """``1994-11-06T08:49:37Z``, of seconds since 1970 (RFC 3339 5.6)."""
    return strftime("%Y-%m-%dT%H:%M:%SZ", gmtime(seconds))


@lru_cache(maxsize=4096)
def _ls_dates(minutes: float) -> tuple[str, str]:
    """Both forms: files of one directory are often of the same minutes."""
    when = gmtime(min(max(minutes * 60, _EARLIEST), _LATEST))
    day = f"{MONTHS[when.tm_mon - 1]} {when.tm_mday:2}"
    return f"{day} {when.tm_hour:02}:{when.tm_min:02}", f"{day} {when.tm_year:5}"
