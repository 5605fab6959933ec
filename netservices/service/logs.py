"""The log for people: twistd's own observer, behind a level that can change.

twistd takes the name of a function that makes its observer (``--logger``); that is the
only way to filter without losing its ``--logfile`` and ``--syslog``.  So the options
that twistd was given are kept here until it calls ``make_observer``.
"""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogLevel,
    LogLevelFilterPredicate,
)
from twisted.python.reflect import namedAny

_MAKER = "netservices.service.logs.make_observer"
_level = LogLevelFilterPredicate()
_chosen: dict[str, Any] = {}


def set_level(name: str) -> None:
    """Show messages of that level (``debug`` to ``critical``) and above from now on."""
    _level.clearLogLevels()
    _level.setLogLevelForNamespace("", LogLevel.levelWithName(name))


def install(level: str, twistd: MutableMapping[str, Any]) -> None:
    """Have twistd, or ``python -m twisted``, log at that level."""
    set_level(level)
    if "logLevel" in twistd and level != "info":
        twistd["logLevel"] = LogLevel.levelWithName(level)
    if "logger" in twistd and twistd["logger"] != _MAKER:
        _chosen.update(twistd, logger=twistd["logger"])
        twistd["logger"] = _MAKER


def make_observer() -> ILogObserver:
    """The observer that twistd would have made, filtered."""
    if _chosen.get("logger"):
        inner = namedAny(_chosen["logger"])()
    else:
        inner = _twistd_observer(_chosen)
    filtered: ILogObserver = FilteringLogObserver(inner, [_level])
    return filtered


def _twistd_observer(options: Mapping[str, Any]) -> Any:
    from twisted.scripts._twistd_unix import UnixAppLogger

    return UnixAppLogger({**options, "logger": None})._getLogObserver()
