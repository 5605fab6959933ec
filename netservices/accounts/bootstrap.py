"""First start: an empty store gets its domain and its administrator."""

from __future__ import annotations

import secrets

from attrs import field, frozen

from netservices.accounts.credentials import first_secrets
from netservices.accounts.names import BadName, normalised_domain
from netservices.accounts.passwords import random_password
from netservices.accounts.settings import AccountsSettings
from netservices.core.deferreds import as_deferred
from netservices.interfaces import Exists, IStore, OutcomeUnknown
from netservices.units import CreateAccount, CreateDomain, Unit

ADMIN = "admin"
FALLBACK_DOMAIN = "localhost"


@frozen
class FirstAccount:
    """What the first start made; the password is known nowhere else."""

    login: str
    password: str = field(repr=False)


@as_deferred
async def first_start(
    store: IStore, hostname: str, settings: AccountsSettings
) -> FirstAccount | None:
    """Create the domain ``hostname`` and the account ``admin`` in an empty store.

    None where the store already has a domain.  Everything is one unit: a crash leaves
    all or nothing, and of two processes that start at once one creates.
    """
    if await store.records.domains():
        return None
    domain = domain_of(hostname)
    password = random_password()
    unit = Unit(
        (
            CreateDomain(domain),
            CreateAccount(
                ADMIN,
                domain,
                is_admin=True,
                secrets=first_secrets(password, settings),
            ),
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
    return FirstAccount(f"{ADMIN}@{domain}", password)


def domain_of(hostname: str) -> str:
    """The first domain of a host: its name, or ``localhost`` where that is none."""
    try:
        return normalised_domain(hostname)
    except BadName:
        return FALLBACK_DOMAIN
