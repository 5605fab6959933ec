"""``--view``: the overlay of a view in place of the zone itself.

An overlay is a zone in the store under a name of its own, so that all that commands do
with zones they do with overlays: ``--view`` puts that name in the place of ORIGIN.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any

import click

from netservices.cli.bench import Bench
from netservices.units import Operation, UpdateZone
from netservices.values import Finding, RRset, Zone, ZoneInfo


def view_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """The option ``--view``, for a command with the argument ``origin``."""

    @functools.wraps(function)
    def run(*arguments: Any, origin: str, view: str | None, **options: Any) -> Any:
        if view is not None:
            origin = _written_overlay(view, origin)
        return function(*arguments, origin=origin, **options)

    help_ = "The overlay of that view instead of the zone itself."
    return click.option("--view", metavar="NAME", help=help_)(run)


def _written_overlay(view: str, origin: str) -> str:
    from netservices.cli.zones import wire_name
    from netservices.dns.wire.names import name_text
    from netservices.dns.zone.overlay import overlay_name

    try:
        return name_text(overlay_name(view, wire_name(origin)))
    except ValueError:
        raise click.ClickException(f"{view!r} is no name of a view") from None


def zone_title(name: bytes) -> str:
    """``example.com.``, or ``example.com. in the view inside``."""
    from netservices.dns.wire.names import name_text
    from netservices.dns.zone.overlay import split_overlay

    found = split_overlay(name)
    if found is None:
        return name_text(name)
    return f"{name_text(found[1])} in the view {found[0]}"


def apex_of(name: bytes) -> bytes:
    """The name of a zone, or of the zone that an overlay lies over."""
    from netservices.dns.zone.overlay import split_overlay

    found = split_overlay(name)
    return name if found is None else found[1]


def view_of(name: bytes) -> str | None:
    """The view whose overlay it is; None for a zone."""
    from netservices.dns.zone.overlay import split_overlay

    found = split_overlay(name)
    return None if found is None else found[0]


def views_with_overlay(bench: Bench, name: bytes) -> tuple[str, ...]:
    """The views that have an overlay of the zone of that name."""
    from netservices.dns.wire.names import fold

    found = bench.get(bench.store.zones.zones())
    overlays = ((view_of(info.name), apex_of(info.name)) for info in found)
    return tuple(view for view, apex in overlays if view and fold(apex) == fold(name))


def refuse_unknown_view(bench: Bench, name: bytes) -> None:
    """Refuse a new overlay of a view that is not configured; zones pass."""
    from netservices.dns.views import Views
    from netservices.dns.zone.overlay import split_overlay

    found = split_overlay(name)
    if found is None:
        return
    names = Views(bench.configuration.dns.views).names
    if found[0] not in names:
        near = get_close_matches(found[0], names, 1)
        instead = f"; did you mean {near[0]}?" if near else ""
        known = f"dns.views has {', '.join(names)}"
        if not names:
            known = "dns.views is empty (--config names the server's configuration)"
        text = f"there is no view {found[0]}: {known}{instead}"
        raise click.ClickException(text)


def new_overlay(bench: Bench, name: bytes) -> Zone | None:
    """An overlay that is still empty, for a zone that there is; None if ``name`` is no
    overlay's."""
    if apex_of(name) == name:
        return None
    refuse_unknown_view(bench, name)
    return Zone(ZoneInfo(name, 0, 0), ())


def serial_raised(bench: Bench, name: bytes, author: str) -> tuple[Operation, ...]:
    """Raise the serial of the zone under an overlay, so that secondaries which see the
    view come for the change; nothing where it is a secondary itself, or no zone."""
    from netservices.cli.zones import today
    from netservices.dns.wire.codes import Type
    from netservices.dns.zonefile import next_serial, with_serial

    apex = apex_of(name)
    if apex == name or _is_secondary(bench, apex):
        return ()
    zone = bench.get(bench.store.zones.load(apex))
    if zone is None:
        return ()
    soa = [rrset for rrset in zone.rrsets if rrset.type == Type.SOA]
    raised = with_serial(soa, next_serial(zone.info.serial, today()))
    return (UpdateZone(apex, (), raised, zone.info.revision, author),)


def _is_secondary(bench: Bench, apex: bytes) -> bool:
    from netservices.dns.backend.shelf import NAMESPACE, ZONE_OPTIONS
    from netservices.dns.wire.names import fold

    key = ZONE_OPTIONS.prefix + fold(apex)
    value = bench.get(bench.store.values.get(NAMESPACE, key))
    return value is not None and bool(ZONE_OPTIONS.read(value).primaries)


def refuse_broken_overlay(name: bytes, rrsets: tuple[RRset, ...]) -> None:
    """Refuse what no overlay can say."""
    from netservices.dns.zonefile.overlay import check_overlay

    findings = check_overlay(apex_of(name), rrsets)
    if findings:
        lines = "\n".join(f"  {finding.text}" for finding in findings)
        text = f"the overlay {zone_title(name)} cannot be served:\n{lines}"
        raise click.ClickException(text)


def overlay_findings(
    bench: Bench, name: bytes, rrsets: tuple[RRset, ...]
) -> list[Finding]:
    """What is wrong with an overlay, and with the zone under it but not without it."""
    from netservices.dns.zonefile.overlay import check_merged, check_overlay

    apex = apex_of(name)
    zone = bench.get(bench.store.zones.load(apex))
    base = zone.rrsets if zone is not None else ()
    return check_overlay(apex, rrsets) or check_merged(apex, base, rrsets)
