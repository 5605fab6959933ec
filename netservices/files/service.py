"""``Files``: where the trees are, who shares them, and their care.

Layout below the state directory: ``files/<login>/`` are homes, ``<login>`` being
``name@domain``, whatever the default domain is or becomes; ``pub/`` is what anonymous
users read; ``sites/`` are web roots.
"""

from __future__ import annotations

import os
import time
from functools import lru_cache
from hashlib import sha256
from typing import Any
from urllib.parse import quote
from weakref import WeakValueDictionary

import attrs
from twisted.internet.defer import DeferredSemaphore
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from netservices import values
from netservices.files import care, names
from netservices.files.area import closing
from netservices.files.beneath import make_glance, make_opener
from netservices.files.directories import RestrictedTree
from netservices.files.disk import Disk
from netservices.files.dropbox import BoxLedger, DropBoxTree
from netservices.files.durable import Durability
from netservices.files.joined import Readings
from netservices.files.listing import Snapshots
from netservices.files.permissions import READ_ONLY, READ_WRITE
from netservices.files.restricted import with_umask
from netservices.files.settings import FilesSettings
from netservices.files.tree import FileTree
from netservices.files.volume import Volume
from netservices.files.within import Within
from netservices.files.work import Hops, Pace, unstoppable
from netservices.interfaces import IFiles, IStore
from netservices.values import Account, DropBox, Path, Report

PUBLIC = "public"
_HOME = "home:"
_PAGES = "pages:"
_SITE = "site:"
_SITES = "sites"
_LONGEST_NAME = 200
_SETTLED_NS = 1_000_000_000


@lru_cache(maxsize=1024)
def directory_name(login: str) -> str:
    """The directory of a login: itself, but for what a file name cannot be.

    Letters, digits and ``@._+-`` stay, so a person finds ``alice@example.org``; the
    rest is percent-encoded, a leading dot too, and a very long login ends in its hash.
    """
    name = quote(login, safe="@+")
    if name.startswith("."):
        name = "%2E" + name[1:]
    if len(name) > _LONGEST_NAME:
        name = f"{name[: _LONGEST_NAME - 33]}~{sha256(login.encode()).hexdigest()[:32]}"
    return name


def _tree(
    volume: Volume,
    permissions: values.Permissions,
    account: int,
    quota_octets: int | None,
) -> FileTree:
    """The simplest tree that keeps these permissions."""
    if permissions == values.EVERYTHING:
        return FileTree(volume, READ_WRITE, account, quota_octets)
    if permissions == values.READ_ONLY:
        return FileTree(volume, READ_ONLY, account, quota_octets)
    return RestrictedTree(volume, permissions, account, quota_octets)


@implementer(IFiles)
class Files:
    """The file trees of the server."""

    _log = Logger()
    public_tree = PUBLIC

    def __init__(
        self,
        state_directory: str,
        store: IStore,
        settings: FilesSettings,
        reactor: Any | None,
    ) -> None:
        self.settings = settings
        self.store = store
        self._state = os.path.abspath(state_directory)
        self._reactor = reactor
        self._opener = make_opener(settings.symlinks, settings.resolver)
        self._glance = make_glance(settings.symlinks, settings.resolver)
        self._durability = Durability(settings.durability)
        self._hops = Hops(reactor, settings.threads, settings.queue)
        self._steps = DeferredSemaphore(max(1, settings.threads // 2))
        self._pace = Pace(settings.slow_write, settings.slow_period)
        self._snapshots = Snapshots(settings.listing_names, settings.listing_lifetime)
        self._volumes: WeakValueDictionary[str, Volume] = WeakValueDictionary()
        self._box_ledgers: dict[Path, BoxLedger] = {}
        self._sites: frozenset[str] = frozenset()
        self._sites_changed = 0
        self._next_sweep: Any = None
        self._is_running = False

    # --- trees ----------------------------------------------------------------------

    def home(
        self,
        account: Account,
        permissions: values.Permissions = values.EVERYTHING,
        umask: int | None = None,
    ) -> FileTree:
        """The account's own tree, made on its first use."""
        volume = self.volume(_HOME + directory_name(account.login))
        if umask is not None:
            volume = with_umask(volume, umask)
        return _tree(volume, permissions, account.id, account.quota_octets)

    def public(
        self,
        permissions: values.Permissions = values.READ_ONLY,
        umask: int | None = None,
        drop_box: DropBox | None = None,
    ) -> FileTree:
        """``pub/``: what anonymous users read."""
        volume = self.volume(PUBLIC)
        if umask is not None:
            volume = with_umask(volume, umask)
        if drop_box is not None:
            ledger = self._box_ledgers.setdefault(drop_box.path, BoxLedger())
            return DropBoxTree(volume, permissions, drop_box, ledger)
        return _tree(volume, permissions, 0, None)

    def pages(self, account: Account, directory: str) -> FileTree:
        """What lies in one directory of the account's home, to be read."""
        home = self.volume(_HOME + directory_name(account.login))
        name = f"{_PAGES}{directory}:{directory_name(account.login)}"
        volume = self._volumes.get(name)
        if volume is None:
            disk = Within(home.disk, directory, True, self._glance)
            # Whoever changes the home changes this.
            volume = attrs.evolve(home, name=name, disk=disk, origin=home)
            self._volumes[name] = volume
        return FileTree(volume, READ_ONLY)

    def site(self, name: str, is_writable: bool = False) -> FileTree:
        """``sites/<name>/``, to be read, or changed.  BadName."""
        names.encode_path((name,))
        volume = self.volume(_SITE + name)
        return FileTree(volume, READ_WRITE if is_writable else READ_ONLY)

    def is_home(self, tree: str) -> bool:
        """Whether the tree of that name is an account's own."""
        return tree.startswith(_HOME)

    def sites(self) -> frozenset[str]:
        """The names in ``sites/``."""
        directory = os.path.join(self._state, _SITES)
        try:
            changed = os.stat(directory).st_mtime_ns
            if changed != self._sites_changed:
                self._sites = frozenset(os.listdir(directory))
                # What comes in the same moment has the same time.
                is_settled = time.time_ns() - changed > _SETTLED_NS
                self._sites_changed = changed if is_settled else 0
        except OSError:
            return frozenset()
        return self._sites

    def volume(self, tree: str) -> Volume:
        """The tree of that name, shared by all who use it now."""
        volume = self._volumes.get(tree)
        if volume is None:
            volume = self._make_volume(tree)
            self._volumes[tree] = volume
        return volume

    def _make_volume(self, tree: str) -> Volume:
        if tree.startswith(_SITE):
            return self._make_site(tree)
        directory = os.path.join(self._state, "pub")
        mode = 0o755
        owner = ""
        if tree.startswith(_HOME):
            owner = tree.removeprefix(_HOME)
            directory = os.path.join(self._state, "files", owner)
            mode = 0o700
        disk = Disk(
            directory,
            self._opener,
            self._durability,
            int(self.settings.umask, 8),
            owner,
            mode,
            self._glance,
        )
        return self._volume_of(tree, disk)

    def _make_site(self, tree: str) -> Volume:
        base = Disk(
            os.path.join(self._state, _SITES),
            self._opener,
            self._durability,
            int(self.settings.umask, 8),
        )
        disk = Within(base, tree.removeprefix(_SITE), False, self._glance)
        return self._volume_of(tree, disk)

    def _volume_of(self, tree: str, disk: Disk) -> Volume:
        return Volume(
            name=tree,
            disk=disk,
            store=self.store,
            hops=self._hops,
            pace=self._pace,
            snapshots=self._snapshots,
            settings=self.settings,
            readings=Readings(self._steps),
        )

    # --- care -----------------------------------------------------------------------

    @unstoppable
    async def start(self) -> None:
        """Make the directories, remove what dead processes left, and go on doing so."""
        self._hops.start()
        await self._hops.run(self._make_directories)
        await self.sweep(time.time())
        self._is_running = True
        self._plan_sweep()
        if self.settings.durability != "full":
            self._log.warn(
                "files.durability is {durability}: an acknowledged upload may be lost",
                durability=self.settings.durability,
            )

    def _make_directories(self) -> None:
        for name, mode in (("files", 0o700), ("pub", 0o755), ("sites", 0o755)):
            directory = os.path.join(self._state, name)
            if not os.path.isdir(directory):
                os.makedirs(directory)
                os.chmod(directory, mode)
        with closing(os.open(self._state, os.O_RDONLY | os.O_DIRECTORY)) as state:
            self._durability.sync_directory(state)

    def _plan_sweep(self) -> None:
        if self._reactor is not None:
            self._next_sweep = self._reactor.callLater(
                self.settings.sweep_interval, self._sweep_again
            )

    def _sweep_again(self) -> None:
        self._next_sweep = None
        self.sweep(time.time()).addErrback(self._sweep_failed).addCallback(self._swept)

    def _sweep_failed(self, failure: Failure) -> None:
        if self._is_running:
            self._log.failure("sweeping the file trees", failure)

    def _swept(self, _: object) -> None:
        if self._is_running:
            self._plan_sweep()

    @unstoppable
    async def stop(self) -> None:
        """Finish what runs."""
        self._is_running = False
        if self._next_sweep is not None:
            self._next_sweep.cancel()
            self._next_sweep = None
        await self._hops.stop()

    @unstoppable
    async def sweep(self, now: float) -> int:
        """Remove partial uploads past their time, and temporary files of dead
        processes; how many went."""
        return await care.sweep(self, now)

    @unstoppable
    async def check(self, repair: bool = False) -> Report:
        """Compare sums and upload areas with the disk."""
        return await care.check(self, repair)

    @unstoppable
    async def trees(self) -> tuple[str, ...]:
        """Every tree that is on the disk or in the records."""
        on_disk = await self._hops.run(self._trees_on_disk)
        recorded = await self.store.file_records.trees()
        return tuple(sorted({*on_disk, *recorded}))

    def _trees_on_disk(self) -> tuple[str, ...]:
        try:
            homes = os.listdir(os.path.join(self._state, "files"))
        except FileNotFoundError:
            homes = []
        return (PUBLIC, *(_HOME + name for name in homes))
