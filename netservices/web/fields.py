"""Header and trailer fields (RFC 9110 5), in the order in which they came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, KeysView
from typing import TypeAlias

Pairs: TypeAlias = Iterable[tuple[str, str]]
"""Names and values; octets above ASCII are the letters of ISO 8859-1."""


class Fields:
    """The fields of a message that was received; names are in lower case.

    It never changes, and may be shared by all requests with the same head.
    """

    __slots__ = ("_by_name", "pairs")

    def __init__(self, pairs: Pairs = ()) -> None:
        self.pairs = tuple(pairs)
        by_name: dict[str, str] = {}
        for name, value in self.pairs:
            if name in by_name:
                # RFC 9110 5.3: the values of one name are a list.  RFC 6265 5.4: that
                # of Cookie has semicolons.
                comma = "; " if name == "cookie" else ", "
                by_name[name] = f"{by_name[name]}{comma}{value}"
            else:
                by_name[name] = value
        self._by_name = by_name

    @property
    def names(self) -> KeysView[str]:
        """The names that occur."""
        return self._by_name.keys()

    def get(self, name: str, default: str = "") -> str:
        """All values of ``name`` as one list (RFC 9110 5.2); ``name`` in lower case."""
        return self._by_name.get(name, default)

    def all(self, name: str) -> list[str]:
        """The value of each line of that name."""
        return [value for found, value in self.pairs if found == name]

    def words(self, name: str) -> list[str]:
        """The elements of a comma-separated list of tokens, in lower case; empty
        elements are ignored (RFC 9110 5.6.1.2)."""
        found = self._by_name.get(name)
        if not found:
            return []
        words = [word.strip(" \t") for word in found.lower().split(",")]
        return [word for word in words if word]

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fields) and self.pairs == other.pairs

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Fields({list(self.pairs)!r})"


NO_FIELDS = Fields()
