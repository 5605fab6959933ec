"""All that a protocol author imports: describe the plugin, return a ``Server``.

A plugin is one value in a file of a package's ``twisted/plugins/`` directory::

    from netservices.plugin import ProtocolPlugin

    shout = ProtocolPlugin(
        name="shout",
        target="netservices_shout.make_server",
        summary="Upper-case echo over UDP.",
        listen=("udp:12000",),
    )

and a function that makes its server from its settings and the services that all
protocols share.  It opens nothing and starts nothing: ``--check`` calls it too, and
what it refuses with ``ConfigurationError`` or ``ValueError`` is refused before anything
exists; the store is open when ``Server.start`` is called::

    def make_server(settings, services):
        return Server(datagram=lambda data, address, local: data.upper())

The flags ``--shout`` and ``--shout-listen``, the settings in TOML and ``--set``, TLS
and systemd sockets, drain, limits, events, help and documentation come from the
framework.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib import import_module
from typing import Any, Protocol, TypeAlias

import attrs
from attrs import define, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory, IReactorTime
from twisted.plugin import IPlugin
from zope.interface import Attribute, Interface, implementer

from netservices.core.partners import Partners
from netservices.core.settings import (
    Duration,
    PortRange,
    Setting,
    Size,
    setting,
    settings,
)
from netservices.core.trace import Trace, trace_to_log
from netservices.interfaces import IAccounts, ICertificates, IEvents, IFiles, IStore

__all__ = [
    "DatagramAnswer",
    "Duration",
    "IProtocolPlugin",
    "OpenSession",
    "PortRange",
    "ProtocolPlugin",
    "Server",
    "Services",
    "Setting",
    "Size",
    "Verb",
    "setting",
    "settings",
]

DatagramAnswer: TypeAlias = Callable[[bytes, Any, Any], bytes | None]
"""``(data, address, local) -> reply or None``; ``address`` and ``local`` are what the
port's ``send(data, address, local)`` takes for an answer that comes later."""

Verb: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Answers one request of the control socket; ``LookupError`` and ``ValueError`` become
its error."""


class IProtocolPlugin(Interface):
    """A protocol that ``twistd netservices`` can serve."""

    name: str = Attribute("lower-case letters and digits: the flag and the TOML table")
    target: str = Attribute("dotted name of make_server(settings, services) -> Server")
    summary: str = Attribute("one line of help")
    listen: tuple[str, ...] = Attribute("default endpoints, at the standard ports")
    settings: str = Attribute("dotted name of the settings class, or empty")
    after: tuple[str, ...] = Attribute("names of plugins that start before this one")


def _check_name(_instance: object, _attribute: object, value: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9]*", value):
        raise ValueError(f"plugin name {value!r} is not lower-case letters and digits")


@implementer(IPlugin, IProtocolPlugin)
@frozen
class ProtocolPlugin:
    """The description of a protocol, cheap to import: its code is loaded when it is
    used."""

    name: str = attrs.field(validator=_check_name)
    target: str
    summary: str
    listen: tuple[str, ...] = attrs.field(converter=tuple)
    settings: str = ""
    after: tuple[str, ...] = ()

    def load_target(self) -> Callable[[Any, Services], Server]:
        """The function that makes the server.  ImportError, AttributeError."""
        loaded: Callable[[Any, Services], Server] = _load(self.target)
        return loaded

    def load_settings(self) -> type | None:
        """The settings class.  ImportError, AttributeError."""
        return _load(self.settings) if self.settings else None


def _load(dotted_name: str) -> Any:
    module_name, _, name = dotted_name.rpartition(".")
    return getattr(import_module(module_name), name)


@frozen
class Services:
    """What all protocols share; handed to each plugin's target."""

    store: IStore
    accounts: IAccounts
    files: IFiles
    certificates: ICertificates
    events: IEvents
    limits: Any
    """``core.limits.Limits``: counts by account, address and network."""
    clock: IReactorTime
    hostname: str
    settings: Any
    """The whole configuration: ``settings.server``, ``settings.accounts``, ``.ftp``,
    ..."""
    partners: Partners = attrs.field(factory=Partners)
    """What protocols offer each other."""

    @property
    def trace(self) -> Trace | None:
        """What shows conversations in the log, for ``LineSession`` and its like; None
        unless ``log.trace`` is set."""
        return trace_to_log if self.settings.log.trace else None


class OpenSession(Protocol):
    """One session, as ``netservices session`` sees it."""

    def status(self) -> Mapping[str, Any]:
        """What it is and does, as far as it can tell: ``session`` (its id in events and
        traces), ``account``, ``address``, ``since`` (in seconds since 1970),
        ``idle_seconds``, ``tls`` (the version), ``client``, ``directory``, and
        ``transfer``: None, or a mapping with ``verb``, ``path``, ``octets``,
        ``total_octets``, ``percent``, ``rate`` (octets a second, now), ``seconds``."""

    def end(self) -> None:
        """End it as politely as the protocol can, soon; also in the middle of what it
        does."""


@define
class Server:
    """What answers on a protocol's listeners, and what happens at start, reload and
    stop.

    ``stream`` serves ``tcp``, ``tls``, ``unix`` and stream ``systemd`` listeners; one
    that says ``role=NAME`` is served by ``roles[NAME]`` instead.  A ``tls`` listener
    hands over connections on which TLS is already running.  ``datagram`` answers
    ``udp`` listeners. At a stop, listeners close first; then every connection whose
    protocol has a ``drain()`` method is told so, and ``drain`` here is waited for until
    the deadline; then ``stop``.
    """

    stream: IProtocolFactory | None = None
    roles: Mapping[str, IProtocolFactory] = attrs.field(factory=dict)
    datagram: DatagramAnswer | None = None
    traces_datagrams: bool = False
    """Whether ``datagram`` writes the trace itself, where ``log.trace`` is set; the
    framework shows octets only."""
    start: Callable[[], Deferred[None] | None] | None = None
    reload: Callable[[], Deferred[None] | None] | None = None
    reconfigure: Callable[[Any], None] | None = None
    """Takes the protocol's settings as a reload has found them, before ``reload``;
    those that are not ``is_live`` wait for a restart."""
    drain: Callable[[], Deferred[None] | None] | None = None
    stop: Callable[[], Deferred[None] | None] | None = None
    settle: Callable[[], Deferred[None] | None] | None = None
    """Fires when every change that the store has announced so far is in force; the
    ``netservices`` commands wait for it."""
    advice: Callable[[], Iterable[str]] | None = None
    """What works, but hardly as it is meant to: a line each, which ``--check`` shows
    and a start logs."""
    status: Callable[[], Mapping[str, Any]] | None = None
    """Numbers that ``netservices status`` shows."""
    sessions: Callable[[], Iterable[OpenSession]] | None = None
    """All sessions of now, which ``netservices session`` lists and ends."""
    late_modules: tuple[str, ...] = ()
    """Dotted names of modules that the start does without, and somebody wants later:
    they are imported in a thread once everything listens, so nobody waits for them."""
    verbs: Mapping[str, Verb] = attrs.field(factory=dict)
    """What commands may ask of it over the control socket, there under the plugin's
    name: ``refresh`` of the plugin ``dns`` is ``dns.refresh``."""
