"""``twistd netservices``: the command line, and the service that twistd runs.

The options of each protocol are made from the plugins found, after ``usage.Options``
has collected its own.  A wrong command line or configuration is one line on standard
error and exit status 2; twistd's own habit, the whole help and then the reason, is
kept for ``--help``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from twisted.application.service import IService
from twisted.python import usage

from netservices import __version__
from netservices.config.discovery import Found, find_plugins, is_built_in, load_target
from netservices.config.loading import CommandLine, Configuration, load
from netservices.core.errors import ConfigurationError, StartupError
from netservices.core.garbage import without_collections
from netservices.service import logs

FLAGS = {
    "config": ("FILE", "Configuration file (TOML)."),
    "state": ("DIR", "Directory of everything that is kept."),
    "interface": ("ADDRESS", "Address on which to listen; default: all."),
    "port-offset": ("N", "Added to the standard ports, as 8000: FTP on 8021."),
    "set": ("KEY=VALUE", "Any setting, as log.trace=true; repeatable."),
}
"""The options that are always there, and take a value."""

KEYS = {
    "state": "server.state",
    "interface": "server.interface",
    "port-offset": "server.port_offset",
}
"""The options that are short for a setting."""


class Options(usage.Options):
    """The command line of ``twistd netservices``."""

    def __init__(self, found: Found | None = None) -> None:
        super().__init__()
        self.found = find_plugins() if found is None else found
        self.assignments: list[str] = []
        self.flags: dict[str, tuple[str, str]] = {}
        self.protocols: list[str] = []
        self.listen: dict[str, list[str]] = {}
        self.configuration: Configuration | None = None
        self._directory = _working_directory()
        self["config"] = ""
        self["check"] = False
        for name in FLAGS:
            self._add(f"{name}=", self._take_value)
        self._add("check", self._take_flag)
        for name in self.found.plugins:
            self._add(name, self._take_flag)
            self._add(f"{name}-listen=", self._take_value)

    def _add(self, option: str, take: Callable[[str, str], None]) -> None:
        """Add an option as ``usage.Options`` does with those of its class."""
        name = option.rstrip("=")
        self.longOpt.append(option)
        self.synonyms[name] = name
        self.docs[name] = self._help_of(name)
        self._dispatch[name] = take

    def _help_of(self, name: str) -> str:
        if name in FLAGS:
            return FLAGS[name][1]
        if name.endswith("-listen"):
            return "Endpoint for that protocol; repeatable."
        if name in self.found.plugins:
            return self.found.plugins[name].summary
        return "Check the configuration, print what would run, and exit."

    def _take_value(self, name: str, value: str) -> None:
        if name == "config":
            self["config"] = value
        elif name == "set":
            self.assignments.append(value)
        elif name in KEYS:
            if not value:
                # As of an unset variable in a script; the default would be a surprise.
                raise usage.UsageError(f"--{name}: a value is wanted")
            self.flags[f"--{name}"] = (KEYS[name], value)
        else:
            self.listen.setdefault(name.removesuffix("-listen"), []).append(value)

    def _take_flag(self, name: str, _value: str) -> None:
        if name == "check":
            self["check"] = True
        else:
            self.protocols.append(name)

    def opt_version(self) -> NoReturn:
        """Print the version and exit."""
        print(f"netservices {__version__}")
        sys.exit(0)

    def opt_help(self) -> NoReturn:
        """Print this help and exit."""
        print(self.getUsage())
        sys.exit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Read the command line; a wrong one is one line and exit status 2."""
        arguments = list(sys.argv[1:] if options is None else options)
        try:
            self._refuse_unknown(arguments)
            with without_collections():
                super().parseOptions(arguments)
        except usage.UsageError as error:
            _leave(f"{error} (twistd netservices --help shows the options)", 2)
        except StartupError as error:
            _leave(str(error), error.exit_status)

    def _refuse_unknown(self, arguments: Sequence[str]) -> None:
        """Refuse what getopt would take for an abbreviation, or not understand.

        Abbreviations are refused because a new plugin would change their meaning.
        """
        names = [option.rstrip("=") for option in self.longOpt]
        takes_value = {option[:-1] for option in self.longOpt if option.endswith("=")}
        words = iter(arguments)
        for word in words:
            name = word[2:].partition("=")[0]
            if not word.startswith("--") or word == "--":
                raise usage.UsageError(
                    f"{word}: no such option; those of twistd itself, as -n, stand"
                    " before netservices"
                )
            if name not in names:
                raise usage.UsageError(f"--{name}: no such option{self._near(name)}")
            if name in takes_value and "=" not in word and next(words, None) is None:
                raise usage.UsageError(f"--{name}: a value is wanted")

    def _near(self, name: str) -> str:
        """The option that may have been meant; for ``--NAME-listen`` the protocols."""
        protocols = list(self.found.plugins)
        wanted, dash, _ = name.rpartition("-listen")
        if dash:
            near = get_close_matches(wanted, protocols, 1)
            if not near:
                return f"; there are the protocols {', '.join(protocols)}"
            return f"; did you mean --{near[0]}-listen?"
        names = [option.rstrip("=") for option in self.longOpt]
        near = get_close_matches(name, names, 1)
        return f"; did you mean --{near[0]}?" if near else ""

    def postOptions(self) -> None:
        """Load and check the configuration.  ConfigurationError."""
        self.configuration = load(
            CommandLine(
                file=self["config"],
                assignments=tuple(self.assignments),
                flags=self.flags,
                protocols=tuple(self.protocols),
                listen={name: tuple(texts) for name, texts in self.listen.items()},
                directory=self._directory,
            ),
            self.found,
        )
        for problem in self.found.problems:
            print(f"netservices: warning: {problem}", file=sys.stderr)
        self._load_what_runs(self.configuration)
        if self.parent is not None:
            logs.install(self.configuration.log.level, self.parent)
        if self["check"]:
            _print_what_would_run(self.configuration)
            sys.exit(0)

    def _load_what_runs(self, configuration: Configuration) -> None:
        """Import the protocols: what is wrong with them is better known before a
        socket is bound.  StartupError."""
        if not configuration.enabled():
            flags = ", ".join(f"--{name}" for name in self.found.plugins)
            raise ConfigurationError(f"no protocol is enabled; there are {flags}")
        for protocol in configuration.enabled():
            load_target(protocol.plugin)

    def getSynopsis(self) -> str:
        return "Usage: twistd [options of twistd] netservices [options]"

    def getUsage(self, width: int | None = None) -> str:  # noqa: N802
        """Help in one screen."""
        rows = [
            *((f"--{name} {value}", text) for name, (value, text) in FLAGS.items()),
            ("--check", self._help_of("check")),
            ("--version, --help", "Print the version, or this, and exit."),
        ]
        protocols = [
            (f"--{name}", plugin.summary) for name, plugin in self.found.plugins.items()
        ]
        built_in = [name for name, p in self.found.plugins.items() if is_built_in(p)]
        lines = [self.getSynopsis(), "", *_aligned(rows), "", "Protocols:"]
        lines += _aligned(protocols)
        lines += [
            "  --PROTOCOL-listen ENDPOINT",
            "         Where it listens, as tcp:2121, not at its own ports; repeatable.",
            "",
            "Without a protocol, those run that the configuration enables; by default",
            f"{', '.join(built_in)}.  docs/settings.md lists every setting.",
        ]
        return "\n".join(lines)


def _aligned(rows: Sequence[tuple[str, str]]) -> list[str]:
    width = max((len(name) for name, _ in rows), default=0)
    return [f"  {name:<{width}}  {text}" for name, text in rows]


def _print_what_would_run(configuration: Configuration) -> None:
    """The answer to ``--check``.  StartupError where a start would be refused."""
    from twisted.internet import reactor

    from netservices.service.banner import what_would_run
    from netservices.service.parts import check

    for text in check(configuration, reactor):
        print(f"netservices: warning: {text}", file=sys.stderr)
    print(what_would_run(configuration))


def _working_directory() -> str:
    """Where twistd was started: it goes elsewhere, and a reload reads files again."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""


def _leave(message: str, status: int) -> NoReturn:
    print(f"netservices: {message}", file=sys.stderr)
    sys.exit(status)


def makeService(options: Options) -> IService:  # noqa: N802
    """The service that twistd starts."""
    with without_collections():
        from netservices.service.process import Process

    assert options.configuration is not None
    parent: Any = options.parent or {}
    try:
        return Process(
            options.configuration,
            reload=lambda: _again(options),
            uid=parent.get("uid"),
            gid=parent.get("gid"),
            pidfile=parent.get("pidfile") or "",
            status_pipe=lambda: parent.get("statusPipe"),
            is_daemon=not parent.get("nodaemon", True),
        )
    except StartupError as error:
        _leave(str(error), error.exit_status)


def _again(options: Options) -> Configuration:
    """The configuration as file and command line make it now.  ConfigurationError."""
    options.postOptions()
    assert options.configuration is not None
    return options.configuration
