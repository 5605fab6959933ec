"""What an account can prove itself with: making it, and finding the one that is meant.

Theory.  A login costs exactly one argon2 verification, whether the login exists or not
and however many app passwords it has; anything else would tell strangers what exists,
and let one bad login cost twenty hashes.  So an app password says itself which one it
is: its first group of characters, the *selector*, is kept in clear before the hash.
The other groups (79 bits) are random, which is why app passwords are made here and
never chosen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from netservices.accounts.passwords import (
    check_new_password,
    hash_password,
    needs_rehash,
    random_password,
    scram_keys,
)
from netservices.accounts.settings import AccountsSettings
from netservices.units import AddToValue, Operation, PutCredential, UpdateAccount
from netservices.values import Account, Credential, CredentialKind

NAMESPACE = "accounts"
"""That of the key-value store."""

_APP_PASSWORD_GROUPS = 5
_APP_PASSWORD = re.compile(rb"([a-z2-9]{4})(?:-[a-z2-9]{4}){4}")


def first_secrets(
    password: str, settings: AccountsSettings
) -> tuple[tuple[CredentialKind, bytes], ...]:
    """The credentials that a password becomes, as ``CreateAccount.secrets`` takes
    them.

    Blocks for one hash and one SCRAM derivation.  BadPassword.
    """
    check_new_password(password, settings)
    found = [
        (CredentialKind.PASSWORD, hash_password(password.encode(), settings)),
    ]
    if keeps_scram(settings):
        keys = scram_keys(password, settings).encode()
        found.append((CredentialKind.SCRAM_SHA_256, keys))
    return tuple(found)


def credential_operations(
    account_id: int, password: str, settings: AccountsSettings
) -> tuple[Operation, ...]:
    """The operations that give an account a new password; app passwords stay.

    Blocks for one hash and one SCRAM derivation.  BadPassword.
    """
    puts = (
        PutCredential(account_id, kind, secret)
        for kind, secret in first_secrets(password, settings)
    )
    # The new revision stops a renewal of the old password that is under way.
    return (UpdateAccount(account_id), next_generation(account_id), *puts)


def generation_key(account_id: int) -> bytes:
    """Where it is kept how often the password of an account was replaced."""
    return b"generation/%d" % account_id


def next_generation(account_id: int) -> Operation:
    """What was opened with a password of the account before ends: web sessions hold
    the generation in which they began."""
    return AddToValue(NAMESPACE, generation_key(account_id), 1)


def renewal_operations(
    account: Account, password: str, settings: AccountsSettings
) -> tuple[Operation, ...]:
    """The operations that store a password just verified with today's parameters.

    Conflict where the account changed since it was read.  Blocks as above.
    """
    guard = UpdateAccount(account.id, if_revision=account.revision)
    hashed = hash_password(password.encode(), settings)
    found: list[Operation] = [guard]
    found.append(PutCredential(account.id, CredentialKind.PASSWORD, hashed))
    if keeps_scram(settings):
        keys = scram_keys(password, settings).encode()
        found.append(PutCredential(account.id, CredentialKind.SCRAM_SHA_256, keys))
    return tuple(found)


def needs_renewal(
    credential: Credential,
    credentials: Iterable[Credential],
    settings: AccountsSettings,
) -> bool:
    """Whether a password just verified should be stored anew."""
    if credential.kind is not CredentialKind.PASSWORD:
        return False
    if needs_rehash(credential.secret, settings):
        return True
    return keeps_scram(settings) and scram_credential(credentials) is None


def app_password_operations(
    account_id: int,
    label: str,
    protocols: Iterable[str],
    settings: AccountsSettings,
    expires: float | None = None,
) -> tuple[str, tuple[Operation, ...]]:
    """A new app password, to be shown once, and the operations that store it."""
    password = random_password(_APP_PASSWORD_GROUPS)
    selector = password.partition("-")[0].encode("ascii")
    secret = selector + b":" + hash_password(password.encode("ascii"), settings)
    kind = CredentialKind.APP_PASSWORD
    operation = PutCredential(
        account_id, kind, secret, label, tuple(protocols), expires
    )
    return password, (operation,)


def keeps_scram(settings: AccountsSettings) -> bool:
    """Whether SCRAM keys are stored beside the hash of a password."""
    return any(name.startswith("SCRAM-SHA-256") for name in settings.mechanisms)


def credential_meant(
    credentials: Iterable[Credential], password: bytes
) -> Credential | None:
    """The one credential against which ``password`` is verified."""
    match = _APP_PASSWORD.fullmatch(password)
    main = None
    for credential in credentials:
        if credential.kind is CredentialKind.PASSWORD:
            main = credential
        elif credential.kind is CredentialKind.APP_PASSWORD and match is not None:
            selector, _, _ = credential.secret.partition(b":")
            if selector == match[1]:
                return credential
    return main


def hash_of(credential: Credential) -> bytes:
    """The argon2id hash of a password or app password."""
    if credential.kind is CredentialKind.APP_PASSWORD:
        return credential.secret.partition(b":")[2]
    return credential.secret


def scram_credential(credentials: Iterable[Credential]) -> Credential | None:
    """The SCRAM keys of an account, if it has any."""
    for credential in credentials:
        if credential.kind is CredentialKind.SCRAM_SHA_256:
            return credential
    return None


def why_not_now(credential: Credential, protocol: str, now: float) -> str:
    """Why a verified credential does not count here; empty where it does."""
    if credential.expires is not None and credential.expires <= now:
        return "credential expired"
    if credential.protocols and protocol not in credential.protocols:
        return f"app password not for {protocol}"
    return ""
