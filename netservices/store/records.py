"""Domains, accounts, credentials and aliases."""

from __future__ import annotations

import json
from functools import lru_cache
from sqlite3 import Connection
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from netservices.interfaces import Conflict, Exists, IAccountRecords, NotFound
from netservices.store.operations import Handlers, Transaction
from netservices.store.readers import Readers
from netservices.units import (
    CreateAccount,
    CreateDomain,
    DeleteAccount,
    DeleteDomain,
    PutAlias,
    PutCredential,
    RemoveAlias,
    RemoveCredential,
    UpdateAccount,
)
from netservices.values import (
    Account,
    Alias,
    Credential,
    CredentialKind,
    Domain,
    Topic,
)

# --- writing ------------------------------------------------------------------------


def create_domain(transaction: Transaction, operation: CreateDomain) -> int:
    """A new domain."""
    name = operation.name.lower()
    row = transaction.connection.execute(
        "INSERT INTO domain(name, created) VALUES(?, ?) "
        "ON CONFLICT DO NOTHING RETURNING id",
        (name, transaction.now),
    ).fetchone()
    if row is None:
        raise Exists(f"the domain {name} exists")
    transaction.notify(Topic.DOMAIN, name)
    return int(row[0])


def delete_domain(transaction: Transaction, operation: DeleteDomain) -> None:
    """An empty domain goes."""
    name = operation.name.lower()
    domain = _domain_id(transaction.connection, name)
    if transaction.connection.execute(
        "SELECT 1 FROM account WHERE domain=? LIMIT 1", (domain,)
    ).fetchone():
        raise Conflict(f"the domain {name} has accounts")
    transaction.connection.execute("DELETE FROM domain WHERE id=?", (domain,))
    transaction.notify(Topic.DOMAIN, name)


def create_account(transaction: Transaction, operation: CreateAccount) -> int:
    """A new account, with its first credentials."""
    name, domain = operation.name.lower(), operation.domain.lower()
    login = f"{name}@{domain}"
    row = transaction.connection.execute(
        "INSERT INTO account(domain, name, login, is_admin, is_enabled, quota_octets, "
        "revision, created) VALUES(?, ?, ?, ?, 1, ?, 1, ?) "
        "ON CONFLICT DO NOTHING RETURNING id",
        (
            _domain_id(transaction.connection, domain),
            name,
            login,
            operation.is_admin,
            _quota(operation.quota_octets),
            transaction.now,
        ),
    ).fetchone()
    if row is None:
        raise Exists(f"the account {login} exists")
    account = int(row[0])
    _put_groups(transaction.connection, account, operation.groups)
    for kind, secret in operation.secrets:
        _put_credential(transaction, PutCredential(account, kind, secret))
    transaction.notify(Topic.ACCOUNT, login)
    return account


def update_account(transaction: Transaction, operation: UpdateAccount) -> int:
    """Changed fields and the next revision."""
    login, revision = _login_and_revision(transaction.connection, operation.id)
    if operation.if_revision not in (None, revision):
        raise Conflict(f"the account {login} has revision {revision} by now")
    transaction.connection.execute(
        "UPDATE account SET is_admin=ifnull(?, is_admin), "
        "is_enabled=ifnull(?, is_enabled), revision=revision+1 WHERE id=?",
        (operation.is_admin, operation.is_enabled, operation.id),
    )
    if operation.quota_octets is not None:
        transaction.connection.execute(
            "UPDATE account SET quota_octets=? WHERE id=?",
            (_quota(operation.quota_octets), operation.id),
        )
    if operation.groups is not None:
        transaction.connection.execute(
            "DELETE FROM account_group WHERE account=?", (operation.id,)
        )
        _put_groups(transaction.connection, operation.id, operation.groups)
    transaction.notify(Topic.ACCOUNT, login)
    return revision + 1


def delete_account(transaction: Transaction, operation: DeleteAccount) -> None:
    """The account goes, and by the foreign keys its groups and credentials."""
    login, _ = _login_and_revision(transaction.connection, operation.id)
    transaction.connection.execute("DELETE FROM account WHERE id=?", (operation.id,))
    transaction.notify(Topic.ACCOUNT, login)


def put_credential(transaction: Transaction, operation: PutCredential) -> int:
    """A credential in place of the one before it."""
    login, _ = _login_and_revision(transaction.connection, operation.account)
    transaction.notify(Topic.ACCOUNT, login)
    return _put_credential(transaction, operation)


def remove_credential(transaction: Transaction, operation: RemoveCredential) -> None:
    """A credential goes."""
    login, _ = _login_and_revision(transaction.connection, operation.account)
    if not transaction.connection.execute(
        "DELETE FROM credential WHERE account=? AND id=?",
        (operation.account, operation.id),
    ).rowcount:
        raise NotFound(f"{login} has no credential {operation.id}")
    transaction.notify(Topic.ACCOUNT, login)


def put_alias(transaction: Transaction, operation: PutAlias) -> None:
    """An alias in place of the one before it."""
    address = operation.address.lower()
    transaction.connection.execute(
        "INSERT OR REPLACE INTO alias(address, targets) VALUES(?, ?)",
        (address, json.dumps(operation.targets)),
    )
    transaction.notify(Topic.ALIAS, address)


def remove_alias(transaction: Transaction, operation: RemoveAlias) -> None:
    """An alias goes."""
    address = operation.address.lower()
    if not transaction.connection.execute(
        "DELETE FROM alias WHERE address=?", (address,)
    ).rowcount:
        raise NotFound(f"there is no alias {address}")
    transaction.notify(Topic.ALIAS, address)


def _put_credential(transaction: Transaction, operation: PutCredential) -> int:
    is_app = operation.kind is CredentialKind.APP_PASSWORD
    transaction.connection.execute(
        "DELETE FROM credential WHERE account=? AND kind=? AND (label=? OR ?)",
        (operation.account, operation.kind.value, operation.label, not is_app),
    )
    row = transaction.connection.execute(
        "INSERT INTO credential(account, kind, secret, label, protocols, created, "
        "expires) VALUES(?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            operation.account,
            operation.kind.value,
            operation.secret,
            operation.label,
            json.dumps(operation.protocols),
            transaction.now,
            operation.expires,
        ),
    ).fetchone()
    return int(row[0])


def _put_groups(connection: Connection, account: int, groups: tuple[str, ...]) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO account_group(account, name) VALUES(?, ?)",
        [(account, name) for name in groups],
    )


def _quota(octets: int | None) -> int | None:
    return None if octets is None or octets < 0 else octets


def _domain_id(connection: Connection, name: str) -> int:
    row = connection.execute("SELECT id FROM domain WHERE name=?", (name,)).fetchone()
    if row is None:
        raise NotFound(f"there is no domain {name}")
    return int(row[0])


def _login_and_revision(connection: Connection, account: int) -> tuple[str, int]:
    row: tuple[str, int] | None = connection.execute(
        "SELECT login, revision FROM account WHERE id=?", (account,)
    ).fetchone()
    if row is None:
        raise NotFound(f"there is no account {account}")
    return row


HANDLERS: Handlers = {
    CreateDomain: create_domain,
    DeleteDomain: delete_domain,
    CreateAccount: create_account,
    UpdateAccount: update_account,
    DeleteAccount: delete_account,
    PutCredential: put_credential,
    RemoveCredential: remove_credential,
    PutAlias: put_alias,
    RemoveAlias: remove_alias,
}


# --- reading ------------------------------------------------------------------------

_ACCOUNT = (
    "SELECT a.id, a.name, d.name, a.is_admin, a.is_enabled, a.quota_octets, "
    "(SELECT json_group_array(g.name) FROM account_group g WHERE g.account=a.id), "
    "a.revision, a.created FROM account a JOIN domain d ON d.id=a.domain "
)


@lru_cache(maxsize=256)
def _words(text: str) -> tuple[str, ...]:
    """The words of a list that is stored as JSON: few lists, read at each login."""
    return tuple(json.loads(text))


def _account(row: Any) -> Account:
    """The account of a row of ``_ACCOUNT``."""
    number, name, domain, is_admin, is_enabled, quota, groups, revision, created = row
    return Account(
        id=number,
        name=name,
        domain=domain,
        is_admin=bool(is_admin),
        is_enabled=bool(is_enabled),
        quota_octets=quota,
        groups=tuple(sorted(_words(groups))),
        revision=revision,
        created=created,
    )


@implementer(IAccountRecords)
class AccountRecords:
    """Domains, accounts and credentials as they are stored."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    def domains(self) -> Deferred[tuple[Domain, ...]]:
        """All domains, the default one (the oldest) first."""
        return self._readers.far(
            lambda connection: tuple(
                Domain(*row)
                for row in connection.execute(
                    "SELECT id, name, created FROM domain ORDER BY id"
                )
            )
        )

    def account(self, name: str, domain: str) -> Deferred[Account | None]:
        """The account of that name, both folded to lower case."""
        return self._one("WHERE a.login=?", f"{name.lower()}@{domain.lower()}")

    def account_by_id(self, id: int) -> Deferred[Account | None]:  # noqa: A002
        """The account of that id."""
        return self._one("WHERE a.id=?", id)

    def _one(self, where: str, key: object) -> Deferred[Account | None]:
        def read(connection: Connection) -> Account | None:
            row = connection.execute(_ACCOUNT + where, (key,)).fetchone()
            return None if row is None else _account(row)

        return self._readers.near(read)

    def accounts(self, after: str = "", limit: int = 200) -> Deferred[Any]:
        """A page of accounts ordered by login."""
        return self._readers.far(
            lambda connection: tuple(
                _account(row)
                for row in connection.execute(
                    _ACCOUNT + "WHERE a.login>? ORDER BY a.login LIMIT ?",
                    (after.lower(), limit),
                )
            )
        )

    def credentials(self, account: int) -> Deferred[tuple[Credential, ...]]:
        """Everything with which the account may prove itself."""
        return self._readers.near(
            lambda connection: tuple(
                _credential(row)
                for row in connection.execute(
                    "SELECT id, account, kind, secret, label, protocols, created, "
                    "expires FROM credential WHERE account=? ORDER BY id",
                    (account,),
                )
            )
        )

    def alias(self, address: str) -> Deferred[Alias | None]:
        """The alias of exactly that address."""

        def read(connection: Connection) -> Alias | None:
            row = connection.execute(
                "SELECT address, targets FROM alias WHERE address=?",
                (address.lower(),),
            ).fetchone()
            return None if row is None else _alias(row)

        return self._readers.near(read)

    def aliases(self, after: str = "", limit: int = 200) -> Deferred[tuple[Alias, ...]]:
        """A page of aliases ordered by address."""
        return self._readers.far(
            lambda connection: tuple(
                _alias(row)
                for row in connection.execute(
                    "SELECT address, targets FROM alias WHERE address>? "
                    "ORDER BY address LIMIT ?",
                    (after.lower(), limit),
                )
            )
        )


def _credential(row: Any) -> Credential:
    number, account, kind, secret, label, protocols, created, expires = row
    return Credential(
        id=number,
        account=account,
        kind=CredentialKind(kind),
        secret=secret,
        label=label,
        protocols=_words(protocols),
        created=created,
        expires=expires,
    )


def _alias(row: Any) -> Alias:
    return Alias(row[0], tuple(json.loads(row[1])))
