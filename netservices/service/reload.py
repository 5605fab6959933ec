"""What a changed configuration changes at once, and what waits for a restart."""

from __future__ import annotations

from typing import Any

import attrs

from netservices.config.loading import Configuration

LIVE = frozenset(
    {
        "server.drain_deadline",
        "server.max_connections",
        "log.level",
    }
)
"""Settings that are read each time they are needed."""


def needs_restart(old: Configuration, new: Configuration) -> list[str]:
    """The settings that differ and are not read again while the process runs."""
    changed = []
    if old.state_directory != new.state_directory:
        changed.append("server.state")
    if old.hostname != new.hostname:
        changed.append("server.hostname")
    for section in old.sections:
        changed += _differences(section, old.sections[section], new.sections[section])
    for name in sorted({*old.protocols, *new.protocols}):
        changed += _protocol_differences(name, old, new)
    return [key for key in dict.fromkeys(changed) if key not in LIVE]


def _protocol_differences(
    name: str, old: Configuration, new: Configuration
) -> list[str]:
    before, after = old.protocols.get(name), new.protocols.get(name)
    if before is None or after is None:
        return [f"{name} (plugin)"]
    changed = []
    if before.is_enabled != after.is_enabled:
        changed.append(f"{name}.enabled")
    if before.is_enabled and before.endpoints != after.endpoints:
        changed.append(f"{name}.listen")
    return changed + _differences(name, before.settings, after.settings)


def _differences(section: str, old: object, new: object) -> list[str]:
    kind: Any = type(old)
    if old == new or kind is not type(new) or not attrs.has(kind):
        return []
    return [
        f"{section}.{field.name}"
        for field in attrs.fields(kind)
        if getattr(old, field.name) != getattr(new, field.name)
        and not field.metadata.get("is_live")
    ]
