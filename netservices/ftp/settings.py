"""Options of the FTP server."""

from __future__ import annotations

from netservices.core.settings import Duration, PortRange, Size, setting, settings
from netservices.ftp.hooks import check_hook
from netservices.ftp.options import parse_encoding
from netservices.ftp.rules import parse_directory, parse_permission, parse_rule


def _check_active_port(text: str) -> None:
    if text != "L-1" and not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise ValueError("L-1 or a port is wanted")


@settings
class FTPSettings:
    """How FTP is served: data connections, anonymous users, patience, limits."""

    passive_ports: PortRange = setting(
        "50000-50099", "Ports on which passive data connections are taken."
    )
    passive_listeners: int = setting(
        8,
        "Of these, ports that stay open and are shared; clients are told apart by "
        "their address.",
        minimum=1,
    )
    passive_addresses: int = setting(
        64,
        "Addresses of this server on which such ports stay open at once; those that "
        "were used last.",
        minimum=1,
    )
    masquerade_address: str = setting(
        "",
        "IPv4 address that PASV names; empty for the one the client connected to.",
        is_live=True,
    )
    active_port: str = setting(
        "L-1",
        "Port that active data connections come from; L-1: the one below that of the "
        "control connection, 20 for 21; 0: any.",
        check=_check_active_port,
    )
    active_connect: str = setting(
        "transfer",
        "When an active data connection is made: at the transfer command, or early, "
        "at PORT and EPRT.",
        choices=("transfer", "early"),
    )
    allow_foreign: bool = setting(
        False,
        "Data connections may come from, and go to, other hosts than the client's "
        "(site-to-site transfers).",
        is_live=True,
    )
    session_reuse: str = setting(
        "prefer",
        "Whether data connections with TLS must resume the TLS session of the control "
        "connection: always, or (prefer) once the client has done so.",
        choices=("prefer", "require", "off"),
        is_live=True,
    )
    tls_required: bool = setting(
        False,
        "Whether every login needs TLS, that of anonymous users, too.",
        is_live=True,
    )
    protect_data: bool = setting(
        False, "Whether transfers and listings need TLS (PROT P).", is_live=True
    )
    allow_clear_control: bool = setting(
        False, "Whether CCC may end TLS on the control connection.", is_live=True
    )
    rein_ends_tls: bool = setting(
        True, "Whether REIN ends TLS on the control connection, as RFC 4217 wants."
    )
    lenient_tls_end: bool = setting(
        False,
        "Whether an upload over TLS that ends without close_notify counts as complete.",
        is_live=True,
    )
    rules: tuple[str, ...] = setting(
        [],
        'What differs by login, @group or network, such as "@guests umask=077"; later '
        "lines win.",
        check=parse_rule,
        is_live=True,
    )
    permissions: tuple[str, ...] = setting(
        [],
        'Who may do what below a directory, such as "@students /inbox upload"; the '
        "longest path counts, then the later line.",
        check=parse_permission,
        is_live=True,
    )
    encoding: str = setting(
        "utf-8",
        "How names travel until a client says OPTS UTF8 ON; on the disk they are "
        "UTF-8.",
        check=parse_encoding,
        is_live=True,
    )
    download_rate: Size = setting(
        0,
        "Octets a second that the sessions of one account, or those of anonymous users "
        "from one address, download together; 0 for no limit.",
        minimum=0,
        is_live=True,
    )
    upload_rate: Size = setting(0, "The same for uploads.", minimum=0, is_live=True)
    total_download_rate: Size = setting(
        0,
        "Octets a second that all sessions download together; 0 for no limit.",
        minimum=0,
        is_live=True,
    )
    total_upload_rate: Size = setting(
        0, "The same for uploads.", minimum=0, is_live=True
    )
    anonymous: bool = setting(True, "Whether anonymous users may read pub/.")
    anonymous_names: tuple[str, ...] = setting(
        ["anonymous", "ftp"],
        "Logins of anonymous users, in exactly these letters.",
    )
    anonymous_email: bool = setting(
        False,
        "Whether anonymous users must give something like an e-mail address as "
        "password.",
    )
    drop_box: str = setting(
        "",
        "Directory of pub/ into which anonymous users upload, and in which they see "
        'nothing, such as "incoming"; empty for none.',
        check=parse_directory,
    )
    drop_box_upload: Size = setting(
        "100M", "Octets of one upload into the drop box.", minimum=1
    )
    drop_box_total: Size = setting(
        "1G", "Octets that the drop box holds at most.", minimum=1
    )
    drop_box_files: int = setting(
        10_000, "Files that the drop box holds at most, empty ones too.", minimum=1
    )
    ascii_size: str = setting(
        "exact",
        "SIZE in TYPE A: exact (the octets that would be sent), refuse (550).",
        choices=("exact", "refuse"),
    )
    representations: str = setting(
        "all",
        "What STRU and MODE offer: all, common (file structure and stream mode; the "
        "others are answered 504).",
        choices=("all", "common"),
    )
    resume_visible: bool = setting(
        True,
        "SIZE and MLST of a name that is free tell of an upload to it that broke off, "
        "so that clients go on with it.",
    )
    banner: str = setting("", "Text of the greeting; empty for the host name.")
    idle_timeout: Duration = setting(
        "15m", "A session without a command or transfer ends.", minimum=1, is_live=True
    )
    longest_idle: Duration = setting(
        "2h", "What a client may ask for with SITE IDLE.", minimum=1
    )
    login_timeout: Duration = setting(
        "2m", "A session that has not logged in ends.", minimum=1
    )
    data_timeout: Duration = setting(
        "30s", "How long a transfer waits for its data connection.", minimum=1
    )
    stall_timeout: Duration = setting(
        "5m", "A transfer on which nothing moves ends.", minimum=1
    )
    allo_is_size: bool = setting(
        True,
        "An upload that ends before it has the size that ALLO announced is one that "
        "broke off (binary type).",
    )
    minimum_rate: Size = setting(
        64,
        "A transfer whose client is slower ends: octets a second over "
        "minimum_rate_period; 0: any rate will do.",
        minimum=0,
    )
    minimum_rate_period: Duration = setting(
        "5m", "The time over which minimum_rate is averaged.", minimum=1
    )
    longest_command: Size = setting(
        "8K", "A longer command line is refused.", minimum=512
    )
    overlong_commands: int = setting(
        3, "So many overlong lines, and the session ends.", minimum=1
    )
    sessions: int = setting(10000, "FTP sessions open at once.", minimum=1)
    sessions_per_address: int = setting(
        100, "FTP sessions from one address.", minimum=1
    )
    failed_logins: int = setting(
        3, "So many failed logins, and the session ends.", minimum=1
    )
    transfer_chunk: Size = setting(
        "256K", "Octets moved in one step of a transfer.", minimum=4096, maximum=1 << 20
    )
    restart_markers: Size = setting(
        "1M",
        "Octets of a file between two restart markers, in downloads in block and "
        "compressed mode; 0: none.",
        minimum=0,
    )
    listing_page: int = setting(
        500, "Entries of a listing made in one step.", minimum=1, maximum=1000
    )
    status_entries: int = setting(
        500, "Entries of a directory that STAT shows at most.", minimum=1
    )
    xferlog: str = setting(
        "",
        "File of transfers in the format of wu-ftpd's xferlog, below log/ in the state "
        'directory unless absolute, such as "xferlog"; reopened at SIGHUP; empty: '
        "none.",
    )
    hooks: tuple[str, ...] = setting(
        [],
        "Programs that run after something has happened, such as "
        '"upload rename: /usr/local/bin/arrived".',
        check=check_hook,
    )
    hooks_at_once: int = setting(
        4, "Programs of hooks that run at once.", minimum=1, maximum=256
    )
    hooks_waiting: int = setting(
        1000,
        "Programs that wait for their turn; further ones are counted and dropped.",
        minimum=1,
    )
    hook_timeout: Duration = setting(
        "60s", "A program that takes longer is killed.", minimum=0.1
    )
    hook_output: Size = setting(
        "4K", "Octets of a program's output that the log gets.", minimum=0
    )
    hooks_grace: Duration = setting(
        "5s", "How long a stop waits for programs before it kills them.", minimum=0
    )
