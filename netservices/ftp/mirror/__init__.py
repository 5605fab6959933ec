"""Mirrors: a directory of an FTP server is made like a local one, or the reverse.

``Mirror.run`` looks at both trees first, a directory at a time, then makes directories,
transfers what differs in size or time, and deletes last.  Files are collected in parts
beside their final names, which say what version they belong to, so an interrupted run
is taken up by the next one and nobody sees half a file.
"""

from netservices.ftp.mirror.run import Mirror
from netservices.ftp.mirror.values import (
    Item,
    Plan,
    Report,
    Verb,
    Watcher,
    Wishes,
)

__all__ = ["Item", "Mirror", "Plan", "Report", "Verb", "Watcher", "Wishes"]
