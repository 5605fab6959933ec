"""How much a client takes from a server, and how long it waits for it."""

from __future__ import annotations

from attrs import frozen

KIB, MIB = 1024, 1024 * 1024


@frozen
class ClientLimits:
    """Octets, counts and seconds, each with its default."""

    connect_seconds: float = 30.0
    """Until a control or data connection is there, TLS included."""
    reply_seconds: float = 60.0
    """Until a command is answered."""
    completion_seconds: float = 600.0
    """From the last octet of a transfer until the server says that it is complete;
    it may sync, scan or hash a large file first."""
    settle_seconds: float = 15.0
    """Until the server has answered for a transfer that broke off."""
    stall_seconds: float = 60.0
    """How long nothing may move on a data connection."""
    line_octets: int = 16 * KIB
    """One line of a reply or listing."""
    reply_lines: int = 2000
    reply_octets: int = MIB
    """One reply, all lines together."""
    pending_replies: int = 32
    """Replies that nobody has asked for."""
    listing_octets: int = 64 * MIB
    listing_entries: int = 500_000
    """One directory."""
    memory_octets: int = 64 * MIB
    """A file that is fetched into memory."""
    chunk_octets: int = 256 * KIB
    """What is written in one step."""
