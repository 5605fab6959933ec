"""The transfer log of wu-ftpd, which vsftpd, ProFTPD and Pure-FTPd write, too: one line
a transfer or deletion, for the many programs that read it.

``Fri Nov 20 09:52:00 2026 1 192.0.2.7 5120 /a_file.txt b _ i r alice@example.org ftp 0
* c``: local time as ctime writes it, seconds, client, octets, name, ASCII or binary, no
special action, direction (in, out, deleted), real or anonymous user, his name, the
service, no authentication by ident and so no id of it, complete or incomplete.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred

from netservices.core.logfile import LogFile
from netservices.core.trace import printable

_DIRECTIONS = {"up": "i", "down": "o"}
_UNKNOWN = "?"
"""An anonymous user who gave no address."""

Record = Mapping[str, Any]


def xferlog_line(record: Record) -> str:
    """The line for an event ``transfer``, or for a ``file_changed`` that deletes."""
    is_transfer = record["event"] == "transfer"
    is_complete = not is_transfer or record["outcome"] == "complete"
    is_anonymous = record["account"] == "anonymous"
    user = (record["email"] or _UNKNOWN) if is_anonymous else record["account"]
    fields = (
        time.ctime(record["time"]),
        # As elsewhere: a transfer takes a second at least.
        str(max(1, round(record["seconds"]))) if is_transfer else "0",
        record["address"] or "-",
        str(record["size_octets"] or 0),
        as_word(record["path"]),
        "a" if is_transfer and record["type"] == "A" else "b",
        "_",
        _DIRECTIONS[record["direction"]] if is_transfer else "d",
        "a" if is_anonymous else "r",
        as_word(user),
        "ftp",
        "0",
        "*",
        "c" if is_complete else "i",
    )
    return " ".join(fields)


def as_word(text: str) -> str:
    """The text without a space and without what is no printable character."""
    octets = text.encode("utf-8", "surrogateescape")
    return printable(octets).replace(" ", "_")


class Xferlog:
    """The file, and the sink of events that fills it."""

    def __init__(self, file: LogFile[Record]) -> None:
        self.file = file

    def start(self) -> None:
        """Open the file.  ConfigurationError."""
        self.file.start()

    def stop(self) -> Deferred[None]:
        """Write what waits, and close the file."""
        return self.file.stop()

    def hear(self, record: Record) -> None:
        """Take an event; those that are not about FTP files are left out."""
        if record.get("protocol") != "ftp":
            return
        is_deletion = (
            record["event"] == "file_changed" and record["change"] == "deleted"
        )
        if is_deletion or record["event"] == "transfer":
            self.file.append(record)
