"""Real servers for tests: on free ports of the loopback interface, with a state
directory of their own that is removed at the end.

``running`` starts them in this process and gives a Deferred, for trial tests.
``running_process`` starts ``twistd`` and is a context manager, for everything else.
Both take one keyword for each protocol (``ftp=True``; none: all), ``settings`` as
``--set`` would (``{"ftp.anonymous": True}``), ``accounts`` as pairs of login and
password, and ``zones`` as origins with the text, or the path, of a master file.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import attrs
from attrs import define, field

from netservices.config.discovery import find_plugins
from netservices.config.endpoint import parse_endpoint
from netservices.config.loading import CommandLine, load
from netservices.control.client import ask
from netservices.core.deferreds import as_deferred
from netservices.listen import Listening
from netservices.service.house import NetServices
from netservices.testing.contents import Accounts, Zones, fill

LOOPBACK = "127.0.0.1"
START_SECONDS = 60.0
STOP_SECONDS = 30.0
_EVERYWHERE = {"server.hostname": "localhost", "server.drain_deadline": "5s"}


@define
class _Addresses:
    """Where a server listens."""

    listening: Sequence[Listening]
    state_directory: str

    @property
    def addresses(self) -> list[tuple[str, str, str, int]]:
        """``(protocol, kind, address, port)`` of every listener; kind is ``tcp``,
        ``tls``, ``udp`` or ``unix``."""
        return [
            (one.protocol, str(one.endpoint).partition(":")[0], one.address, one.port)
            for one in self.listening
        ]

    def port(self, protocol: str, kind: str = "") -> int:
        """The port of a protocol's listener: the first one, or that of the ``kind``.

        LookupError where there is none.
        """
        for name, found, _address, port in self.addresses:
            if name == protocol and kind in ("", found):
                return port
        raise LookupError(f"{protocol} has no {kind or 'listener'}".rstrip())


@define
class RunningServer(_Addresses):
    """A server in this process."""

    house: NetServices
    """The service tree: ``house.services.store`` and its neighbours."""
    _on_stop: list[Callable[[], object]] = field(factory=list)

    @as_deferred
    async def stop(self) -> None:
        """Drain, stop, and remove the state directory."""
        await self.house.stop()
        while self._on_stop:
            self._on_stop.pop()()


@define
class RunningProcess(_Addresses):
    """A server in a process of its own."""

    process: subprocess.Popen[bytes]
    log_path: str

    @property
    def log(self) -> str:
        """What the process has written to its log."""
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def stop(self) -> int:
        """Ask it to stop as systemd does, and wait; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server did not stop:\n{self.log}") from None


@as_deferred
async def running(
    *,
    reactor: Any = None,
    settings: Mapping[str, object] | None = None,
    accounts: Accounts = (),
    zones: Zones | None = None,
    state: str | None = None,
    **protocols: bool,
) -> RunningServer:
    """A ``RunningServer`` in this process, once it accepts connections.

    ``state`` keeps the state in that directory; by default it is removed at the end.
    StartupError, ZoneFileError and ValueError name what is wrong.
    """
    if reactor is None:
        from twisted.internet import reactor
    directory = state or tempfile.mkdtemp(prefix="netservices-")
    removal = [] if state else [lambda: shutil.rmtree(directory, ignore_errors=True)]
    try:
        command_line = _command_line(directory, settings or {}, protocols)
        configuration = load(command_line)
        fill(configuration, accounts, zones or {})
        house = NetServices(configuration, reactor)
        await house.start()
    except BaseException:
        for remove in removal:
            remove()
        raise
    return RunningServer(house.listening, directory, house, list(removal))


@contextmanager
def running_process(
    *,
    settings: Mapping[str, object] | None = None,
    accounts: Accounts = (),
    zones: Zones | None = None,
    state: str | None = None,
    **protocols: bool,
) -> Iterator[RunningProcess]:
    """A ``twistd netservices`` process, from its READY to the end of the block."""
    with tempfile.TemporaryDirectory(prefix="netservices-") as scratch:
        directory = state or os.path.join(scratch, "state")
        command_line = _command_line(directory, settings or {}, protocols)
        fill(load(command_line), accounts, zones or {})
        log_path = os.path.join(scratch, "log")
        process = _spawn(command_line, scratch, log_path)
        try:
            reply = ask(directory, {"verb": "status"})
            listening = [_listening(one) for one in reply["listeners"]]
            server = RunningProcess(listening, directory, process, log_path)
            yield server
            server.stop()
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


def _command_line(
    directory: str, settings: Mapping[str, object], protocols: Mapping[str, bool]
) -> CommandLine:
    """The command line of a server on free ports of the loopback interface."""
    plugins = find_plugins().plugins
    unknown = sorted(set(protocols) - set(plugins))
    if unknown:
        raise TypeError(f"no such protocol: {', '.join(unknown)}")
    are_named = any(protocols.values())
    wanted = [name for name in plugins if protocols.get(name, not are_named)]
    given = {**_EVERYWHERE, **settings, "server.state": directory}
    return CommandLine(
        assignments=tuple(f"{key}={_text(value)}" for key, value in given.items()),
        protocols=tuple(wanted),
        listen={
            name: tuple(_on_free_port(text) for text in plugins[name].listen)
            for name in wanted
            if f"{name}.listen" not in given
        },
    )


def _text(value: object) -> str:
    """``value`` as ``--set`` takes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value)


def _on_free_port(text: str) -> str:
    endpoint = parse_endpoint(text)
    if endpoint.kind in ("tcp", "tls", "udp"):
        endpoint = attrs.evolve(endpoint, port=0, interface=LOOPBACK)
    return str(endpoint)


def _spawn(
    command_line: CommandLine, scratch: str, log_path: str
) -> subprocess.Popen[bytes]:
    """A process that has said READY, as systemd would hear it."""
    command = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()"]
    command += ["-n"]
    command += ["--pidfile=", f"--logfile={log_path}", "netservices"]
    command += [f"--{name}" for name in command_line.protocols]
    for name, endpoints in command_line.listen.items():
        command += [f"--{name}-listen={endpoint}" for endpoint in endpoints]
    for assignment in command_line.assignments:
        command += ["--set", assignment]
    package = __import__("netservices").__path__[0]
    notify_path = os.path.join(scratch, "notify")
    environment = dict(os.environ, NOTIFY_SOCKET=notify_path)
    environment["PYTHONPATH"] = os.pathsep.join(
        filter(None, [os.path.dirname(package), os.environ.get("PYTHONPATH")])
    )
    output_path = os.path.join(scratch, "output")
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
        open(output_path, "wb") as output,
    ):
        notify.bind(notify_path)
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, cwd=scratch
        )
        if _is_ready(notify, process):
            return process
    process.kill()
    process.wait()
    words = [_content(path) for path in (output_path, log_path)]
    raise AssertionError("the server did not start:\n" + "\n".join(words))


def _is_ready(notify: socket.socket, process: subprocess.Popen[bytes]) -> bool:
    """Wait for READY=1; false where the process has ended first."""
    notify.settimeout(0.25)
    for _ in range(round(START_SECONDS / 0.25)):
        with suppress(TimeoutError):
            if b"READY=1" in notify.recv(4096).split(b"\n"):
                return True
        if process.poll() is not None:
            return False
    return False


def _content(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def _listening(row: Mapping[str, Any]) -> Listening:
    return Listening(row["protocol"], row["endpoint"], row["address"], row["port"])
