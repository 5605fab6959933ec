"""Options of the file trees."""

from __future__ import annotations

from netservices.core.settings import Duration, Size, setting, settings


@settings
class FilesSettings:
    """How files are kept: durability, links, names, limits."""

    durability: str = setting(
        "full",
        "What is synced before an upload is acknowledged: full (file, directory and "
        "record), data (the file's octets only), none (nothing: for benchmarks). With "
        "data and none the record follows a moment later.",
        choices=("full", "data", "none"),
    )
    symlinks: str = setting(
        "inside",
        "Which symbolic links are followed: deny (none), inside (those that stay in "
        "their tree), owner (as inside, where link and target have one owner), follow "
        "(any, also out of the tree).",
        choices=("deny", "inside", "owner", "follow"),
    )
    resolver: str = setting(
        "auto",
        "How paths are confined: openat2 (Linux 5.6), walk (any system) or auto.",
        choices=("auto", "openat2", "walk"),
    )
    umask: str = setting(
        "022",
        "Permissions that new files and directories lack, in octal.",
        choices=("000", "002", "007", "022", "027", "077"),
    )
    partial_lifetime: Duration = setting(
        "7d", "How long an upload that broke off can be resumed.", minimum=0
    )
    longest_segment: int = setting(
        255, "Octets in one name of a path.", minimum=1, maximum=255
    )
    longest_path: int = setting(
        3800, "Octets in a path, separators included.", minimum=1, maximum=4000
    )
    small_upload: Size = setting(
        "64K", "An upload up to this size stays in memory until its commit."
    )
    write_chunk: Size = setting(
        "1M", "At most this much is written in one step.", minimum=4096
    )
    upload_buffer: Size = setting(
        "1M", "Octets waiting to be written before the sender is paused."
    )
    slow_write: Duration = setting(
        "5ms",
        "A write that took longer moves its upload, and new ones for a while, to "
        "threads.",
    )
    slow_period: Duration = setting(
        "10s",
        "How long, at most, new uploads avoid the reactor thread after a slow write.",
    )
    inline_octets: Size = setting(
        "4M", "What one upload may write in the reactor thread, while writes are fast."
    )
    read_chunk: Size = setting(
        "1M", "The largest piece that one read returns.", minimum=4096
    )
    reserve_step: Size = setting(
        "1M", "Quota is reserved in steps of this size while an upload grows."
    )
    upload_digest_limit: Size = setting(
        "16M",
        "Up to this size a file gets its digest while it is uploaded; a longer one "
        "when one is asked for.",
    )
    digest_limit: Size = setting(
        "16G", "A longer file, or range of one, is not read to find its digest."
    )
    digests_at_once: int = setting(
        2, "Files of one tree that are read for digests at once.", minimum=1
    )
    most_locks: int = setting(
        1000, "Locks that one account may hold at once.", minimum=1
    )
    property_octets: Size = setting(
        "64K", "What clients may note about one file: names and values together."
    )
    threads: int = setting(8, "Threads for file system calls.", minimum=1, maximum=256)
    queue: int = setting(
        4096, "Calls that may wait for a thread before more are refused.", minimum=1
    )
    longest_page: int = setting(
        1000, "Entries in one page of a listing.", minimum=1, maximum=10000
    )
    listing_names: int = setting(
        1_000_000, "Names of long listings kept in memory, over all listings."
    )
    listing_lifetime: Duration = setting(
        "60s", "How long the names of a listing that is being paged are kept."
    )
    sweep_interval: Duration = setting(
        "1h", "How often partial uploads past their time are removed.", minimum=1
    )
