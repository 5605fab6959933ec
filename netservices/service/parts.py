"""The parts of a server, made before anything is touched.

Whatever a configuration can be refused for is found while its parts are made: settings
that contradict each other or the machine, files that cannot be read, endpoints that a
protocol does not serve.  To make a part opens nothing, starts nothing and writes
nothing into the state directory; so ``--check`` makes the parts and stops there, and a
start makes them before it binds a socket or creates a store.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from netservices.accounts.service import Accounts
from netservices.config.discovery import load_target
from netservices.config.endpoint import Endpoint
from netservices.config.loading import Configuration, Protocol
from netservices.core.errors import ConfigurationError
from netservices.core.limits import Limits
from netservices.core.trace import traced
from netservices.events import Events
from netservices.files.service import Files
from netservices.listen import refuse_unfit
from netservices.plugin import Server, Services
from netservices.sockets import Passed
from netservices.store.sqlite import SQLiteStore
from netservices.tls.certificates import Certificates


@frozen
class Parts:
    """What a start starts."""

    store: SQLiteStore
    events: Events
    accounts: Accounts
    files: Files
    services: Services
    servers: Mapping[str, Server]


def make_parts(configuration: Configuration, reactor: Any) -> Parts:
    """The parts of a server, none of them started.  ConfigurationError."""
    directory = configuration.state_directory
    certificates = Certificates(configuration.tls, directory, configuration.hostname)
    store = SQLiteStore(directory, configuration.store, reactor)
    events = Events(configuration.log, directory, reactor)
    events.check()
    # Not the reactor's clock, which is the wall's: set back, it would keep lock-outs.
    limits = Limits(configuration.limits, time.monotonic)
    accounts = Accounts(
        store.records, store, configuration.accounts, limits, events, reactor
    )
    files = Files(directory, store, configuration.files, reactor)
    services = Services(
        store=store,
        accounts=accounts,
        files=files,
        certificates=certificates,
        events=events,
        limits=limits,
        clock=reactor,
        hostname=configuration.hostname,
        settings=configuration,
    )
    servers = {
        protocol.plugin.name: _make_server(protocol, services)
        for protocol in configuration.enabled()
    }
    return Parts(store, events, accounts, files, services, servers)


def check(
    configuration: Configuration, reactor: Any, passed: Passed | None = None
) -> list[str]:
    """Refuse what a start from here would refuse; what it would log as advice.
    ConfigurationError."""
    passed = Passed() if passed is None else passed
    parts = make_parts(configuration, reactor)
    for protocol in configuration.enabled():
        for endpoint in protocol.endpoints:
            _check_inherited(endpoint, passed)
    return advice_of(parts.servers)


def advice_of(servers: Mapping[str, Server]) -> list[str]:
    """What the operator should look at, a line each, with the protocol's name."""
    return [
        f"{name}: {text}"
        for name, server in servers.items()
        if server.advice is not None
        for text in server.advice()
    ]


def _make_server(protocol: Protocol, services: Services) -> Server:
    make_server = load_target(protocol.plugin)
    name = protocol.plugin.name
    try:
        server: Server = make_server(protocol.settings, services)
    except ValueError as error:
        raise ConfigurationError(f"[{name}]: {error}") from error
    for endpoint in protocol.endpoints:
        refuse_unfit(name, endpoint, server)
    if server.datagram is not None and not server.traces_datagrams:
        server.datagram = traced(server.datagram, services.trace)
    return server


def _check_inherited(endpoint: Endpoint, passed: Passed) -> None:
    """Refuse sockets of systemd or a parent that are not there."""
    if endpoint.kind == "systemd":
        passed.require(endpoint.path)
    elif endpoint.fd is not None:
        try:
            is_socket = stat.S_ISSOCK(os.fstat(endpoint.fd).st_mode)
        except OSError:
            is_socket = False
        if not is_socket:
            raise ConfigurationError(f"descriptor {endpoint.fd} is not a socket")
