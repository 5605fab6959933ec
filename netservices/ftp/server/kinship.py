"""Which sessions are the same client's: those of one account from one address.

A client with several control connections may keep one store of TLS sessions for all of
them, and resume on a data connection what began on the control connection of another.
That one may not even have logged in, and whose it is shows only then.
"""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred


@define(eq=False)
class Kinship:
    """One session with TLS among those from its address."""

    peer: str
    others: dict[tuple[str, str], list[Kinship]]
    """All sessions with TLS, by login and address; without a login: by none."""
    reactor: Any
    login: str = ""
    context: Any = None
    """The TLS context of the control connection; None before TLS."""
    _waiting: list[Deferred[None]] = field(factory=list)

    def begin(self, context: Any) -> None:
        """The control connection speaks TLS."""
        self._remove()
        self.context = context
        self._add()

    def rename(self, login: str) -> None:
        """Who has logged in; empty for nobody."""
        self._remove()
        self.login = login
        self._add()
        self._tell()

    def leave(self) -> None:
        """The session has ended."""
        self._remove()
        self.context = None
        self._tell()

    def contexts(self) -> dict[Any, Kinship]:
        """Whose TLS session is resumed with which context: its own first, then those of
        whom nothing is known yet, then kin; in each group the newest first."""
        if self.context is None:
            return {}
        found = {self.context: self}
        for login in ("", self.login):
            for one in reversed(self.others.get((login, self.peer), ())):
                found.setdefault(one.context, one)
        return found

    @property
    def has_kin(self) -> bool:
        """Whether another session with TLS belongs to the same account and address."""
        return len(self.others.get((self.login, self.peer), ())) > 1

    async def shares(self, other: Kinship, seconds: float) -> bool:
        """Whether the other session belongs to the same account, once that is known;
        not, if it takes longer than ``seconds``."""
        if other is self:
            return True
        if not other.login and other.context is not None:
            known: Deferred[None] = Deferred()
            other._waiting.append(known)
            timer = self.reactor.callLater(seconds, other._tell)
            try:
                await known
            finally:
                if timer.active():
                    timer.cancel()
        return bool(other.login) and other.login == self.login

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if not one.called:
                one.callback(None)

    def _add(self) -> None:
        if self.context is not None:
            self.others.setdefault((self.login, self.peer), []).append(self)

    def _remove(self) -> None:
        if self.context is None:
            return
        key = self.login, self.peer
        kin = self.others[key]
        kin.remove(self)
        if not kin:
            del self.others[key]
