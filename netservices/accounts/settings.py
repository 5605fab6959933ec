"""Options of accounts, passwords and logins."""

from __future__ import annotations

from netservices.core.settings import Duration, Size, setting, settings


@settings
class AccountsSettings:
    """Who may log in, and how passwords are kept."""

    allow_plaintext: str = setting(
        "loopback",
        "Where a password may travel without TLS.",
        choices=("never", "loopback", "always"),
    )
    mechanisms: tuple[str, ...] = setting(
        [
            "SCRAM-SHA-256-PLUS",
            "SCRAM-SHA-256",
            "EXTERNAL",
            "PLAIN",
            "LOGIN",
        ],
        "SASL mechanisms on offer, strongest first.  Without SCRAM no SCRAM keys are "
        "kept.",
        choices=(
            "SCRAM-SHA-256-PLUS",
            "SCRAM-SHA-256",
            "EXTERNAL",
            "PLAIN",
            "LOGIN",
        ),
    )
    shortest_password: int = setting(
        8, "A new password has at least so many characters.", minimum=1, maximum=128
    )
    argon2_time: int = setting(
        2, "Passes over the memory for one password hash.", minimum=1, maximum=1000
    )
    argon2_memory: Size = setting(
        "19M", "Memory for one password hash.", minimum=8192, maximum=4 * 1024**3
    )
    argon2_parallelism: int = setting(
        1, "Lanes of one password hash.", minimum=1, maximum=64
    )
    scram_iterations: int = setting(
        # RFC 7677 4: at least 4096; every login costs the client as many.
        10000,
        "Rounds of PBKDF2 in the SCRAM keys of new passwords.",
        minimum=4096,
        maximum=10_000_000,
    )
    hash_threads: int = setting(
        2, "Threads that verify passwords.", minimum=1, maximum=64
    )
    hash_queue: int = setting(
        256, "Logins that wait for such a thread; further ones are put off.", minimum=1
    )
    hash_queue_per_network: int = setting(
        64, "Of these, logins from one network.", minimum=1
    )
    cache_seconds: Duration = setting(
        "5m", "How long a verified password needs no new verification; 0s for never."
    )
    cache_entries: int = setting(
        10000, "Verified passwords kept (as keyed hashes, in memory).", minimum=1
    )
    checker: str = setting(
        "",
        "A further source of truth: a Twisted credentials checker as for "
        "twistd --auth, such as file:/etc/netservices/passwd.",
    )
    create_from_checker: bool = setting(
        False,
        "Create the account when the checker accepts a login that has none.",
    )
