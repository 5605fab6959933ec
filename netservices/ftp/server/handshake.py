"""The handshake of one data connection: from its arrival on, or from the transfer
command on.

Theory.  Most clients shake hands after the reply to their transfer command, some of
them (aioftp) before they say it, and curl says its hello and then asks for the size of
the file.  So a passive connection that arrives while PROT P is in force listens at
once.  Nothing is said before the client's hello.  The time that a handshake may take
begins with its first octet, or with the transfer command: a client that connects early
and thinks for a while is let.  What fails, fails in silence until the transfer asks.

Whether the session that was resumed is the client's own is looked at when the transfer
begins, for by then somebody else may have logged in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from netservices.ftp.dialogue.channels import DataBroken, NotProtected
from netservices.ftp.server.channels import DataConnection
from netservices.ftp.server.kinship import Kinship
from netservices.ftp.server.protection import first_words


@define(eq=False)
class Handshake:
    """TLS on ``connection``, which takes ``seconds`` at most."""

    connection: DataConnection
    kinship: Kinship
    otherwise: Callable[[], Any]
    """The context of who resumes no session."""
    reactor: Any
    seconds: float
    is_begun: bool = False
    """Whether the client has said a word."""
    _is_upload: bool | None = None
    """Whether the transfer is one; None before its command."""
    _context: Any = None
    _owner: Kinship | None = None
    _timer: Any = None
    _problem: Failure | None = None
    _done: Deferred[None] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._done = Deferred.fromCoroutine(self._shake())
        self._done.addErrback(self._note)

    async def complete(self, is_upload: bool) -> None:
        """The transfer begins; returns when its connection is protected, or raises
        NotProtected, DataBroken."""
        self._is_upload = is_upload
        if not self.is_begun and self._problem is None:
            self._limit()
        await self._done
        if self._problem is not None:
            self._problem.raiseException()
        if not is_upload:
            self.connection.give_tickets()
        self.connection.vouch(await self._is_own())

    def give_up(self) -> bool:
        """PROT C was said since; whether the connection is as it was before."""
        if not self.is_begun:
            self.connection.stop_reading()
        return not self.is_begun

    async def _shake(self) -> None:
        try:
            records = await first_words(self.connection, self._limit)
        except DataBroken as broken:
            if self._timer is not None and not self._timer.active():
                raise NotProtected("no handshake came") from broken
            raise
        finally:
            if self._timer is not None and self._timer.active():
                self._timer.cancel()
        known = self.kinship.contexts()
        self._context = await self.connection.secure(
            [*known],
            self.otherwise(),
            records,
            self.seconds,
            lambda: self._is_upload is not False,
        )
        self._owner = known.get(self._context)

    def _limit(self) -> None:
        """From now on time counts."""
        self.is_begun = True
        if self._timer is None:
            self._timer = self.reactor.callLater(self.seconds, self.connection.abort)

    def _note(self, failure: Failure) -> None:
        self._problem = failure

    async def _is_own(self) -> bool:
        """Whether the session that was resumed, if any, is the client's own."""
        owner = self._owner
        if owner is None:
            return False
        if owner is self.kinship:
            # The control connection may have begun TLS anew.
            return owner.context is self._context
        return await self.kinship.shares(owner, self.seconds)
