"""Several sessions with one server that share a list of jobs.

Theory.  Each worker has a session of its own and opens it again when it is lost.  A job
that fails for a while is tried again after a pause that doubles; one that fails for
good is reported, and the others go on.  A server that allows fewer sessions than there
are workers keeps those it has let in: the others retire.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from netservices.ftp.client import (
    FTPClient,
    has_lost_connection,
    in_words,
    is_temporary,
)

T = TypeVar("T")
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0


@define
class Jobs(Generic[T]):
    """A list that workers take from, and add to while they work."""

    _waiting: deque[T] = field(factory=deque)
    _at_work: int = 0
    _idle: list[Deferred[None]] = field(factory=list)

    def add(self, job: T) -> None:
        """One more."""
        self._waiting.append(job)
        self._wake()

    def put_back(self, job: T) -> None:
        """Somebody else has to do it."""
        self._waiting.appendleft(job)
        self.done()

    def done(self) -> None:
        """A job that was taken is no more."""
        self._at_work -= 1
        self._wake()

    def _wake(self) -> None:
        idle, self._idle = self._idle, []
        for one in idle:
            one.callback(None)

    async def take(self) -> T | None:
        """The next job; None once all are done."""
        while not self._waiting:
            if not self._at_work:
                return None
            waiting: Deferred[None] = Deferred()
            self._idle.append(waiting)
            await waiting
        self._at_work += 1
        return self._waiting.popleft()


@define
class Crew:
    """The workers."""

    reactor: Any
    open_session: Callable[[], Awaitable[FTPClient]]
    """A client that has logged in."""
    size: int
    retries: int
    failed: Callable[[Any, Exception], None]
    """Told of a job that cannot be done."""
    warned: Callable[[str], None] = lambda text: None
    _sessions: list[FTPClient | None] = field(init=False)
    _refused: set[int] = field(factory=set, init=False)
    _no_session: Exception | None = field(default=None, init=False)
    """Why the last attempt to open one has failed."""
    _is_stranded: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._sessions = [None] * self.size

    async def open(self) -> FTPClient:
        """The first session.  Raises what stands against it."""
        session: FTPClient = await self._attempts(lambda: self._session(0))
        return session

    async def close(self) -> None:
        """Say goodbye."""
        for client in self._sessions:
            if client is None:
                continue
            try:
                if client.control.is_usable:
                    await client.quit()
            except Exception:
                client.close()
        self._sessions = [None] * self.size

    async def run(
        self,
        jobs: Iterable[T],
        do: Callable[[FTPClient, T, Callable[[T], None]], Awaitable[None]],
    ) -> None:
        """Have all jobs done; ``do`` may add more."""
        shared: Jobs[T] = Jobs(deque(jobs))
        workers = [
            Deferred.fromCoroutine(self._work(number, shared, do))
            for number in range(self.size)
            if number not in self._refused
        ]
        await gatherResults(workers, consumeErrors=True)

    async def _work(self, number: int, jobs: Jobs[T], do: Any) -> None:
        while (job := await jobs.take()) is not None:
            try:
                if number and self._sessions[number] is None:
                    await self._session(number)
            except Exception as problem:
                # The first worker remains.
                self.warned(f"no further session: {in_words(problem)}")
                self._refused.add(number)
                jobs.put_back(job)
                return
            try:
                await self._attempts(lambda: self._do(number, job, jobs, do))
            except Exception as problem:
                self.failed(job, problem)
                if problem is self._no_session:
                    # Nor will the jobs that are left find one.
                    self._is_stranded = True
            jobs.done()

    async def _do(self, number: int, job: T, jobs: Jobs[T], do: Any) -> None:
        if self._is_stranded and self._no_session is not None:
            raise self._no_session
        try:
            client = await self._session(number)
        except Exception as problem:
            self._no_session = problem
            raise
        try:
            await do(client, job, jobs.add)
        except Exception as problem:
            if has_lost_connection(problem) or not client.control.is_usable:
                self._sessions[number] = None
                client.close()
            raise

    async def _attempts(self, attempt: Callable[[], Awaitable[Any]]) -> Any:
        """What an attempt brings, one of ``retries`` + 1."""
        pause = FIRST_PAUSE
        for left in range(self.retries, -1, -1):
            try:
                return await attempt()
            except Exception as problem:
                if not left or self._is_stranded or not is_temporary(problem):
                    raise
                self.warned(f"{in_words(problem)}; trying again")
            # Not all workers at the same moment.
            await deferLater(self.reactor, pause * random.uniform(0.8, 1.2))
            pause = min(pause * 2, LONGEST_PAUSE)
        return None

    async def _session(self, number: int) -> FTPClient:
        client = self._sessions[number]
        if client is None or not client.control.is_usable:
            client = self._sessions[number] = None
            client = await self.open_session()
            self._sessions[number] = client
        return client
