"""Why a question gets its answer, from the packet to the reply."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from netservices.dns.dialogue.answer import Dialogue
from netservices.dns.dialogue.later import Later
from netservices.dns.policy import Client, Transport
from netservices.dns.wire.codes import (
    Class,
    Rcode,
    Type,
    type_name,
)
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message, Question
from netservices.dns.wire.names import fold, name_text
from netservices.dns.zone.explain import Step, explain_lookup
from netservices.dns.zone.overlay import MergedTree
from netservices.dns.zone.tree import ZoneTree

_UDP_SIZE = 1232
_TRANSFERS = (Type.AXFR, Type.IXFR)


@frozen
class Explanation:
    """The steps to an answer, and the answer."""

    steps: tuple[Step, ...]
    reply: Message | None
    """As the server gives it; None: it takes its time, or says nothing."""


def explain(dialogue: Dialogue, name: bytes, qtype: int, client: Client) -> Explanation:
    """Why ``client`` gets what it gets."""
    question = Question(name, qtype, Class.IN)
    edns = Edns(udp_size=_UDP_SIZE) if client.transport is Transport.UDP else None
    data = Message(id=1, questions=(question,), edns=edns).encode()
    composed = dialogue.compose(data, client)
    reply = None
    if composed is not None and not isinstance(composed, Later):
        reply = Message.parse(composed[0])
    steps = tuple(_steps(dialogue, fold(name), qtype, client, reply))
    return Explanation(steps, reply)


def _steps(
    dialogue: Dialogue,
    name: bytes,
    qtype: int,
    client: Client,
    reply: Message | None,
) -> Iterator[Step]:
    if client.view:
        text = f"{client.address} sees the view {client.view}"
        yield Step("dns.views", text)
    if qtype in _TRANSFERS:
        yield Step("RFC 5936 2", f"{type_name(qtype)} is a transfer, no lookup")
        return
    zones = dialogue.views[client.view] if client.view else dialogue.zones
    tree = zones.find(name, qtype)
    if tree is None:
        text = f"no zone of this server has {name_text(name)}: REFUSED"
        yield Step("RFC 1034 4.3.2 step 2, RFC 5358 4", text, ending="refused")
        return
    yield _nearest(tree, name, qtype)
    if isinstance(tree, MergedTree) and name in tree.overlay.names:
        text = f"the overlay of {client.view} has a say at {name_text(name)}"
        yield Step("dns.views", text)
    if reply is not None and reply.rcode == Rcode.REFUSED:
        text = f"{client.address} may not ask that zone: REFUSED"
        yield Step("RFC 1035 4.1.1", text, ending="refused")
        return
    if tree.soa is None:
        text = "the zone has no SOA, and so cannot be served: SERVFAIL"
        yield Step("RFC 1035 5.2", text, ending="failure")
        return
    if reply is not None and reply.rcode in (Rcode.NOTIMP, Rcode.FORMERR):
        text = f"{type_name(qtype)} is no type that can be asked for"
        yield Step("RFC 6895 3.1", text, ending="refused")
        return
    policy = dialogue.policy
    yield from explain_lookup(tree, name, qtype, policy.pick_any, policy.max_chain)
    if reply is not None:
        yield from _around(reply, policy.is_minimal)


def _nearest(tree: ZoneTree, name: bytes, qtype: int) -> Step:
    """Step 2."""
    text = f"{name_text(tree.apex)} is the nearest zone above, serial {tree.serial}"
    if name == tree.apex:
        text = f"{name_text(name)} is a zone of this server, serial {tree.serial}"
    rule = "RFC 1034 4.3.2 step 2"
    if qtype == Type.DS and name != tree.apex:
        rule += ", RFC 4035 3.1.4.1"
    return Step(rule, text)


def _around(reply: Message, is_minimal: bool) -> Iterator[Step]:
    """What else is in the reply."""
    if is_minimal:
        yield Step("dns.minimal_responses", "nothing is added that was not asked for")
    elif reply.additional:
        text = "addresses that will be asked for next are in the additional section"
        yield Step("RFC 1034 4.3.2 step 6", text)
    if reply.is_truncated:
        text = "the whole answer does not fit: TC, and the client asks again over TCP"
        yield Step("RFC 2181 9", text)
