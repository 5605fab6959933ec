"""The settings of the store."""

from __future__ import annotations

from netservices.core.settings import Duration, Size, setting, settings


@settings
class StoreSettings:
    """Limits and habits of the store; the defaults suit one machine of any size."""

    inline_limit: Size = setting(
        "64K",
        "Content up to this size lives in a database row, larger content in a file of "
        "its own.",
        maximum=1 << 20,
    )
    group_units: int = setting(
        128, "At most so many units share one commit.", minimum=1, maximum=10_000
    )
    group_octets: Size = setting("8M", "A commit takes no further unit above this.")
    group_time: Duration = setting(
        "20ms", "A commit takes no further unit after so much work."
    )
    queue_units: int = setting(
        10_000, "More units waiting than this are refused as busy.", minimum=1
    )
    queue_octets: Size = setting(
        "64M", "More octets of units waiting than this are refused as busy."
    )
    reader_threads: int = setting(2, "Threads for long reads.", minimum=1, maximum=16)
    reader_queue: int = setting(
        1000, "More long reads waiting than this are refused as busy.", minimum=1
    )
    checkpoint_at: Size = setting(
        "16M",
        "From this size on, the write-ahead log is copied into the database in the "
        "background; it is also cut back to this size.",
        minimum=1 << 16,
    )
    checkpoint_pause_at: Size = setting(
        "64M", "From this size on, writing pauses until the log is copied."
    )
    free_space_floor: Size = setting(
        "64M", "With less free space on the disk, only deletions are taken."
    )
    spare: Size = setting(
        "4M", "Space held back, so that a full disk leaves room for deletions."
    )
    poll_interval: Duration = setting(
        "1s", "How often commits of other processes are looked for.", minimum=0.01
    )
    housekeeping_interval: Duration = setting(
        "5m", "How often what has expired is removed.", minimum=1
    )
    notice_retention: Duration = setting(
        "1d", "How long notices of changes can be read again."
    )
    token_retention: Duration = setting(
        "24h", "How long a retried unit is recognised by its token."
    )
    blob_grace: Duration = setting(
        "1h", "How long content that nothing refers to is kept."
    )
    zone_journal: int = setting(
        1000,
        "Changes of a zone that are kept, for incremental transfers, its history, and "
        "to be undone.",
        minimum=0,
    )
    zone_journal_octets: Size = setting(
        "16M",
        "Octets of a zone's changes that are kept; the last change is kept in any "
        "case.",
    )
    durability: str = setting(
        "full",
        "`full`: nothing is acknowledged before it is on stable storage.  `none` is "
        "for tests and benchmarks only: a crash loses what was acknowledged.",
        choices=("full", "none"),
    )
