"""What failures of the file service mean to a client of HTTP: the one table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from netservices.interfaces import (
    BadName,
    Conflict,
    DiskFull,
    Exists,
    FileProblem,
    IsADirectory,
    Locked,
    NotADirectory,
    NotAllowed,
    NotEmpty,
    NotFound,
    OutcomeUnknown,
    QuotaExceeded,
    StoreError,
    StoreReadOnly,
    StoreUnavailable,
    TooLarge,
)
from netservices.web.problems import Problem

_RETRY_SECONDS = "5"

MEANINGS: tuple[tuple[type[Exception], int, str], ...] = (
    (NotFound, 404, ""),
    (Locked, 423, "Somebody has locked it."),
    (NotAllowed, 403, "That is not allowed."),
    (NotADirectory, 409, "What should be a directory is a file."),
    (IsADirectory, 405, "That is a directory."),
    (NotEmpty, 409, "The directory is not empty."),
    (Exists, 412, "The name is taken."),
    (BadName, 403, "That name is not allowed."),
    (Conflict, 412, "The file has been changed meanwhile."),
    (TooLarge, 413, ""),
    # RFC 4918 11.5.
    (QuotaExceeded, 507, "The quota does not allow that much."),
    (DiskFull, 507, "The disk is full."),
    (StoreReadOnly, 507, "The disk is full."),
    (OutcomeUnknown, 500, "It is unknown whether that happened; look again."),
    (StoreUnavailable, 503, "The file store is busy."),
)
"""In this order: the first class that fits."""


def problem_of(error: Exception) -> Problem:
    """What the client is told of a failure of the file service."""
    for kind, status, detail in MEANINGS:
        if isinstance(error, kind):
            fields = [("Retry-After", _RETRY_SECONDS)] if status == 503 else []
            # What clients may expect is nothing for the log.
            log_text = repr(error) if status >= 500 else ""
            return Problem(status, detail, fields, log_text=log_text)
    return Problem(500, log_text=str(error))


@contextmanager
def allowing(methods: Iterable[str]) -> Iterator[None]:
    """Within, a ``Problem`` 405 that does not say what can be done instead says that it
    is ``methods``."""
    try:
        yield
    except Problem as problem:
        # RFC 9110 15.5.6: with Allow, always.
        if problem.status == 405 and not problem.fields:
            problem.fields = (("Allow", ", ".join(methods)),)
        raise


@contextmanager
def in_words_of_http() -> Iterator[None]:
    """Within, failures of the file service leave as ``Problem``."""
    try:
        yield
    except (FileProblem, StoreError) as error:
        raise problem_of(error) from error
