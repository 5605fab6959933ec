"""One run of a mirror, from the first look to the last deletion."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field

from netservices.core.errors import SyntaxProblem
from netservices.ftp.client import FTPClient, in_words
from netservices.ftp.mirror.crew import Crew
from netservices.ftp.mirror.local import LocalTree
from netservices.ftp.mirror.moving import Moving
from netservices.ftp.mirror.planning import Planner
from netservices.ftp.mirror.rate import Rate
from netservices.ftp.mirror.remote import RemoteTree
from netservices.ftp.mirror.values import (
    Item,
    Plan,
    Report,
    Verb,
    Watcher,
    Wishes,
    is_part,
)
from netservices.values import NodeKind, Path


@define
class Mirror:
    """A directory of a server and one here, of which one is made like the other."""

    reactor: Any
    open_session: Callable[[], Awaitable[FTPClient]]
    path: str
    """The server's directory: absolute, or below the one that the login leads to."""
    directory: str
    wishes: Wishes
    watcher: Watcher = field(factory=Watcher)
    report: Report = field(factory=Report, init=False)
    plan: Plan = field(factory=Plan, init=False)

    async def run(self) -> Report:
        """Do it.  Raises what stands against all of it: no session, no directory."""
        begin = self.reactor.seconds()
        crew = Crew(
            self.reactor,
            self.open_session,
            self.wishes.parallel,
            self.wishes.retries,
            self._failed,
            self.watcher.warned,
        )
        makes = not (self.wishes.is_upload or self.wishes.is_dry_run)
        try:
            remote = RemoteTree(await self._top(await crew.open()))
            needs = not self.wishes.is_dry_run or self.wishes.is_upload
            local = LocalTree(self.directory, makes, needs)
            try:
                if self.wishes.is_upload and not self.wishes.is_dry_run:
                    await remote.make_top(await crew.open())
                await self._work(crew, local, remote)
            finally:
                local.close()
        finally:
            await crew.close()
        self.report.seconds = self.reactor.seconds() - begin
        return self.report

    async def _top(self, client: FTPClient) -> str:
        """The server's directory as an absolute path."""
        top = self.path
        if not top.startswith("/"):
            try:
                home = await client.working_directory()
            except SyntaxProblem:
                home = "/"
            top = f"{home.rstrip('/')}/{top}"
        top = top.rstrip("/")
        if not self.wishes.is_upload:
            await client.list(top or "/")
        return top

    async def _work(self, crew: Crew, local: LocalTree, remote: RemoteTree) -> None:
        planner = Planner(
            self.wishes, local, remote, self.report, self.watcher, self.plan
        )
        first: list[Path] = [()]
        await crew.run(first, planner.look)
        self.plan.directories.sort(key=lambda item: item.path)
        self.plan.transfers.sort(key=lambda item: item.path)
        sizes = sum(item.size or 0 for item in self.plan.transfers)
        self.watcher.planned(len(self.plan.transfers), sizes)
        if self.wishes.is_dry_run:
            self._pretend()
            return
        await self._remove(crew, local, remote, self.plan.conflicts)
        await self._make(crew, local, remote)
        await self._transfer(crew, local, remote)
        if self.plan.is_complete:
            await self._remove(crew, local, remote, self.plan.deletions)
        elif self.plan.deletions:
            self.watcher.warned("nothing is deleted, because not everything was seen")

    def _failed(self, job: Any, problem: Exception) -> None:
        """Note what cannot be done."""
        if not isinstance(job, Item):
            # A directory that was not seen may hold anything.
            self.plan.is_complete = False
            job = Item(job, NodeKind.DIRECTORY)
        reason = problem.strerror if isinstance(problem, OSError) else None
        self.report.failed.append((job.text, reason or in_words(problem)))

    def _pretend(self) -> None:
        """What would be done."""
        for item in self.plan.directories:
            self._note(Verb.MAKE, item)
        for item in self.plan.transfers:
            self._note(self._moves, item)
            self.report.files += 1
            self.report.octets += item.size or 0
        for item in (*self.plan.conflicts, *self.plan.deletions):
            self._note(Verb.DELETE, item)

    @property
    def _moves(self) -> Verb:
        return Verb.UPLOAD if self.wishes.is_upload else Verb.DOWNLOAD

    def _note(self, verb: Verb, item: Item) -> None:
        self.report.directories += verb is Verb.MAKE
        self.report.deleted += verb is Verb.DELETE
        self.watcher.done(verb, item)

    async def _make(self, crew: Crew, local: LocalTree, remote: RemoteTree) -> None:
        """Make directories, those above before those below."""

        async def make(client: FTPClient, item: Item, _add: Any) -> None:
            if self.wishes.is_upload:
                await remote.make(client, item.path)
            else:
                local.make(item.path)
            self._note(Verb.MAKE, item)

        levels: dict[int, list[Item]] = {}
        for item in self.plan.directories:
            levels.setdefault(len(item.path), []).append(item)
        for level in sorted(levels):
            await crew.run(levels[level], make)

    async def _transfer(self, crew: Crew, local: LocalTree, remote: RemoteTree) -> None:
        rate = Rate(self.reactor, self.wishes.octets_per_second)
        moving = Moving(self.wishes, local, remote, self.report, self.watcher, rate)
        move = moving.upload if self.wishes.is_upload else moving.download

        async def transfer(client: FTPClient, item: Item, _add: Any) -> None:
            await move(client, item)
            self._note(self._moves, item)

        await crew.run(self.plan.transfers, transfer)

    async def _remove(
        self, crew: Crew, local: LocalTree, remote: RemoteTree, items: list[Item]
    ) -> None:
        keeps = self.wishes.excludes_item

        async def remove(client: FTPClient, item: Item, _add: Any) -> None:
            if self.report.failed and is_part(item.path[-1]):
                return  # it may be what the next run goes on with
            if self.wishes.is_upload:
                is_gone = await remote.delete(client, item, keeps, self.wishes)
            else:
                is_gone = local.delete(item, keeps)
            if is_gone:
                self._note(Verb.DELETE, item)

        await crew.run(items, remove)
