"""Domain names: on the wire, and as text.

A name is ``bytes``: its labels, each behind its length, and the root's zero octet, as
RFC 1035 3.1 sends it, uncompressed and in the letter case in which it came.  Two names
are the same if their ``fold`` is (RFC 4343: ASCII letters only).  ``bytes.lower`` is
that fold: length octets are at most 63 and so never letters.

Compression (RFC 1035 4.1.4) may build a name from anywhere earlier in a message.  A
pointer here must point before the octets of the name that holds it, so each jump goes
strictly backward, and there can be no loop.  The work for one name is bounded by its
255 octets and ``MAX_JUMPS``: a chain of pointers that brings no labels would otherwise
cost thousands of steps a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from netservices.core.errors import SyntaxProblem

MAX_NAME_OCTETS = 255
MAX_LABEL_OCTETS = 63
MAX_JUMPS = 127
ROOT = b"\0"
WILDCARD = b"\1*"

_SPECIAL = frozenset(b'".;\\()@$')


def read_name(data: bytes, start: int) -> tuple[bytes, int]:
    """The name at ``start``, and where the octets after it begin.  SyntaxProblem."""
    parts: list[bytes] = []
    octets = 1
    jumps = 0
    position = lowest = start
    after = -1
    try:
        while length := data[position]:
            if length < 64:
                end = position + 1 + length
                octets += length + 1
                if octets > MAX_NAME_OCTETS:
                    raise SyntaxProblem("a name is longer than 255 octets")
                parts.append(data[position:end])
                position = end
            elif length >= 192:
                target = (length & 63) << 8 | data[position + 1]
                if after < 0:
                    after = position + 2
                jumps += 1
                if target >= lowest or jumps > MAX_JUMPS:
                    raise SyntaxProblem("a compression pointer does not point back")
                position = lowest = target
            else:
                # RFC 6891 5: the types 01 and 10 of labels were never put to use.
                raise SyntaxProblem("a label of an unknown kind")
    except IndexError:
        raise SyntaxProblem("a name runs past the end of the message") from None
    parts.append(ROOT)
    return b"".join(parts), after if after >= 0 else position + 1


def skip_name(data: bytes, start: int) -> int:
    """Where the octets after the name at ``start`` begin, pointers not followed.
    SyntaxProblem."""
    position = start
    try:
        while length := data[position]:
            if length < 64:
                position += length + 1
            elif length >= 192:
                if position + 2 > len(data):
                    break
                return position + 2
            else:
                raise SyntaxProblem("a label of an unknown kind")
            if position - start >= MAX_NAME_OCTETS:
                raise SyntaxProblem("a name is longer than 255 octets")
        else:
            return position + 1
    except IndexError:
        pass
    raise SyntaxProblem("a name runs past the end of the message")


def check_name(name: bytes) -> None:
    """SyntaxProblem unless ``name`` is a whole uncompressed name and nothing more."""
    if read_name(name, 0) != (name, len(name)):
        raise SyntaxProblem("not a whole, uncompressed name")


def labels(name: bytes) -> Iterator[bytes]:
    """The labels of a name from left to right, without lengths and root."""
    position = 0
    while length := name[position]:
        yield name[position + 1 : position + 1 + length]
        position += length + 1


def label_offsets(name: bytes) -> list[int]:
    """Where each label of a name begins, and last where the root label is."""
    offsets = [0]
    position = 0
    while length := name[position]:
        position += length + 1
        offsets.append(position)
    return offsets


def fold(name: bytes) -> bytes:
    """The name in lower case: the key under which names are equal (RFC 4343)."""
    return name.lower()


def parent(name: bytes) -> bytes:
    """The name without its first label; the root is its own parent."""
    return name[name[0] + 1 :] if name[0] else name


def is_below(name: bytes, ancestor: bytes) -> bool:
    """Whether ``name`` is ``ancestor`` or below it; both are folded."""
    cut = len(name) - len(ancestor)
    if cut < 0 or name[cut:] != ancestor:
        return False
    # The octets may agree by chance in the middle of a label.
    position = 0
    while position < cut:
        position += name[position] + 1
    return position == cut


def canonical_key(name: bytes) -> tuple[bytes, ...]:
    """Sorts names in the canonical order of RFC 4034 6.1."""
    return tuple(reversed(list(labels(name.lower()))))


def name_text(name: bytes) -> str:
    """The name as text with a final dot; RFC 1035 5.1 escapes."""
    if name == ROOT:
        return "."
    return "".join(_label_text(label) + "." for label in labels(name))


def _label_text(label: bytes) -> str:
    return "".join(
        f"\\{octet:03d}"
        if not 0x21 <= octet <= 0x7E
        else f"\\{octet:c}"
        if octet in _SPECIAL
        else chr(octet)
        for octet in label
    )


def parse_name(text: str, origin: bytes = ROOT) -> bytes:
    """The name that ``text`` writes; one without a final dot is below ``origin``, and
    ``@`` is the origin.  ValueError."""
    if text == "@":
        return origin
    if text == ".":
        return ROOT
    if not text.isascii():
        text = a_labels(text)
    parts, is_absolute = _split_text(text)
    for part in parts:
        if not part:
            raise ValueError(f"{text!r} has an empty label")
        if len(part) > MAX_LABEL_OCTETS:
            raise ValueError(f"{text!r} has a label of more than 63 octets")
    body = b"".join(bytes((len(part),)) + part for part in parts)
    name = body + (ROOT if is_absolute else origin)
    if len(name) > MAX_NAME_OCTETS:
        raise ValueError(f"{text!r} is longer than 255 octets")
    return name


def a_labels(text: str) -> str:
    """A written name with its letters beyond ASCII as A-labels (RFC 5890 2.3.2.1),
    after the mapping of UTS 46.  ValueError."""
    # Only here: few names need it, and its tables are large.
    import idna

    labels = []
    for label in re.split("[.\u3002\uff0e\uff61]", text):
        if not label.isascii():
            try:
                label = idna.encode(label, uts46=True).decode("ascii")
            except (idna.IDNAError, UnicodeError) as problem:
                raise ValueError(f"{label!r} is no label: {problem}") from None
        labels.append(label)
    return ".".join(labels)


def u_labels(text: str) -> str:
    """A name as people write it who know its letters: A-labels decoded, if they are
    any."""
    import idna

    labels = []
    for label in text.split("."):
        if label[:4].lower() == "xn--":
            with suppress(idna.IDNAError, UnicodeError):
                label = idna.decode(label)
        labels.append(label)
    return ".".join(labels)


def _split_text(text: str) -> tuple[list[bytes], bool]:
    """The labels of a written name, and whether a dot ends it."""
    parts: list[bytes] = []
    label = bytearray()
    position = 0
    while position < len(text):
        letter = text[position]
        position += 1
        if letter == ".":
            parts.append(bytes(label))
            label.clear()
        elif letter == "\\":
            octets, position = _escaped(text, position)
            label += octets
        else:
            label.append(ord(letter))
    # An escaped dot at the end is no end: then the label is not empty.
    if label or not parts:
        parts.append(bytes(label))
        return parts, False
    return parts, True


def _escaped(text: str, position: int) -> tuple[bytes, int]:
    """What stands after a backslash at ``position - 1``: three digits or a letter."""
    digits = text[position : position + 3]
    if digits[:1].isdigit() and digits.isascii():
        if len(digits) == 3 and digits.isdigit() and int(digits) < 256:
            return bytes((int(digits),)), position + 3
        raise ValueError(f"{text!r} has a bad escape")
    if not digits[:1].isascii() or not digits:
        raise ValueError(f"{text!r} has a bad escape")
    return digits[0].encode("ascii"), position + 1
