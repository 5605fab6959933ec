"""The process around the service tree: signals, readiness, words at the terminal, and
the exit status.

twistd exits with 0 whatever happened once its reactor ran, and dies of the signal that
stopped it.  Both are wrong for a service manager, so signals are handled here (a first
SIGTERM or SIGINT drains, a second cuts, a third leaves at once), and a start that
failed leaves through ``atexit`` with its status, the last thing that runs.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger

from netservices.config.loading import Configuration
from netservices.core.deferreds import as_deferred
from netservices.core.errors import StartupError
from netservices.core.poll import install_lean_poll
from netservices.notify import Notifier
from netservices.service import logs
from netservices.service.banner import ready_words
from netservices.service.house import NetServices
from netservices.service.late import import_late

FEWEST_FILES = 64
"""Open files with which a server can start: sockets, database, threads' connections."""


class Process(Service):
    """The service that twistd runs.

    ``reload`` reads the configuration again; ``status_pipe`` gives the descriptor by
    which a daemon tells its parent that it failed.
    """

    _log = Logger()
    name = "netservices"

    def __init__(
        self,
        configuration: Configuration,
        *,
        reload: Callable[[], Configuration],
        uid: int | None = None,
        gid: int | None = None,
        pidfile: str = "",
        status_pipe: Callable[[], int | None] = lambda: None,
        is_daemon: bool = False,
        reactor: Any = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self.reactor = reactor
        self.house = NetServices(configuration, reactor, owner=_owner(uid, gid))
        self.house.when_asked_to_stop = self._stop_reactor
        self.house.when_asked_to_reload = self.reload
        self.notifier = Notifier()
        self.exit_status = 0
        self._read_again = reload
        self._pidfile = pidfile
        self._status_pipe = status_pipe
        self._is_daemon = is_daemon
        self._signals = 0

    # --- what twistd calls ----------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Bind, while the process may still be root."""
        super().privilegedStartService()
        try:
            _allow_files()
            self.house.bind()
        except StartupError as error:
            self._leave(error)

    def startService(self) -> None:
        """Start once the reactor runs."""
        super().startService()
        if not self.house.listening:
            self.privilegedStartService()  # python -m twisted leaves it out
        install_lean_poll(self.reactor)
        self.reactor.callWhenRunning(self._begin)

    def stopService(self) -> Deferred[None]:
        """Drain and stop; the reactor waits for it."""
        super().stopService()
        self.notifier.stopping("draining connections")
        self.notifier.stop_watchdog()
        return self.house.stop()

    # --- start ----------------------------------------------------------------------

    def _begin(self) -> None:
        atexit.register(self._exit)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop_signal)
        signal.signal(signal.SIGHUP, self._on_hangup)
        if signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
            # With --logfile, twistd rotates it then; without, it would be the end.
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        self.notifier.status("starting")
        started = self.house.start()
        started.addCallbacks(lambda _: self._ready(), self._failed)
        started.addErrback(lambda failure: self._failed(failure))

    def _ready(self) -> None:
        house = self.house
        count = len(house.listening)
        self.notifier.ready(f"{count} listeners on {house.configuration.hostname}")
        # What the start made lives until the stop: no collection need look at it again.
        gc.collect()
        gc.freeze()
        import_late(house.servers.values())
        if house.configuration.server.watchdog:
            self.notifier.start_watchdog(self.reactor)
        if self._say(ready_words(house)):
            house.password_was_shown()
        if self._is_daemon and house.first_account is not None:
            self._log.warn(
                "{login} was made, and a daemon shows no password: give it one with"
                " netservices account passwd admin",
                login=house.first_account.login,
            )
        self._log.info(
            "ready: {count} listeners, state in {state}",
            count=count,
            state=house.configuration.state_directory,
        )

    def _failed(self, failure: Any) -> None:
        """The start failed: say why in one line, and leave with the right status."""
        error = failure.value
        self.exit_status = getattr(error, "exit_status", 1)
        message = str(error)
        if isinstance(error, OSError):
            message = _words_of(error)
        elif not isinstance(error, StartupError):
            self._log.failure("the start failed", failure=failure)
            message = f"cannot start: {type(error).__name__}: {error}"
        self._log.critical("{message}", message=message)
        first = message.splitlines()[0]
        print(f"netservices: {first}", file=sys.__stderr__, flush=True)
        self.notifier.stopping(first)
        if self.house.first_account is not None:
            self._say(ready_words(self.house))  # or nobody ever learns the password
        self._stop_reactor()

    def _say(self, words: str) -> bool:
        """Words for the terminal; whether there is one.  A daemon has none."""
        if self._is_daemon or sys.__stdout__ is None:
            return False
        try:
            print(words, file=sys.__stdout__, flush=True)
        except (OSError, ValueError):
            return False
        return True

    def _leave(self, error: StartupError) -> NoReturn:
        """Leave before the reactor runs: twistd would print a traceback."""
        pipe = self._status_pipe()
        if pipe is not None:
            with contextlib.suppress(OSError):
                os.write(pipe, f"1 {error}".encode("ascii", "backslashreplace")[:100])
                os.close(pipe)
        if self._pidfile:
            with contextlib.suppress(OSError):
                os.unlink(self._pidfile)
        self._log.critical("{message}", message=str(error))
        print(f"netservices: {error}", file=sys.__stderr__, flush=True)
        raise SystemExit(error.exit_status)

    def _exit(self) -> None:
        """The last thing that runs: Python itself would leave with 0."""
        if self.exit_status:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(self.exit_status)

    # --- signals --------------------------------------------------------------------

    def _on_stop_signal(self, _number: int, _frame: Any) -> None:
        self._signals += 1
        if self._signals > 2:
            os._exit(1)
        self.reactor.callFromThread(self._stop_or_cut)

    def _stop_or_cut(self) -> None:
        if self._signals > 1:
            self._log.warn("asked again: connections are cut")
            self.house.cut()
        else:
            self._log.info("asked to stop: connections may finish")
            self._stop_reactor()

    def _stop_reactor(self) -> None:
        with contextlib.suppress(ReactorNotRunning):
            self.reactor.stop()

    def _on_hangup(self, _number: int, _frame: Any) -> None:
        self.reactor.callFromThread(self._reload_and_log)

    def _reload_and_log(self) -> None:
        def failed(failure: Any) -> None:
            if not failure.check(StartupError):  # that one has been logged
                self._log.failure("the reload failed", failure=failure)

        self.reload().addErrback(failed)

    @as_deferred
    async def reload(self) -> list[str]:
        """Read the configuration again, and let what can change do so.

        The settings that wait for a restart.  ConfigurationError is logged, and the
        configuration stays as it is.
        """
        self.notifier.reloading()
        try:
            configuration = self._read_again()
            logs.set_level(configuration.log.level)
            waiting = await self.house.reload(configuration)
        except StartupError as error:
            self._log.error("not reloaded: {message}", message=str(error))
            raise
        finally:
            self.notifier.ready("running")
        if waiting:
            self._log.warn(
                "reloaded; these settings wait for a restart: {settings}",
                settings=", ".join(waiting),
            )
        else:
            self._log.info("reloaded")
        return waiting


def _allow_files() -> None:
    """Open as many files as the system lets us: its first limit, often 1024, is made
    for programs that use ``select``.  StartupError where even the last is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if 0 <= hard < FEWEST_FILES:
        raise StartupError(
            f"this process may have {hard} files open, and needs at least"
            f" {FEWEST_FILES}: raise the limit (ulimit -n, LimitNOFILE= of systemd)"
        )


def _words_of(error: OSError) -> str:
    """What the operating system refused, and the way out."""
    place = f"{error.filename}: " if error.filename else ""
    words = f"cannot start: {place}{error.strerror or error}"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        words += "; raise the limit of open files (ulimit -n, LimitNOFILE=)"
    return words


def _owner(uid: int | None, gid: int | None) -> tuple[int, int]:
    """The user and group of the process once twistd has dropped its privileges."""
    if uid is not None and gid is None:
        import pwd

        gid = pwd.getpwuid(uid).pw_gid
    return (-1 if uid is None else uid, -1 if gid is None else gid)
