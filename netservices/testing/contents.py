"""What a server for a test has in its store from the beginning."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import attrs

from netservices.accounts.bootstrap import domain_of, first_start
from netservices.accounts.credentials import first_secrets
from netservices.config.loading import Configuration
from netservices.core.deferreds import value_of
from netservices.domains import first_domain
from netservices.service.state import prepare
from netservices.store.sqlite import SQLiteStore
from netservices.units import CreateAccount, CreateZone, Operation, Unit

Accounts: TypeAlias = Sequence[tuple[str, str]]
"""Logins with their passwords."""

Zones: TypeAlias = Mapping[str, str | os.PathLike[str]]
"""Origins with the text of a master file, or with a path object that names one."""

_LOOPBACK = "127.0.0.1"


def fill(configuration: Configuration, accounts: Accounts, zones: Zones) -> None:
    """Make the store with its first domain, the accounts and the zones.

    ValueError for a zone that cannot be served, ZoneFileError for one that
    cannot be read.
    """
    directory = configuration.state_directory
    prepare(directory)
    store = SQLiteStore(directory, configuration.store, None)
    value_of(store.open())
    try:
        hostname = configuration.hostname
        further = partial(first_domain, hostname, _LOOPBACK)
        value_of(first_start(store, hostname, configuration.accounts, further))
        # Short passwords make tests readable.
        lenient = attrs.evolve(configuration.accounts, shortest_password=1)
        operations = [_account(one, hostname, lenient) for one in accounts]
        operations += [_zone(origin, source) for origin, source in zones.items()]
        if operations:
            value_of(store.apply(Unit(tuple(operations))))
    finally:
        value_of(store.close())


def _account(pair: tuple[str, str], hostname: str, settings: Any) -> Operation:
    login, password = pair
    name, _, domain = login.partition("@")
    secrets = first_secrets(password, settings)
    return CreateAccount(name, domain or domain_of(hostname), secrets=secrets)


def _zone(origin: str, source: str | os.PathLike[str]) -> Operation:
    # Only here: most tests read no zones, and the library for it takes a while.
    from netservices.dns.wire.names import parse_name
    from netservices.dns.zonefile import FATAL_CODES, check_zone, read_zone

    apex = parse_name(f"{origin.rstrip('.')}.")
    rrsets = read_zone(source, apex, file=f"the zone {origin}")
    for finding in check_zone(apex, rrsets):
        if finding.code in FATAL_CODES:
            raise ValueError(
                f"the zone {origin} cannot be served: {finding.object}: {finding.text}"
            )
    return CreateZone(apex, rrsets)
