"""Cookies as a server reads and sets them (RFC 6265, and what its revision
draft-ietf-httpbis-rfc6265bis adds: prefixes, SameSite, limits).

What comes is read leniently: other programs of the same host set cookies that no
grammar allows.  What goes out follows the grammar, and the promises that the name of a
cookie makes: a browser would drop the cookie silently, here it is a ValueError.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from attrs import field, frozen

from netservices.web.response import Response

MOST_COOKIES = 200
"""Cookies of one request that are read; browsers keep about 180 for a host."""

LONGEST_COOKIE = 4096
"""Octets of name and value; browsers drop more."""

LONGEST_ATTRIBUTE = 1024
"""Octets of one attribute; browsers ignore more."""

LONGEST_LIFE = 400 * 86400
"""Seconds; browsers shorten what is longer."""

_LONGEST_FIELD = 64 * 1024
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
# RFC 6265 4.1.1: cookie-octet.
_VALUE = re.compile(r"[!#-+\--:<-\[\]-~]*")
_PATH = re.compile(r"/[ -:<-~]*")
_DOMAIN = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?"
    r"(?:\.[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?)*"
)
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f]")
_EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT"
_SAME_SITE = ("Strict", "Lax", "None")


class Cookies(Mapping[str, str]):
    """The cookies of a request by name; of several values the first.

    RFC 6265 4.2.2: nobody should rely on the order of cookies with one name, which is
    also how somebody slips in a cookie for a neighbouring host; ``only`` does not.
    """

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, tuple[str, ...]]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name][0]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of that name, in the order in which they came."""
        return self._values.get(name, ())

    def only(self, name: str) -> str:
        """The value of that name; empty where there is none, or where several of them
        contradict each other."""
        values = self._values.get(name, ())
        return values[0] if len(set(values)) == 1 else ""

    def __repr__(self) -> str:
        # Values are secrets.
        return f"Cookies({', '.join(self._values)})"


def parse_cookies(text: str) -> Cookies:
    """The cookies of a ``Cookie`` field.

    What is no ``name=value`` is passed over, and so is all behind the first
    ``MOST_COOKIES``.  Quotation marks around a value are taken off.
    """
    found: dict[str, tuple[str, ...]] = {}
    for pair in text[:_LONGEST_FIELD].split(";", MOST_COOKIES)[:MOST_COOKIES]:
        name, equals, value = pair.partition("=")
        name, value = name.strip(" \t"), value.strip(" \t")
        # A cookie without a name may look like one with another's: "=__Host-a=b".
        if not equals or not _NAME.fullmatch(name) or _CONTROL.search(value):
            continue
        if len(value) > 1 and value[0] == value[-1] == '"':
            value = value[1:-1]
        found[name] = (*found.get(name, ()), value)
    return Cookies(found)


@frozen
class SetCookie:
    """A cookie for the browser; ``str()`` is the value of ``Set-Cookie``.

    ValueError for what a browser would not take, or take otherwise than it is meant.
    """

    name: str
    value: str = field(repr=False)
    max_age: int | None = field(default=None, kw_only=True)
    """Seconds; None: until the browser is closed.  0 or less removes the cookie."""
    path: str = field(default="/", kw_only=True)
    domain: str = field(default="", kw_only=True)
    """Empty: this host alone, which is what one wants."""
    secure: bool = field(default=True, kw_only=True)
    http_only: bool = field(default=True, kw_only=True)
    same_site: str = field(default="Lax", kw_only=True)
    """``Strict``, ``Lax`` or ``None``."""
    partitioned: bool = field(default=False, kw_only=True)
    """Kept apart for each site in which this one is embedded."""

    def __attrs_post_init__(self) -> None:
        wrong = next((text for text in self._wrong() if text), "")
        if wrong:
            raise ValueError(f"cookie {self.name[:80]!r}: {wrong}")

    def _wrong(self) -> Iterator[str]:
        """What a browser would not like."""
        if not _NAME.fullmatch(self.name):
            yield "the name is no token"
        if not _VALUE.fullmatch(self.value):
            yield "the value has octets that must be encoded"
        if len(self.name) + len(self.value) > LONGEST_COOKIE:
            yield f"longer than {LONGEST_COOKIE} octets"
        if not _PATH.fullmatch(self.path) or len(self.path) > LONGEST_ATTRIBUTE:
            yield "a bad path"
        if self.domain and not _DOMAIN.fullmatch(self.domain):
            yield "a bad domain"
        if self.same_site not in _SAME_SITE:
            yield f"SameSite is one of {', '.join(_SAME_SITE)}"
        if not self.secure and (self.partitioned or self.same_site == "None"):
            yield "Partitioned and SameSite=None need Secure"
        yield self._broken_promise()

    def _broken_promise(self) -> str:
        """What the prefix of the name says, and the attributes do not."""
        # rfc6265bis 4.1.3: browsers match prefixes in any case.
        name = self.name.lower()
        if name.startswith(("__secure-", "__host-", "__http-")) and not self.secure:
            return "the prefix needs Secure"
        if name.startswith("__host-") and (self.path != "/" or self.domain):
            return "__Host- needs Path=/ and no Domain"
        if name.startswith(("__http-", "__host-http-")) and not self.http_only:
            return "the prefix needs HttpOnly"
        return ""

    def __str__(self) -> str:
        words = [f"{self.name}={self.value}", f"Path={self.path}"]
        if self.domain:
            words.append(f"Domain={self.domain}")
        if self.max_age is not None and self.max_age <= 0:
            # RFC 6265 4.1.1: Max-Age has no zero.
            words.append(f"Expires={_EPOCH}")
        elif self.max_age is not None:
            words.append(f"Max-Age={min(self.max_age, LONGEST_LIFE)}")
        if self.secure:
            words.append("Secure")
        if self.http_only:
            words.append("HttpOnly")
        words.append(f"SameSite={self.same_site}")
        if self.partitioned:
            words.append("Partitioned")
        return "; ".join(words)


def add_cookie(response: Response, cookie: SetCookie) -> None:
    """Set a cookie with a response, in place of one of the same name, path and
    domain."""
    # RFC 6265 4.1.1: not two of one name in a response.
    head = f"{cookie.name}="
    tail = _scope(str(cookie))
    response.fields = [
        (name, value)
        for name, value in response.fields
        if name.lower() != "set-cookie"
        or not value.startswith(head)
        or _scope(value) != tail
    ]
    response.add("Set-Cookie", str(cookie))


def _scope(text: str) -> frozenset[str]:
    """Path and domain of a ``Set-Cookie``."""
    words = [word.strip() for word in text.split(";")[1:]]
    return frozenset(w for w in words if w.lower().startswith(("path=", "domain=")))
