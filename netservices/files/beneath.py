"""Opening what lies below a root, and nothing else.

Theory
======

A path is checked and opened in one step, or it is not checked at all: between a
``realpath`` and an ``open`` somebody may replace a directory by a link.  So each root
is one ``O_PATH`` descriptor, every path is relative to it, and every later call (mkdir,
unlink, rename, ...) gets the descriptor of the parent directory that was opened here
and a single name, and never follows a link in that name.

Two ways to open, with the same results, tested by the same tests:

* ``openat2(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)``: the kernel refuses each step
  that would leave the root (EXDEV), and repeats the walk if a rename raced with it.
* the walk: one component at a time, ``O_PATH | O_NOFOLLOW``; links are read and their
  text walked by us; ``..`` goes back on the stack of descriptors that led here, so it
  cannot rise above the root, whatever is renamed meanwhile.  It also knows who owns a
  link, which the kernel does not tell, and so serves ``symlinks = "owner"``.

Links that are absolute, or rise above the root, are EXDEV; those that the policy does
not follow are ELOOP: both mean NotAllowed.

``make_glance`` makes an opener that never waits for a disk (``RESOLVE_CACHED``, Linux
5.12): it opens what the kernel has in memory, and is BlockingIOError for all else.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from netservices.core.errors import ConfigurationError

Opener: TypeAlias = Callable[[int, bytes, int], int]
"""``(root descriptor, relative path, flags) -> descriptor``.  OSError."""

_AT_FDCWD = -100
_SYS_OPENAT2 = 437
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_RESOLVE_CACHED = 0x20
_RENAME_NOREPLACE = 1
_MOST_LINKS = 40
_MOST_RETRIES = 64

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = [
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    ]


def _openat2(directory: int, path: bytes, flags: int, resolve: int) -> int:
    how = _OpenHow(flags | os.O_CLOEXEC, 0, resolve)
    found = _libc.syscall(
        ctypes.c_long(_SYS_OPENAT2),
        ctypes.c_int(directory),
        ctypes.c_char_p(path),
        ctypes.byref(how),
        ctypes.c_size_t(ctypes.sizeof(how)),
    )
    if found < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return int(found)


def open_openat2(resolve: int, root: int, path: bytes, flags: int) -> int:
    """Open by ``openat2``; what raced with a rename is tried again, then walked."""
    for _ in range(_MOST_RETRIES):
        try:
            return _openat2(root, path, flags, resolve)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EINTR):
                raise
    return open_walking("deny" if resolve & _RESOLVE_NO_SYMLINKS else "inside")(
        root, path, flags
    )


def has_openat2(resolve: int = _RESOLVE_NO_MAGICLINKS) -> bool:
    """Whether this kernel, and the sandbox around us, lets us call ``openat2``."""
    try:
        os.close(_openat2(_AT_FDCWD, b".", os.O_PATH, resolve))
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True


class _Walk:
    """One walk of the components of a path; see the module's text."""

    def __init__(self, policy: str, root: int, path: bytes, flags: int) -> None:
        self.policy = policy
        self.flags = flags | os.O_CLOEXEC
        self.stack = [os.dup(root)]
        self.pending: list[bytes | int] = list(reversed(path.split(b"/")))
        """What is still to walk, last first; an ``int`` is the owner of a link whose
        target has been reached when it comes up."""
        self.steps = 0

    def run(self) -> int:
        try:
            return self._walk()
        finally:
            for descriptor in self.stack:
                os.close(descriptor)

    def _walk(self) -> int:
        while self.pending:
            step = self.pending.pop()
            if isinstance(step, int):
                self._check_owner(self.stack[-1], step)
            elif step == b"..":
                if len(self.stack) == 1:
                    raise OSError(errno.EXDEV, "above the root")
                os.close(self.stack.pop())
            elif step not in (b"", b"."):
                found = self._step(step)
                if found is not None:
                    return found
        return os.open(b".", self.flags, dir_fd=self.stack[-1])

    def _step(self, name: bytes) -> int | None:
        """Enter a directory, take up a link's text, or open the last component."""
        is_last = all(isinstance(step, int) for step in self.pending)
        opened = os.open(
            name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self.stack[-1]
        )
        try:
            status = os.fstat(opened)
            if stat.S_ISLNK(status.st_mode) and not (
                is_last and self.flags & os.O_NOFOLLOW
            ):
                self._follow(opened, status.st_uid)
                return None
            if is_last:
                return self._open_last(name, opened, status)
            if not stat.S_ISDIR(status.st_mode):
                raise OSError(errno.ENOTDIR, "not a directory")
            self.stack.append(opened)
            opened = -1
            return None
        finally:
            if opened >= 0:
                os.close(opened)

    def _follow(self, link: int, owner: int) -> None:
        self.steps += 1
        if self.policy == "deny" or self.steps > _MOST_LINKS:
            raise OSError(errno.ELOOP, "link")
        text = os.readlink(b"", dir_fd=link)
        if text.startswith(b"/"):
            raise OSError(errno.EXDEV, "absolute link")
        if self.policy == "owner":
            self.pending.append(owner)
        self.pending.extend(reversed(text.split(b"/")))

    def _open_last(
        self, name: bytes, opened: int, status: os.stat_result
    ) -> int | None:
        for owner in self.pending:
            self._check_owner(opened, int(owner))
        if self.flags & os.O_DIRECTORY and not stat.S_ISDIR(status.st_mode):
            raise OSError(errno.ENOTDIR, "not a directory")
        if self.flags & os.O_PATH:
            return os.dup(opened)
        try:
            found = os.open(name, self.flags | os.O_NOFOLLOW, dir_fd=self.stack[-1])
        except OSError as error:
            if error.errno != errno.ELOOP or self.flags & os.O_NOFOLLOW:
                raise
            self._again(name)
            return None
        if not os.path.samestat(status, os.fstat(found)):
            os.close(found)
            self._again(name)
            return None
        return found

    def _again(self, name: bytes) -> None:
        """The last component was replaced between two looks: look once more."""
        self.steps += 1
        if self.steps > _MOST_RETRIES:
            raise OSError(errno.ELOOP, "replaced again and again")
        self.pending.append(name)

    def _check_owner(self, descriptor: int, owner: int) -> None:
        if os.fstat(descriptor).st_uid != owner:
            raise OSError(errno.ELOOP, "link of another owner")


def open_walking(policy: str) -> Opener:
    """An opener that walks, under the symlink policy of that name."""

    def open_beneath(root: int, path: bytes, flags: int) -> int:
        return _Walk(policy, root, path, flags).run()

    return open_beneath


def open_following(root: int, path: bytes, flags: int) -> int:
    """Open as the operating system does; links lead where they lead."""
    return os.open(path, flags | os.O_CLOEXEC, dir_fd=root)


def make_opener(symlinks: str, resolver: str = "auto") -> Opener:
    """The opener for a symlink policy.  ConfigurationError."""
    if symlinks == "follow":
        return open_following
    if resolver == "openat2" and not has_openat2():
        raise ConfigurationError(
            'files.resolver = "openat2": this system has no openat2; use "auto"'
        )
    if symlinks == "owner" or resolver == "walk" or not has_openat2():
        return open_walking(symlinks)
    return partial(open_openat2, _how_to_resolve(symlinks))


def make_glance(symlinks: str, resolver: str = "auto") -> Opener | None:
    """An opener under the same policy that never waits; None where there is none."""
    if symlinks == "owner" or resolver == "walk" or not has_openat2(_RESOLVE_CACHED):
        return None
    resolve = _how_to_resolve(symlinks) | _RESOLVE_CACHED

    def glance(root: int, path: bytes, flags: int) -> int:
        return _openat2(root, path, flags, resolve)

    return glance


def _how_to_resolve(symlinks: str) -> int:
    """What ``openat2`` is told of a symlink policy."""
    if symlinks == "follow":
        return 0
    resolve = _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS
    return resolve | _RESOLVE_NO_SYMLINKS if symlinks == "deny" else resolve


def rename_noreplace(
    source_directory: int, source: bytes, target_directory: int, target: bytes
) -> None:
    """Rename unless the target exists (EEXIST), in one step where the system can."""
    try:
        done = _libc.renameat2(
            ctypes.c_int(source_directory),
            ctypes.c_char_p(source),
            ctypes.c_int(target_directory),
            ctypes.c_char_p(target),
            ctypes.c_uint(_RENAME_NOREPLACE),
        )
        number = ctypes.get_errno() if done else 0
    except AttributeError:
        number = errno.ENOSYS
    if number in (errno.ENOSYS, errno.EINVAL):
        _rename_by_link(source_directory, source, target_directory, target)
    elif number:
        raise OSError(number, os.strerror(number))


def _rename_by_link(
    source_directory: int, source: bytes, target_directory: int, target: bytes
) -> None:
    """For file systems without RENAME_NOREPLACE: files by a second link, which never
    replaces; directories after a look, under the tree's name lock."""
    status = os.stat(source, dir_fd=source_directory, follow_symlinks=False)
    if not stat.S_ISDIR(status.st_mode):
        os.link(
            source,
            target,
            src_dir_fd=source_directory,
            dst_dir_fd=target_directory,
            follow_symlinks=False,
        )
        os.unlink(source, dir_fd=source_directory)
        return
    try:
        os.stat(target, dir_fd=target_directory, follow_symlinks=False)
    except FileNotFoundError:
        os.rename(
            source, target, src_dir_fd=source_directory, dst_dir_fd=target_directory
        )
    else:
        raise OSError(errno.EEXIST, "exists")
