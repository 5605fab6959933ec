"""Names and passwords in a form in which equal means equal.

Theory.  Two people who type the same password on two keyboards may send different code
points.  RFC 8265 says how to compare: ``OpaqueString`` for passwords changes as little
as possible (Unicode spaces to one kind, NFC), ``UsernameCaseMapped`` for names also
folds width and letter case.  SCRAM (RFC 5802 2.2) predates that and wants ``SASLprep``,
which folds more (NFKC) and knows Unicode 3.2 only; so SCRAM keys are made from the
SASLprep form, and where that does not exist from the OpaqueString form, as clients do.

The code point classes of RFC 8264 9 are derived from ``unicodedata``; the contextual
rules of RFC 5892 appendix A come from ``idna``.
"""

from __future__ import annotations

import re
import stringprep
import unicodedata

from idna.core import valid_contextj, valid_contexto

_ASCII_IDENTIFIER = re.compile(r"[!-~]+")
_LETTERS_AND_DIGITS = frozenset(("Ll", "Lu", "Lo", "Nd", "Lm", "Mn", "Mc"))
_FREEFORM_MORE = frozenset(
    # RFC 8264 9.11-9.14: other letters and digits, spaces, symbols, punctuation.
    ("Lt", "Nl", "No", "Me", "Zs", "Sm", "Sc", "Sk", "So")
    + ("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po")
)
_JOINERS = frozenset("\u200c\u200d")
# RFC 8264 9.6: exceptions that are valid although their category says otherwise.
_EXCEPTIONS_VALID = frozenset("\u00df\u03c2\u06fd\u06fe\u0f0b\u3007")
_EXCEPTIONS_CONTEXT = frozenset(
    "\u00b7\u0375\u05f3\u05f4\u30fb"
    + "".join(map(chr, range(0x660, 0x66A)))
    + "".join(map(chr, range(0x6F0, 0x6FA)))
)
_EXCEPTIONS_DISALLOWED = frozenset(
    "\u0640\u07fa\u302e\u302f\u3031\u3032\u3033\u3034\u3035\u303b"
)
_OLD_HANGUL_JAMO = ((0x1100, 0x11FF), (0xA960, 0xA97C), (0xD7B0, 0xD7FB))
# RFC 8264 9.13 (PrecisIgnorableProperties): what is invisible and not in Cc or Cf.
_IGNORABLE = (
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0xE0000, 0xE0FFF),
)


class BadString(ValueError):
    """The string holds something that its profile does not allow."""


def opaque_string(text: str) -> str:
    """A password in the form in which it is compared; RFC 8265 4.2.  BadString."""
    # RFC 8265 4.2.2: non-ASCII spaces become SPACE, then NFC; no case or width mapping.
    if text.isascii():
        prepared = text
    else:
        spaced = (" " if unicodedata.category(char) == "Zs" else char for char in text)
        prepared = unicodedata.normalize("NFC", "".join(spaced))
    if not prepared:
        raise BadString("empty")
    _check_freeform(prepared)
    return prepared


def username_case_mapped(text: str) -> str:
    """A name in the form in which it is compared; RFC 8265 3.3.  BadString."""
    if _ASCII_IDENTIFIER.fullmatch(text):
        return text.lower()
    if text.isascii():
        prepared = text.lower()
    else:
        # RFC 8265 3.3.2: width mapping, toLowerCase(), NFC.
        narrow = "".join(map(_narrowed, text))
        prepared = unicodedata.normalize("NFC", narrow.lower())
    if not prepared:
        raise BadString("empty")
    for position, char in enumerate(prepared):
        if not _is_identifier(prepared, position):
            raise BadString(f"U+{ord(char):04X} may not be in a name")
    _check_bidi(prepared)
    return prepared


def saslprep(text: str, is_stored: bool = True) -> str:
    """A string prepared for SCRAM; RFC 4013.  BadString.

    A stored string may not hold code points unassigned in Unicode 3.2 (RFC 3454 7).
    """
    if text.isascii():
        prepared = text
    else:
        # RFC 4013 2.1: non-ASCII spaces to SPACE, some to nothing; 2.2: NFKC.
        mapped = (
            " " if stringprep.in_table_c12(char) else char
            for char in text
            if not stringprep.in_table_b1(char)
        )
        prepared = unicodedata.ucd_3_2_0.normalize("NFKC", "".join(mapped))
    if not prepared:
        raise BadString("empty")
    for char in prepared:
        if _is_prohibited_by_saslprep(char, is_stored):
            raise BadString(f"U+{ord(char):04X} may not be in a password")
    _check_stringprep_bidi(prepared)
    return prepared


def _narrowed(char: str) -> str:
    """The code point without full or half width."""
    decomposition = unicodedata.decomposition(char)
    if decomposition.startswith(("<wide>", "<narrow>")):
        return chr(int(decomposition.split()[1], 16))
    return char


def _lies_in(char: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= ord(char) <= last for first, last in ranges)


def _holds_in_context(text: str, position: int) -> bool:
    """RFC 5892 appendix A: joiners and a few others depend on their neighbours."""
    try:
        if text[position] in _JOINERS:
            return valid_contextj(text, position)
        return valid_contexto(text, position)
    except ValueError:
        return False


def _is_identifier(text: str, position: int) -> bool:
    """Whether the code point is in the IdentifierClass; RFC 8264 4.2, 8."""
    char = text[position]
    if char.isascii():
        return "!" <= char <= "~"
    if char in _EXCEPTIONS_VALID:
        return True
    if char in _EXCEPTIONS_CONTEXT or char in _JOINERS:
        return _holds_in_context(text, position)
    if char in _EXCEPTIONS_DISALLOWED:
        return False
    if _lies_in(char, _OLD_HANGUL_JAMO) or _lies_in(char, _IGNORABLE):
        return False
    if unicodedata.normalize("NFKC", char) != char:  # HasCompat
        return False
    return unicodedata.category(char) in _LETTERS_AND_DIGITS


def _check_freeform(text: str) -> None:
    """Refuse what is not in the FreeformClass; RFC 8264 4.3, 8."""
    for position, char in enumerate(text):
        if char.isascii():
            is_fine = " " <= char <= "~"
        elif char in _EXCEPTIONS_CONTEXT or char in _JOINERS:
            is_fine = _holds_in_context(text, position)
        elif char in _EXCEPTIONS_VALID:
            is_fine = True
        else:
            is_fine = _is_freeform(char)
        if not is_fine:
            raise BadString(f"U+{ord(char):04X} may not be in a password")


def _is_freeform(char: str) -> bool:
    if char in _EXCEPTIONS_DISALLOWED:
        return False
    if _lies_in(char, _OLD_HANGUL_JAMO) or _lies_in(char, _IGNORABLE):
        return False
    category = unicodedata.category(char)
    return category in _LETTERS_AND_DIGITS or category in _FREEFORM_MORE


def _check_bidi(text: str) -> None:
    """RFC 5893 2, as RFC 8265 3.3.2 wants it of names with right-to-left letters."""
    directions = [unicodedata.bidirectional(char) for char in text]
    if not {"R", "AL", "AN"} & set(directions):
        return
    solid = [direction for direction in directions if direction != "NSM"]
    numbers = {"AN", "EN"} & set(directions)
    allowed = {"R", "AL", "AN", "EN", "ES", "CS", "ET", "ON", "BN", "NSM"}
    if (
        directions[0] not in ("R", "AL")
        or not allowed.issuperset(directions)
        or solid[-1] not in ("R", "AL", "EN", "AN")
        or len(numbers) > 1
    ):
        raise BadString("left-to-right and right-to-left letters are mixed")


def _is_prohibited_by_saslprep(char: str, is_stored: bool) -> bool:
    """RFC 4013 2.3 and 2.5."""
    if char.isascii():
        return not " " <= char <= "~"
    return (
        stringprep.in_table_c12(char)
        or stringprep.in_table_c21_c22(char)
        or stringprep.in_table_c3(char)
        or stringprep.in_table_c4(char)
        or stringprep.in_table_c5(char)
        or stringprep.in_table_c6(char)
        or stringprep.in_table_c7(char)
        or stringprep.in_table_c8(char)
        or stringprep.in_table_c9(char)
        or (is_stored and stringprep.in_table_a1(char))
    )


def _check_stringprep_bidi(text: str) -> None:
    """RFC 3454 6."""
    if not any(map(stringprep.in_table_d1, text)):
        return
    ends_right = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    if any(map(stringprep.in_table_d2, text)) or not ends_right:
        raise BadString("left-to-right and right-to-left letters are mixed")
