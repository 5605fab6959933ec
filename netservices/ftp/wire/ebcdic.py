"""TYPE E: text in EBCDIC, octet by octet (RFC 959 3.1.1.2).

Code page 037, with one change: the line feed that ends a line here is NL (0x15) on the
wire, and NEL (0x85 in Latin-1) is LF (0x25).  So each of the 256 octets has one
counterpart, what is stored and retrieved is the same, and sizes do not change.  Octets
beyond ASCII count as Latin-1: those of UTF-8 come back as they were, but an EBCDIC host
reads them as the single characters of Latin-1.
"""

from __future__ import annotations

_NEL = "\x85"
_LATIN_1 = bytes(range(256)).decode("latin-1")
_SWAPPED = _LATIN_1.translate({ord("\n"): _NEL, ord(_NEL): "\n"})

NL = b"\x15"
"""What ends a line (RFC 959 3.1.1.2)."""
TO_EBCDIC = _SWAPPED.encode("cp037")
"""For ``bytes.translate``: from what is stored to what travels."""
FROM_EBCDIC = bytes(TO_EBCDIC.index(octet) for octet in range(256))
"""For ``bytes.translate``: from what travels to what is stored."""
