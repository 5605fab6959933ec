"""``FileTree`` keeps the contract of ``IFileTree``, however paths are resolved."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from netservices.files.beneath import has_openat2
from tests.contract.file_tree import FileTreeContract
from tests.files.trees import FilesCase, WaitingReactor


class OpenAt2Tests(FileTreeContract, FilesCase):
    """With ``openat2``."""

    resolver = "openat2"
    if not has_openat2():
        skip = "this system has no openat2"


class WalkTests(FileTreeContract, FilesCase):
    """With the walk from component to component."""

    resolver = "walk"


class DenyTests(FileTreeContract, FilesCase):
    """With a tree that follows no link."""

    settings = FilesCase.settings.__class__(symlinks="deny")


class OwnerTests(FileTreeContract, FilesCase):
    """With a tree that follows links of the same owner."""

    settings = FilesCase.settings.__class__(symlinks="owner")


class ThreadTests(FileTreeContract, FilesCase):
    """With threads, and every write in them."""

    settings = FilesCase.settings.__class__(inline_octets=0, small_upload=16)

    def setUp(self) -> None:
        """Make a service whose calls run in threads."""
        super().setUp()
        self.reactor = WaitingReactor()
        self.files = self.make_files(self.reactor)

    def wait(self, deferred: Deferred[Any]) -> Any:
        """The result, however many threads it takes."""
        return self.reactor.wait(deferred)
