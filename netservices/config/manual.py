"""The settings as documents: ``etc/netservices.toml`` and ``docs/settings.md``.

``python -m netservices.config.manual`` writes both below the current directory (``make
docs`` does that); a test compares them with what the settings say, so that neither can
be wrong for long.  Only the protocols that come with netservices are in them.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from textwrap import wrap
from typing import get_origin

from attrs import frozen

from netservices.config.conversion import type_name, written
from netservices.config.discovery import find_plugins, is_built_in, load_settings_class
from netservices.config.loading import SHARED_SECTIONS, framework_settings
from netservices.core.settings import Setting, settings_of

TOML_PATH = "etc/netservices.toml"
PAGE_PATH = "docs/settings.md"

_TOML_HEAD = """\
# netservices: every setting, at its default.  Remove a "#" and change the value.
#
#   twistd -n netservices --config FILE --check    says whether it is right
#
# Durations are written 30s, 5m, 2h, 7d; sizes 64K, 10M, 5G; port ranges 50000-50099.
# Made by "make docs" from the settings in the source; do not edit it there.
"""

_PAGE_HEAD = """\
# Settings

Every setting can stand in the configuration file (`--config FILE`, in
[TOML](https://toml.io/)), or on the command line as `--set section.key=value`, which
wins.
[etc/netservices.toml](../etc/netservices.toml) has all of them at their defaults.
`twistd -n netservices --check` says whether a configuration is right.

Durations are written `30s`, `5m`, `2h`, `7d`; sizes `64K`, `10M`, `5G` (powers of
1024); port ranges `50000-50099`.

Endpoints, the values of `listen`, are written `tcp:21`, `tls:990`, `udp:53`,
`unix:/run/ftp.sock`, or `systemd:NAME` for a socket that systemd passes.
`interface=127.0.0.1` after a colon chooses the address; `backlog=`, `role=`, and
`mode=660` for UNIX sockets, are further options.
`server.port_offset` moves default endpoints only.

This page is made from the source by `make docs`.
"""


@frozen
class Section:
    """One table of the configuration."""

    name: str
    summary: str
    settings: tuple[Setting, ...]


def sections() -> Iterator[Section]:
    """Every section of what comes with netservices, in the order of the manual."""
    for name, dotted in SHARED_SECTIONS.items():
        module, _, class_name = dotted.rpartition(".")
        settings_class = getattr(import_module(module), class_name)
        yield Section(name, _summary(settings_class), settings_of(settings_class))
    for name, plugin in find_plugins().plugins.items():
        if not is_built_in(plugin):
            continue
        own_class = load_settings_class(plugin)
        own = settings_of(own_class) if own_class is not None else ()
        added = framework_settings(plugin)
        own = tuple(setting for setting in own if setting.key not in added)
        yield Section(name, plugin.summary, (*added.values(), *own))


def _summary(settings_class: type) -> str:
    return " ".join((settings_class.__doc__ or "").split())


def toml_text() -> str:
    """The content of ``etc/netservices.toml``."""
    parts = [_TOML_HEAD]
    for section in sections():
        lines = ["", *_commented(section.summary), f"[{section.name}]"]
        for setting in section.settings:
            lines += ["", *_commented(_help(setting))]
            lines.append(f"#{setting.key} = {written(setting.default)}")
        parts.append("\n".join(lines) + "\n")
    return "".join(parts)


def _commented(text: str) -> list[str]:
    return [f"# {line}" for line in wrap(text, 86, break_on_hyphens=False)]


def page_text() -> str:
    """The content of ``docs/settings.md``."""
    parts = [_PAGE_HEAD]
    for section in sections():
        parts.append(f"\n## {section.name}\n\n{section.summary}\n")
        for setting in section.settings:
            head = f"\n### `{section.name}.{setting.key}`\n\n"
            lines = wrap(_help(setting), 88, break_on_hyphens=False)
            default = f"Default: `{written(setting.default)}`"
            parts.append(head + "\n".join(lines) + f"\n\n{default}\n")
    return "".join(parts)


def _help(setting: Setting) -> str:
    """Help, type and limits in one paragraph."""
    facts = [type_name(setting.type)]
    if setting.choices:
        is_list = get_origin(setting.type) is tuple
        several = "list of" if is_list else "one of"
        facts = [f"{several} {', '.join(setting.choices)}"]
    if setting.minimum is not None:
        facts.append(f"at least {_limit(setting, setting.minimum)}")
    if setting.maximum is not None:
        facts.append(f"at most {_limit(setting, setting.maximum)}")
    words = " ".join(setting.help.split())
    end = "" if words.endswith((".", "?", "!")) else "."
    return f"{words}{end} ({'; '.join(facts)})"


def _limit(setting: Setting, limit: float) -> str:
    return str(setting.type(limit)) if isinstance(setting.type, type) else str(limit)


def main() -> None:
    """Write both documents below the current directory."""
    for path, text in ((TOML_PATH, toml_text()), (PAGE_PATH, page_text())):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
