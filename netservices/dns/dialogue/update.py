"""Dynamic update (RFC 2136): what a request says, and what it makes of a zone.

Nothing here waits or writes: ``perform`` looks at a draft of the zone and changes it,
or says why not.  Who calls it sees to it that the draft lies on what is committed.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve, frozen

from netservices.core.errors import SyntaxProblem
from netservices.dns.grants import Rights, is_data_type
from netservices.dns.wire.codes import Class, Rcode, Type
from netservices.dns.wire.message import Message, Record
from netservices.dns.wire.names import fold, is_below
from netservices.dns.wire.rdata import SOA
from netservices.dns.wire.serials import is_newer_serial, next_serial
from netservices.dns.zone.draft import Draft, RRsets, canonical_rdata
from netservices.values import RRset

_COUNTS_AT = 4
_HEADER_OCTETS = 12
_WKS_KEY_OCTETS = 5

MAX_RRSET_OCTETS = 64_000
"""An RRset and its owner in an answer, or in a transfer; question, OPT and signature
take the rest of a message."""
_FIXED_OCTETS = 12
"""Of a record, with a pointer to its owner."""

# RFC 4035 2.5, RFC 2181 10.1: what may stand beside a CNAME.
_BESIDE_CNAME = frozenset((Type.CNAME, Type.RRSIG, Type.NSEC, Type.KEY, Type.SIG))
# A name has one of these at most, and a new one replaces it.
_SINGLE = frozenset((Type.CNAME, Type.DNAME, Type.SOA))
_KEPT_AT_APEX = frozenset((Type.SOA, Type.NS))


class UpdateRefused(Exception):
    """A request that is not carried out."""

    def __init__(self, rcode: int, reason: str) -> None:
        super().__init__(reason)
        self.rcode = rcode
        self.reason = reason


@frozen
class UpdateLimits:
    """What one update may do to a name."""

    rrset_records: int = 100
    """Records of one name and type."""
    name_types: int = 100
    """Types of records of one name."""


@frozen
class Update:
    """A request; RFC 2136 2."""

    message: Message
    zone: bytes
    """Folded."""

    @property
    def prerequisites(self) -> tuple[Record, ...]:
        """RFC 2136 2.4."""
        return self.message.answer

    @property
    def changes(self) -> tuple[Record, ...]:
        """RFC 2136 2.5."""
        return self.message.authority

    @property
    def size(self) -> int:
        """Records that have to be looked at."""
        return len(self.prerequisites) + len(self.changes)


def read_update(data: bytes, max_records: int) -> Update:
    """The request in ``data``.  UpdateRefused."""
    counts = [
        int.from_bytes(data[at : at + 2], "big")
        for at in range(_COUNTS_AT, _HEADER_OCTETS, 2)
    ]
    # RFC 2136 3.1.1
    if counts[0] != 1:
        raise UpdateRefused(Rcode.FORMERR, "not exactly one zone")
    if sum(counts[1:]) > max_records:
        raise UpdateRefused(Rcode.REFUSED, "too many records")
    try:
        message = Message.parse(data)
    except SyntaxProblem as problem:
        raise UpdateRefused(Rcode.FORMERR, problem.log_text) from None
    (zone,) = message.questions
    if zone.type != Type.SOA:
        raise UpdateRefused(Rcode.FORMERR, "the zone is not of type SOA")
    # RFC 2136 2.3: the class of a zone; NONE, ANY and 0 are no such.
    if zone.class_ in (0, Class.NONE, Class.ANY):
        raise UpdateRefused(Rcode.FORMERR, "the class is none that a zone has")
    if zone.class_ != Class.IN:
        raise UpdateRefused(Rcode.NOTAUTH, "a class that is not here")
    return Update(message, fold(zone.name))


def perform(
    update: Update,
    draft: Draft,
    rights: Rights,
    limits: UpdateLimits,
    today: int,
    check_rdata: Callable[[int, bytes], None] = lambda type_, rdata: None,
) -> None:
    """Carry the request out on the draft.  UpdateRefused; then the draft is spoilt.

    ``today`` is the date as 20261121, for serials of that form; ``check_rdata`` raises
    ValueError for what could not be written into a master file.
    """
    _check_prerequisites(update, draft)
    # Not RFC 2136 3.3: rights are looked at after the prescan, as they cannot be told
    # for names outside of the zone.
    _prescan(update, check_rdata)
    _check_rights(update, draft, rights)
    for record in update.changes:
        if record.class_ == Class.IN:
            _add(draft, record)
        elif record.class_ == Class.NONE:
            _delete_record(draft, record)
        elif record.type == Type.ANY:
            _clear(draft, fold(record.name))
        else:
            _delete_rrset(draft, fold(record.name), record.type)
    _check_limits(draft, limits)
    _raise_serial(draft, today)


# --- prerequisites; RFC 2136 3.2 -----------------------------------------------------


def _check_prerequisites(update: Update, draft: Draft) -> None:
    wanted: dict[tuple[bytes, int], set[bytes]] = {}
    for record in update.prerequisites:
        owner = fold(record.name)
        if record.ttl:
            raise UpdateRefused(Rcode.FORMERR, "a prerequisite with a TTL")
        if not is_below(owner, update.zone):
            raise UpdateRefused(Rcode.NOTZONE, "a prerequisite of another zone")
        # RFC 2136 3.2.5: types that no record has are no error here; there is none.
        if record.class_ == Class.IN:
            members = wanted.setdefault((owner, record.type), set())
            members.add(canonical_rdata(record.type, record.rdata))
        elif record.class_ in (Class.ANY, Class.NONE):
            _check_presence(record, draft.at(owner))
        else:
            raise UpdateRefused(Rcode.FORMERR, "a prerequisite of another class")
    for (owner, type_), members in wanted.items():
        # RFC 2136 3.2.3: the same members, no more, no less.
        rrset = draft.at(owner).get(type_)
        if rrset is None or members != _canonical(rrset):
            raise UpdateRefused(Rcode.NXRRSET, "an RRset is not as it should be")


def _check_presence(record: Record, rrsets: RRsets) -> None:
    """RFC 2136 3.2.1, 3.2.2: names and RRsets that have to be there, or must not."""
    if record.rdata:
        raise UpdateRefused(Rcode.FORMERR, "a prerequisite with data")
    is_wanted = record.class_ == Class.ANY
    if record.type == Type.ANY:
        if bool(rrsets) != is_wanted:
            rcode = Rcode.NXDOMAIN if is_wanted else Rcode.YXDOMAIN
            raise UpdateRefused(rcode, "a name is not as it should be")
        return
    if (record.type in rrsets) != is_wanted:
        rcode = Rcode.NXRRSET if is_wanted else Rcode.YXRRSET
        raise UpdateRefused(rcode, "an RRset is not as it should be")


def _canonical(rrset: RRset) -> set[bytes]:
    return {canonical_rdata(rrset.type, rdata) for rdata in rrset.rdatas}


def _check_type(type_: int) -> None:
    # Not RFC 2136 3.4.1.2: types that we do not know are data (RFC 3597).
    if not is_data_type(type_):
        raise UpdateRefused(Rcode.FORMERR, "a type that no record has")


# --- prescan and rights; RFC 2136 3.3, 3.4.1 ------------------------------------------


def _prescan(update: Update, check_rdata: Callable[[int, bytes], None]) -> None:
    for record in update.changes:
        if not is_below(fold(record.name), update.zone):
            raise UpdateRefused(Rcode.NOTZONE, "a change of another zone")
        if record.class_ not in (Class.IN, Class.ANY, Class.NONE):
            raise UpdateRefused(Rcode.FORMERR, "a change of another class")
        if record.class_ != Class.IN and record.ttl:
            raise UpdateRefused(Rcode.FORMERR, "a deletion with a TTL")
        if record.class_ == Class.ANY and record.rdata:
            raise UpdateRefused(Rcode.FORMERR, "a deletion of an RRset with data")
        # Of type 0 there is nothing to delete.
        is_all = record.class_ == Class.ANY and record.type == Type.ANY
        if record.class_ == Class.IN or (record.type and not is_all):
            _check_type(record.type)
        if record.class_ == Class.IN:
            try:
                check_rdata(record.type, record.rdata)
            except ValueError as problem:
                raise UpdateRefused(Rcode.FORMERR, str(problem)) from None


def _check_rights(update: Update, draft: Draft, rights: Rights) -> None:
    """All of it, or nothing."""
    for record in update.changes:
        owner = fold(record.name)
        if record.class_ == Class.ANY and record.type == Type.ANY:
            types = set(draft.at(owner))
            if owner == draft.apex:
                types -= _KEPT_AT_APEX
            is_allowed = rights.may_clear(owner) and all(
                rights.may_change(owner, type_) for type_ in types
            )
        else:
            is_allowed = rights.may_change(owner, record.type)
        if not is_allowed:
            raise UpdateRefused(Rcode.REFUSED, "no right to change that")


# --- the changes themselves; RFC 2136 3.4.2 -------------------------------------------


def _add(draft: Draft, record: Record) -> None:
    """RFC 2136 3.4.2.2; what has no place is ignored."""
    owner, type_ = fold(record.name), record.type
    rrsets = draft.at(owner)
    if type_ == Type.CNAME:
        # RFC 6672 5.2: also beside a DNAME.
        if any(other not in _BESIDE_CNAME for other in rrsets):
            return
    elif Type.CNAME in rrsets and type_ not in _BESIDE_CNAME:
        return
    known = rrsets.get(type_)
    if type_ == Type.SOA and not _is_newer_soa(known, record):
        return
    if known is None:
        draft.put(RRset(record.name, type_, record.ttl, (record.rdata,)))
        return
    if type_ in _SINGLE:
        rdatas: tuple[bytes, ...] = (record.rdata,)
    else:
        rdatas = _with_record(known, record.rdata)
    # RFC 2181 5.2: the records of an RRset have one TTL; the last one that was sent.
    draft.put(evolve(known, ttl=record.ttl, rdatas=rdatas))


def _is_newer_soa(known: RRset | None, record: Record) -> bool:
    if known is None:
        return False
    old, new = SOA.parse(known.rdatas[0]), SOA.parse(record.rdata)
    # RFC 2136 7.11: a serial is never zero.
    return bool(new.serial) and is_newer_serial(new.serial, old.serial)


def _with_record(known: RRset, rdata: bytes) -> tuple[bytes, ...]:
    """The RRset's records with another one, in the place of its equal."""

    def key(one: bytes) -> bytes:
        # RFC 2136 3.4.2.2: of WKS, address and protocol.
        if known.type == Type.WKS:
            return one[:_WKS_KEY_OCTETS]
        return canonical_rdata(known.type, one)

    wanted = key(rdata)
    found = tuple(rdata if key(one) == wanted else one for one in known.rdatas)
    return found if rdata in found else (*known.rdatas, rdata)


def _clear(draft: Draft, owner: bytes) -> None:
    """RFC 2136 3.4.2.3: the apex keeps SOA and NS."""
    for type_ in tuple(draft.at(owner)):
        _delete_rrset(draft, owner, type_)


def _delete_rrset(draft: Draft, owner: bytes, type_: int) -> None:
    if owner != draft.apex or type_ not in _KEPT_AT_APEX:
        draft.remove(owner, type_)


def _delete_record(draft: Draft, record: Record) -> None:
    """RFC 2136 3.4.2.4: not the SOA, and not the last NS of the apex."""
    owner, type_ = fold(record.name), record.type
    known = draft.at(owner).get(type_)
    if known is None or type_ == Type.SOA:
        return
    unwanted = canonical_rdata(type_, record.rdata)
    rest = tuple(
        rdata for rdata in known.rdatas if canonical_rdata(type_, rdata) != unwanted
    )
    if rest:
        draft.put(evolve(known, rdatas=rest))
    elif type_ != Type.NS or owner != draft.apex:
        draft.remove(owner, type_)


def _check_limits(draft: Draft, limits: UpdateLimits) -> None:
    """No more grows at one name than answers can carry; what is there may stay."""
    for old, new in draft.differences():
        if new is None:
            continue
        before = 0 if old is None else len(old.rdatas)
        if len(new.rdatas) > max(limits.rrset_records, before):
            raise UpdateRefused(Rcode.REFUSED, "too many records of a name and type")
        octets = _octets(new)
        if octets > MAX_RRSET_OCTETS and (old is None or octets > _octets(old)):
            # No client ever gets it, and secondaries may not get the zone any more.
            raise UpdateRefused(Rcode.REFUSED, "more octets than a message has")
        if old is None and len(draft.at(new.owner.lower())) > limits.name_types:
            raise UpdateRefused(Rcode.REFUSED, "too many types of a name")


def _octets(rrset: RRset) -> int:
    data = sum(map(len, rrset.rdatas))
    return len(rrset.owner) + len(rrset.rdatas) * _FIXED_OCTETS + data


def _raise_serial(draft: Draft, today: int) -> None:
    """RFC 2136 3.6: whatever changes, the serial does, and only then."""
    changed = [new for _, new in draft.differences()]
    if not changed or any(new and new.type == Type.SOA for new in changed):
        return
    rrset = draft.at(draft.apex)[Type.SOA]
    soa = SOA.parse(rrset.rdatas[0])
    raised = evolve(soa, serial=next_serial(soa.serial, today))
    draft.put(evolve(rrset, rdatas=(raised.encode(),)))
