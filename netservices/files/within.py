"""A directory as the root of a tree of its own: a site, the pages of an account.

Theory
======

What is served to everybody must not be able to lead anywhere else, so the root is the
directory itself: neither ``..`` nor a link reaches what lies beside it.  The directory
is never made by being asked for, and somebody may put another one in its place, as
those do who switch a site over to its next release.  So its descriptor is looked at
again from time to time (``refresh``) and changed by ``dup2``: the number stays the
same, and a thread that is opening something meanwhile sees the one or the other.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from netservices.files.beneath import Opener
from netservices.files.disk import Disk

_ROOT = os.O_PATH | os.O_DIRECTORY


class Within(Disk):
    """The blocking calls on the tree below one directory of another ``base``.

    ``owned``: whether links in the way to it count as the symlink policy says; without,
    whoever runs the server has put it there, and it may lead anywhere.
    """

    def __init__(
        self, base: Disk, name: str, owned: bool, glance: Opener | None = None
    ) -> None:
        super().__init__(
            os.path.join(base.directory, name),
            base.opener,
            base.durability,
            base.umask,
            base.owner,
            glance=glance,
        )
        self._base = base
        self._name = os.fsencode(name)
        self._is_owned = owned

    def root(self) -> int:
        """The root's descriptor.  FileNotFoundError, NotADirectoryError."""
        with self._opening:
            if self._root < 0:
                self._root = self._find()
            return self._root

    def _find(self) -> int:
        if not self._is_owned:
            return os.open(self.directory, _ROOT)
        if not self._base.is_there():
            raise FileNotFoundError(errno.ENOENT, "no home")
        return self._base.open(self._name, _ROOT)

    def refresh(self) -> None:
        """Look whether another directory has the name now; two calls of the system."""
        with self._opening:
            if self._root < 0:
                return
            with suppress(OSError):
                found = self._find()
                try:
                    if not os.path.sameopenfile(found, self._root):
                        os.dup2(found, self._root, inheritable=False)
                finally:
                    os.close(found)
