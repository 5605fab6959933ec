"""What the dialogue asks of the server for its data connections; no I/O here.

One ``DataPort`` belongs to each session.  PASV and EPSV make it ``listen``, PORT and
EPRT ``aim`` it; a transfer ``open``s it and gets a ``DataChannel``, once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from netservices.core.errors import Trouble
from netservices.ftp.options import Limit
from netservices.ftp.wire import HostPort
from netservices.interfaces import IOpenFile


class NoDataConnection(Trouble):
    """It could not be opened in time, or not at all; answered with 425."""


class DataBroken(Trouble):
    """It ended before the transfer did: reset, stalled or aborted; answered with
    426."""


class NotProtected(DataBroken):
    """TLS on it could not be begun; answered with 522."""


class DataChannel(Protocol):
    """One open data connection; each of its coroutines raises ``DataBroken``."""

    @property
    def octets(self) -> int:
        """How many octets it has carried."""

    @property
    def rate(self) -> float:
        """How many octets a second it has carried in the last seconds."""

    @property
    def protection(self) -> tuple[str, bool] | None:
        """The version of TLS, and whether a session was resumed; None in the clear."""

    async def send(self, data: bytes) -> None:
        """Send; returns when there is room for more."""

    async def send_file(
        self, file: IOpenFile, offset: int, end: int | None = None
    ) -> None:
        """Send a file as it is, from ``offset`` to ``end``, or to the end it had when
        opened."""

    async def finish(self) -> None:
        """Close once everything sent has left; returns when it is closed."""

    async def receive(self, take: Callable[[bytes], Awaitable[None] | None]) -> None:
        """Hand what arrives to ``take``, and pause while the Awaitable that it returned
        has not fired; returns at the clean end of the stream.  Raises what ``take``
        fails with, too."""

    async def read(self) -> bytes:
        """What arrives next, at least one octet; empty at the clean end of the
        stream."""

    def put_back(self, data: bytes) -> None:
        """Octets of the next file: the next ``read`` begins with them."""

    async def give_way(self) -> None:
        """Let others be served; for transfers that take much work."""

    async def settle(self) -> None:
        """Returns once everything sent has arrived; the connection stays open."""

    def abort(self) -> None:
        """Reset the connection; whoever waits for it gets ``DataBroken``."""


class DataPort(Protocol):
    """A session's way to its next data connection."""

    local: str
    """The server's address of the control connection."""
    peer: str
    """The client's address, in canonical form, IPv4-mapped as IPv4."""
    is_protected: bool
    """Whether data connections speak TLS (PROT P)."""
    accepts_truncation: bool
    """Whether the end of an upload over TLS may come without close_notify."""
    is_upload: bool
    """Whether the next transfer is one."""

    @property
    def has_kin(self) -> bool:
        """Whether the client has other sessions with TLS at the same time."""

    def belongs_to(self, login: str) -> None:
        """Who has logged in, whose other sessions are known then; empty for nobody."""

    def leave(self) -> None:
        """The session has ended, or its TLS has."""

    limits: Sequence[Limit]
    """The bandwidth limits of the next transfer."""

    @property
    def is_prepared(self) -> bool:
        """Whether PASV, EPSV, PORT or EPRT was said for the next transfer, or a
        connection was kept for it."""

    @property
    def is_connected(self) -> bool:
        """Whether the client has already connected to the passive port."""

    def is_client_there(self) -> bool:
        """Whether the client holds the control connection at this moment; also for
        other threads.  Only a stream whose end says nothing of its own needs it."""

    async def keeps_client(self) -> bool:
        """Whether the client still holds the control connection, after what has arrived
        on that was looked at."""

    def hears_replies(self) -> bool:
        """Whether the client reads what is said on the control connection."""

    def listen(self, anyone: bool = False) -> HostPort:
        """Take a passive port for this client, or, with ``anyone``, for whoever
        connects; its address there.  Trouble where none is free."""

    def aim(self, target: HostPort) -> None:
        """The next transfer connects to the client."""

    async def connect(self, target: HostPort) -> None:
        """Connect to the client now, for the next transfer.  NoDataConnection."""

    def advertise(self, host: str) -> None:
        """The client is told to connect to that address of ours; the operator hears of
        it where that can hardly work."""

    async def open(self) -> DataChannel:
        """The connection.  NoDataConnection."""

    def keep(self) -> None:
        """The transfer is over; its connection is that of the next one too, unless the
        client closes it or says PASV, EPSV, PORT or EPRT before."""

    def close(self) -> None:
        """Forget the preparation, drop a connection nobody uses; who waits in ``open``
        gets ``NoDataConnection``."""
