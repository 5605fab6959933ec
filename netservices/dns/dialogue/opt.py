"""The OPT record of a reply (RFC 6891): what is told beside the answer."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from netservices.dns.dialogue.cookies import Cookies, Standing
from netservices.dns.policy import Client, Policy, Transport
from netservices.dns.wire import edns
from netservices.dns.wire.codes import Rcode
from netservices.dns.wire.cookies import VALID_LENGTHS
from netservices.dns.wire.message import MAX_MESSAGE_OCTETS
from netservices.dns.wire.query import Query

PADDED_OCTETS = 468
_UDP = Transport.UDP
_TLS = Transport.TLS
_HTTPS = Transport.HTTPS


class OptReplies:
    """Writes OPT, where the question had one (RFC 6891 6.1.1)."""

    def __init__(self, policy: Policy) -> None:
        settings = policy.settings
        self._udp_size = policy.max_udp_size
        self._nsid = policy.nsid
        self._tells_errors = settings.extended_errors
        self.idle_seconds: Callable[[], float] = lambda: settings.tcp_idle
        """How long a connection may be idle as things are now."""
        self._plain: dict[tuple[bool, int, int], bytes] = {}
        self._opt = self._encode(False)
        self._opt_do = self._encode(True)

    def reply(self, query: Query, client: Client, rcode: int, error: int = 0) -> bytes:
        """OPT with what the question asked for; ``error`` is an extended one, or 0."""
        if not query.options:
            if rcode < 16 and not error:
                return self._opt_do if query.is_do else self._opt
            return self._without_options(query.is_do, rcode, error)
        options: list[tuple[int, bytes]] = []
        # RFC 5001 2.1: NSID goes to those who ask for it.
        if self._nsid and query.option(edns.NSID) is not None:
            options.append((edns.NSID, self._nsid))
        # RFC 7828 3.2.1: over UDP the option means nothing; HTTP has its own ways.
        if (
            client.transport is not _UDP
            and client.transport is not _HTTPS
            and query.option(edns.TCP_KEEPALIVE) is not None
        ):
            # RFC 7828 3.3.2: what is in force for this connection now.
            tenths = min(round(self.idle_seconds() * 10), 0xFFFF).to_bytes(2, "big")
            options.append((edns.TCP_KEEPALIVE, tenths))
        options += self._explained(error)
        # RFC 7873 5.2.3 - 5.2.5: whoever sent a cookie gets one; at the end, where it
        # is easily replaced.
        if query.cookie:
            options.append((edns.COOKIE, query.cookie))
        return self._encode(query.is_do, rcode, tuple(options))

    def _explained(self, error: int) -> tuple[tuple[int, bytes], ...]:
        """RFC 8914 2."""
        if not error or not self._tells_errors:
            return ()
        return ((edns.EXTENDED_ERROR, error.to_bytes(2, "big")),)

    def _without_options(self, is_do: bool, rcode: int, error: int) -> bytes:
        key = is_do, rcode >> 4, error
        opt = self._plain.get(key)
        if opt is None:
            opt = self._plain[key] = self._encode(is_do, rcode, self._explained(error))
        return opt

    def _encode(
        self,
        is_do: bool,
        rcode: int = 0,
        options: tuple[tuple[int, bytes], ...] = (),
    ) -> bytes:
        """RFC 3225 3: DO is copied; RFC 6891 6.1.3: unknown options are not."""
        return edns.Edns(
            udp_size=self._udp_size,
            is_do=is_do,
            options=options,
            extended_rcode=rcode >> 4,
        ).encode()


@frozen
class OtherOpt:
    """What comes of the OPT record of an update or a notice."""

    is_there: bool = False
    rcode: int = Rcode.NOERROR
    """Anything else: the record forbids to go on."""
    cookie: bytes = b""
    """For the reply."""
    is_known: bool = False
    """Whether the sender brought a cookie of ours: its address is not forged."""

    def encode(self, udp_size: int, rcode: int) -> bytes:
        """OPT for the reply; nothing where the request had none."""
        if not self.is_there:
            return b""
        options = ((edns.COOKIE, self.cookie),) if self.cookie else ()
        return edns.Edns(udp_size, options=options, extended_rcode=rcode >> 4).encode()


def read_other_opt(
    opt: edns.Edns | None, client: Client, cookies: Cookies | None
) -> OtherOpt:
    """What to make of the OPT record of a request that is no question."""
    if opt is None:
        return OtherOpt()
    # RFC 6891 6.1.3
    if opt.version:
        return OtherOpt(True, Rcode.BADVERS)
    cookie = opt.option(edns.COOKIE)
    # RFC 7873 5.2.2
    if cookie is not None and len(cookie) not in VALID_LENGTHS:
        return OtherOpt(True, Rcode.FORMERR)
    if cookie is None or cookies is None:
        return OtherOpt(True)
    standing, given = cookies.examine(cookie, client.address)
    return OtherOpt(True, cookie=given, is_known=standing is Standing.VALID)


def wants_padding(query: Query, client: Client) -> bool:
    """Whether the length of the reply is to be hidden: the client asks for it, where
    nobody reads the reply itself (RFC 8467 4)."""
    is_private = client.transport is _TLS or client.transport is _HTTPS
    return is_private and query.option(edns.PADDING) is not None


def padded(opt: bytes, octets: int) -> bytes:
    """OPT with padding for a reply that has ``octets`` without it; RFC 7830 4,
    RFC 8467 4.1."""
    size = -(octets + 4) % PADDED_OCTETS
    if octets + 4 + size > MAX_MESSAGE_OCTETS:
        return opt
    length = int.from_bytes(opt[9:11], "big") + 4 + size
    padding = edns.encode_options(((edns.PADDING, bytes(size)),))
    return opt[:9] + length.to_bytes(2, "big") + opt[11:] + padding
