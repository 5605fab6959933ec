"""Octets in, lines out: in linear time, in bounded memory, whatever the peer sends.

Theory.  Everything received and not yet taken lies in ``_data``, from ``_start`` on: as
it came while one segment holds it all, else in a ``bytearray``.  Three rules keep the
work linear for every input pattern:

* ``_searched`` remembers up to where no line end was found, so that no octet is
  searched twice (``next_line`` looks back one octet, for a CR whose LF comes later);
* taking a line moves ``_start`` and copies only the line; the front is cut off when it
  is at least half of the data, so each octet moves at most once on average;
* an overlong line is thrown away as it comes: ``OVERLONG`` is returned once, when the
  limit is passed, and the rest up to the line end is dropped unseen.

How octets were cut into segments makes no difference to the lines: the same octets
give the same results.  NULs and other controls are the dialogue's to refuse.
"""

from __future__ import annotations

from typing import Final


class Overlong:
    """The kind of ``OVERLONG``: takes the place of a line that passed the limit."""

    def __repr__(self) -> str:
        return "OVERLONG"


OVERLONG: Final = Overlong()

_CR = 0x0D


class LineBuffer:
    """Lines of at most ``max_line_octets`` octets, the line end not counted.

    A line ends at CRLF; with ``bare_lf`` also at LF alone.  Without it a bare CR or LF
    is an octet of the line like any other, which the dialogue should refuse.
    """

    __slots__ = (
        "_bare_lf",
        "_data",
        "_is_skipping",
        "_look_searched",
        "_looked",
        "_searched",
        "_start",
        "max_line_octets",
    )

    def __init__(self, max_line_octets: int, bare_lf: bool = True) -> None:
        if max_line_octets < 1:
            raise ValueError("a line must be allowed at least one octet")
        self.max_line_octets = max_line_octets
        self._bare_lf = bare_lf
        self._data: bytes | bytearray = b""
        self._start = 0
        self._searched = 0
        self._looked = 0
        self._look_searched = 0
        self._is_skipping = False

    @property
    def octets(self) -> int:
        """How many octets are held."""
        return len(self._data) - self._start

    def feed(self, data: bytes) -> None:
        """Append what was received."""
        if self._start:
            self._compact()
        if not self._data:
            self._data = data
        else:
            self._data = self._array()
            self._data += data

    def clear(self) -> None:
        """Forget everything received, a line that is being skipped included."""
        self._empty()
        self._is_skipping = False

    def next_line(self) -> bytes | Overlong | None:
        """The next line without its end; ``OVERLONG``; ``None``: more is needed."""
        while True:
            data, start = self._data, self._start
            if start == len(data):
                if start:
                    self._empty()
                return None
            end, after = self._find_end(self._searched)
            if end < 0:
                return self._no_end()
            self._start = self._searched = after
            if self._is_skipping:
                self._is_skipping = False
                continue
            if end - start > self.max_line_octets:
                return OVERLONG
            line = data[start:end]
            return line if type(line) is bytes else bytes(line)

    def take(self, most: int) -> bytes:
        """At most ``most`` octets from the front, as they came: literals."""
        if self._is_skipping:
            raise RuntimeError("octets of an overlong line are not data")
        taken = bytes(self._data[self._start : self._start + most])
        self._start += len(taken)
        self._searched = self._start
        self._compact()
        return taken

    def look_from_start(self) -> None:
        """``look_ahead`` begins at the front again."""
        self._looked = self._look_searched = self._start

    def look_ahead(self) -> bytes | None:
        """The next line that was not looked at yet; it stays.

        An overlong line ends the look ahead.
        """
        if self._looked < self._start:
            self._looked = self._look_searched = self._start
        if self._is_skipping:
            return None
        end, after = self._find_end(self._look_searched)
        if end < 0 or end - self._looked > self.max_line_octets:
            self._look_searched = len(self._data) if end < 0 else self._looked
            return None
        line = bytes(self._data[self._looked : end])
        self._looked = self._look_searched = after
        return line

    def remove_looked_at(self, line: bytes) -> None:
        """Remove ``line``, which ``look_ahead`` returned last, with its line end."""
        end = self._looked
        width = 2 if self._data[end - 2 : end] == b"\r\n" else 1
        begin = max(end - width - len(line), self._start)
        self._data = self._array()
        del self._data[begin:end]
        self._looked = self._look_searched = begin
        self._searched = min(self._searched, begin)

    def _find_end(self, start: int) -> tuple[int, int]:
        """Where the line ends, -1 for nowhere, and where the next one starts."""
        data = self._data
        if self._bare_lf:
            found = data.find(b"\n", start)
            if found > self._start and data[found - 1] == _CR:
                return found - 1, found + 1
            return found, found + 1
        found = data.find(b"\r\n", max(start - 1, self._start))
        return found, found + 2

    def _no_end(self) -> Overlong | None:
        """No line end in sight: keep what has come, unless it is too long already."""
        self._compact()
        data = self._data
        size = len(data) - self._start
        self._searched = len(data)
        # A CR at the end may belong to the line end that comes next.
        may_be_end = 1 if size and data[-1] == _CR else 0
        if not self._is_skipping:
            if size - may_be_end <= self.max_line_octets:
                return None
            self._is_skipping = True
            self._skip(may_be_end)
            return OVERLONG
        self._skip(may_be_end)
        return None

    def _skip(self, keep: int) -> None:
        """Drop what is held of an overlong line but its last ``keep`` octets."""
        self._data = bytes(self._data[len(self._data) - keep :])
        self._start = self._looked = self._look_searched = 0
        self._searched = keep

    def _empty(self) -> None:
        """Nothing is left: give the memory back."""
        self._data = b""
        self._start = self._searched = self._looked = self._look_searched = 0

    def _array(self) -> bytearray:
        """The data, ready to be changed."""
        data = self._data
        return data if isinstance(data, bytearray) else bytearray(data)

    def _compact(self) -> None:
        """Cut off the front once it is the greater part."""
        start = self._start
        if not start or start * 2 < len(self._data):
            return
        if start == len(self._data):
            self._empty()
            return
        if isinstance(self._data, bytearray):
            del self._data[:start]
        else:
            self._data = self._data[start:]
        self._searched = max(self._searched - start, 0)
        self._looked = max(self._looked - start, 0)
        self._look_searched = max(self._look_searched - start, 0)
        self._start = 0
