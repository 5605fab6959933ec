"""Passwords: made, hashed with argon2id, verified.

All of it blocks: the service calls it in its threads, the ``netservices`` command
directly.  argon2 gives the interpreter lock back while it works.
"""

from __future__ import annotations

import secrets
from base64 import b64encode
from functools import lru_cache

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from netservices.accounts.precis import BadString, opaque_string, saslprep
from netservices.accounts.scram import SALT_OCTETS, ScramKeys, derive_keys
from netservices.accounts.settings import AccountsSettings

LONGEST_PASSWORD = 1024
"""Octets; a longer one is wrong without being hashed."""
_ARGON2_SALT_OCTETS = 16
_ARGON2_HASH_OCTETS = 32
# Without 0 1 i l o: what is read aloud or from paper.
_READABLE = "abcdefghjkmnpqrstuvwxyz23456789"
_GROUP = 4


class BadPassword(ValueError):
    """A new password is not acceptable; ``str()`` says why."""


def random_password(groups: int = 4) -> str:
    """A readable random password, ``xxxx-xxxx-xxxx-xxxx``: 19.8 bits a group."""
    return "-".join(
        "".join(secrets.choice(_READABLE) for _ in range(_GROUP)) for _ in range(groups)
    )


def prepared_password(password: bytes) -> str | None:
    """The password as it is compared (RFC 8265 4), or None where it cannot be one."""
    if len(password) > LONGEST_PASSWORD:
        return None
    try:
        return opaque_string(password.decode())
    except (UnicodeDecodeError, BadString):
        return None


def check_new_password(password: str, settings: AccountsSettings) -> None:
    """Refuse a password that is too short, too long or cannot be typed.
    BadPassword."""
    if len(password) < settings.shortest_password:
        shortest = settings.shortest_password
        raise BadPassword(f"a password has at least {shortest} characters")
    try:
        octets = len(opaque_string(password).encode())
    except (BadString, UnicodeEncodeError) as problem:
        raise BadPassword(f"the password cannot be used: {problem}") from None
    if octets > LONGEST_PASSWORD:
        raise BadPassword(f"a password has at most {LONGEST_PASSWORD} octets")


def hash_password(password: bytes, settings: AccountsSettings) -> bytes:
    """An argon2id hash in PHC form; takes tens of milliseconds.  BadPassword."""
    prepared = prepared_password(password)
    if prepared is None:
        raise BadPassword("the password is not UTF-8, too long or cannot be typed")
    return _hasher(settings).hash(prepared).encode("ascii")


def verify_password(secret: bytes, password: bytes) -> bool:
    """Whether ``password`` is the one of which ``secret`` is the hash.

    Always takes the time of one hash: also for a password that cannot be right.
    """
    prepared = prepared_password(password)
    try:
        is_right = PasswordHasher().verify(secret, prepared or "")
    except (Argon2Error, InvalidHashError):
        return False
    return is_right and prepared is not None


def needs_rehash(secret: bytes, settings: AccountsSettings) -> bool:
    """Whether the hash was made with other parameters than new ones are."""
    try:
        return _hasher(settings).check_needs_rehash(secret.decode("ascii"))
    except (InvalidHashError, UnicodeDecodeError):
        return True


def dummy_secret(settings: AccountsSettings) -> bytes:
    """The hash of no password: verifying it costs what verifying a real one does."""
    memory = settings.argon2_memory // 1024
    parts = (
        b"",
        b"argon2id",
        b"v=19",
        b"m=%d,t=%d,p=%d" % (memory, settings.argon2_time, settings.argon2_parallelism),
        _phc_base64(secrets.token_bytes(_ARGON2_SALT_OCTETS)),
        _phc_base64(secrets.token_bytes(_ARGON2_HASH_OCTETS)),
    )
    return b"$".join(parts)


def scram_keys(password: str, settings: AccountsSettings) -> ScramKeys:
    """Fresh SCRAM keys of a password that ``check_new_password`` passed."""
    salt = secrets.token_bytes(SALT_OCTETS)
    return derive_keys(scram_form(password), salt, settings.scram_iterations)


def scram_form(password: str) -> str:
    """The password as SCRAM clients hash it: SASLprep where that exists."""
    try:
        return saslprep(password)
    except BadString:
        # Not RFC 5802 2.2: emoji are newer than Unicode 3.2, and clients send them.
        return opaque_string(password)


@lru_cache(maxsize=8)
def _hasher(settings: AccountsSettings) -> PasswordHasher:
    return PasswordHasher(
        time_cost=settings.argon2_time,
        memory_cost=settings.argon2_memory // 1024,
        parallelism=settings.argon2_parallelism,
        hash_len=_ARGON2_HASH_OCTETS,
        salt_len=_ARGON2_SALT_OCTETS,
    )


def _phc_base64(data: bytes) -> bytes:
    """Base64 without padding, as the PHC string format wants it."""
    return b64encode(data).rstrip(b"=")
