"""Root as the owner of a state directory, so that it leaves no file behind that the
server cannot write.

Theory.  systemd keeps the state of a ``DynamicUser`` in ``/var/lib/private``, which
only root may enter: the server gets there through a mount of its own, and a command
that was root would be locked out when it becomes the owner.  So it keeps one
capability of root's, CAP_DAC_READ_SEARCH: it may look at every path, for the way to the
state and for files that are named on the command line, and writes as the owner only.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

_PR_SET_KEEPCAPS = 8
_CAPABILITY_VERSION_3 = 0x20080522
_CAP_DAC_READ_SEARCH = 1 << 2
_SYS_CAPSET = {"x86_64": 126, "aarch64": 91, "riscv64": 91}


@contextmanager
def acting_as_owner(directory: str) -> Iterator[None]:
    """Within, root acts as the owner of ``directory``: what is made there is his."""
    owner, group = os.stat(directory), os.getegid()
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    _keep_search(_every_capability())
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)


def become_owner(directory: str) -> None:
    """Give up root for the owner of ``directory``."""
    owner = os.stat(directory)
    if os.geteuid() == 0 and owner.st_uid != 0:
        ctypes.CDLL(None).prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setgroups([owner.st_gid])
        os.setgid(owner.st_gid)
        os.setuid(owner.st_uid)
        _keep_search(_CAP_DAC_READ_SEARCH)


def _every_capability() -> int:
    """What this process is permitted: needed again when it is root again."""
    with open("/proc/self/status", encoding="ascii", errors="replace") as file:
        for line in file:
            if line.startswith("CapPrm:"):
                return int(line.split()[1], 16)
    return 0


def _keep_search(permitted: int) -> None:
    """Have CAP_DAC_READ_SEARCH in force, and ``permitted`` at hand.

    capabilities(7).  Where the system allows it not, the owner's own way has to do.
    """
    number = _SYS_CAPSET.get(platform.machine())
    if number is None:
        return
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    low, high = permitted & 0xFFFFFFFF, permitted >> 32
    # Effective, permitted, inheritable; of the lower 32 capabilities, then the others.
    sets = (ctypes.c_uint32 * 6)(_CAP_DAC_READ_SEARCH, low, 0, 0, high, 0)
    ctypes.CDLL(None).syscall(number, ctypes.byref(header), ctypes.byref(sets))
