"""File trees: what FTP, HTTP and WebDAV share."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

from netservices.values import (
    EVERYTHING,
    READ_ONLY,
    Account,
    Digests,
    DropBox,
    FileDigest,
    FileLock,
    LineOf,
    Lines,
    Node,
    Path,
    Permissions,
    Report,
    Usage,
    WriteMode,
)


class IFiles(Interface):
    """The file trees of the server."""

    def home(
        account: Account,
        permissions: Permissions = EVERYTHING,
        umask: int | None = None,
    ) -> IFileTree:
        """The account's own tree, made when first written to.  New files and
        directories lack the bits of ``umask``."""

    def public(
        permissions: Permissions = READ_ONLY,
        umask: int | None = None,
        drop_box: DropBox | None = None,
    ) -> IFileTree:
        """``pub/``: what anonymous users read, and the directory of it into which they
        upload."""

    def pages(account: Account, directory: str) -> IFileTree:
        """What lies in one directory of the account's home, to be read; nothing leads
        out of that directory, and it is not made."""

    def site(name: str, is_writable: bool = False) -> IFileTree:
        """``sites/<name>/``, to be read, or changed; it is not made.
        BadName."""

    def sites() -> frozenset[str]:
        """The names of the directories in ``sites/``, as they are now."""

    def sweep(now: float) -> Deferred[int]:
        """Remove partial uploads past their time and temporary files of dead
        processes."""

    def check(repair: bool = False) -> Deferred[Report]:
        """Compare usage sums, records and upload areas with the disk."""


class IFileTree(Interface):
    """One tree of files, below one root that nothing leaves."""

    name: str = Attribute("the tree's name in file records")
    umask: int = Attribute("permission bits that new files and directories lack")
    capabilities: frozenset[str] = Attribute(
        "of: write, append, rename, digest, mtime, mode, links, descriptor"
    )
    changes: int = Attribute("grows with each change that this process makes")

    def with_umask(umask: int) -> IFileTree:
        """The same tree; new files and directories lack the bits of ``umask``."""

    def stat(path: Path, follow: bool = True) -> Deferred[Node]:
        """NotFound, NotAllowed."""

    def glance(path: Path) -> Node | None:
        """What ``stat`` says, where nothing has to be waited for; None where it has to
        be, or ``stat`` fails."""

    def refresh() -> None:
        """Look whether another directory has been put in the place of the root."""

    def list(
        path: Path, after: str | None = None, limit: int = 1000
    ) -> Deferred[tuple[Node, ...]]:
        """A page of a directory ordered by name.  NotFound, NotADirectory."""

    def list_lines(
        path: Path, line_of: LineOf, after: str | None = None, limit: int = 1000
    ) -> Deferred[Lines]:
        """The same as text; ``line_of`` is called in a thread."""

    def open(path: Path) -> Deferred[IOpenFile]:
        """A snapshot: replacing or deleting the file does not disturb it."""

    def begin_write(
        path: Path,
        mode: WriteMode = WriteMode.REPLACE,
        offset: int = 0,
        expected_size: int | None = None,
    ) -> Deferred[IUpload]:
        """Nothing of an upload is visible before its commit.  QuotaExceeded where
        ``expected_size`` (octets to come) cannot fit; Exists, IsADirectory, BadName;
        NotFound (parent); Conflict where ``offset`` lies beyond the end."""

    def copy(
        source: Path, target: Path, progress: Callable[[int], None] | None = None
    ) -> Deferred[Node]:
        """The content of ``source`` under the name ``target``, too: all of it, at one
        moment, within the quota.  ``progress`` is told how many octets have been
        copied, and what it raises ends the copying.  As ``open`` and
        ``begin_write``."""

    def make_directory(path: Path) -> Deferred[Node]:
        """Exists, NotFound (parent), BadName."""

    def remove(
        path: Path, directory: bool = False, if_etag: str | None = None
    ) -> Deferred[int]:
        """A file, or an empty directory; the octets that are gone with it.  NotFound,
        NotEmpty, IsADirectory; Conflict where it is not the version ``if_etag``."""

    def rename(source: Path, target: Path, replace: bool = True) -> Deferred[None]:
        """Atomic.  IsADirectory where the target is a directory; Exists."""

    def set_attributes(
        path: Path, mtime_ns: int | None = None, mode: int | None = None
    ) -> Deferred[Node]:
        """Change modification time or permissions."""

    def digests(path: Path) -> Deferred[Digests]:
        """Stored digests, or those found by reading the file in a thread.  TooLarge."""

    def digest(
        path: Path, algorithm: str, start: int = 0, end: int | None = None
    ) -> Deferred[FileDigest]:
        """One digest of the octets from ``start`` up to ``end``, which is kept where it
        is that of the whole file; cancelling it stops a read that nobody else waits
        for.  LookupError for an algorithm that is not known; TooLarge, StoreBusy;
        Conflict where ``start`` lies beyond the end."""

    def disk_path(path: Path) -> str | None:
        """Where the path lies on this machine, for programs that work on files; None
        in a tree that is not on disk.  Links in it are not followed."""

    def with_tokens(tokens: frozenset[str]) -> IFileTree:
        """The same tree for one who holds the locks with these tokens: what they are on
        he may change.  Everybody else is refused with Locked."""

    def locks(path: Path, is_below: bool = False) -> Deferred[tuple[FileLock, ...]]:
        """The locks on ``path``, and on what is above it, deep or not; with
        ``is_below``, those below, too."""

    def lock(
        path: Path,
        owner: str,
        expires: float,
        is_exclusive: bool = True,
        is_deep: bool = False,
    ) -> Deferred[FileLock]:
        """A new lock of this account, whether there is something at ``path`` or not.
        Locked where another one excludes it; QuotaExceeded where the account holds too
        many."""

    def renew_lock(path: Path, token: str, expires: float) -> Deferred[FileLock]:
        """Have a lock on ``path`` end at another time.  NotFound; NotAllowed where it
        is another account's."""

    def unlock(path: Path, token: str) -> Deferred[None]:
        """End a lock on ``path``.  NotFound; NotAllowed where it is another
        account's."""

    def properties(*paths: Path) -> Deferred[Mapping[Path, Mapping[str, str]]]:
        """What clients noted about those of the paths that have something noted: values
        by name."""

    def change_properties(
        path: Path, changes: Mapping[str, str | None]
    ) -> Deferred[None]:
        """Note something about what is at ``path``; None removes.  Notes follow what
        is renamed or copied, and go with what is removed.  NotFound; QuotaExceeded
        where they would be too long together."""

    def copy_properties(source: Path, target: Path) -> Deferred[None]:
        """Note of ``target`` what is noted of ``source``, and nothing else."""

    def usage() -> Deferred[Usage]:
        """What the tree holds, partial uploads included, and may hold."""

    def partial_octets(path: Path) -> Deferred[int | None]:
        """How much of an upload of ``path`` that this account left unfinished can be
        resumed."""


class IOpenFile(Interface):
    """A file opened for reading; its size was fixed at that moment."""

    node: Node = Attribute("as it was when opened")

    def fileno() -> int:
        """A descriptor for sendfile, or -1."""

    def read(offset: int, size: int) -> Deferred[bytes]:
        """At most ``size`` octets; empty at the end.  Never blocks the reactor."""

    def close() -> None:
        """Give the descriptor back; safe to call twice."""


class IUpload(Interface):
    """Octets on their way into a file."""

    offset: int = Attribute("where the first octet goes in the finished file")
    received_octets: int = Attribute("octets taken so far")

    def write(data: bytes) -> Deferred[None] | None:
        """Take ``data``; a Deferred asks the caller to pause until it fires.  Fails
        with QuotaExceeded or DiskFull, after which only ``abort`` is allowed."""

    def checkpoint() -> Deferred[bool]:
        """Make what has come so far durable, as a partial upload that even a crash of
        the server leaves to be resumed; whether it is.  Not to be called while a
        ``write`` asks for a pause."""

    def commit(
        is_wanted: Callable[[], bool] | None = None, if_etag: str | None = None
    ) -> Deferred[Node]:
        """Sync, rename, sync the directory, record; then the file has its name.

        ``is_wanted`` is asked last of all before the rename, maybe in another thread;
        where it says no: Withdrawn.  Where another version than that with ``if_etag``
        has the name then, or none (empty: any): Conflict.
        """

    def abort(keep_partial: bool = False) -> Deferred[None]:
        """Leave the target as it was; a kept partial can be resumed by the same
        account."""
