"""The options of the DNS server."""

from __future__ import annotations

from netservices.core.networks import parse_address
from netservices.core.settings import Duration, Size, setting, settings
from netservices.dns.options import Peer
from netservices.dns.rules import AccessList
from netservices.dns.views import View
from netservices.dns.wire.cookies import parse_secret
from netservices.dns.zone.balance import BalanceRule


def check_access(word: str) -> None:
    """ValueError unless it is a word of an access list."""
    AccessList((word,))


def check_peer(text: str) -> None:
    """ValueError unless it writes a name server."""
    check_address(Peer.parse(text).address)


def check_address(text: str) -> None:
    """ValueError unless it is an IP address."""
    if parse_address(text) is None:
        raise ValueError(f"{text!r} is no IP address")


@settings
class DNSSettings:
    """Options of the DNS server."""

    # --- answers ---
    max_udp_size: Size = setting(
        1232,
        "The largest answer over UDP, in octets, where the client takes as much "
        "(512 where it does not say); a larger one is truncated.",
        minimum=512,
        maximum=4096,
    )
    minimal_responses: bool = setting(
        False,
        "Leave out the zone's name servers and the addresses that a client could ask "
        "for itself.",
    )
    any_policy: str = setting(
        "rrset",
        "What a question for ANY gets: one RRset of the name, a synthesized HINFO, or "
        "all RRsets (RFC 8482).",
        choices=("rrset", "hinfo", "all"),
    )
    rotation: str = setting(
        "cyclic",
        "In which order the records of one name and type go out: always the same, each "
        "in turn first, or a random one first.",
        choices=("none", "cyclic", "random"),
    )
    max_cname_chain: int = setting(
        18,
        "How many CNAME and DNAME records inside a zone are followed for one answer.",
        minimum=1,
        maximum=100,
    )

    extended_errors: bool = setting(
        True,
        "Say with refusals and failures why, to clients that use EDNS (RFC 8914).",
    )

    # --- what the server says about itself ---
    version: str = setting(
        "", 'The answer to "version.bind" and "version.server"; empty: refused.'
    )
    identity: str = setting(
        "", 'The answer to "id.server" and "hostname.bind"; empty: refused.'
    )
    nsid: str = setting(
        "", "The name server identifier for clients that ask (RFC 5001); empty: none."
    )

    # --- views ---
    views: tuple[str, ...] = setting(
        (),
        'Who sees which zones, the first line that fits: "inside clients=10.0.0.0/8,'
        'key:NAME" by network or key, "root server=127.0.0.11 zones=." by the address '
        "of ours that is asked, limited to some zones.",
        check=View.parse,
    )
    # --- who may ask ---
    allow_query: tuple[str, ...] = setting(
        ["any"],
        "Access list: who gets answers from zones that have no list of their own.",
        check=check_access,
    )

    # --- cookies (RFC 7873, RFC 9018) ---
    cookies: bool = setting(
        True, "Give and check cookies, which tell clients from forged addresses."
    )
    cookie_secrets: tuple[str, ...] = setting(
        [],
        "Secrets that the servers of a cluster share, each 32 hexadecimal digits: the "
        "first makes cookies, all of them check. Empty: a secret of the store.",
        secret=True,
        check=parse_secret,
    )
    cookie_secret_lifetime: Duration = setting(
        "30d", "How old the store's own secret grows before a new one.", minimum=86400
    )
    require_cookies: bool = setting(
        False,
        "Give answers over UDP to those alone who have a cookie of ours; others get "
        "one, or are sent to TCP.",
    )
    require_cookies_above: int = setting(
        0,
        "Questions a second over UDP above which cookies are required, where they "
        "are; 0: always.",
        minimum=0,
    )

    # --- response rate limiting ---
    rate_limit: int = setting(
        100,
        "Equal replies a second over UDP to one network: those about one name, denials "
        "or referrals of one zone, or errors; 0: no limit.",
        minimum=0,
    )
    rate_limit_all: int = setting(
        0, "Replies a second over UDP to one network; 0: no limit.", minimum=0
    )
    rate_limit_slip: int = setting(
        2,
        "Every which of the replies above a limit goes out with TC, so that who is "
        "real asks over TCP; 0: none.",
        minimum=0,
        maximum=10,
    )
    rate_limit_window: Duration = setting(
        "15s", "How long at most a flood is remembered against a network.", minimum=1
    )
    rate_limit_ipv4_bits: int = setting(
        24,
        "IPv4 addresses that share these bits are one network.",
        minimum=8,
        maximum=32,
    )
    rate_limit_ipv6_bits: int = setting(
        56,
        "IPv6 addresses that share these bits are one network.",
        minimum=16,
        maximum=128,
    )
    rate_limit_exempt: tuple[str, ...] = setting(
        ["loopback"],
        "Access list of networks: replies to them are not limited.",
        check=check_access,
    )
    rate_limit_entries: int = setting(
        100000,
        "Networks and what they asked for that are remembered; about 0.2 KB each.",
        minimum=100,
    )
    rate_limit_log_only: bool = setting(
        False, "Tell what would be limited, and limit nothing."
    )

    # --- caches of finished answers ---
    exact_cache_entries: int = setting(
        32768,
        "Packets whose answers are kept, ready to send; up to 1.5 KB each.",
        minimum=0,
    )
    prepared_cache_entries: int = setting(
        131072,
        "Answers made from a zone's records that are kept for each zone; about 0.7 KB "
        "each. Names that own nothing but addresses, or one record of most other "
        "types, need none of them.",
        minimum=0,
    )
    passing_cache_entries: int = setting(
        16384,
        "Denials, referrals and answers of wildcards that are kept for each zone.",
        minimum=0,
    )

    # --- limits of one question ---
    max_query_records: int = setting(
        8, "Records after the question; more are a format error.", minimum=1
    )
    max_edns_options: int = setting(
        16, "EDNS options in a question; more are a format error.", minimum=1
    )
    max_query_octets: Size = setting(
        "64K",
        "The longest message taken over TCP; a longer one ends the connection.",
        minimum=512,
        maximum=65536,
    )

    # --- TCP (RFC 7766) ---
    tcp_idle: Duration = setting(
        "10s",
        "How long a TCP connection may stay without a whole question; less when more "
        "than half of all connections are taken.",
    )
    tcp_connections: int = setting(
        1000, "TCP connections at the same time; a new one replaces the most idle."
    )

    tcp_connections_per_client: int = setting(
        100,
        "TCP connections of one IPv4 address or IPv6 network; a new one replaces its "
        "most idle.",
        minimum=1,
    )
    tcp_queries: int = setting(
        0, "Questions after which a TCP connection is closed; 0: any number.", minimum=0
    )
    tcp_pending: int = setting(
        16,
        "Replies that one TCP connection may wait for, as for updates and transfers, "
        "before no more of it is read.",
        minimum=1,
    )

    # --- transfers and notifications to other servers ---
    allow_transfer: tuple[str, ...] = setting(
        [],
        "Access list: who may have whole zones (AXFR, IXFR).  Its words are networks, "
        "`loopback`, `any`, `key:NAME`, `account:LOGIN`, and `!network` for those shut "
        "out; a zone's own list goes before this.",
        check=check_access,
    )
    transfer_over_tls_only: bool = setting(
        False, "Give zones away over TLS alone (RFC 9103)."
    )
    transfers_out: int = setting(
        10, "Transfers to other servers at the same time; more wait.", minimum=1
    )
    transfers_out_per_client: int = setting(
        3, "Transfers to one address at the same time; more wait.", minimum=1
    )
    transfers_out_waiting: int = setting(
        1000, "Transfers that may wait for their turn; more are refused.", minimum=0
    )
    transfer_min_rate: Size = setting(
        "1K",
        "Octets a second that a client has to take; a slower transfer is ended.",
        minimum=0,
    )
    transfer_patience: Duration = setting(
        "60s", "How far behind `transfer_min_rate` a transfer may be."
    )
    notify: tuple[str, ...] = setting(
        [],
        "Name servers that are told about changes of every zone, beside those in its "
        "NS records: `192.0.2.53`, `192.0.2.53@5353 key=NAME`, `192.0.2.53 tls=NAME`.",
        check=check_peer,
    )
    notify_on_start: bool = setting(
        False, "Tell the secondaries of every zone when the server starts."
    )
    notify_source: tuple[str, ...] = setting(
        [],
        "Addresses of ours from which notifications go out, one of each family; empty: "
        "that of `server.interface`, or what the system chooses.",
        check=check_address,
    )
    notify_parallel: int = setting(
        100, "Notifications that wait for a reply at the same time.", minimum=1
    )
    notify_queue: int = setting(
        10000,
        "Notifications that may be due or under way; further ones are dropped.",
        minimum=1,
    )
    max_ixfr_records: int = setting(
        100000,
        "Records that an incremental transfer may have; for more, the whole zone is "
        "sent.",
        minimum=0,
    )

    # --- zones ---
    load_slice: int = setting(
        500,
        "RRsets that are taken into memory before other work gets its turn.",
        minimum=1,
    )

    # --- keys (TSIG, RFC 8945) ---
    allow_md5_keys: bool = setting(
        False,
        "Take keys of the algorithm hmac-md5; it is broken, and some old "
        "devices know no other.",
    )

    # --- what the server tells of its questions ---
    query_log: str = setting(
        "",
        "File with a line for each question, below log/ in the state directory unless "
        'absolute, such as "queries"; reopened at SIGHUP; empty: none.',
    )
    query_log_every: int = setting(
        1, "One of so many questions is written to the query log.", minimum=1
    )
    top_entries: int = setting(
        1000,
        "How many of the busiest clients, and of the most frequent questions, are "
        "counted for `netservices zone top`; 0: none.",
        minimum=0,
        maximum=100_000,
    )
    top_window: Duration = setting(
        "10m",
        "How far back `netservices zone top` looks at least; at most twice as far.",
    )

    # --- load distribution ---
    balance: tuple[str, ...] = setting(
        [],
        "Names whose addresses are given out by weight, in turn, or to those that are "
        'in service: "www.example.org weight=192.0.2.1:3,192.0.2.2 check=tcp:80".',
        check=BalanceRule.parse,
    )
    max_checks_at_once: int = setting(
        20, "Health checks under way at the same time.", minimum=1
    )
    max_checked_addresses: int = setting(
        1000,
        "Addresses that are checked; those beyond count as in service.",
        minimum=0,
    )
    check_authorities: str = setting(
        "",
        "A PEM file of the authorities whose certificates a check over https takes; "
        "empty: the system's.",
    )

    # --- ALIAS ---
    alias_resolvers: tuple[str, ...] = setting(
        [],
        "Resolvers that are asked for the targets of ALIAS records outside our zones, "
        "as 192.0.2.53 or 192.0.2.53@5353; empty: those of /etc/resolv.conf.",
        check=Peer.parse,
    )
    alias_wait: Duration = setting(
        "3s",
        "How long a question waits for the addresses of an ALIAS that are not known "
        "yet; then it gets SERVFAIL.",
    )
    alias_stale: Duration = setting(
        "1d",
        "How long the last known addresses of an ALIAS stay in use where no resolver "
        "answers.",
    )
    alias_in_transfers: str = setting(
        "expand",
        "What secondaries get of an ALIAS: the addresses that it stands for at that "
        "time, or the record, which only some servers understand.",
        choices=("expand", "keep"),
    )
    max_alias_targets: int = setting(
        1000,
        "Targets of ALIAS records whose addresses are kept, A and AAAA counted apart; "
        "a new one replaces the one that was not wanted for longest.",
        minimum=1,
    )

    # --- secondary zones ---
    refresh_at_least: Duration = setting(
        "30s", "A secondary zone is not checked more often than so, whatever its SOA."
    )
    refresh_at_most: Duration = setting(
        "1d", "A secondary zone is checked at least so often, whatever its SOA."
    )
    retry_at_least: Duration = setting(
        "10s", "How soon primaries that failed are asked again, at the soonest."
    )
    retry_at_most: Duration = setting(
        "1h", "How late primaries that failed are asked again, at the latest."
    )
    expire_at_least: Duration = setting(
        "1h", "A secondary zone is served for so long without word of its primaries."
    )
    expire_at_most: Duration = setting(
        "26w", "For longer than this no zone is served without word of its primaries."
    )
    notify_in_interval: Duration = setting(
        "1s", "Notices of one zone lead to one check of its primaries in this time."
    )
    transfers_in: int = setting(
        10, "Zones that are checked or transferred at the same time.", minimum=1
    )
    transfers_in_per_primary: int = setting(
        4, "The same, from one address of a primary.", minimum=1
    )
    max_transfer_in_records: int = setting(
        20_000_000, "Records that one transfer may bring.", minimum=1
    )
    max_transfer_in_octets: Size = setting("4G", "Octets that one transfer may bring.")
    transfer_in_connect: Duration = setting(
        "10s", "How long a connection to a primary may take, TLS included."
    )
    transfer_in_idle: Duration = setting(
        "30s", "How long a primary may be silent in a transfer."
    )
    transfer_in_time: Duration = setting("1h", "How long one transfer may take.")
    primary_authorities: str = setting(
        "",
        "A file of the authorities (PEM) that sign the certificates of primaries; "
        "empty: those of the system.",
    )

    # --- dynamic update (RFC 2136) ---
    allow_update: tuple[str, ...] = setting(
        (),
        "Access list: who may change anything in any zone, as in `allow_transfer`; a "
        "zone's own list goes before this.  Narrower rights are grants (`netservices "
        "key grant`).",
        check=check_access,
    )
    max_update_records: int = setting(
        400,
        "Records in one update; one with more is refused, as it would hold up others.",
        minimum=1,
    )
    max_rrset_records: int = setting(
        100, "Records of one name and type that updates may add up to.", minimum=1
    )
    max_name_types: int = setting(
        100, "Types of records of one name that updates may add up to.", minimum=1
    )
    updates_waiting: int = setting(
        2000, "Updates that wait to be carried out; others get SERVFAIL.", minimum=1
    )
    updates_waiting_per_client: int = setting(
        200, "The same, of one address.", minimum=1
    )
    max_updates_remembered: int = setting(
        20000,
        "Updates of the last minutes that are known, so that a copy of one is not "
        "carried out again.",
        minimum=1,
    )
    updates_per_commit: int = setting(
        64,
        "Updates of one zone that are made durable together, where so many wait.",
        minimum=1,
    )
    forward_updates: bool = setting(
        False,
        "Pass signed updates of secondary zones on to their primaries.",
    )
    updates_forwarded: int = setting(
        20, "Updates that are passed on at the same time.", minimum=1
    )
    forward_time: Duration = setting(
        "10s", "How long a primary may take to answer an update that is passed on."
    )
    update_tries: int = setting(
        5,
        "How often an update is tried that others come before; then it gets SERVFAIL.",
        minimum=1,
    )

    # --- catalog zones (RFC 9432) ---
    catalog: str = setting(
        "", "The catalog zone that the zone of each new domain joins; empty: none."
    )
    max_catalog_members: int = setting(
        100_000, "A catalog from elsewhere with more members is broken.", minimum=1
    )
