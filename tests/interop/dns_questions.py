"""Packets that chance makes, most of them questions: all header bits, opcodes, counts,
classes, forms of EDNS and TSIG, and octets that do not belong there."""

from __future__ import annotations

import base64
import random
import struct
import time

from attrs import evolve

from netservices.dns.wire.names import parse_name
from netservices.dns.wire.signing import SignedRequest
from netservices.dns.wire.tsig import Key
from tests.interop.dns_twins import KEY, SECRET
from tests.interop.dns_updates import NAMES

TYPES = (1, 1, 2, 5, 6, 12, 15, 16, 24, 25, 28, 30, 33, 39, 43, 46, 47, 64, 65280)
ODD_TYPES = (0, 41, 249, 250, 251, 252, 253, 254, 255)
CLASSES = (0, 2, 3, 4, 77, 254, 255)
HOSTS = ("q.a", "q.q.w", "q.sub", "q.d", "sub", "sub", "q.b", "q.y", "w")
OPCODES = (1, 2, 3, 4, 4, 4, 5, 6, 7, 15)


class Packets:
    """Makes packets about one zone."""

    def __init__(self, seed: str, zone: str, key: Key) -> None:
        self.random = random.Random(seed)
        self.zone = parse_name(zone)
        self.key = key

    def packet(self) -> tuple[str, bytes, bool]:
        """What is odd in it, its octets, and whether it goes over TCP."""
        chance = self.random
        kind = chance.choice(
            (
                *("plain", "plain", "bits", "opcode", "counts", "class", "type"),
                *("edns", "edns", "options", "options", "records", "trailing"),
                *("cut", "tsig", "transfer", "notify", "foreign"),
            )
        )
        octets: bytes = getattr(self, f"_{kind}")()
        return kind, octets, chance.random() < 0.3

    # --- parts ---

    def _head(self, bits: int = 0, counts: tuple[int, ...] = (1, 0, 0, 0)) -> bytes:
        return struct.pack(">HH4H", self.random.randrange(65536), bits, *counts)

    def _name(self) -> bytes:
        name = parse_name(self.random.choice((*NAMES, *HOSTS)), self.zone)
        return name.upper() if self.random.random() < 0.2 else name

    def _asked(self, type_: int | None = None, class_: int = 1) -> bytes:
        if type_ is None:
            type_ = self.random.choice(TYPES)
        return self._name() + struct.pack(">HH", type_, class_)

    def _opt(self, options: bytes = b"", ttl: int = 0, size: int = 1232) -> bytes:
        return b"\0" + struct.pack(">HHIH", 41, size, ttl, len(options)) + options

    def _soa(self, serial: int) -> bytes:
        times = struct.pack(">5I", serial, 1, 2, 3, 4)
        fixed = struct.pack(">HHIH", 6, 1, 0, 2 * len(self.zone) + 20)
        return self.zone + fixed + self.zone * 2 + times

    def _a(self) -> bytes:
        return self._name() + struct.pack(">HHIH", 1, 1, 60, 4) + b"\1\2\3\4"

    # --- kinds ---

    def _plain(self) -> bytes:
        return self._head() + self._asked()

    def _bits(self) -> bytes:
        return self._head(self.random.randrange(0x800)) + self._asked()

    def _opcode(self) -> bytes:
        opcode = self.random.choice(OPCODES)
        bits = opcode << 11 | self.random.randrange(0x800)
        if self.random.random() < 0.3:
            return self._head(bits, (0, 0, 0, 0))
        return self._head(bits) + self._asked()

    def _counts(self) -> bytes:
        counts = [self.random.choice((0, 1, 1, 2)) for _ in range(4)]
        data = self._head(0, tuple(counts)) + self._asked() * counts[0]
        data += self._a() * sum(counts[1:3])
        return data + self._opt() * counts[3]

    def _class(self) -> bytes:
        return self._head() + self._asked(class_=self.random.choice(CLASSES))

    def _type(self) -> bytes:
        return self._head() + self._asked(self.random.choice(ODD_TYPES))

    def _foreign(self) -> bytes:
        name = parse_name(self.random.choice((".", "test.", "other.test.", "arpa.")))
        type_ = self.random.choice((1, 2, 6, 43, 252, 255))
        tail = self._opt() if self.random.random() < 0.5 else b""
        head = self._head(0x100, (1, 0, 0, int(bool(tail))))
        return head + name + struct.pack(">HH", type_, 1) + tail

    def _edns(self) -> bytes:
        choice = self.random.choice
        ttl = choice((0, 0x8000, 0x7FFF, 0x10000, 0xFF0000, 0x1000000))
        opt = self._opt(ttl=ttl, size=choice((0, 1, 511, 512, 1232, 4096, 65535)))
        if self.random.random() < 0.1:
            opt = b"\1a" + opt
        number = choice((1, 1, 1, 1, 2))
        bits = choice((0, 0x100, 0x30, 0x130))
        return self._head(bits, (1, 0, 0, number)) + self._asked() + opt * number

    def _options(self) -> bytes:
        """RFC 7873, 5001, 7828, 7830, 7871, 9567, and what is not known."""
        octets = self.random.randbytes
        choice = self.random.choice
        options = b""
        for _ in range(choice((1, 1, 2))):
            code = choice((3, 10, 10, 11, 12, 15, 100, 65001))
            size = choice((0, 1, 2, 7, 8, 8, 15, 16, 24, 40, 41))
            options += struct.pack(">HH", code, size) + octets(size)
        if self.random.random() < 0.1:
            options = options[: self.random.randrange(len(options))]
        ttl = choice((0, 0, 0x8000, 0x10000))
        head = self._head(0, (1, 0, 0, 1))
        return head + self._asked() + self._opt(options, ttl)

    def _records(self) -> bytes:
        """Records where a question has none."""
        counts = self.random.choice(((1, 1, 0, 0), (1, 0, 1, 0), (1, 0, 0, 1)))
        return self._head(0, counts) + self._asked() + self._a()

    def _trailing(self) -> bytes:
        octets = self.random.randbytes(self.random.choice((1, 2, 11, 12, 100)))
        return self._plain() + octets

    def _cut(self) -> bytes:
        data = self.random.choice((self._plain, self._edns, self._records))()
        return data[: self.random.randrange(12, len(data))]

    def _transfer(self) -> bytes:
        """IXFR with all kinds of serials, and without one."""
        serial = self.random.choice((6, 7, 7, 8, 0, 0xFFFFFFFF, 0x80000007))
        asked = self.zone + b"\0\xfb\0\1"
        if self.random.random() < 0.2:
            return self._head() + asked
        if self.random.random() < 0.2:
            return self._head(0, (1, 0, 1, 0)) + asked + self._a()
        return self._head(0, (1, 0, 1, 0)) + asked + self._soa(serial)

    def _notify(self) -> bytes:
        """RFC 1996; nobody here is a secondary."""
        bits = 0x2400 if self.random.random() < 0.8 else 0x2000
        zone = self.random.choice((self.zone, self._name(), b"\5other\4test\0"))
        type_ = self.random.choice((6, 6, 6, 1, 255))
        asked = zone + struct.pack(">HH", type_, self.random.choice((1, 1, 1, 3)))
        if self.random.random() < 0.5:
            return self._head(bits, (1, 1, 0, 0)) + asked + self._soa(9)
        return self._head(bits) + asked

    def _tsig(self) -> bytes:
        """Signatures that are right, late, of unknown keys, wrong, and misplaced."""
        form = self.random.choice(("", "", "late", "key", "mac", "place", "class"))
        key, now = self.key, time.time()
        if form == "key":
            key = evolve(key, name=parse_name("unknown.test."))
        if form == "late":
            now -= 1000
        opcode = self.random.choice((0, 0, 0, 4, 5))
        asked = self._asked() if not opcode else self.zone + b"\0\6\0\1"
        data = SignedRequest(key).sign(self._head(opcode << 11) + asked, now)
        if form == "mac":
            at = data.rindex(b"hmac-sha256") + 30
            data = data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]
        if form == "place":
            data = data[:10] + b"\0\2" + data[12:] + self._opt()
        if form == "class":
            at = data.rindex(b"\0\xfa\0\xff")
            data = data[: at + 3] + b"\1" + data[at + 4 :]
        return data


def twin_key() -> Key:
    """The key that all three servers know."""
    return Key(parse_name(KEY), parse_name("hmac-sha256."), base64.b64decode(SECRET))
