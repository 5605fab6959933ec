"""TYPE A: text on its way to and from the line ends of the wire (RFC 959 3.1.1.1).

A file here ends its lines with LF, the wire with CR LF.  Outwards each LF without a CR
before it gets one, and a CR LF that is already in the file stays as it is: so the size
on the wire is the file's size plus its count of bare line feeds, which the store keeps
(SIZE, RFC 3659 4).  Inwards each CR LF becomes LF, and a CR that stands alone stays.
The one octet of state is a CR at the end of a chunk.
"""

from __future__ import annotations

from attrs import define


@define
class ToNVT:
    """From a file to the wire, in chunks."""

    _ends_with_cr: bool = False

    def feed(self, chunk: bytes) -> bytes:
        """The octets to send for ``chunk``."""
        if not chunk:
            return b""
        starts_mid_line_end = self._ends_with_cr and chunk[0] == 10
        self._ends_with_cr = chunk[-1] == 13
        sent = chunk.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        return sent[1:] if starts_mid_line_end else sent

    def finish(self) -> bytes:
        """What remains at the end of the file: nothing."""
        return b""


@define
class FromNVT:
    """From the wire to a file, in chunks."""

    _held_cr: bool = False

    @property
    def holds_cr(self) -> bool:
        """Whether a CR waits for what follows it."""
        return self._held_cr

    def feed(self, chunk: bytes) -> bytes:
        """The octets to store for ``chunk``; a CR at its end waits for the next one."""
        if self._held_cr:
            chunk = b"\r" + chunk
        self._held_cr = chunk.endswith(b"\r")
        if self._held_cr:
            chunk = chunk[:-1]
        return chunk.replace(b"\r\n", b"\n")

    def finish(self) -> bytes:
        """What remains at the end of the transfer: a CR that no LF followed."""
        held, self._held_cr = self._held_cr, False
        return b"\r" if held else b""
