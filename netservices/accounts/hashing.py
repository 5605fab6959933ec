"""Password hashes in threads: bounded in all, and for each network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, fail

from netservices.accounts.settings import AccountsSettings
from netservices.core.errors import Trouble
from netservices.core.threads import Workers

P = ParamSpec("P")
T = TypeVar("T")


class Hashing:
    """A small pool of threads for passwords.

    One network may fill only a part of its queue, so that an attacker who keeps it
    busy does not keep everybody else out.
    """

    def __init__(self, settings: AccountsSettings, reactor: Any | None) -> None:
        self._workers = Workers(
            reactor, "hash", settings.hash_threads, settings.hash_queue
        )
        self._most_per_network = settings.hash_queue_per_network
        self._by_network: dict[str, int] = {}

    def start(self) -> None:
        """Take calls from now on."""
        self._workers.start()

    def stop(self) -> Deferred[None]:
        """Finish what waits; then the threads are gone."""
        return self._workers.stop()

    def call(
        self, network: str, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> Deferred[T]:
        """What ``function`` returns, run in a thread on behalf of ``network``.

        Fails with ``Trouble`` where too much waits already.
        """
        waiting = self._by_network.get(network, 0)
        if waiting >= self._most_per_network:
            return fail(Trouble(f"{waiting} logins from {network} wait already"))
        self._by_network[network] = waiting + 1
        deferred = self._workers.call(function, *args, **kwargs)
        deferred.addBoth(self._done, network)
        return deferred

    def _done(self, result: Any, network: str) -> Any:
        left = self._by_network[network] - 1
        if left:
            self._by_network[network] = left
        else:
            del self._by_network[network]
        return result
