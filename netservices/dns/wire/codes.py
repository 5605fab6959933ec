"""The numbers of DNS and their names (IANA): types, classes, opcodes, rcodes."""

from __future__ import annotations

from enum import IntEnum


class Type(IntEnum):
    """RR types and query types that this server knows by name."""

    A = 1
    NS = 2
    MD = 3
    MF = 4
    CNAME = 5
    SOA = 6
    MB = 7
    MG = 8
    MR = 9
    NULL = 10
    WKS = 11
    PTR = 12
    HINFO = 13
    MINFO = 14
    MX = 15
    TXT = 16
    RP = 17
    AFSDB = 18
    X25 = 19
    ISDN = 20
    RT = 21
    NSAP = 22
    SIG = 24
    KEY = 25
    PX = 26
    GPOS = 27
    AAAA = 28
    LOC = 29
    NXT = 30
    SRV = 33
    NAPTR = 35
    KX = 36
    CERT = 37
    DNAME = 39
    OPT = 41
    APL = 42
    DS = 43
    SSHFP = 44
    IPSECKEY = 45
    RRSIG = 46
    NSEC = 47
    DNSKEY = 48
    DHCID = 49
    NSEC3 = 50
    NSEC3PARAM = 51
    TLSA = 52
    SMIMEA = 53
    HIP = 55
    CDS = 59
    CDNSKEY = 60
    OPENPGPKEY = 61
    CSYNC = 62
    ZONEMD = 63
    SVCB = 64
    HTTPS = 65
    SPF = 99
    NID = 104
    L32 = 105
    L64 = 106
    LP = 107
    EUI48 = 108
    EUI64 = 109
    TKEY = 249
    TSIG = 250
    IXFR = 251
    AXFR = 252
    MAILB = 253
    MAILA = 254
    ANY = 255
    URI = 256
    CAA = 257
    AVC = 258
    # Of the numbers for private use (RFC 6895 3.1), with the meaning that others who
    # have it give it: the name has the addresses of its target.
    ALIAS = 65401
    # Another one: in overlays alone, and never in an answer.
    HIDE = 65402


class Class(IntEnum):
    """Classes; RFC 6895 3.2."""

    IN = 1
    CH = 3
    HS = 4
    NONE = 254
    ANY = 255


class Opcode(IntEnum):
    """Kinds of query; RFC 6895 2.2."""

    QUERY = 0
    IQUERY = 1
    STATUS = 2
    NOTIFY = 4
    UPDATE = 5
    DSO = 6


class Rcode(IntEnum):
    """Response codes; above 15 the upper bits travel in OPT (RFC 6891 6.1.3)."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    YXDOMAIN = 6
    YXRRSET = 7
    NXRRSET = 8
    NOTAUTH = 9
    NOTZONE = 10
    BADVERS = 16
    BADSIG = 16
    """In TSIG; RFC 8945 3."""
    BADKEY = 17
    BADTIME = 18
    BADMODE = 19
    BADNAME = 20
    BADALG = 21
    BADTRUNC = 22
    BADCOOKIE = 23


# The bits of the header's second word; RFC 1035 4.1.1, RFC 4035 3.1.6.
QR = 0x8000
AA = 0x0400
TC = 0x0200
RD = 0x0100
RA = 0x0080
AD = 0x0020
CD = 0x0010
OPCODE_SHIFT = 11

TYPE_NAMES: dict[int, str] = {member.value: member.name for member in Type}
CLASS_NAMES: dict[int, str] = {member.value: member.name for member in Class}
RCODE_NAMES: dict[int, str] = {member.value: member.name for member in Rcode}
_TYPE_NUMBERS: dict[str, int] = {member.name: member.value for member in Type}
_TYPE_NUMBERS["ANAME"] = Type.ALIAS.value


def type_name(number: int) -> str:
    """``AAAA``, or ``TYPE65280`` where the type has no name (RFC 3597 5)."""
    return TYPE_NAMES.get(number) or f"TYPE{number}"


def class_name(number: int) -> str:
    """``IN``, or ``CLASS42`` where the class has no name (RFC 3597 5)."""
    return CLASS_NAMES.get(number) or f"CLASS{number}"


def rcode_name(number: int) -> str:
    """``NXDOMAIN``, or ``RCODE11`` where the code has no name."""
    return RCODE_NAMES.get(number) or f"RCODE{number}"


def type_number(name: str) -> int:
    """The number of ``aaaa`` or ``TYPE65280``.  ValueError for an unknown name."""
    upper = name.upper()
    number = _TYPE_NUMBERS.get(upper)
    if number is not None:
        return number
    if upper.startswith("TYPE") and upper[4:].isascii() and upper[4:].isdigit():
        number = int(upper[4:])
        if number <= 0xFFFF:
            return number
    raise ValueError(f"unknown record type {name!r}")
