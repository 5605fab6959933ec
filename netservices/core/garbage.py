"""The cyclic garbage collector, kept out of the way of what makes many objects to stay.

A full collection looks at every object there is: with a million records that takes a
tenth of a second, in which nobody is answered, and a load causes several.  Reference
counting frees nearly everything here, so full collections can wait for a while.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_NEVER = 1_000_000_000

_lock = Lock()
_loads = 0
_thresholds = gc.get_threshold()


@contextmanager
def without_full_collections() -> Iterator[None]:
    """Within it only young objects are collected; afterwards, whatever is there counts
    as there to stay, and is not looked at again.

    May be nested, in any thread, and may span waiting: it counts those who are in it.
    """
    global _loads, _thresholds
    with _lock:
        if _loads == 0:
            _thresholds = gc.get_threshold()
            gc.set_threshold(_thresholds[0], _thresholds[1], _NEVER)
        _loads += 1
    try:
        yield
    finally:
        with _lock:
            _loads -= 1
            if _loads == 0:
                gc.freeze()
                gc.set_threshold(*_thresholds)


@contextmanager
def without_collections() -> Iterator[None]:
    """Within it nothing is collected; afterwards, whatever is there counts as there to
    stay.

    For imports: modules stay, and to look for garbage among them again and again takes
    a tenth of a start.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


def keep_for_long() -> None:
    """Whatever is there, and is used, counts as there to stay, as after a load.

    For caches that grow: a full collection would look at every entry of theirs.
    """
    gc.collect(1)
    gc.freeze()
