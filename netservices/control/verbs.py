"""What may be asked over the control socket; see ``control.server``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from netservices.control.server import Verb

if TYPE_CHECKING:
    from netservices.service.house import NetServices


def verbs_of(house: NetServices) -> Mapping[str, Verb]:
    """The verbs of a running server."""
    verbs = _Verbs(house)
    return {
        "status": verbs.status,
        "changed": verbs.changed,
        "unlock": verbs.unlock,
        "reload": verbs.reload,
        "stop": verbs.stop,
    }


class _Verbs:
    def __init__(self, house: NetServices) -> None:
        self._house = house

    async def status(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Everything that ``netservices status`` shows."""
        return self._house.status()

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
