"""Replies: printing them, and reading them on the client's side (RFC 959 4.2)."""

from __future__ import annotations

import re

import attrs
from attrs import define, field, frozen

from netservices.core.dialogue import Then
from netservices.core.errors import SyntaxProblem
from netservices.ftp.wire.names import UTF8, Names

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FIRST = re.compile(rb"([1-5]\d\d)([ -])(.*)\Z", re.DOTALL)
_FINAL_CODE = 200
"""Codes below are preliminary: another reply to the same command follows."""


@frozen
class Reply:
    """A code and one or more lines of text."""

    code: int
    text: str | tuple[str, ...]
    then: Then | None = None
    names: Names = field(default=UTF8, eq=False, repr=False)
    """How names in the text travel."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The text as lines, at least one."""
        return (self.text,) if isinstance(self.text, str) else self.text

    def spelt(self, names: Names) -> Reply:
        """The same, for a client that reads names in that encoding."""
        return attrs.evolve(self, names=names)

    def encode(self) -> bytes:
        """The octets on the wire.

        Control characters of names become ``?``, so that none can end a line early.
        """
        if isinstance(self.text, str):
            return self._octets(f"{self.code} {_CONTROL.sub('?', self.text)}\r\n")
        # RFC 959 4.2: inner lines are padded, lest one looks like the last.
        safe = [_CONTROL.sub("?", line) for line in self.text]
        inner = "".join(f" {line}\r\n" for line in safe[1:-1])
        first = f"{self.code}-{safe[0]}\r\n" if len(safe) > 1 else ""
        return self._octets(f"{first}{inner}{self.code} {safe[-1]}\r\n")

    def _octets(self, text: str) -> bytes:
        # RFC 959 5.3.2, RFC 854: the octet 255 is doubled on a Telnet connection.
        octets = self.names.encode(text)
        return octets.replace(b"\xff", b"\xff\xff") if b"\xff" in octets else octets


@frozen
class Replies:
    """Replies that leave together, in order: those of a transfer and of the ABOR or
    QUIT that came during it."""

    parts: tuple[Reply, ...]

    @property
    def then(self) -> Then | None:
        """What the last part asks for."""
        return self.parts[-1].then

    def spelt(self, names: Names) -> Replies:
        """The same, for a client that reads names in that encoding."""
        return Replies(tuple(part.spelt(names) for part in self.parts))

    def encode(self) -> bytes:
        """The octets of all parts."""
        return b"".join(part.encode() for part in self.parts)


def quoted(path: str) -> str:
    """A path as reply 257 shows it: in quotes, quotes in it doubled (RFC 959 A II)."""
    return '"' + path.replace('"', '""') + '"'


def unquoted(text: str) -> str:
    """The path at the beginning of the text of a 257 reply.  SyntaxProblem."""
    match = re.match(r'"((?:[^"]|"")*)"', text)
    if match is None:
        raise SyntaxProblem("no quoted path in a 257 reply")
    return match[1].replace('""', '"')


@define
class ReplyReader:
    """Puts a server's lines together into replies; at most ``longest`` lines each."""

    longest: int = 10_000
    _code: int = 0
    _lines: list[str] = field(factory=list)

    def take(self, line: bytes) -> Reply | None:
        """The reply that ``line`` completes, if it does.  SyntaxProblem."""
        text = line.replace(b"\xff\xff", b"\xff").decode("utf-8", "surrogateescape")
        match = _FIRST.match(line)
        if self._code == 0:
            if match is None:
                raise SyntaxProblem(f"not an FTP reply: {text[:80]!r}")
            if match[2] == b" ":
                return Reply(int(match[1]), text[4:])
            self._code = int(match[1])
            self._lines = [text[4:]]
            return None
        if len(self._lines) >= self.longest:
            raise SyntaxProblem("a reply of too many lines")
        if match is not None and match[2] == b" " and int(match[1]) == self._code:
            reply = Reply(self._code, (*self._lines, text[4:]))
            self._code, self._lines = 0, []
            return reply
        self._lines.append(text.removeprefix(" "))
        return None


def is_preliminary(reply: Reply) -> bool:
    """Whether another reply to the same command follows (RFC 959 4.2.1)."""
    return reply.code < _FINAL_CODE
