"""Building the LD_PRELOAD shims, and running Python below them.

``run_with_shim("audit", "tests.store.audited", "rows", directory)`` runs that module in
a child; there, ``unsynced()`` is what the auditor counts, ``unsynced_files()`` says
where, and ``arm_fault(...)`` makes the disk fail. Tests of file uploads use the same.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from typing import Any
from unittest import SkipTest

_SOURCES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "shims")
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

EXEMPT = "-shm:.lock:/spare:/.probe:/netservices.db|:/netservices.db "
EXEMPT_NAMES = "/spool/"
"""What the auditor does not count, unless told otherwise (see ``audit.c``)."""


@functools.cache
def build(name: str) -> str:
    """The path of the shim of that name, compiled once a process."""
    compiler = shutil.which("cc")
    if compiler is None:
        if os.environ.get("CI"):
            raise RuntimeError("there is no C compiler, and CI must not skip this")
        raise SkipTest("there is no C compiler (cc)")
    directory = tempfile.mkdtemp(prefix="netservices-shim-")
    atexit.register(shutil.rmtree, directory, True)
    target = os.path.join(directory, name + ".so")
    source = os.path.join(_SOURCES, name + ".c")
    subprocess.run(
        [
            compiler,
            "-O1",
            "-shared",
            "-fPIC",
            "-o",
            target,
            source,
            "-ldl",
            "-lpthread",
        ],
        check=True,
    )
    return target


def shim_environment(name: str, **variables: str) -> dict[str, str]:
    """The environment in which a child runs below a shim."""
    path = os.pathsep.join(
        part for part in (_ROOT, os.environ.get("PYTHONPATH")) if part
    )
    return {
        **os.environ,
        "LD_PRELOAD": build(name),
        "PYTHONPATH": path,
        "AUDIT_EXEMPT": EXEMPT,
        "AUDIT_EXEMPT_NAMES": EXEMPT_NAMES,
        **variables,
    }


def run_with_shim(
    name: str, module: str, *arguments: str, seconds: float = 120, **variables: str
) -> str:
    """What ``python -m module arguments`` prints below a shim; AssertionError with its
    words where it fails."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        env=shim_environment(name, **variables),
        capture_output=True,
        text=True,
        timeout=seconds,
    )
    if done.returncode != 0:
        raise AssertionError(
            f"{module} {arguments} failed:\n{done.stdout}{done.stderr}"
        )
    return done.stdout


# --- in the child -------------------------------------------------------------------


def unsynced() -> int:
    """Octets and names below AUDIT_ROOT that are not on stable storage."""
    function = ctypes.CDLL(None).audit_dirty
    function.restype = ctypes.c_long
    return int(function())


def unsynced_files() -> str:
    """A line for each file or directory that ``unsynced`` counts."""
    text = ctypes.create_string_buffer(1 << 16)
    ctypes.CDLL(None).audit_list(text, ctypes.c_size_t(len(text)))
    return text.value.decode("utf-8", "replace")


class Audit:
    """Counts acknowledgements, and those that came too early."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self.unsynced = 0
        self.where = ""

    def note(self, result: Any = None) -> Any:
        """An acknowledgement is about to go out."""
        self.acknowledged += 1
        if unsynced():
            self.unsynced += 1
            self.where = unsynced_files()
        return result


def arm_fault(kind: str, skip: int, count: int, error: int) -> None:
    """Of the ``write``s or ``sync``s from now on, ``skip`` succeed, then ``count``
    (-1: all) fail with ``error``."""
    ctypes.CDLL(None).faults_arm(ord(kind[0]), skip, count, error)


def faults_hit() -> int:
    """How many calls have failed since ``arm_fault``."""
    return int(ctypes.CDLL(None).faults_hit())
