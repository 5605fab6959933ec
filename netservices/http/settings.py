"""Options of the HTTP server."""

from __future__ import annotations

from netservices.core.settings import Duration, Size, setting, settings
from netservices.http.layers.moves import parse_move
from netservices.http.mounting import parse_mount
from netservices.http.options import (
    check_charset,
    check_coding,
    check_host,
    check_name,
    check_path,
    parse_caching,
    parse_type,
)
from netservices.http.rules import parse_line
from netservices.web.csrf import check_origin


def check_login_path(text: str) -> None:
    """ValueError where login and logout could not be below ``text``."""
    if text and not (text.startswith("/") and text.endswith("/") and text.isascii()):
        raise ValueError(f"{text!r} is no path such as /-/")


@settings
class HTTPSettings:
    """How HTTP is served: sites, patience, limits."""

    # --- connections ---
    longest_request_line: Size = setting(
        "8K", "A longer request line is answered with 414."
    )
    longest_head: Size = setting(
        "32K", "Request line and fields together; a longer head gets 431."
    )
    keep_alive: Duration = setting(
        "75s", "How long a connection may be idle between requests.", minimum=1
    )
    most_fields: int = setting(
        128, "More header fields in a request are answered with 431.", minimum=8
    )
    head_deadline: Duration = setting(
        "30s", "In this time a head that has begun must be complete.", minimum=1
    )
    body_deadline: Duration = setting(
        "6h", "In this time the body of a request must be complete.", minimum=1
    )
    stall_timeout: Duration = setting(
        "60s",
        "In this time a client that should send or take something must do so.",
        minimum=1,
    )
    minimum_rate: Size = setting(
        64,
        "Octets a second that a client must at least send or take, averaged over"
        " stall_timeout; 0: any octet will do.",
        minimum=0,
    )
    requests_per_connection: int = setting(
        10000, "After so many requests a connection ends.", minimum=1
    )
    connections: int = setting(
        10_000,
        "Connections at once; one more takes the place of an idle one, or gets 503.",
        minimum=1,
    )
    requests_per_second: int = setting(
        0,
        "Requests a second of one IPv4 address or IPv6 network; more get 429.  0: as "
        "many as they like.",
        minimum=0,
    )
    request_burst: int = setting(
        200,
        "So many requests may come at once before requests_per_second counts.",
        minimum=1,
    )

    # --- files of accounts ---
    webdav: str = setting(
        "/dav/",
        "Path below which each account has its files by WebDAV; empty: nowhere.",
        check=check_path,
    )
    webdav_longest_xml: Size = setting(
        "256K", "The longest XML that a request of WebDAV may hold.", minimum=1024
    )
    webdav_most_listed: int = setting(
        10_000,
        "How many files and directories PROPFIND with depth infinity tells at most; "
        "where there are more it is refused, and clients go from directory to "
        "directory.",
        minimum=1,
    )
    webdav_longest_lock: Duration = setting(
        "1h", "How long a lock lasts at most without being refreshed.", minimum=1
    )
    largest_upload: Size = setting(
        "0", "A file that is uploaded may have so many octets; 0: as many as fit."
    )
    largest_patched: Size = setting(
        "1M", "A file up to this size is changed by PATCH, with as long a description."
    )

    # --- answers that are kept, and what is told of all ---
    answer_memory: Size = setting(
        "32M",
        "Small answers that hold for everybody are kept in so much memory, to be sent "
        "again at once; 0: none.",
        minimum=0,
    )
    access_log: str = setting(
        "access.log",
        "File with a line for each request, below log/ in the state directory unless "
        "absolute; reopened at SIGHUP; empty: none.",
    )
    access_log_format: str = setting(
        "combined",
        "Lines as Apache and nginx write them, or JSON, which tells more.",
        choices=("combined", "json"),
    )

    # --- what browsers are told ---
    require_tls: bool = setting(
        False, "Whether plain HTTP is answered with a redirection to HTTPS."
    )
    public_tls_port: int = setting(
        0,
        "The port of HTTPS in such redirections; 0: that of the first TLS listener.",
        minimum=0,
        maximum=65535,
    )
    hsts: Duration = setting(
        "0s",
        "How long browsers shall use HTTPS only (Strict-Transport-Security); 0s: they "
        "are not told.",
    )
    hsts_subdomains: bool = setting(
        False, "Whether that holds for all names below, too."
    )
    security_headers: bool = setting(
        True,
        "Whether responses get X-Content-Type-Options, Referrer-Policy and "
        "X-Frame-Options where they do not have them.",
    )
    frame_options: str = setting(
        "sameorigin",
        "Who may show pages of this server in a frame.",
        choices=("deny", "sameorigin", "allow"),
    )
    moves: tuple[str, ...] = setting(
        [],
        "What has moved: lines such as '/old /new', '/blog/* https://blog.example/* "
        "302' or 'www.example.org/* https://example.org/*'.",
        check=parse_move,
    )

    # --- who may see what ---
    access: tuple[str, ...] = setting(
        [],
        "Who may see and change what: lines such as '* /in/ login', '@staff /in/staff/ "
        "allow', '10.0.0.0/8 /lab/ allow' or '* www.example.org/lab/ deny'.",
        check=parse_line,
        is_live=True,
    )

    # --- logins and sessions of browsers ---
    login_path: str = setting(
        "/-/",
        "Path below which people log in and out (login, logout); empty: nowhere.",
        check=check_login_path,
    )
    trusted_origins: tuple[str, ...] = setting(
        [],
        "Other origins whose pages may change something here, such as "
        "https://app.example.org.",
        check=check_origin,
    )
    session_idle: Duration = setting(
        "1d", "A session that is not used for so long ends.", minimum=60
    )
    session_lifetime: Duration = setting(
        "30d", "So long after its login a session ends in any case.", minimum=60
    )
    session_size: Size = setting(
        "16K", "What pages may keep in one session, as JSON.", minimum=1024
    )
    sessions_per_account: int = setting(
        50,
        "With one more, the session of the account that was idle longest ends.",
        minimum=1,
    )
    anonymous_sessions: int = setting(
        100_000,
        "Sessions of visitors who have not logged in; with more, old ones end.",
        minimum=1,
    )
    new_sessions: int = setting(
        120, "Such sessions that begin from one network in a minute.", minimum=1
    )

    # --- DNS over HTTPS ---
    dns_path: str = setting(
        "/dns-query",
        "Where DNS over HTTPS is, while DNS runs; empty: nowhere.",
        check=check_path,
    )
    dns_plaintext: str = setting(
        "never",
        "Who may ask DNS over HTTP without TLS: loopback is for a proxy with TLS.",
        choices=("never", "loopback", "always"),
    )

    # --- files ---
    index: tuple[str, ...] = setting(
        ["index.html", "index.htm"],
        "Names of the file that is shown for its directory; the first that is there.",
        check=check_name,
        is_live=True,
    )
    hidden: tuple[str, ...] = setting(
        [".*", "*~", "#*#"],
        "Patterns of names of files and directories that nobody sees; .well-known at "
        "the root of a site is always seen.",
        is_live=True,
    )
    charset: str = setting(
        "utf-8",
        "The charset that text files are said to be in; empty: browsers guess.",
        check=check_charset,
        is_live=True,
    )
    types: tuple[str, ...] = setting(
        [],
        "Media types of files: '.ext type/subtype', beside and before those that are "
        "known.",
        check=parse_type,
        is_live=True,
    )
    caching: tuple[str, ...] = setting(
        [],
        "How long caches keep files: lines such as '*.css max-age=86400' or "
        "'/assets/* max-age=31536000, immutable'; the first that fits counts.",
        check=parse_caching,
        is_live=True,
    )
    precompressed: bool = setting(
        True,
        "Whether page.html.br, .zst and .gz are sent for page.html, where they are not "
        "older and the client takes them.",
        is_live=True,
    )
    compression: tuple[str, ...] = setting(
        ["zstd", "br", "gzip"],
        "Content codings that are made while sending, most wanted first: zstd and br "
        "where their libraries are installed, gzip.",
        check=check_coding,
        is_live=True,
    )
    compress_from: Size = setting(
        "512", "Shorter content is not compressed.", is_live=True
    )
    compress_to: Size = setting(
        "16M",
        "Longer files are sent as they are, unless a coding lies beside them.",
        is_live=True,
    )
    small_file: Size = setting(
        "256K", "Files up to this size are kept in memory while they are asked for."
    )
    file_cache: Size = setting(
        "32M", "Memory for files that are kept, and for what is known of others."
    )
    listings: bool = setting(
        False,
        "Whether a directory without an index file is listed; otherwise it is 404.",
        is_live=True,
    )
    account_pages: bool = setting(
        True, "Whether accounts show pages under /~name/.", is_live=True
    )
    account_directory: str = setting(
        "www",
        "The directory in the home of an account that has its pages.",
        check=check_name,
    )
    account_sandbox: bool = setting(
        True,
        "Whether scripts in pages of accounts are kept from acting with the login of "
        "whoever looks at them (Content-Security-Policy: sandbox).",
    )
    account_host: str = setting(
        "",
        "A host for pages of accounts, such as pages.example.org: they are shown there "
        "only, without a sandbox, and nobody logs in there.  Empty: all hosts.",
        check=check_host,
    )
    account_uploads: bool = setting(
        True, "Whether accounts may change their pages by PUT and DELETE."
    )

    # --- applications ---
    mounts: tuple[str, ...] = setting(
        [],
        "Applications: lines such as '/blog wsgi:mysite.wsgi:application', "
        "'/api asgi:app:app', '/old resource:mod:factory' or "
        "'www.example.org/ handler:mod:handle'.",
        check=parse_mount,
    )
    python_path: tuple[str, ...] = setting(
        [], "Directories in which modules of mounts are looked for first."
    )
    application_body: Size = setting(
        "100M", "A request to an application may bring so many octets; then 413."
    )
    application_waiting: Size = setting(
        "2G", "So many octets of such requests may wait in files; the next gets 503."
    )
    application_patience: Duration = setting(
        "60s", "In this time an application must begin its response; then 504."
    )
    wsgi_threads: int = setting(
        16, "So many requests are in WSGI applications at a time.", minimum=1
    )
    wsgi_waiting: int = setting(
        200, "So many more wait for their turn; the next one gets 503.", minimum=0
    )
