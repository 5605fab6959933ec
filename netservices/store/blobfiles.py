"""Content in files of its own: ``blobs/ab/cd/<hash>``, named by its SHA-256.

Theory. A name exists only when the whole content behind it is on stable storage: octets
go to a file in ``spool/``, which is synced, then linked to its name, and then the
directory is synced; only after that may a database commit name it. The spool file stays
until that commit, because the collector may remove the name in between, and then it is
linked again. Names are removed only after the commit that forgot them, under the
store's lock. So a crash leaves at worst files that no row names, which ``check`` finds.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import suppress

from netservices.store.sync import sync_directory

_HEX = frozenset("0123456789abcdef")


class BlobFiles:
    """The ``blobs`` and ``spool`` directories of a state directory."""

    def __init__(self, state_directory: str, is_durable: bool = True) -> None:
        self.root = os.path.join(state_directory, "blobs")
        self.spool = os.path.join(state_directory, "spool")
        self.is_durable = is_durable

    def make(self) -> None:
        """Make the directories where they are missing."""
        for directory in (self.root, self.spool):
            os.makedirs(directory, 0o700, exist_ok=True)
        if self.is_durable:
            sync_directory(os.path.dirname(self.root))

    def path(self, content_hash: bytes) -> str:
        """Where the content of that hash is."""
        name = content_hash.hex()
        return os.path.join(self.root, name[:2], name[2:4], name)

    def begin(self) -> tuple[int, str]:
        """A new spool file: its descriptor and path."""
        path = os.path.join(self.spool, f"{os.getpid()}-{secrets.token_hex(8)}")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        return os.open(path, flags, 0o600), path

    def name(self, spooled: str, content_hash: bytes, size: int) -> None:
        """Give a synced spool file its name, durably."""
        path = self.path(content_hash)
        self._make_directories(os.path.dirname(path))
        if self.size_of(content_hash) not in (None, size):
            # Damaged since: the good copy takes the name.
            os.unlink(path)
        with suppress(FileExistsError):
            os.link(spooled, path)
        if self.is_durable:
            sync_directory(os.path.dirname(path))

    def size_of(self, content_hash: bytes) -> int | None:
        """Octets in the file of that hash, or None where there is none."""
        try:
            return os.stat(self.path(content_hash)).st_size
        except FileNotFoundError:
            return None

    def remove(self, content_hash: bytes) -> None:
        """The file goes; without effect where there is none."""
        with suppress(FileNotFoundError):
            os.unlink(self.path(content_hash))

    def read(self, content_hash: bytes, offset: int, length: int) -> bytes:
        """A part of the content; FileNotFoundError."""
        descriptor = os.open(self.path(content_hash), os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)

    def hashes(self) -> Iterator[bytes]:
        """The hash that each file of the tree is named after."""
        for directory, _, names in os.walk(self.root):
            for name in names:
                if len(name) == 64 and _HEX.issuperset(name):
                    content_hash = bytes.fromhex(name)
                    if os.path.dirname(self.path(content_hash)) == directory:
                        yield content_hash

    def sweep(self, before: float) -> int:
        """Remove spool files that have not been written to since ``before``."""
        count = 0
        for entry in os.scandir(self.spool):
            with suppress(FileNotFoundError):
                if entry.stat(follow_symlinks=False).st_mtime < before:
                    os.unlink(entry.path)
                    count += 1
        return count

    def _make_directories(self, directory: str) -> None:
        """Make ``blobs/ab/cd``; each new name is synced in the directory above it."""
        parent = os.path.dirname(directory)
        for path in (parent, directory):
            with suppress(FileExistsError):
                os.mkdir(path, 0o700)
        if self.is_durable:
            # Also where they existed: another thread may have made them just now.
            sync_directory(self.root)
            sync_directory(parent)
