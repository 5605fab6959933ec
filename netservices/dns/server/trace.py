"""Questions and replies as lines for people, for the trace."""

from __future__ import annotations

from netservices.core.errors import SyntaxProblem
from netservices.dns.wire import codes
from netservices.dns.wire.codes import class_name, rcode_name, type_name
from netservices.dns.wire.message import Message, Record
from netservices.dns.wire.names import name_text
from netservices.dns.zonefile.texts import rdata_text

_SHOWN_RECORDS = 50

_FLAGS = (
    (codes.AA, "aa"),
    (codes.TC, "tc"),
    (codes.RD, "rd"),
    (codes.RA, "ra"),
    (codes.AD, "ad"),
    (codes.CD, "cd"),
)


def query_line(data: bytes) -> str:
    """``www.example.com. IN A rd do 1232``."""
    try:
        message = Message.parse(data)
    except SyntaxProblem as problem:
        return f"{len(data)} octets, no message: {problem}"
    words = [
        f"{name_text(asked.name)} {class_name(asked.class_)} {type_name(asked.type)}"
        for asked in message.questions
    ]
    if message.opcode:
        words.insert(0, f"opcode {message.opcode}")
    words += _flag_words(message)
    if message.edns is not None:
        words += ["do"] if message.edns.is_do else []
        words.append(str(message.edns.udp_size))
    return " ".join(words)


def reply_lines(data: bytes | None) -> list[str]:
    """``NOERROR aa answer 1 authority 2 additional 0, 96 octets``, and a line for each
    record."""
    if data is None:
        return ["(silence)"]
    try:
        message = Message.parse(data)
    except SyntaxProblem as problem:
        return [f"{len(data)} octets, no message: {problem}"]
    words = [rcode_name(message.rcode), *_flag_words(message)]
    records = []
    for name in ("answer", "authority", "additional"):
        found: tuple[Record, ...] = getattr(message, name)
        words.append(f"{name} {len(found)}")
        records += [f"{name} {_record_text(record)}" for record in found]
    shown = records[:_SHOWN_RECORDS]
    if len(records) > len(shown):
        shown.append(f"and {len(records) - len(shown)} more")
    return [" ".join(words) + f", {len(data)} octets", *shown]


def _record_text(record: Record) -> str:
    return " ".join(
        (
            name_text(record.name),
            str(record.ttl),
            class_name(record.class_),
            type_name(record.type),
            rdata_text(record.type, record.rdata),
        )
    )


def _flag_words(message: Message) -> list[str]:
    return [word for bit, word in _FLAGS if message.flags & bit]
