"""Mistakes in zones, looked for on a command's bench."""

from __future__ import annotations

from typing import Any

from netservices.cli.bench import Bench, Progress
from netservices.cli.zone.overlays import apex_of, overlay_findings, view_of
from netservices.cli.zones import load_zone, read_master_file, today, wire_name
from netservices.dns.wire.codes import type_number
from netservices.dns.wire.names import fold, is_below, parse_name
from netservices.dns.zone.tree import ZoneTree
from netservices.dns.zonefile.changes import Key
from netservices.dns.zonefile.check import check_tree, tree_of
from netservices.dns.zonefile.lint import level_of, lint
from netservices.values import Finding


def findings_of(
    bench: Bench, origin: str, file: str | None, online_port: int, report: Progress
) -> list[dict[str, Any]]:
    """All findings as rows, the worst first; name servers are asked at that port, if it
    is not 0."""
    name = wire_name(origin)
    places: dict[Key, str] = {}
    warnings: list[Finding] = []
    if file is None:
        rrsets = load_zone(bench, origin).rrsets
    else:
        rrsets = read_master_file(
            origin, file, report, warnings=warnings, places=places
        )
    if apex_of(name) != name:
        findings = warnings + overlay_findings(bench, name, rrsets)
    else:
        tree, found = tree_of(name, rrsets)
        findings = warnings + check_tree(tree, found)
        findings += lint(tree, today(), _Others(bench, tree.apex).find)
        if online_port:
            from netservices.cli.zone.online import lame_servers

            findings += lame_servers(tree, online_port)
    order = ("error", "warning", "note")
    rows = [_row(finding, places) for finding in dict.fromkeys(findings)]
    return sorted(rows, key=lambda row: order.index(row["level"]))


def _row(finding: Finding, places: dict[Key, str]) -> dict[str, Any]:
    return {
        "level": level_of(finding),
        "code": finding.code,
        "name": finding.object,
        "problem": finding.text,
        "where": _place(finding, places),
    }


def _place(finding: Finding, places: dict[Key, str]) -> str | None:
    """Where the RRset that a finding is about stands in the file."""
    if not places:
        return None
    owner = fold(parse_name(finding.object))
    for word in finding.text.split():
        try:
            found = places.get((owner, type_number(word.rstrip(":"))))
        except ValueError:
            continue
        if found is not None:
            return found
    return next((place for (name, _), place in places.items() if name == owner), None)


class _Others:
    """The other zones of the store, loaded when a record points into them."""

    def __init__(self, bench: Bench, apex: bytes) -> None:
        self._bench = bench
        infos = bench.get(bench.store.zones.zones())
        names = [fold(info.name) for info in infos if view_of(info.name) is None]
        self._names = sorted((n for n in names if n != apex), key=len, reverse=True)
        self._trees: dict[bytes, ZoneTree] = {}

    def find(self, target: bytes) -> ZoneTree | None:
        """The zone with the longest name that ``target`` is in."""
        for name in self._names:
            if is_below(target, name):
                if name not in self._trees:
                    zone = self._bench.get(self._bench.store.zones.load(name))
                    rrsets = () if zone is None else zone.rrsets
                    self._trees[name] = tree_of(name, rrsets)[0]
                return self._trees[name]
        return None
