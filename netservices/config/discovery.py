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

import twisted.plugin
from attrs import frozen
from twisted.python.failure import Failure

from netservices.core.errors import ConfigurationError
from netservices.plugin import IProtocolPlugin, ProtocolPlugin


@frozen
class Found:
    """What a search for plugins found."""

    plugins: Mapping[str, ProtocolPlugin]
    problems: tuple[str, ...]
    """One line for each plugin that cannot be used."""


RESERVED = frozenset(
    {
        *("check", "config", "help", "interface", "port", "set", "state", "version"),
        *("accounts", "files", "limits", "log", "mail", "server", "store", "tls"),
    }
)
"""Names of options and sections that no plugin can have."""


class _Ear:
    """Takes the place of the log while plugins are searched: keeps the failures."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []

    def err(self, *_: object) -> None:
        """An exception is being handled."""
        self.failures.append(Failure())

    def msg(self, *_: object, **__: object) -> None:
        """The plugin cache cannot be written: that costs 0.1 s, and harms nobody."""


def find_plugins() -> Found:
    """Every protocol plugin, by name, in alphabetical order."""
    ear = _Ear()
    # Twisted prints a traceback of each failure and keeps none, all in one place.
    search: Any = twisted.plugin
    its_log, search.log = search.log, ear
    try:
        found = cast(list[ProtocolPlugin], list(search.getPlugins(IProtocolPlugin)))
    finally:
        search.log = its_log
    problems = [_describe(failure) for failure in ear.failures]
    plugins: dict[str, ProtocolPlugin] = {}
    for one in sorted(found, key=lambda one: one.name):
        if one.name in RESERVED:
            problems.append(
                f"plugin {one.name} ({one.target}) cannot be used: an option or a"
                " section of netservices has that name"
            )
        elif one.name in plugins:
            problems.append(
                f"two plugins are called {one.name} ({plugins[one.name].target} and"
                f" {one.target}): only the first is used"
            )
        else:
            plugins[one.name] = one
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
