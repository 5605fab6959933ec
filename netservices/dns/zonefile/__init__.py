"""Zones as text: master files (RFC 1035 5), single records, checks, new zones.

Presentation formats of the many record types are dnspython's; the common ones, and the
lines themselves, are read here, so that a million records load in seconds and every
error names its file and line.
"""

from netservices.dns.wire.serials import is_newer_serial, next_serial
from netservices.dns.zonefile.changes import (
    CannotUndo,
    Comparison,
    by_key,
    compare,
    undoing,
    version_before,
)
from netservices.dns.zonefile.check import FATAL_CODES, check_zone
from netservices.dns.zonefile.create import (
    default_zone,
    new_zone,
    serial_of,
    with_serial,
)
from netservices.dns.zonefile.lines import ZoneFileError
from netservices.dns.zonefile.read import parse_record, read_zone
from netservices.dns.zonefile.write import record_text, write_rrsets, write_zone

__all__ = [
    "FATAL_CODES",
    "CannotUndo",
    "Comparison",
    "ZoneFileError",
    "by_key",
    "check_zone",
    "compare",
    "default_zone",
    "is_newer_serial",
    "new_zone",
    "next_serial",
    "parse_record",
    "read_zone",
    "record_text",
    "serial_of",
    "undoing",
    "version_before",
    "with_serial",
    "write_rrsets",
    "write_zone",
]
