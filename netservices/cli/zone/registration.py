"""Delegations in a parent's zone: what is there, and what is to be there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import click
from attrs import frozen

from netservices.cli.keys import load_key
from netservices.cli.workplace import Workplace
from netservices.cli.zone.asking import Asker
from netservices.cli.zones import wire_name
from netservices.dns.backend.keys import make_key
from netservices.dns.client.ask import make_query
from netservices.dns.client.delegation import (
    Delegation,
    read_delegation,
    refusal_text,
    registration,
    wanted_delegation,
)
from netservices.dns.options import Peer
from netservices.dns.wire.codes import Rcode, Type
from netservices.dns.wire.message import Message
from netservices.dns.wire.names import (
    ROOT,
    WILDCARD,
    fold,
    is_below,
    name_text,
    parent,
)
from netservices.dns.wire.tsig import Key
from netservices.dns.zonefile.texts import parse_rdata

_KEY = re.compile(r'key\s+"?([^"\s{]+)"?\s*\{(.*?)\}', re.DOTALL)
_FIELD = re.compile(r'\b(algorithm|secret)\s+"?([^"\s;]+)"?\s*;')
_COMMENT = re.compile(r"//[^\n]*|^\s*#[^\n]*", re.MULTILINE)
_STAND_INS = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def read_key_file(text: str) -> Key:
    """The key that a clause ``key "NAME" { algorithm ...; secret ...; };`` writes.
    ValueError."""
    match = _KEY.search(_COMMENT.sub("", text))
    fields = dict(_FIELD.findall(match[2])) if match is not None else {}
    if match is None or set(fields) != {"algorithm", "secret"}:
        raise ValueError('no key "NAME" { algorithm ...; secret ...; } is in it')
    algorithm = fields["algorithm"].rstrip(".").lower()
    return make_key(match[1], algorithm, fields["secret"])


@frozen
class Found:
    """What the parent's server says of a name."""

    delegation: Delegation
    is_certain: bool
    """False where the server has the child's zone too and speaks from that."""


class Registry:
    """The server of a parent's zone."""

    def __init__(self, asker: Asker, child: bytes, parent_zone: bytes | None) -> None:
        if child == ROOT:
            raise click.ClickException("the root has no parent")
        self._asker = asker
        self._child = child
        self.parent = parent_zone or self._find_parent()
        if self._child == self.parent or not is_below(child, self.parent):
            names = name_text(child), name_text(self.parent)
            raise click.ClickException(f"{names[0]} is not below {names[1]}")

    def _find_parent(self) -> bytes:
        """The zone above the child that the server has."""
        reply = self._ask(parent(self._child), Type.SOA)
        for record in (*reply.answer, *reply.authority):
            owner = fold(record.name)
            if record.type == Type.SOA and is_below(parent(self._child), owner):
                return owner
        raise click.ClickException(
            f"{self._asker} has no zone above {name_text(self._child)}; say --parent"
        )

    def _ask(self, name: bytes, type_: Type) -> Message:
        return self._asker.ask(make_query(name, int(type_)))

    def look(self) -> Found:
        """What is there.  Refused where the parent has other records there."""
        reply = self._ask(self._child, Type.NS)
        if reply.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN):
            text = refusal_text(reply.rcode, self.parent, self._child)
            raise click.ClickException(f"{self._asker} does not say: {text}")
        if not reply.answer and not self._is_referral(reply):
            if reply.rcode == Rcode.NOERROR:
                self._refuse_names_below()
            return Found(Delegation(self._child, {}), True)
        replies = [reply, self._ask(self._child, Type.DS)]
        is_certain = not reply.is_authoritative
        if not is_certain:
            servers = read_delegation(self._child, reply).servers
            for server in sorted(servers):
                if is_below(server, self._child):
                    replies += [self._ask(server, t) for t in (Type.A, Type.AAAA)]
        return Found(read_delegation(self._child, *replies), is_certain)

    def _is_referral(self, reply: Message) -> bool:
        return any(
            record.type == Type.NS and fold(record.name) == self._child
            for record in reply.authority
        )

    def _refuse_names_below(self) -> None:
        """The name is there without NS: by its own records, or by names below it that
        a delegation would hide.  Or a wildcard stands for it."""
        star = self._ask(WILDCARD + parent(self._child), Type.NS)
        if star.rcode == Rcode.NXDOMAIN:
            names = name_text(self._child), name_text(self.parent)
            text = f"{names[0]}, or a name below it, has records in {names[1]} already"
            raise click.ClickException(text)

    def is_put(self, wanted: Delegation, ttl: int) -> bool:
        """Put a delegation where the name is not in use; False: it is."""
        nothing = Delegation(self._child, {})
        rcode = self._send(nothing, wanted, ttl)
        if rcode not in (Rcode.NOERROR, Rcode.YXDOMAIN):
            self._refuse(rcode)
        return rcode == Rcode.NOERROR

    def replace(self, old: Delegation, wanted: Delegation, ttl: int) -> None:
        """Put ``wanted`` in the place of ``old``, if that is there."""
        rcode = self._send(old, wanted, ttl)
        if rcode != Rcode.NOERROR:
            self._refuse(rcode)

    def _refuse(self, rcode: int) -> NoReturn:
        text = refusal_text(rcode, self.parent, self._child)
        raise click.ClickException(f"{self._asker} refuses: {text}")

    def _send(self, old: Delegation, wanted: Delegation, ttl: int) -> int:
        return self._asker.ask(registration(self.parent, old, wanted, ttl)).rcode


def register(
    registry: Registry, wanted: Delegation, ttl: int, may_replace: bool
) -> str:
    """Make the delegation what is wanted, or take it away; what that is called."""
    found = registry.look()
    old, child = found.delegation, name_text(wanted.child)
    if not found.is_certain and registry.is_put(wanted, ttl):
        # The child's own servers told of something that the parent did not have.
        old = Delegation(wanted.child, {})
        if wanted:
            return "registered"
    if not wanted and not old:
        text = f"{child} is not delegated in {name_text(registry.parent)}"
        raise click.ClickException(text)
    if wanted and old and old != wanted and not may_replace:
        servers = ", ".join(sorted(map(name_text, old.servers)))
        text = f"{child} is delegated to {servers} already"
        raise click.ClickException(f"{text}; --replace takes its place")
    if old != wanted or not found.is_certain:
        registry.replace(old, wanted, ttl)
    if old == wanted:
        return "unchanged"
    return ("replaced" if old else "registered") if wanted else "removed"


# --- from words to values -----------------------------------------------------------


def wanted_by(child: str, servers: Sequence[str], ds: Sequence[str]) -> Delegation:
    """The delegation that the options write."""
    name = wire_name(child)
    try:
        digests = [parse_rdata(Type.DS, text.split(), ROOT) for text in ds]
        return wanted_delegation(name, servers, digests)
    except ValueError as problem:
        raise click.ClickException(str(problem)) from None


def chosen_key(workplace: Workplace, name: str | None, file: str | None) -> Key | None:
    """The key of the store, or of a file."""
    if name is not None:
        with workplace.open() as bench:
            return load_key(bench, name)
    if file is None:
        return None
    try:
        return read_key_file(Path(file).read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise click.ClickException(f"{file}: {problem}") from None


def chosen_server(workplace: Workplace, written: str | None, key: Key | None) -> Asker:
    """The server that was written, or the one of the state directory."""
    if written is None:
        return Asker(*_own_server(workplace), key)
    try:
        peer = Peer.parse(written)
    except ValueError as problem:
        raise click.ClickException(str(problem)) from None
    return Asker(peer.address, peer.port or 53, key)


def _own_server(workplace: Workplace) -> tuple[str, int]:
    """Where our own server takes questions over TCP."""
    for row in workplace.ask({"verb": "status"})["listeners"]:
        if row["protocol"] == "dns" and row["endpoint"].startswith("tcp"):
            address = row["address"] or "127.0.0.1"
            return _STAND_INS.get(address, address), int(row["port"])
    raise click.ClickException("the server here answers no DNS over TCP; say --server")
