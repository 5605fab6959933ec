"""Waiting for the end of what runs, but not for ever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

_log = Logger()


def finish_within(
    waiting: Sequence[Deferred[Any]],
    seconds: float,
    clock: Any,
    cut: Deferred[None] | None = None,
) -> Deferred[bool]:
    """Fires with true when all of ``waiting`` have fired, with false after ``seconds``
    or when ``cut`` fires.  Failures are logged; what comes later is ignored."""
    over: Deferred[bool] = Deferred()
    call = clock.callLater(seconds, lambda: _fire(over, False))
    if cut is not None:
        cut.addCallback(lambda _: _fire(over, False))
    everything: Deferred[Any] = DeferredList(
        [deferred.addErrback(_logged) for deferred in waiting]
    )
    everything.addCallback(lambda _: _fire(over, True))

    def tidy(result: bool) -> bool:
        if call.active():
            call.cancel()
        return result

    return over.addCallback(tidy)


def _fire(over: Deferred[bool], result: bool) -> None:
    if not over.called:
        over.callback(result)


def _logged(failure: Any) -> None:
    _log.failure("a drain failed", failure=failure)
