"""Protocol plugins: those that are installed, and why some cannot be used.

Twisted reports a plugin file that fails to import only in the log, where nobody looks
before the log is open; so the failures are caught on their way there and kept as one
line each.  Finding plugins imports their descriptions (with a warm cache not even
those); their code is loaded for the protocols that run.
"""

from __future__ import annotations

from collections.abc import Mapping
from traceback import extract_tb
from typing import Any, cast

from attrs import frozen
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.plugin import getPlugins
from zope.interface import implementer

from netservices.core.errors import ConfigurationError
from netservices.plugin import IProtocolPlugin, ProtocolPlugin


@frozen
class Found:
    """What a search for plugins found."""

    plugins: Mapping[str, ProtocolPlugin]
    problems: tuple[str, ...]
    """One line for each plugin that cannot be used."""


def find_plugins() -> Found:
    """Every protocol plugin, by name, in alphabetical order."""
    failures: list[LogEvent] = []

    @implementer(ILogObserver)
    def keep(event: LogEvent) -> None:
        if "log_failure" in event:
            failures.append(event)

    globalLogPublisher.addObserver(keep)
    try:
        found = cast(list[ProtocolPlugin], list(getPlugins(IProtocolPlugin)))
    finally:
        globalLogPublisher.removeObserver(keep)
    problems = [_describe(event["log_failure"]) for event in failures]
    plugins: dict[str, ProtocolPlugin] = {}
    for plugin in sorted(found, key=lambda plugin: plugin.name):
        if plugin.name in plugins:
            problems.append(
                f"two plugins are called {plugin.name} ({plugins[plugin.name].target}"
                f" and {plugin.target}): only the first is used"
            )
        plugins.setdefault(plugin.name, plugin)
    return Found(plugins, tuple(dict.fromkeys(problems)))


def _describe(failure: Any) -> str:
    """One line: which plugin file failed, and why."""
    error = failure.value
    places = [f"{f.filename}:{f.lineno}" for f in extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        places.append(f"{error.filename}:{error.lineno}")
    places = [place for place in places if "/twisted/plugins/" in place]
    place = places[-1] if places else "in twisted/plugins"
    reason = f"{type(error).__name__}: {error}".splitlines()[0]
    return f"plugin {place} cannot be used: {reason}"


def is_built_in(plugin: ProtocolPlugin) -> bool:
    """Whether it comes with netservices: those run unless told otherwise."""
    return plugin.target.startswith("netservices.")


def load_settings_class(plugin: ProtocolPlugin) -> type | None:
    """The plugin's settings class.  ConfigurationError names plugin and reason."""
    loaded: type | None = _loaded(plugin, "settings", plugin.load_settings)
    return loaded


def load_target(plugin: ProtocolPlugin) -> Any:
    """The plugin's ``make_server``.  ConfigurationError names plugin and reason."""
    target = _loaded(plugin, "target", plugin.load_target)
    if not callable(target):
        raise ConfigurationError(
            f"plugin {plugin.name}: target {plugin.target} is not a function"
        )
    return target


def _loaded(plugin: ProtocolPlugin, what: str, load: Any) -> Any:
    try:
        return load()
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else repr(error)
        raise ConfigurationError(
            f"plugin {plugin.name}: {what} {getattr(plugin, what)!r} cannot be loaded:"
            f" {type(error).__name__}: {reason}"
        ) from error
