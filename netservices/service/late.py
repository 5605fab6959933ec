"""What a start does without, imported once everything listens.

Theory.  Nearly all of a start is imports, so what only some sessions want is imported
by the function that wants it, and not at the top of a module (docs/decisions/0014).
The first who wants it would wait for that; where it takes more than a few milliseconds,
the protocol names it in ``Server.late_modules``, and a thread has it ready before.  A
thread, since the reactor gets its turns between two of the interpreter's.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from threading import Thread

from twisted.logger import Logger

from netservices.plugin import Server

_log = Logger()


def import_late(servers: Iterable[Server]) -> Thread:
    """Import what the servers want later, in a thread that ends with that."""
    names = [name for server in servers for name in server.late_modules]
    thread = Thread(target=_import, args=(names,), name="late-imports")
    thread.start()
    return thread


def _import(names: Iterable[str]) -> None:
    for name in names:
        try:
            import_module(name)
        except Exception:
            # Whoever wants it gets the same exception.
            _log.failure("{name} cannot be imported", name=name)
