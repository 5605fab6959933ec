"""A leaner turn of the epoll reactor: no logging context around each event.

Twisted wraps each event in ``callWithLogger``, which builds a context that only the
old logging system reads: 1-1.6 us of the 6-7 that a line of conversation costs.  Here
an exception that leaves ``doRead`` or ``doWrite`` is still logged, under the same
prefix, and still ends that one connection and nothing else.  Events that are not plain
readable or writable (errors, hang-ups) go Twisted's own way.

Near-private names of Twisted, watched by ``tests/core/test_twisted_names.py``:
``EPollReactor._poller``, ``_selectables``, ``_doReadOrWrite``,
``_disconnectSelectable``, ``doPoll``, ``doIteration``.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.python import log

_NAMES = (
    "_poller",
    "_selectables",
    "_doReadOrWrite",
    "_disconnectSelectable",
    "doPoll",
    "doIteration",
)


def install_lean_poll(reactor: Any) -> bool:
    """Put the lean turn into the live ``reactor``; false where it is not the epoll
    reactor that this was written for, which then stays as it is."""
    if type(reactor) is not EPollReactor:
        return False
    if not all(hasattr(reactor, name) for name in _NAMES):
        return False
    reactor.doIteration = make_lean_poll(reactor)  # type: ignore[method-assign]
    return True


def remove_lean_poll(reactor: Any) -> None:
    """Give the reactor its own turn back; harmless where it has it."""
    vars(reactor).pop("doIteration", None)


def make_lean_poll(reactor: Any) -> Callable[[float | None], None]:
    """The function that takes the place of ``reactor.doPoll``."""
    poll = reactor._poller.poll
    selectables = reactor._selectables
    read_or_write = reactor._doReadOrWrite
    disconnect = reactor._disconnectSelectable
    readable, writable = select.EPOLLIN, select.EPOLLOUT

    def lean_poll(timeout: float | None) -> None:
        for descriptor, event in poll(
            -1 if timeout is None else timeout, len(selectables)
        ):
            selectable = selectables.get(descriptor)
            if selectable is None:
                continue
            is_read = event == readable
            if not is_read and event != writable:
                log.callWithLogger(
                    selectable, read_or_write, selectable, descriptor, event
                )
                continue
            try:
                why = selectable.doRead() if is_read else selectable.doWrite()
            except BaseException:
                why = sys.exc_info()[1]
                _log_failure(selectable)
            if why:
                disconnect(selectable, why, is_read)

    return lean_poll


def _log_failure(selectable: Any) -> None:
    """Log the exception being handled as ``callWithLogger`` would."""
    try:
        prefix = selectable.logPrefix()
    except Exception:
        prefix = "-"
    log.err(system=prefix)
