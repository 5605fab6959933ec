"""What may be asked over the control socket; see ``control.server``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from netservices.control.server import Verb
from netservices.control.sessions import MOST_LISTED, Sessions, Wanted

if TYPE_CHECKING:
    from netservices.service.house import NetServices

_SESSIONS_OF_STATUS = 200


def verbs_of(house: NetServices) -> Mapping[str, Verb]:
    """The verbs of a running server."""
    verbs = _Verbs(house)
    theirs = {
        f"{name}.{verb}": answer
        for name, server in house.servers.items()
        for verb, answer in server.verbs.items()
    }
    return {
        **theirs,
        "status": verbs.status,
        "changed": verbs.changed,
        "unlock": verbs.unlock,
        "sessions": verbs.sessions,
        "end_sessions": verbs.end_sessions,
        "reload": verbs.reload,
        "stop": verbs.stop,
    }


class _Verbs:
    def __init__(self, house: NetServices) -> None:
        self._house = house

    async def status(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Everything that ``netservices status`` shows."""
        rows, total = await self._sessions().first(Wanted(), most=_SESSIONS_OF_STATUS)
        return {**self._house.status(), "sessions": total, "session_list": rows}

    async def changed(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Another process has written to the store; answered when that is in force."""
        await self._house.settle()
        return {}

    async def unlock(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Lift the lock-out of a login or an address."""
        name = request.get("name")
        if not isinstance(name, str) or not name:
            raise ValueError("unlock wants the name of an account, or an address")
        assert self._house.services is not None
        was_locked = self._house.services.accounts.unlock(name)
        return {"was_locked": was_locked}

    async def sessions(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The open sessions that fit ``protocol``, ``account`` and ``address``, sorted
        by ``order``, ``most`` of them."""
        wanted = await self._wanted(request)
        order, most = request.get("order", "rate"), request.get("most", MOST_LISTED)
        if not isinstance(order, str) or not isinstance(most, int) or most < 1:
            raise ValueError("order is a word, most a number")
        rows, total = await self._sessions().first(wanted, order, most)
        return {"sessions": rows, "total": total}

    async def end_sessions(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """End sessions: those named in ``sessions``, or that fit as above."""
        wanted = await self._wanted(request)
        if wanted == Wanted():
            raise ValueError("say which sessions shall end")
        ended = await self._sessions().end(wanted)
        assert self._house.services is not None
        for row in ended:
            self._house.services.events.emit(
                "session_ended",
                protocol=row["protocol"],
                session=row["session"],
                address=row["address"],
                is_secure=bool(row["tls"]),
                account=row["account"],
            )
        return {"ended": [row["session"] for row in ended]}

    def _sessions(self) -> Sessions:
        return Sessions(self._house.servers, self._house.reactor)

    async def _wanted(self, request: Mapping[str, Any]) -> Wanted:
        names = request.get("sessions", [])
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
            raise ValueError("sessions is a list of ids")
        words = [request.get(key, "") for key in ("protocol", "account", "address")]
        if not all(isinstance(word, str) for word in words):
            raise ValueError("protocol, account and address are words")
        protocol, account, address = words
        if account:
            assert self._house.services is not None
            # What a person types is a login; sessions have the whole one.
            found = await self._house.services.accounts.find(account)
            account = account if found is None else found.login
        return Wanted(frozenset(names), protocol, account, address)

    async def reload(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Read configuration, certificates and zones again."""
        if self._house.when_asked_to_reload is None:
            waiting = await self._house.reload(self._house.configuration)
        else:
            waiting = await self._house.when_asked_to_reload()
        return {"needs_restart": waiting}

    async def stop(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Drain and stop; the answer comes before the end."""
        self._house.reactor.callLater(0, self._house.when_asked_to_stop)
        return {}
