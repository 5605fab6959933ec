"""What a mirror works on: things in two trees, wishes, a plan, and a report."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from enum import Enum
from fnmatch import fnmatchcase

from attrs import define, field, frozen

from netservices.ftp.wire.listed import Entry
from netservices.values import NodeKind, Path

SECOND_NS = 1_000_000_000
PART_PREFIX, PART_SUFFIX = ".netservices-", ".part"
"""Names of files that are not complete yet."""


def shown(text: str) -> str:
    """What others have written, with control characters shown, not obeyed."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


@frozen
class Item:
    """A file, directory or something else in one of the trees."""

    path: Path
    """Below the directory that is mirrored."""
    kind: NodeKind
    size: int | None = None
    mtime_ns: int | None = None
    exact_seconds: int = 1

    @property
    def text(self) -> str:
        """The path as people write it; control characters shown, not obeyed."""
        return shown("/".join(self.path) or ".")

    @property
    def part_name(self) -> str:
        """Where the content is collected until it is complete.

        It tells versions of a file apart: what there is of an older one is not
        continued with the rest of a newer one.
        """
        version = repr((self.path[-1], self.size, self.mtime_ns)).encode(
            "utf-8", "surrogateescape"
        )
        tag = hashlib.sha256(version).hexdigest()[:24]
        return f"{PART_PREFIX}{tag}{PART_SUFFIX}"

    @property
    def can_resume(self) -> bool:
        """Whether the version is known well enough to go on with a part."""
        return self.size is not None and self.mtime_ns is not None


def is_part(name: str) -> bool:
    """Whether it is the name of something incomplete."""
    return name.startswith(PART_PREFIX) and name.endswith(PART_SUFFIX)


def item_of(path: Path, entry: Entry) -> Item:
    """The thing that a server's entry in the directory ``path`` tells of."""
    return Item(
        (*path, entry.name),
        entry.kind,
        entry.size,
        entry.mtime_ns,
        entry.exact_seconds,
    )


@frozen
class Wishes:
    """What is to be mirrored, and how."""

    is_upload: bool = False
    wants_delete: bool = False
    is_dry_run: bool = False
    excludes: tuple[str, ...] = ()
    """Patterns of names, or with a slash in them of paths; ``name/`` is a directory."""
    ignores_time: bool = False
    only_newer: bool = False
    """Leave alone what is newer where it would be replaced."""
    checks_digest: bool = False
    in_place: bool = False
    """Upload under the final name, where the server refuses to rename."""
    parallel: int = 2
    retries: int = 5
    octets_per_second: int = 0
    """All transfers together; 0 is no limit."""
    most_entries: int = 1_000_000
    most_levels: int = 100

    def excludes_item(self, item: Item) -> bool:
        """Whether a pattern says that it is none of our business."""
        path = "/".join(item.path)
        for pattern in self.excludes:
            if pattern.endswith("/") and item.kind is not NodeKind.DIRECTORY:
                continue
            plain = pattern.rstrip("/")
            subject = path if "/" in plain else item.path[-1]
            if fnmatchcase(subject, plain.lstrip("/")):
                return True
        return False


class Verb(Enum):
    """What is done to something."""

    DOWNLOAD = "get"
    UPLOAD = "put"
    MAKE = "mkdir"
    DELETE = "delete"
    SKIP = "skip"


@define
class Plan:
    """What has to be done, found before anything is."""

    directories: list[Item] = field(factory=list)
    transfers: list[Item] = field(factory=list)
    conflicts: list[Item] = field(factory=list)
    """Of another kind than what replaces them; removed before."""
    deletions: list[Item] = field(factory=list)
    entries: int = 0
    is_complete: bool = True
    """Whether every directory could be read: nothing is deleted otherwise."""


@define
class Report:
    """What has been done; of a dry run what would be."""

    files: int = 0
    octets: int = 0
    same: int = 0
    directories: int = 0
    deleted: int = 0
    skipped: list[str] = field(factory=list)
    failed: list[tuple[str, str]] = field(factory=list)
    """Paths and reasons."""
    seconds: float = 0.0


@define
class Watcher:
    """Whoever looks on; each function may be called at any time."""

    planned: Callable[[int, int], None] = lambda files, octets: None
    """So many files and octets are to be transferred."""
    moved: Callable[[int], None] = lambda octets: None
    """Octets that were transferred or, negative, have to be again."""
    done: Callable[[Verb, Item], None] = lambda verb, item: None
    warned: Callable[[str], None] = lambda text: None
