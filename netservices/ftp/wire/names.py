"""Names on their way to and from a client that speaks UTF-8, or something older.

Theory.  Inside, a name is text: UTF-8 as it is on the disk, octets that are no UTF-8 as
lone surrogates (``surrogateescape``).  A client that speaks UTF-8 gets the octets of
the disk.  One that speaks a legacy encoding gets each character in that, and one which
that encoding lacks as its number between tildes, ``~u20AC~``; so does a surrogate,
whose octet would be taken for a character.  What comes back is read the same way, so
every name can be used.  A tilde that would begin such a number is written ``~u7E~``.
"""

from __future__ import annotations

import re
from functools import lru_cache

from attrs import field, frozen

_NUMBER = re.compile(r"~u([0-9A-F]{2,6})~")
_BEGINS_NUMBER = re.compile(r"~(?=u[0-9A-F])")
_LAST_CHARACTER = 0x10FFFF
_TILDE = "~u7E~"


@frozen
class Names:
    """The encoding in which names travel."""

    encoding: str = "utf-8"
    is_utf8: bool = field(init=False)

    @is_utf8.default
    def _is_utf8(self) -> bool:
        return self.encoding == "utf-8"

    def decode(self, octets: bytes) -> str:
        """The name that the client spelt; never fails."""
        if self.is_utf8:
            # RFC 2640 2.2: names that are no UTF-8 are kept as they are.
            return octets.decode("utf-8", "surrogateescape")
        text = octets.decode(self.encoding, "surrogateescape")
        return _NUMBER.sub(self._character, text) if "~u" in text else text

    def encode(self, text: str) -> bytes:
        """The octets that stand for a name."""
        if self.is_utf8:
            return text.encode("utf-8", "surrogateescape")
        if "~u" in text:
            text = _BEGINS_NUMBER.sub(_TILDE, text)
        if self._has(text):
            return text.encode(self.encoding)
        # Of a page of a listing, most lines hold nothing unusual.
        return b"\n".join(map(self._octets_of_line, text.split("\n")))

    def _octets_of_line(self, line: str) -> bytes:
        if self._has(line):
            return line.encode(self.encoding)
        return b"".join(_octets_of(self, character) for character in line)

    def _has(self, text: str) -> bool:
        """Whether the encoding has these characters, and gives them back."""
        try:
            return text.encode(self.encoding).decode(self.encoding) == text
        except UnicodeError:
            return False

    def _is_number(self, digits: str) -> bool:
        """Whether ``encode`` writes such a number for a character."""
        number = int(digits, 16)
        if f"{number:02X}" != digits or number > _LAST_CHARACTER:
            return False
        return number == ord("~") or not self._has(chr(number))

    def _character(self, found: re.Match[str]) -> str:
        return chr(int(found[1], 16)) if self._is_number(found[1]) else found[0]


@lru_cache(maxsize=4096)
def _octets_of(names: Names, character: str) -> bytes:
    if names._has(character):
        return character.encode(names.encoding)
    return b"~u%02X~" % ord(character)


UTF8 = Names()


@lru_cache(maxsize=64)
def names_in(encoding: str) -> Names:
    """Names in an encoding that is known to exist and to extend ASCII."""
    return Names(encoding)
