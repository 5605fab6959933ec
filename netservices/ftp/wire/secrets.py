"""Command lines as a log may show them: without passwords."""

from __future__ import annotations

import re
from collections.abc import Container

from netservices.ftp.wire.commands import verb_of

_SECRETIVE = frozenset({"PASS", "ACCT", "ADAT", "MIC", "CONF", "ENC"})
"""What follows these is a secret, or holds one in other letters (RFC 2228 3)."""

_SITE_SECRET = re.compile(rb"(SITE +(?:PSWD|PASS\w*|CHPASS|GPASS)) .*", re.IGNORECASE)
"""Changes of passwords, as other servers have them."""

_MISSPELT = re.compile(rb"P[^A-Za-z]*A[^A-Za-z]*S[^A-Za-z]*S|ACCT", re.IGNORECASE)


def masked(line: bytes, known: Container[str]) -> bytes:
    """The line with stars for its secret, also where PASS is not spelt well; ``known``
    are the verbs that are."""
    verb = verb_of(line)
    if verb in _SECRETIVE:
        return verb.encode("ascii") + b" ****"
    if verb == "SITE":
        return _SITE_SECRET.sub(rb"\1 ****", line)
    if verb not in known:
        found = _MISSPELT.search(line)
        if found is not None:
            return line[: found.end()] + b" ****"
    return line
