"""The lines of the access log, in the combined format of Apache and nginx or as JSON.

Nothing secret gets into them: fields with credentials are not looked at, and in
targets, also of ``Referer``, the values of parameters that sound secret become ``***``.
What is no printable ASCII becomes ``\\xNN``, as nginx writes it, so that a line is one
line and shows what it is.
"""

from __future__ import annotations

import json
import re
import time
from typing import TypeAlias

from netservices.core.dates import MONTHS
from netservices.http.wire.head import Head
from netservices.values import Origin

Served: TypeAlias = tuple[float, Origin, str, Head | None, int, int, float]
"""When it ended, who asked, the account, what was asked (None: that could not be read),
status, octets of content that were sent, seconds."""

_UNSAFE = re.compile(r"[^ !#-\[\]-~]")
_PARAMETERS = re.compile(r"([&;#])")
_SECRET = re.compile(
    r"token|secret|passw|signature|session|api_?key|auth|\bsig|\bcode", re.I
)
_MOST_REMEMBERED = 512
_LONGEST_REMEMBERED = 8192


def escaped(text: str) -> str:
    """``text``, whose letters are octets, as printable ASCII without quotes."""
    if _UNSAFE.search(text) is None:
        return text
    return _UNSAFE.sub(lambda match: f"\\x{ord(match[0]) & 255:02X}", text)


def without_secrets(target: str) -> str:
    """A target or URL without the values that sound secret."""
    path, mark, query = target.partition("?")
    # Part by part: one expression for all of it would take time in cubes of its length.
    parts = _PARAMETERS.split(query)
    return path + mark + "".join(map(_without_secret, parts))


def _without_secret(part: str) -> str:
    name, equals, _ = part.partition("=")
    return f"{name}=***" if equals and _SECRET.search(name) else part


class CombinedLines:
    """``192.0.2.7 - alice [21/Nov/2026:09:52:00 +0000] "GET / HTTP/1.1" 200 512
    "-" "curl/8.0"``."""

    def __init__(self) -> None:
        self._second = -1
        self._when = ""
        self._remembered: dict[int, tuple[Head, str, str]] = {}
        """By the identity of a head, which is kept lest another one gets it."""

    def __call__(self, served: Served) -> str:
        """The line for one request."""
        when, origin, account, head, status, octets, _seconds = served
        if int(when) != self._second:
            self._second = int(when)
            self._when = local_time(self._second)
        request, ending = ('"-"', '"-" "-"') if head is None else self._words_of(head)
        who = escaped(account).replace(" ", "\\x20") or "-"
        return (
            f"{origin.address or '-'} - {who} [{self._when}] {request} {status}"
            f" {octets} {ending}"
        )

    def _words_of(self, head: Head) -> tuple[str, str]:
        found = self._remembered.get(id(head))
        if found is None:
            target = escaped(without_secrets(head.target))
            referer = escaped(without_secrets(head.fields.get("referer", "-")))
            agent = escaped(head.fields.get("user-agent", "-"))
            found = (
                head,
                f'"{head.method} {target} HTTP/{head.version}"',
                f'"{referer}" "{agent}"',
            )
            if head.size_octets > _LONGEST_REMEMBERED:
                return found[1:]
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[id(head)] = found
        return found[1:]


def local_time(second: int) -> str:
    """``21/Nov/2026:09:52:00 +0000``, whatever the locale."""
    there = time.localtime(second)
    minutes = there.tm_gmtoff // 60
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    return (
        f"{there.tm_mday:02}/{MONTHS[there.tm_mon - 1]}/{there.tm_year}"
        f":{there.tm_hour:02}:{there.tm_min:02}:{there.tm_sec:02}"
        f" {sign}{minutes // 60:02}{minutes % 60:02}"
    )


def json_line(served: Served) -> str:
    """The same as an object; what is not known is null."""
    when, origin, account, head, status, octets, seconds = served
    record: dict[str, object] = {
        "time": round(when, 3),
        "address": origin.address,
        "account": account or None,
        "method": None,
        "target": None,
        "version": None,
        "host": None,
        "status": status,
        "octets": octets,
        "seconds": round(seconds, 6),
        "tls": origin.is_secure,
        "referer": None,
        "user_agent": None,
        "session": origin.session,
    }
    if head is not None:
        get = head.fields.get
        record.update(
            method=head.method,
            target=escaped(without_secrets(head.target)),
            version=head.version,
            host=head.host or None,
            referer=escaped(without_secrets(get("referer"))) or None,
            user_agent=escaped(get("user-agent")) or None,
        )
    return json.dumps(record)
