"""Sockets bound before privileges are dropped, and those that systemd hands over.

Everything here happens while the process may still be root: ``socket``, ``bind`` and
``listen``.  Accepting starts later (``listen.py``, ``datagram.py``), so that a client
that connects early waits in the kernel's queue until the store is open.

A wildcard endpoint is two sockets, one for IPv6 and one for IPv4, so that peers never
appear as ``::ffff:192.0.2.1`` in limits, logs and FTP's replies.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from attrs import frozen

from netservices.config.endpoint import Endpoint
from netservices.config.settings import ServerSettings
from netservices.core.errors import ConfigurationError, StartupError

FIRST_PASSED_DESCRIPTOR = 3  # sd_listen_fds(3): SD_LISTEN_FDS_START
_TRIES_FOR_EQUAL_PORTS = 20


@frozen
class Bound:
    """A socket that is bound, and listens if it is a stream."""

    endpoint: Endpoint
    socket: socket.socket
    is_passed: bool = False
    """systemd's or a parent's: not ours to remove from the file system."""

    @property
    def is_stream(self) -> bool:
        """Whether connections come from it, rather than datagrams."""
        return self.socket.type == socket.SOCK_STREAM

    @property
    def is_wildcard(self) -> bool:
        """Whether it is bound to all addresses of its family."""
        return self.address in ("0.0.0.0", "::")

    @property
    def address(self) -> str:
        """IP address or path."""
        name = self.socket.getsockname()
        return str(name[0]) if isinstance(name, tuple) else _path_text(name)

    @property
    def port(self) -> int:
        """The bound port; 0 for a UNIX socket."""
        name = self.socket.getsockname()
        return int(name[1]) if isinstance(name, tuple) else 0

    def close(self) -> None:
        """Close the socket, and remove the path that we made."""
        if self.endpoint.kind == "unix" and not self.is_passed:
            with contextlib.suppress(OSError):
                os.unlink(self.endpoint.path)
        self.socket.close()


class Passed:
    """The sockets that systemd passed to this process, by name (sd_listen_fds(3)).

    Twisted removes the variables from ``os.environ`` when it imports its endpoints,
    so the environment that the process was started with is read instead.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        if environ is None:
            environ = {**initial_environment(), **os.environ}
        self._names: dict[str, list[int]] = {}
        if environ.get("LISTEN_PID") != str(os.getpid()):
            return
        count = environ.get("LISTEN_FDS", "0")
        names = environ.get("LISTEN_FDNAMES", "").split(":")
        for index in range(int(count) if count.isdigit() else 0):
            name = names[index] if index < len(names) else "unknown"
            descriptor = FIRST_PASSED_DESCRIPTOR + index
            self._names.setdefault(name, []).append(descriptor)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the sockets there are."""
        return tuple(self._names)

    def take(self, name: str) -> list[socket.socket]:
        """The sockets of that name.  ConfigurationError where there is none."""
        self.require(name)
        return [adopt(descriptor) for descriptor in self._names[name]]

    def require(self, name: str) -> None:
        """ConfigurationError where there is no socket of that name."""
        if name not in self._names:
            there = f"it passed {', '.join(self._names)}" if self._names else "no"
            raise ConfigurationError(
                f"systemd:{name}: systemd passed no socket of that name"
                f" ({there if self._names else 'it passed none'});"
                " FileDescriptorName= in the .socket unit names it"
            )


def initial_environment() -> dict[str, str]:
    """The environment with which the process was started; empty if unknown."""
    try:
        content = Path("/proc/self/environ").read_bytes()
    except OSError:
        return {}
    pairs = (pair.partition(b"=") for pair in content.split(b"\0") if pair)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def adopt(descriptor: int) -> socket.socket:
    """A socket object for an inherited descriptor: non-blocking, not for children.

    Without O_NONBLOCK, two processes that share a listener freeze in accept.
    ConfigurationError where the descriptor is no socket.
    """
    try:
        adopted = socket.socket(fileno=descriptor)
    except OSError as error:
        raise ConfigurationError(
            f"descriptor {descriptor} is not a socket: {error.strerror}"
        ) from None
    adopted.setblocking(False)
    adopted.set_inheritable(False)
    return adopted


def bind_all(
    endpoints: Mapping[str, tuple[Endpoint, ...]],
    settings: ServerSettings,
    passed: Passed | None = None,
    owner: tuple[int, int] = (-1, -1),
) -> dict[str, list[Bound]]:
    """Bind the endpoints of each protocol; all or none.  StartupError.

    ``owner`` (uid, gid) gets the UNIX sockets that are made.
    """
    passed = Passed() if passed is None else passed
    bound: dict[str, list[Bound]] = {}
    try:
        for protocol, wanted in endpoints.items():
            bound[protocol] = []
            for endpoint in wanted:
                with _explained(endpoint, protocol):
                    bound[protocol] += _bind(endpoint, settings, passed, owner)
    except StartupError:
        for one in (one for some in bound.values() for one in some):
            one.close()
        raise
    return bound


def _bind(
    endpoint: Endpoint,
    settings: ServerSettings,
    passed: Passed,
    owner: tuple[int, int],
) -> list[Bound]:
    backlog = endpoint.backlog or settings.backlog
    if endpoint.kind == "systemd":
        found = passed.take(endpoint.path)
        return [Bound(endpoint, _listening(one, 0), True) for one in found]
    if endpoint.fd is not None:
        return [Bound(endpoint, _listening(adopt(endpoint.fd), backlog), True)]
    if endpoint.kind == "unix":
        return [Bound(endpoint, _bind_unix(endpoint, backlog, owner))]
    sockets = [
        _tuned(one, settings) for one in _bind_internet(endpoint, settings, backlog)
    ]
    return [Bound(endpoint, one) for one in sockets]


def _listening(adopted: socket.socket, backlog: int) -> socket.socket:
    """An inherited socket that surely listens, if it is a stream."""
    is_stream = adopted.type == socket.SOCK_STREAM
    if is_stream and not adopted.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        adopted.listen(backlog or 1024)
    return adopted


def _tuned(one: socket.socket, settings: ServerSettings) -> socket.socket:
    """A UDP socket with a buffer for bursts; a TCP socket as it is."""
    if one.type == socket.SOCK_DGRAM:
        # SO_RCVBUFFORCE passes the system's limit, where we may.
        for option in (getattr(socket, "SO_RCVBUFFORCE", 33), socket.SO_RCVBUF):
            try:
                one.setsockopt(socket.SOL_SOCKET, option, settings.datagram_buffer)
                break
            except OSError:
                continue
    return one


def _bind_internet(
    endpoint: Endpoint, settings: ServerSettings, backlog: int
) -> list[socket.socket]:
    """One socket, or two with the same port for a wildcard.  OSError."""
    if endpoint.interface:
        return [_open(endpoint, endpoint.interface, endpoint.port, backlog)]
    for _attempt in range(_TRIES_FOR_EQUAL_PORTS):
        v4 = _open(endpoint, "0.0.0.0", endpoint.port, backlog)
        try:
            v6 = _open(endpoint, "::", v4.getsockname()[1], backlog)
        except OSError as error:
            if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                return [v4]  # a kernel without IPv6
            v4.close()
            if endpoint.port or error.errno != errno.EADDRINUSE:
                raise
        else:
            return [v6, v4]
    raise OSError(errno.EADDRINUSE, "no port is free for both IPv6 and IPv4")


def _open(endpoint: Endpoint, address: str, port: int, backlog: int) -> socket.socket:
    """A bound socket; a scope stands in the address, as ``fe80::1%eth0``."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    is_datagram = endpoint.kind == "udp"
    kind = socket.SOCK_DGRAM if is_datagram else socket.SOCK_STREAM
    one = socket.socket(family, kind)
    try:
        one.setblocking(False)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if not is_datagram:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(_socket_address(address, port))
        if not is_datagram:
            one.listen(backlog)
    except BaseException:
        one.close()
        raise
    return one


def _socket_address(
    address: str, port: int
) -> tuple[str, int] | tuple[str, int, int, int]:
    if "%" not in address:
        return (address, port)
    host, _, scope = address.partition("%")
    index = int(scope) if scope.isdigit() else socket.if_nametoindex(scope)
    return (host, port, 0, index)


def _bind_unix(
    endpoint: Endpoint, backlog: int, owner: tuple[int, int]
) -> socket.socket:
    """A listening UNIX socket; what a dead process left at its path is removed."""
    _remove_stale(endpoint.path)
    one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        one.setblocking(False)
        one.bind(endpoint.path)
        os.chmod(endpoint.path, endpoint.mode)
        if owner != (-1, -1):
            os.chown(endpoint.path, *owner)
        one.listen(backlog)
    except BaseException:
        one.close()
        raise
    return one


def _remove_stale(path: str) -> None:
    """Remove a socket that nobody listens on.  OSError where somebody does."""
    try:
        is_socket = stat.S_ISSOCK(os.lstat(path).st_mode)
    except FileNotFoundError:
        return
    if not is_socket:
        raise OSError(errno.EEXIST, "a file that is not a socket is in the way")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except BlockingIOError:
            pass  # its queue is full: somebody is there
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


@contextlib.contextmanager
def _explained(endpoint: Endpoint, protocol: str) -> Iterator[None]:
    """Turn an OSError into the one line that a person needs."""
    try:
        yield
    except OSError as error:
        what = f"{protocol}: cannot listen on {endpoint}"
        if endpoint.kind in ("tcp", "tls", "udp") and endpoint.fd is None:
            what = f"{protocol}: cannot listen on port {endpoint.port} ({endpoint})"
        reason = (error.strerror or str(error)).lower()
        raise StartupError(f"{what}: {reason}{_ways_out(endpoint, error)}") from None


def _ways_out(endpoint: Endpoint, error: OSError) -> str:
    if endpoint.kind == "unix":
        return "; another path, or a directory that this user may write, helps"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"; no interface of this machine has {endpoint.interface}"
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            "; ways out: --port-offset N, a systemd socket (systemd:NAME), or"
            " CAP_NET_BIND_SERVICE"
        )
    return (
        "; ways out: stop what holds it (ss -lntup shows it), another --port-offset, or"
        " a systemd socket (systemd:NAME); CAP_NET_BIND_SERVICE does not help here"
    )


def _path_text(name: object) -> str:
    return os.fsdecode(name) if isinstance(name, bytes) else str(name)
