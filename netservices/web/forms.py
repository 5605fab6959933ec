"""Forms: names and values in a query or in the content of a request.

``animalsearch?monkeys&banana`` has two names without values; ``?q=a+b&q=c`` one name
with two.  Values are text; the order is that of the form.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator
from urllib.parse import unquote_to_bytes

from attrs import frozen

from netservices.web.multipart import MultipartLimits, Part, Parts
from netservices.web.problems import Problem
from netservices.web.request import Request

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

_CHARSETS = frozenset(("", "utf-8", "utf8", "us-ascii", "iso-8859-1", "windows-1252"))
_PARAMETER = re.compile(r';[ \t]*charset[ \t]*=[ \t]*"?([\w\-]+)"?', re.IGNORECASE)


@frozen
class FormLimits:
    """How large a form may be."""

    most_fields: int = 1000
    longest: int = 1024 * 1024
    """Octets of a form without files."""
    multipart: MultipartLimits = MultipartLimits()


DEFAULT_LIMITS = FormLimits()


class Form:
    """The fields of a form; it never changes."""

    __slots__ = ("_by_name", "pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs = tuple(pairs)
        self._by_name: dict[str, list[str]] = {}
        for name, value in self.pairs:
            self._by_name.setdefault(name, []).append(value)

    def get(self, name: str, default: str = "") -> str:
        """The first value of a name."""
        return self._by_name.get(name, [default])[0]

    def all(self, name: str) -> list[str]:
        """Every value of a name."""
        return list(self._by_name.get(name, ()))

    def names(self) -> list[str]:
        """Every name once: what ``?monkeys&banana`` asks for."""
        return list(self._by_name)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __repr__(self) -> str:
        # Passwords come in forms.
        return f"<Form {self.names()!r}>"


def query_of(request: Request, limits: FormLimits = DEFAULT_LIMITS) -> Form:
    """The query of a request as a form.  Problem 400."""
    return parse_form(request.query or "", limits)


def parse_form(
    text: str, limits: FormLimits = DEFAULT_LIMITS, charset: str = ""
) -> Form:
    """The fields in ``text`` (URL Standard, application/x-www-form-urlencoded).

    Problem 400 for octets that are no text in the charset, 413 for too many fields.
    """
    if text.count("&") >= limits.most_fields:
        raise Problem(413, f"A form has at most {limits.most_fields} fields.")
    pairs = []
    for piece in text.split("&"):
        if piece:
            name, _, value = piece.partition("=")
            pairs.append((_decoded(name, charset), _decoded(value, charset)))
    return Form(pairs)


async def read_form(
    request: Request,
    limits: FormLimits = DEFAULT_LIMITS,
    keep: Callable[[Part], Awaitable[object]] | None = None,
) -> Form:
    """The form in the content of a request.

    ``keep`` takes each part that is a file, while it comes; without it, files are
    refused.  Problem 400, 413, 415; BodyLost.
    """
    if request.fields.words("content-encoding") not in ([], ["identity"]):
        # RFC 9110 15.5.16: what a few octets may unfold to, nobody knows.
        accepted = [("Accept-Encoding", "identity")]
        raise Problem(415, "Forms are not compressed.", accepted)
    given = request.fields.get("content-type")
    kind = given.partition(";")[0].strip(" \t").lower()
    if kind == URLENCODED:
        content = await request.body.whole(limits.longest)
        return parse_form(content.decode("latin-1"), limits, _charset(given))
    if kind == MULTIPART:
        return await _read_parts(request, limits, keep)
    raise Problem(415, f"A form is {URLENCODED} or {MULTIPART}.")


async def _read_parts(
    request: Request,
    limits: FormLimits,
    keep: Callable[[Part], Awaitable[object]] | None,
) -> Form:
    pairs: list[tuple[str, str]] = []
    left = limits.longest
    async for part in Parts(request, limits.multipart):
        if part.filename is None:
            value = await part.text(left)
            left -= len(value)
            pairs.append((part.name, value))
        elif keep is not None:
            await keep(part)
        elif part.filename or await part.read():
            # RFC 7578 4.2: a file that nobody chose has neither name nor content.
            raise Problem(415, "No files are taken here.")
    return Form(pairs)


def _charset(content_type: str) -> str:
    match = _PARAMETER.search(content_type)
    charset = match[1].lower() if match else ""
    if charset not in _CHARSETS:
        raise Problem(415, "Forms are in UTF-8.")
    return charset


def _decoded(text: str, charset: str) -> str:
    octets = unquote_to_bytes(text.replace("+", " ").encode("latin-1", "replace"))
    try:
        return octets.decode(charset or "utf-8")
    except UnicodeDecodeError:
        raise Problem(400, "The form is not in UTF-8.") from None
