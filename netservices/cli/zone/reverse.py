"""``netservices zone reverse``: reverse zones from forward records."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import click

from netservices.cli.workplace import Workplace, pass_workplace

if TYPE_CHECKING:
    from netservices.cli.bench import Bench
    from netservices.values import RRset, Zone


@click.command("reverse", short_help="Make reverse zones, or bring them up to date.")
@click.argument("what", metavar="NETWORK|ORIGIN")
@click.option("--origin", help="The name of the reverse zone, if it is a special one.")
@click.option("--ns", "servers", multiple=True, help="A server of new zones.")
@click.option("--all-names", is_flag=True, help="Point to all names, not to one.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@pass_workplace
def make_reverse(
    workplace: Workplace,
    what: str,
    origin: str | None,
    servers: tuple[str, ...],
    all_names: bool,
    dry_run: bool,
) -> None:
    """Make the reverse zone of a NETWORK, or bring it up to date, from the addresses
    in all zones; or bring all reverse zones up to date for the zone ORIGIN.

    A pointer stays while its name has the address; one to a name elsewhere always
    stays.
    """
    from netservices.dns.zonefile.reverse import gather, reverse_origins

    with workplace.open() as bench:
        forward = _forward_zones(bench)
        names = gather((zone.info.name, zone.rrsets) for zone in forward)
        work = _Work(bench, forward, names, all_names, dry_run, servers)
        try:
            network = ip_network(what)
        except ValueError:
            work.update_for(what)
            return
        try:
            for name, part in _named(reverse_origins(network), origin):
                work.make(name, part)
        except ValueError as problem:
            raise click.ClickException(str(problem)) from None


def _named(origins: list[Any], origin: str | None) -> list[Any]:
    """The zones, under another name where one is given."""
    from netservices.cli.zones import wire_name

    if origin is None:
        return origins
    if len(origins) > 1:
        raise ValueError("this network takes several zones: --origin names but one")
    return [(wire_name(origin), origins[0][1])]


def _forward_zones(bench: Bench) -> list[Zone]:
    """All zones that are neither reverse ones nor overlays."""
    from netservices.cli.zone.overlays import view_of
    from netservices.dns.zonefile.reverse import network_of

    found = []
    for info in bench.get(bench.store.zones.zones()):
        if view_of(info.name) is None and network_of(info.name) is None:
            zone = bench.get(bench.store.zones.load(info.name))
            if zone is not None:
                found.append(zone)
    return found


class _Work:
    """Making and changing reverse zones."""

    def __init__(
        self,
        bench: Bench,
        forward: list[Zone],
        names: Any,
        has_all: bool,
        is_dry: bool,
        servers: tuple[str, ...],
    ) -> None:
        self._bench = bench
        self._forward = forward
        self._names = names
        self._has_all = has_all
        self._is_dry = is_dry
        self._servers = servers

    def update_for(self, origin: str) -> None:
        """Bring the reverse zones of a forward zone's addresses up to date."""
        from netservices.cli.zones import load_zone
        from netservices.dns.zonefile.reverse import gather, network_of

        zone = load_zone(self._bench, origin)
        left = set(gather([(zone.info.name, zone.rrsets)]))
        for info in self._bench.get(self._bench.store.zones.zones()):
            network = network_of(info.name)
            if network is None:
                continue
            covered = {address for address in left if _covers(network, address)}
            if covered:
                left -= covered
                self.make(info.name, network)
        if left:
            click.echo(
                "no reverse zone here has "
                + ", ".join(str(address) for address in sorted(left, key=str))
                + ": netservices zone reverse NETWORK",
                err=True,
            )

    def make(self, name: bytes, network: Any) -> None:
        """Make one zone, or bring it up to date."""
        from netservices.cli.zones import change_zone, import_rrsets
        from netservices.dns.wire.names import name_text
        from netservices.dns.zonefile import by_key, compare
        from netservices.dns.zonefile.reverse import delegation_lines, pointers

        zone = self._bench.get(self._bench.store.zones.load(name))
        before = self._new(name) if zone is None else zone.rrsets
        apexes = [forward.info.name for forward in self._forward]
        removed, added = pointers(
            name, network, before, self._names, apexes, self._has_all
        )
        after = by_key(before)
        for key in removed:
            del after[key]
        after.update(by_key(added))
        comparison = compare(() if zone is None else before, after.values())
        if zone is None and not self._is_dry:
            import_rrsets(self._bench, name_text(name), tuple(after.values()), True)
            for line in delegation_lines(name, network):
                click.echo(f"the zone above needs: {line}", err=True)
        elif comparison and zone is not None and not self._is_dry:
            change_zone(self._bench, zone, removed, added)
        # What is told is done: whoever reads may stop reading.
        for line in comparison.lines():
            click.echo(line)

    def _new(self, name: bytes) -> tuple[RRset, ...]:
        """The SOA and NS of a new reverse zone: those servers that are given, or those
        of the first forward zone."""
        from netservices.cli.zones import wire_name
        from netservices.dns.wire.codes import Type
        from netservices.dns.wire.names import fold
        from netservices.dns.zonefile import new_zone

        servers = [wire_name(server) for server in self._servers]
        for zone in self._forward if not servers else ():
            for rrset in zone.rrsets:
                if rrset.type == Type.NS and fold(rrset.owner) == fold(zone.info.name):
                    return new_zone(name, rrset.rdatas)
        if not servers:
            raise click.ClickException("say which server it has: --ns NAME")
        return new_zone(name, servers)


def _covers(network: Any, address: Any) -> bool:
    return network.version == address.version and address in network
