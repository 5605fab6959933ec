"""What services may fail with."""

from __future__ import annotations

from netservices.values import Path


class StoreError(Exception):
    """Base of what a store may fail with."""


class NotFound(StoreError):
    """There is no such thing."""


class Exists(StoreError):
    """The name is taken."""


class Conflict(StoreError):
    """An assertion, revision or precondition of the unit did not hold; nothing was
    done."""


class QuotaExceeded(StoreError):
    """The account may not hold that much."""


class LeaseLost(StoreError):
    """Somebody else holds the lease now."""


class StoreReadOnly(StoreError):
    """The disk is nearly full: deletions are still taken."""


class StoreUnavailable(StoreError):
    """Nothing was applied; the caller may try again later."""


class StoreBusy(StoreUnavailable):
    """Too many units wait already."""


class OutcomeUnknown(StoreError):
    """The commit may or may not have happened; retry with the same token."""


class FileProblem(Exception):
    """Base of what a file tree refuses, beside the errors of the store."""


class TooLarge(FileProblem):
    """More would have to be read than the settings allow."""


class NotAllowed(FileProblem):
    """Permissions or the symlink policy say no."""


class Locked(FileProblem):
    """Others hold locks on these ``paths``."""

    def __init__(self, reason: str, paths: tuple[Path, ...] = ()) -> None:
        super().__init__(reason)
        self.paths = paths


class NotADirectory(FileProblem):
    """A directory is wanted."""


class IsADirectory(FileProblem):
    """A file is wanted."""


class Withdrawn(FileProblem):
    """Whoever sent the upload wants it no more; the name is as it was."""


class NotEmpty(FileProblem):
    """The directory holds something."""


class BadName(FileProblem):
    """A segment is empty, ``.``, ``..``, too long, reserved, or holds control
    characters."""


class DiskFull(FileProblem):
    """No space left on the device."""


class LoginRefused(Exception):
    """The login failed; ``str()`` is for the log, never for the peer.

    ``retry_after`` is the number of seconds for which this origin or account is locked
    out, 0 where it is not; ``is_temporary`` is true where the server, not the peer, is
    at fault.
    """

    def __init__(
        self, reason: str, retry_after: float = 0.0, is_temporary: bool = False
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.is_temporary = is_temporary
