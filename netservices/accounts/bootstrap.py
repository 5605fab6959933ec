"""First start: an empty store gets its domain and its administrator."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable

from attrs import field, frozen

from netservices.accounts.credentials import first_secrets
from netservices.accounts.names import BadName, normalised_domain
from netservices.accounts.passwords import random_password
from netservices.accounts.settings import AccountsSettings
from netservices.core.deferreds import as_deferred
from netservices.interfaces import Exists, IStore, OutcomeUnknown
from netservices.units import (
    CreateAccount,
    CreateDomain,
    DeleteValue,
    Operation,
    PutValue,
    Unit,
)

ADMIN = "admin"
FALLBACK_DOMAIN = "localhost"

_NAMESPACE, _KEY = "first-start", b"unseen"
"""The login whose password has been made, and perhaps not been shown yet."""


@frozen
class FirstAccount:
    """What the first start made; the password is known nowhere else."""

    login: str
    password: str = field(repr=False)


@as_deferred
async def first_start(
    store: IStore,
    hostname: str,
    settings: AccountsSettings,
    further: Callable[[str, str], Iterable[Operation]] | None = None,
) -> FirstAccount | None:
    """Create the domain ``hostname`` and the account ``admin`` in an empty store.

    ``further(domain, login)`` gives operations that belong to the same unit: the
    domain's zone, its postmaster.

    None where the store already has a domain.  Everything is one unit: a crash leaves
    all or nothing, and of two processes that start at once one creates.
    """
    if await store.records.domains():
        return None
    domain = domain_of(hostname)
    password = random_password()
    login = f"{ADMIN}@{domain}"
    unit = Unit(
        (
            CreateDomain(domain),
            CreateAccount(
                ADMIN,
                domain,
                is_admin=True,
                secrets=first_secrets(password, settings),
            ),
            PutValue(_NAMESPACE, _KEY, login.encode()),
            *(further(domain, login) if further is not None else ()),
        ),
        token=secrets.token_bytes(16),
    )
    try:
        try:
            await store.apply(unit)
        except OutcomeUnknown:
            # The token makes this safe: what was applied is not applied again.
            await store.apply(unit)
    except Exists:
        return None
    return FirstAccount(login, password)


@as_deferred
async def unseen_login(store: IStore) -> str | None:
    """The first account's login, where its password may never have been shown: the
    process died just then, or had no terminal."""
    found = await store.values.get(_NAMESPACE, _KEY)
    return None if found is None else found.decode()


def password_is_seen() -> Operation:
    """The operation that notes that somebody knows the first password."""
    return DeleteValue(_NAMESPACE, _KEY)


def domain_of(hostname: str) -> str:
    """The first domain of a host: its name, or ``localhost`` where that is none."""
    try:
        return normalised_domain(hostname)
    except BadName:
        return FALLBACK_DOMAIN
