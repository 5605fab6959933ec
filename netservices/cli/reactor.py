"""What a command does with a reactor of its own: connections to other servers."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import click

T = TypeVar("T")


def in_reactor(begin: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
    """The result of the coroutine that ``begin`` makes for the reactor, or what it
    raises; click.Abort where a person ends it before."""
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    running: Any = reactor
    results: list[T | Failure] = []

    def start() -> None:
        done = Deferred.fromCoroutine(begin(running))
        done.addBoth(results.append)
        done.addBoth(lambda _none: running.stop())

    running.callWhenRunning(start)
    running.run()
    if not results:
        raise click.Abort
    result = results[0]
    if not isinstance(result, Failure):
        return result
    assert result.value is not None
    raise result.value
