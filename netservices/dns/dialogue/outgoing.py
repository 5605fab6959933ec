"""The messages of a transfer as octets, and how far it has come."""

from __future__ import annotations

from attrs import define

from netservices.dns.policy import Client, Transport
from netservices.dns.settings import DNSSettings
from netservices.dns.wire import codes
from netservices.dns.wire.bulk import FULL_OCTETS, BulkWriter
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import MAX_MESSAGE_OCTETS
from netservices.dns.wire.names import name_text
from netservices.dns.wire.query import HEADER_OCTETS, Query
from netservices.values import RRset


class Outgoing:
    """What all messages that reply to one request have in common."""

    def __init__(
        self, data: bytes, query: Query, client: Client, settings: DNSSettings
    ) -> None:
        self._id = data[:2]
        self._question = data[HEADER_OCTETS : query.end]
        # RFC 5936 2.2.1: RD is copied, AD and CD are clear.
        self._bits = codes.QR | query.bits & codes.RD
        self._query = query
        self._client = client
        self._udp_size: int = settings.max_udp_size

    @property
    def limit(self) -> int:
        """Octets that a message may have before it is signed."""
        limit = MAX_MESSAGE_OCTETS
        if self._client.transport is Transport.UDP:
            limit = min(self._query.udp_size or 512, self._udp_size)
        return limit - self._client.reserved_octets

    def writer(self, full: int = FULL_OCTETS) -> BulkWriter:
        """Takes the records of the reply; a message has no more than ``full`` octets
        unless a single record needs them."""
        return BulkWriter(
            # RFC 5936 2.2.1 b: AA.
            self._id + (self._bits | codes.AA).to_bytes(2, "big"),
            # RFC 5936 2.2.2: in the first message it must be, in others it may.
            self._question,
            self._opt(),
            self.limit,
            full,
        )

    def single(self, soa: RRset) -> bytes:
        """The SOA alone."""
        writer = self.writer()
        writer.put(soa)
        return writer.finish()

    def refusal(self, rcode: int) -> bytes:
        """No records; it ends a transfer that has begun (RFC 5936 2.2)."""
        opt = self._opt()
        flags = (self._bits | rcode & 15).to_bytes(2, "big")
        counts = b"\0\1\0\0\0\0\0" + bytes((bool(opt),))
        return self._id + flags + counts + self._question + opt

    def _opt(self) -> bytes:
        """RFC 5936 2.2.5: OPT where the request had one."""
        if not self._query.udp_size:
            return b""
        return Edns(udp_size=self._udp_size, is_do=self._query.is_do).encode()


@define
class Progress:
    """One transfer: what of it has gone out."""

    zone: bytes
    """Folded name."""
    client: Client
    wanted: str
    """``AXFR`` or ``IXFR``."""
    begun: float
    """When the first message was made, or since when it waits."""
    serial: int = 0
    is_incremental: bool = False
    messages: int = 0
    records: int = 0
    octets: int = 0

    @property
    def form(self) -> str:
        """What is sent: an IXFR may be answered with the whole zone."""
        return "incremental" if self.is_incremental else "whole"

    @property
    def zone_text(self) -> str:
        """The zone's name."""
        return name_text(self.zone)

    def add(self, message: bytes, records: int) -> bytes:
        """Count a message; ``records`` is how many there are up to here."""
        self.messages += 1
        self.records = records
        self.octets += len(message)
        return message
