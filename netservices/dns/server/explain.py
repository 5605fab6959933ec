"""Explanations of answers, asked for over the control socket."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import evolve

from netservices.core.networks import parse_address
from netservices.dns.dialogue.answer import Dialogue
from netservices.dns.dialogue.explain import Explanation, explain
from netservices.dns.policy import Client, Transport
from netservices.dns.wire.codes import rcode_name, type_name, type_number
from netservices.dns.wire.names import name_text, parse_name
from netservices.values import RRset

SECTIONS = ("answer", "authority", "additional")

_DEFAULTS = {
    "name": ".",
    "type": "A",
    "address": "127.0.0.1",
    "server": "",
    "view": "",
    "transport": "udp",
}
_TRANSPORTS = {member.name.lower(): member for member in Transport}


def as_row(explanation: Explanation) -> dict[str, Any]:
    """Steps and sections, records as lines of a master file."""
    # Only here: presentation formats take a library that a plain start does
    # without.
    from netservices.dns.zonefile.write import record_text

    row: dict[str, Any] = {
        "steps": [
            {
                "rule": step.rule,
                "text": step.text,
                "records": [
                    record_text(rrset, rdata)
                    for rrset in step.records
                    for rdata in rrset.rdatas
                ],
            }
            for step in explanation.steps
        ]
    }
    if explanation.reply is not None:
        row["rcode"] = rcode_name(explanation.reply.rcode)
        row["is_authoritative"] = explanation.reply.is_authoritative
        row["is_truncated"] = explanation.reply.is_truncated
        for section in SECTIONS:
            row[section] = [
                record_text(RRset(r.name, r.type, r.ttl, (r.rdata,)), r.rdata)
                for r in getattr(explanation.reply, section)
            ]
    return row


def explain_request(
    dialogue: Dialogue, see: Callable[[Client], Client], request: Mapping[str, Any]
) -> dict[str, Any]:
    """The explanation that ``request`` asks for, as JSON: ``name``, ``type``,
    ``address`` (of the client), ``server`` (the address asked), ``view`` (in place of
    the one that ``see`` gives that client) and ``transport``.  ValueError."""
    words = {}
    for key, default in _DEFAULTS.items():
        word = words[key] = request.get(key, default)
        if not isinstance(word, str):
            raise ValueError(f"{key} is a text")
    if words["transport"] not in _TRANSPORTS:
        raise ValueError(f"transport is one of {', '.join(_TRANSPORTS)}")
    address = parse_address(words["address"])
    if address is None:
        raise ValueError(f"{words['address']!r} is no IP address")
    transport = _TRANSPORTS[words["transport"]]
    client = see(Client(address.compressed, transport, words["server"]))
    if words["view"]:
        if words["view"] not in dialogue.views:
            raise ValueError(f"there is no view {words['view']}")
        client = evolve(client, view=words["view"])
    name, qtype = parse_name(words["name"]), type_number(words["type"])
    shown = as_row(explain(dialogue, name, qtype, client))
    return {"name": name_text(name), "type": type_name(qtype), **shown}
