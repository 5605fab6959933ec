"""Where FTP's events go beside the file of all events: transfer log, hooks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from netservices.core.deferreds import as_deferred
from netservices.core.errors import ConfigurationError
from netservices.core.logfile import LogFile
from netservices.ftp.server.hooks import Hooks
from netservices.ftp.server.xferlog import Xferlog, xferlog_line
from netservices.ftp.settings import FTPSettings
from netservices.interfaces import IEvents
from netservices.plugin import Services


@define(eq=False)
class Sinks:
    """Those of one server."""

    events: IEvents
    xferlog: Xferlog | None
    hooks: Hooks | None
    _unsubscribe: list[Callable[[], None]] = field(factory=list)

    def start(self) -> None:
        """Listen.  ConfigurationError."""
        for sink in (self.xferlog, self.hooks):
            if sink is not None:
                sink.start()
                self._unsubscribe.append(self.events.subscribe(sink.hear))

    @as_deferred
    async def reopen(self) -> None:
        """Go on in a new file: logrotate has moved the old one."""
        if self.xferlog is not None:
            await self.xferlog.file.reopen()

    @as_deferred
    async def stop(self) -> None:
        """Finish what was heard of."""
        while self._unsubscribe:
            self._unsubscribe.pop()()
        for sink in (self.hooks, self.xferlog):
            if sink is not None:
                await sink.stop()

    def status(self) -> Mapping[str, Any]:
        """What ``netservices status`` shows of them."""
        shown: dict[str, Any] = {}
        if self.xferlog is not None:
            shown["xferlog_dropped"] = self.xferlog.file.dropped
        if self.hooks is not None:
            shown["hooks"] = dict(self.hooks.status())
        return shown


def make_sinks(settings: FTPSettings, services: Services) -> Sinks:
    """Those that the settings ask for.  ConfigurationError."""
    xferlog = hooks = None
    if settings.xferlog:
        xferlog = _make_xferlog(settings.xferlog, services)
    if settings.hooks:
        hooks = Hooks(settings, services.events, services.clock)
        try:
            hooks.check()
        except ValueError as problem:
            raise ConfigurationError(f"ftp.hooks: {problem}") from None
    return Sinks(services.events, xferlog, hooks)


def _make_xferlog(name: str, services: Services) -> Xferlog:
    whole = services.settings
    path = os.path.join(whole.state_directory, "log", name)
    file = LogFile(
        path,
        "ftp.xferlog",
        xferlog_line,
        services.clock,
        whole.log.events_delay,
        whole.log.events_waiting,
    )
    if os.path.isabs(name):
        file.check()
    return Xferlog(file)
