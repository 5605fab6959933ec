"""Programs that run after something has happened: what the settings say of them, and
what they are told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Record = Mapping[str, Any]

OCCASIONS = (
    "upload",
    "upload_incomplete",
    "download",
    "download_incomplete",
    "delete",
    "rename",
    "mkdir",
    "rmdir",
    "attributes",
    "login",
    "login_refused",
    "logout",
)

_TRANSFERS = {"up": "upload", "down": "download"}
_CHANGES = {
    "deleted": "delete",
    "renamed": "rename",
    "made": "mkdir",
    "removed": "rmdir",
    "attributes": "attributes",
}

_VARIABLES = {
    "time": "TIME",
    "account": "ACCOUNT",
    "login": "LOGIN",
    "email": "EMAIL",
    "address": "ADDRESS",
    "session": "SESSION",
    "is_secure": "IS_SECURE",
    "client": "CLIENT",
    "disk_path": "PATH",
    "path": "VIRTUAL_PATH",
    "disk_target": "TARGET",
    "target": "VIRTUAL_TARGET",
    "type": "TYPE",
    "size_octets": "SIZE",
    "offset": "OFFSET",
    "seconds": "SECONDS",
    "outcome": "OUTCOME",
    "reason": "REASON",
}
"""Fields of events to variables, which begin with ``NETSERVICES_``."""


def parse_hook(text: str) -> tuple[tuple[str, ...], str]:
    """The occasions and the program of ``upload rename: /path/of/program``.
    ValueError."""
    words, colon, program = text.partition(":")
    occasions = tuple(words.split())
    if not colon or not occasions or not program.strip():
        raise ValueError("occasions, a colon and a program are wanted")
    for occasion in occasions:
        if occasion not in OCCASIONS:
            known = ", ".join(OCCASIONS)
            raise ValueError(f"there is no occasion {occasion!r}; there are {known}")
    return occasions, program.strip()


def check_hook(text: str) -> None:
    """ValueError where a hook is not written as it must be."""
    parse_hook(text)


def programs_by_occasion(hooks: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """What runs when, in the order in which it was written.  ValueError."""
    found: dict[str, tuple[str, ...]] = {}
    for text in hooks:
        occasions, program = parse_hook(text)
        for occasion in occasions:
            found[occasion] = (*found.get(occasion, ()), program)
    return found


def occasion_of(record: Record) -> str:
    """The occasion that an event is; empty for those that are none."""
    event: str = record["event"]
    if event == "transfer":
        name = _TRANSFERS[record["direction"]]
        return name if record["outcome"] == "complete" else name + "_incomplete"
    if event == "file_changed":
        return _CHANGES.get(record["change"], "")
    return event if event in OCCASIONS else ""


def environment_of(record: Record, occasion: str) -> dict[bytes, bytes]:
    """What a program is told of an event: its fields that are not empty."""
    found = {b"NETSERVICES_EVENT": occasion.encode()}
    for field, name in _VARIABLES.items():
        value = record.get(field)
        if value is not None and value != "":
            found[b"NETSERVICES_" + name.encode()] = _octets(value)
    return found


def _octets(value: object) -> bytes:
    """Names as they are on the disk; a switch as 1 or 0."""
    text = str(int(value)) if isinstance(value, bool) else str(value)
    # The environment of a program cannot hold NUL.
    return text.replace("\0", "").encode("utf-8", "surrogateescape")
