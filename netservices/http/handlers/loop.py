"""An asyncio loop in a thread of its own, for applications that need one.

The reactor stays what it is, an epoll loop that is a third cheaper than asyncio's; and
an application that blocks its loop holds up its like, but nobody else.

Calls from one thread to the other wait in a queue, and only the first of them wakes the
other thread.  The order makes that safe without a lock: whoever calls *appends, then
looks at the flag*; whoever is woken *clears the flag, then takes what is there*.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from threading import Thread
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from netservices.core.threads import FromThread

_log = Logger()


class _Calls:
    """Calls on their way to another thread."""

    def __init__(self, wake: Callable[[Callable[[], None]], object]) -> None:
        """``wake`` has its argument called in the other thread."""
        self._wake = wake
        self._waiting: deque[tuple[Any, tuple[Any, ...]]] = deque()
        self._is_due = False

    def put(self, function: Any, args: tuple[Any, ...]) -> None:
        """One more."""
        self._waiting.append((function, args))
        if not self._is_due:
            self._is_due = True
            self._wake(self._run)

    def _run(self) -> None:
        """Make the calls that wait; in the other thread."""
        self._is_due = False
        for _ in range(len(self._waiting)):
            function, args = self._waiting.popleft()
            try:
                function(*args)
            except Exception:
                _log.failure("a call between reactor and loop")


class Loop:
    """The loop; runs from ``start`` to ``stop``."""

    def __init__(self, reactor: FromThread) -> None:
        self._reactor = reactor
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopped: Deferred[None] = Deferred()
        self._to_loop = _Calls(self._wake_loop)
        self._to_reactor = _Calls(reactor.callFromThread)
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Run, in a new thread."""
        self._loop = asyncio.new_event_loop()
        # A daemon, so that an application that does not end keeps no process alive.
        Thread(target=self._run, name="asgi", daemon=True).start()

    def soon(self, function: Any, *args: Any) -> None:
        """Call ``function`` in the loop's thread, unless the loop has ended; from the
        reactor's thread."""
        self._to_loop.put(function, args)

    def tell(self, function: Any, *args: Any) -> None:
        """Call ``function`` in the reactor's thread; from the loop's."""
        self._to_reactor.put(function, args)

    def task(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Begin ``coroutine``; in the loop's thread."""
        task = asyncio.ensure_future(coroutine)
        # The loop itself holds tasks weakly only.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def stop(self) -> Deferred[None]:
        """Cancel what runs, and end; fires when the thread has."""
        if self._loop is None:
            self._stopped.callback(None)
        else:
            self.soon(self._begin_end)
        return self._stopped

    def _wake_loop(self, function: Callable[[], None]) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(function)

    def _run(self) -> None:
        assert self._loop is not None
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            self._loop.close()
            self._reactor.callFromThread(self._stopped.callback, None)

    def _begin_end(self) -> None:
        assert self._loop is not None
        for task in self._tasks:
            task.cancel()
        waiting = asyncio.gather(*self._tasks, return_exceptions=True)
        waiting.add_done_callback(lambda _: self._loop and self._loop.stop())
