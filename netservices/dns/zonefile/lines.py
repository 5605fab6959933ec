"""The lines of a master file: comments gone, parentheses joined, words split
(RFC 1035 5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from attrs import frozen

MAX_ENTRY_CHARACTERS = 400_000
"""Of one entry, parentheses included; the longest RDATA in hexadecimal is a third."""

_WORD = re.compile(
    r"""[ \t\r\f]+ | (?P<comment>;.*) | (?P<word>
        [()] | "(?:[^"\\\n]|\\.)*" |
        (?:[^\s"();\\]|\\.)+ (?:"(?:[^"\\\n]|\\.)*")? )""",
    re.VERBOSE,
)
_IS_INTRICATE = re.compile(r'["();\\]').search


class ZoneFileError(Exception):
    """A master file cannot be read; ``str()`` is ``FILE:LINE: what is wrong``."""

    def __init__(self, file: str, line: int, text: str) -> None:
        super().__init__(f"{file}:{line}: {text}" if line else f"{file}: {text}")
        self.file = file
        self.line = line
        self.text = text


@frozen
class Entry:
    """One entry: its words as they are written, quotes and escapes included."""

    line: int
    is_indented: bool
    """It begins with a blank: the owner is that of the entry before."""
    words: tuple[str, ...]


def split_entries(lines: Iterable[str], file: str) -> Iterator[Entry]:
    """The entries in the lines of ``file``.  ZoneFileError."""
    words: list[str] = []
    start = depth = size = 0
    is_indented = False
    number = 0
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_ENTRY_CHARACTERS:
            raise ZoneFileError(file, number, "an entry without end")
        if not depth:
            start, size = number, 0
            is_indented = line[:1] in (" ", "\t")
            if _IS_INTRICATE(line) is None:
                found = line.split()
                if found:
                    yield Entry(number, is_indented, tuple(found))
                continue
        size += len(line)
        if size > MAX_ENTRY_CHARACTERS:
            raise ZoneFileError(file, start, "an entry without end")
        depth = _split_line(line, words, depth, file, number)
        if not depth and words:
            yield Entry(start, is_indented, tuple(words))
            words.clear()
    if depth:
        raise ZoneFileError(
            file, start, "a parenthesis that is opened here never closes"
        )


def _split_line(line: str, words: list[str], depth: int, file: str, number: int) -> int:
    """Append the words of a line; the depth of parentheses after it."""
    position = 0
    line = line.rstrip("\n")
    while position < len(line):
        match = _WORD.match(line, position)
        if match is None:
            raise ZoneFileError(file, number, _complaint(line[position]))
        position = match.end()
        word = match["word"]
        if word == "(":
            depth += 1
        elif word == ")":
            depth -= 1
            if depth < 0:
                raise ZoneFileError(file, number, "a ) without its (")
        elif word is not None:
            words.append(word)
    return depth


def _complaint(letter: str) -> str:
    if letter == '"':
        return "a quote without its end"
    if letter == "\\":
        return "a backslash at the end of a line"
    return f"a character that has no place here: {letter!r}"
