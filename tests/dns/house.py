"""A whole DNS server on a store in memory, for the tests of this package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen
from zope.interface import implementer

from netservices.config.settings import LogSettings
from netservices.core.deferreds import value_of
from netservices.core.limits import Limits, LimitsSettings
from netservices.dns.server.authority import Authority
from netservices.dns.settings import DNSSettings
from netservices.dns.wire.names import parse_name
from netservices.dns.zonefile import read_zone
from netservices.interfaces import IEvents, IStore
from netservices.plugin import Services
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.units import CreateZone, Operation, Unit


@implementer(IEvents)
class Recorder:
    """Events, kept in a list."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Mapping[str, object]]] = []

    def emit(self, event: str, /, **fields: object) -> None:
        """Keep it."""
        self.events.append((event, fields))

    def subscribe(
        self, sink: Callable[[Mapping[str, object]], None]
    ) -> Callable[[], None]:
        """Nobody listens here."""
        return lambda: None


@frozen
class Configuration:
    """As much of the configuration as the DNS server looks at."""

    log: LogSettings
    state_directory: str = ""


def make_store() -> SQLiteStore:
    """An open store in memory, whose Deferreds have all fired."""
    store = SQLiteStore(None, StoreSettings(), None)
    value_of(store.open())
    return store


def apply(store: IStore, *operations: Operation) -> tuple[Any, ...]:
    """Do the operations now."""
    return value_of(store.apply(Unit(operations)))


def add_zone(store: IStore, text: str, origin: str = "example.com.") -> None:
    """Put a master file's zone into the store."""
    apply(store, CreateZone(parse_name(origin), read_zone(text, origin)))


def make_services(store: IStore, clock: Any, trace: bool = False) -> Services:
    """What the server needs of the house."""
    unused: Any = None
    return Services(
        store=store,
        accounts=unused,
        files=unused,
        certificates=unused,
        events=Recorder(),
        limits=Limits(LimitsSettings(), clock.seconds),
        clock=clock,
        hostname="localhost",
        settings=Configuration(LogSettings(trace=trace)),
    )


def make_authority(store: IStore, clock: Any, **settings: Any) -> Authority:
    """A server of what is in ``store``, whose answers are the same each time; ``start``
    loads it."""
    settings = {"rotation": "none", **settings}
    return Authority(DNSSettings(**settings), make_services(store, clock))
