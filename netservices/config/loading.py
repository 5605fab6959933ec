"""The configuration: TOML file, ``--set`` and flags, checked and typed, as one value.

Three sources say what a setting is; the later one wins: the file, then ``--set
section.key=value`` in order, then the flags of the command line.  Each written value
remembers where it was written, so that an error can name file, line, key and value::

    etc/x.toml:3: [ftp] passive_port = "1-2": no such setting; did you mean
    passive_ports?

The sections are ``server`` and ``log``, those of the shared services, and one for each
protocol plugin found, which has ``enabled`` and ``listen`` beside its own settings.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from attrs import field, frozen

from netservices.config.conversion import from_text, structure, written
from netservices.config.discovery import (
    Found,
    find_plugins,
    is_built_in,
    load_settings_class,
)
from netservices.config.endpoint import Endpoint, parse_endpoint
from netservices.config.settings import LogSettings, ServerSettings, check_hostname
from netservices.core.errors import ConfigurationError
from netservices.core.settings import Setting, settings_of
from netservices.plugin import ProtocolPlugin

LONGEST_FILE = 1 << 20
"""Characters of a configuration file; more is some other file, or a device."""

SHARED_SECTIONS = {
    "server": "netservices.config.settings.ServerSettings",
    "log": "netservices.config.settings.LogSettings",
    "store": "netservices.store.settings.StoreSettings",
    "accounts": "netservices.accounts.settings.AccountsSettings",
    "limits": "netservices.core.limits.LimitsSettings",
    "files": "netservices.files.settings.FilesSettings",
    "tls": "netservices.tls.settings.TLSSettings",
}


@frozen
class Written:
    """A value as somebody wrote it, and where: the first words of an error."""

    value: object
    place: str
    is_text: bool = False
    """From a command line: still text, whatever the setting's type."""


@frozen
class Protocol:
    """One protocol plugin as it is configured."""

    plugin: ProtocolPlugin
    is_enabled: bool
    endpoints: tuple[Endpoint, ...]
    """Where it listens, offset and interface applied."""
    settings: Any


@frozen
class Configuration:
    """Every setting of the process; sections and protocols are also attributes."""

    server: ServerSettings
    log: LogSettings
    sections: Mapping[str, Any]
    protocols: Mapping[str, Protocol]
    state_directory: str
    hostname: str
    file: str = ""
    problems: tuple[str, ...] = ()
    """Plugins that cannot be used, one line each."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in self.sections:
            return self.sections[name]
        if name in self.protocols:
            return self.protocols[name].settings
        raise AttributeError(f"no section {name} in the configuration")

    def enabled(self) -> tuple[Protocol, ...]:
        """The protocols that run, each after those it names in ``after``."""
        return _in_order([p for p in self.protocols.values() if p.is_enabled])


@frozen
class CommandLine:
    """What the command line says about the configuration."""

    file: str = ""
    assignments: tuple[str, ...] = ()
    """``section.key=value``, in order."""
    flags: Mapping[str, tuple[str, str]] = field(factory=dict)
    """``--port-offset`` and its like: flag to (``section.key``, value)."""
    protocols: tuple[str, ...] = ()
    """Protocols asked for by flag: then exactly these are enabled."""
    listen: Mapping[str, tuple[str, ...]] = field(factory=dict)
    """Endpoints for a protocol, in place of its own."""
    directory: str = ""
    """Where relative names of file and state directory begin; empty: where the process
    is now, which a daemon's reload must not mean."""


def load(command_line: CommandLine, found: Found | None = None) -> Configuration:
    """The configuration that file and command line make.  ConfigurationError."""
    found = find_plugins() if found is None else found
    sections = _Sections(found)
    values: dict[tuple[str, str], Written] = {}
    if command_line.file:
        values = _read_file(command_line.file, command_line.directory, sections)
    for text in command_line.assignments:
        values.update([_assignment(text, f"--set {text}", sections)])
    for flag, (key, value) in command_line.flags.items():
        values.update([_assignment(f"{key}={value}", f"{flag} {value}", sections)])
    for name, endpoints in command_line.listen.items():
        place = f"--{name}-listen {' '.join(endpoints)}"
        values[name, "listen"] = Written(list(endpoints), place)
    return _build(sections, values, command_line)


class _Sections:
    """The settings of every section, found when first asked for."""

    def __init__(self, found: Found) -> None:
        self.found = found
        self.names = (*SHARED_SECTIONS, *found.plugins)
        self._keys: dict[str, dict[str, Setting]] = {}
        self._classes: dict[str, type | None] = {}

    def settings_class(self, section: str) -> type | None:
        """The class of a section; None for a plugin without settings of its own."""
        if section not in self._classes:
            if section in SHARED_SECTIONS:
                module, _, name = SHARED_SECTIONS[section].rpartition(".")
                self._classes[section] = getattr(import_module(module), name)
            else:
                plugin = self.found.plugins[section]
                self._classes[section] = load_settings_class(plugin)
        return self._classes[section]

    def keys(self, section: str) -> dict[str, Setting]:
        """The settings of a section, ``enabled`` and ``listen`` included."""
        if section not in self._keys:
            settings_class = self.settings_class(section)
            own = settings_of(settings_class) if settings_class else ()
            known = {setting.key: setting for setting in own}
            if section in self.found.plugins:
                known.update(framework_settings(self.found.plugins[section]))
            self._keys[section] = known
        return self._keys[section]


def framework_settings(plugin: ProtocolPlugin) -> dict[str, Setting]:
    """What the framework adds to the settings of each protocol."""
    return {
        "enabled": Setting(
            "enabled",
            bool,
            is_built_in(plugin),
            "Whether the protocol is served when no protocol flag is given.",
        ),
        "listen": Setting(
            "listen",
            tuple[str, ...],
            list(plugin.listen),
            "Endpoints, as tcp:PORT, tls:PORT, udp:PORT, unix:PATH or systemd:NAME;"
            " the default ones are moved by server.port_offset.",
        ),
    }


def _read_file(
    path: str, directory: str, sections: _Sections
) -> dict[tuple[str, str], Written]:
    """The settings of a TOML file, their names checked."""
    import tomllib

    text = _text_of(path, directory)
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from None
    lines = _line_numbers(text)
    values: dict[tuple[str, str], Written] = {}
    for section, table in tables.items():
        line = lines.get((section, ""))
        place = f"{path}:{line}" if line else path
        if not isinstance(table, dict):
            raise ConfigurationError(
                f"{place}: {section} = {written(table)}: settings stand in sections,"
                f" such as [server]"
            )
        _check_section(section, f"{place}: [{section}]", sections)
        for key, value in table.items():
            line = lines.get((section, key), line)
            place = f"{path}:{line}" if line else path
            shown = "{...}" if isinstance(value, dict) else written(value)
            place = f"{place}: [{section}] {key} = {shown}"
            _check_key(section, key, place, sections, "")
            values[section, key] = Written(value, place)
    return values


def _text_of(path: str, directory: str) -> str:
    try:
        # Some editors begin a file with a byte order mark; TOML knows none.
        with open(os.path.join(directory, path), encoding="utf-8-sig") as file:
            text = file.read(LONGEST_FILE + 1)
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8: {error.reason}") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    if len(text) > LONGEST_FILE:
        raise ConfigurationError(f"{path}: no configuration is longer than 1 MB")
    return text


def _line_numbers(text: str) -> dict[tuple[str, str], int]:
    """The line of each section and key; near enough for messages (tomllib has none)."""
    lines: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([\w-]+)\s*\]", line):
            section = header[1]
            lines.setdefault((section, ""), number)
        elif match := re.match(r"\s*(?:([\w-]+)\s*\.\s*)?\"?([\w-]+)\"?\s*=", line):
            where = section or match[1] or match[2]
            lines.setdefault((where, match[2] if section or match[1] else ""), number)
    return lines


def _assignment(
    text: str, place: str, sections: _Sections
) -> tuple[tuple[str, str], Written]:
    """One ``section.key=value`` of the command line."""
    name, equals, value = text.partition("=")
    section, dot, key = name.strip().partition(".")
    if not equals or not section or not dot or not key:
        raise ConfigurationError(f"{place}: section.key=value is wanted")
    _check_section(section, place, sections)
    _check_key(section, key, place, sections, f"{section}.")
    return (section, key), Written(value, place, is_text=True)


def _check_section(section: str, place: str, sections: _Sections) -> None:
    if section not in sections.names:
        nearest = _nearest(section, sections.names)
        raise ConfigurationError(f"{place}: no such section{nearest}")


def _check_key(
    section: str, key: str, place: str, sections: _Sections, prefix: str
) -> None:
    known = sections.keys(section)
    if key not in known:
        nearest = _elsewhere(key, sections) or _nearest(key, known, prefix)
        raise ConfigurationError(f"{place}: no such setting{nearest}")


def _elsewhere(key: str, sections: _Sections) -> str:
    """``; did you mean ...?`` for a key that stands in another section."""
    homes = [one for one in sorted(sections.names) if key in sections.keys(one)]
    return f"; did you mean {homes[0]}.{key}?" if len(homes) == 1 else ""


def _nearest(name: str, known: Iterable[str], prefix: str = "") -> str:
    """``; did you mean ...?`` or, where nothing is near, what there is."""
    known = sorted(known)
    near = get_close_matches(name, known, 1)
    if near:
        return f"; did you mean {prefix}{near[0]}?"
    return f"; there are {', '.join(known)}" if known else "; there are none"


def _build(
    sections: _Sections,
    values: Mapping[tuple[str, str], Written],
    command_line: CommandLine,
) -> Configuration:
    built = {
        name: _section(name, values, sections, command_line.file)
        for name in SHARED_SECTIONS
    }
    server: ServerSettings = built["server"]
    protocols = {
        name: _protocol(plugin, values, sections, command_line, server)
        for name, plugin in sections.found.plugins.items()
    }
    return Configuration(
        server=server,
        log=built["log"],
        sections=built,
        protocols=protocols,
        state_directory=_state_directory(server, command_line.directory),
        hostname=server.hostname or default_hostname(),
        file=command_line.file,
        problems=sections.found.problems,
    )


def _state_directory(server: ServerSettings, directory: str) -> str:
    name = os.path.join(directory, server.state or default_state_directory())
    try:
        return os.path.abspath(name)
    except FileNotFoundError:
        raise ConfigurationError(
            f"server.state = {written(name)}: the working directory is gone, so the"
            " name must begin with a slash"
        ) from None


def _section(
    name: str,
    values: Mapping[tuple[str, str], Written],
    sections: _Sections,
    file: str,
) -> Any:
    """The settings object of a section."""
    settings_class = sections.settings_class(name)
    framework = {"enabled", "listen"} if name in sections.found.plugins else set()
    given = {
        key: _typed(writing, sections.keys(section)[key])
        for (section, key), writing in values.items()
        if section == name and key not in framework
    }
    if settings_class is None:
        return None
    try:
        return settings_class(**given)
    except ValueError as error:
        place = f"{file}: " if file else ""
        raise ConfigurationError(f"{place}[{name}]: {error}") from None


def _typed(writing: Written, setting: Setting) -> Any:
    """The value of one setting.  ConfigurationError."""
    try:
        value = writing.value
        if "\0" in str(value):
            raise ValueError("a setting cannot hold a NUL character")
        if writing.is_text:
            value = from_text(str(value), setting.type)
        return structure(value, setting)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(f"{writing.place}: {error}") from None


def _protocol(
    plugin: ProtocolPlugin,
    values: Mapping[tuple[str, str], Written],
    sections: _Sections,
    command_line: CommandLine,
    server: ServerSettings,
) -> Protocol:
    """A protocol; the settings of one that does not run are not looked at unless
    somebody wrote some."""
    name = plugin.name
    known = framework_settings(plugin)
    enabled = values.get((name, "enabled"))
    is_enabled = _typed(enabled, known["enabled"]) if enabled else is_built_in(plugin)
    if command_line.protocols:
        is_enabled = name in command_line.protocols
    is_written = any(section == name for section, _ in values)
    return Protocol(
        plugin=plugin,
        is_enabled=is_enabled,
        endpoints=_endpoints(plugin, values.get((name, "listen")), known, server),
        settings=_section(name, values, sections, command_line.file)
        if is_enabled or is_written
        else None,
    )


def _endpoints(
    plugin: ProtocolPlugin,
    writing: Written | None,
    known: Mapping[str, Setting],
    server: ServerSettings,
) -> tuple[Endpoint, ...]:
    """Where the protocol listens; the offset moves only default endpoints."""
    texts = _typed(writing, known["listen"]) if writing else plugin.listen
    place = writing.place if writing else f"plugin {plugin.name}: listen"
    offset = 0 if writing else server.port_offset
    try:
        return tuple(
            parse_endpoint(text).moved(offset, server.interface) for text in texts
        )
    except ValueError as error:
        raise ConfigurationError(f"{place}: {error}") from None


def _in_order(protocols: list[Protocol]) -> tuple[Protocol, ...]:
    """Sorted so that ``after`` holds; ConfigurationError on a circle."""
    ordered: list[Protocol] = []
    waiting = {protocol.plugin.name: protocol for protocol in protocols}
    while waiting:
        ready = [
            name
            for name, protocol in waiting.items()
            if not any(other in waiting for other in protocol.plugin.after)
        ]
        if not ready:
            names = ", ".join(sorted(waiting))
            raise ConfigurationError(f"plugins that wait for each other: {names}")
        ordered += [waiting.pop(name) for name in ready]
    return tuple(ordered)


def default_state_directory() -> str:
    """DESIGN 4: systemd's, else the system's for root, else the user's."""
    if given := os.environ.get("STATE_DIRECTORY"):
        return given.split(":")[0]
    if os.geteuid() == 0:
        return "/var/lib/netservices"
    base = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(base, "netservices")


def default_hostname() -> str:
    """The host's own name where it can be a domain, else ``localhost``."""
    name = socket.gethostname().rstrip(".").lower()
    try:
        check_hostname(name)
    except ValueError:
        return "localhost"
    return name or "localhost"
