"""The store on a command's bench: reads as plain values, writes as units."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import click
from attrs import define
from twisted.internet.defer import Deferred

from netservices.accounts.names import (
    BadName,
    check_alias,
    new_account_name,
    normalised_address,
    normalised_domain,
    split_login,
)
from netservices.accounts.passwords import BadPassword
from netservices.config.loading import Configuration
from netservices.core.deferreds import value_of
from netservices.files.service import Files, directory_name
from netservices.interfaces import IStore
from netservices.store.sqlite import SQLiteStore
from netservices.units import (
    Operation,
    RemoveFileRecords,
    RemovePartial,
    SetUsage,
    Unit,
)
from netservices.values import Account, Alias, Credential, Domain, Finding, Manifest

T = TypeVar("T")
Progress = Callable[[int, int], None]
PAGE = 200
MOST_PARTIALS = 1_000_000
TREES = ("files", "pub", "sites", "tls", "removed")
"""What a backup holds beside the store; logs are not part of the state."""


@define
class Bench:
    """An inline store, and the settings of the server that it belongs to."""

    store: IStore
    configuration: Configuration
    has_written: bool = False

    @classmethod
    @contextmanager
    def opened(
        cls, configuration: Configuration, opening: AbstractContextManager[None]
    ) -> Iterator[Bench]:
        """The store of the configuration's state directory, closed at the end; it is
        opened within ``opening``."""
        store = SQLiteStore(configuration.state_directory, configuration.store, None)
        with opening:
            value_of(store.open())
        try:
            with _refusals_in_words():
                yield cls(store, configuration)
        finally:
            value_of(store.close())

    def apply(self, *operations: Operation) -> tuple[Any, ...]:
        """Do all operations or none, durably; one result each."""
        results: tuple[Any, ...] = value_of(self.store.apply(Unit(operations)))
        self.has_written = True
        return results

    def get(self, deferred: Deferred[T]) -> T:
        """What an inline store has already answered."""
        return value_of(deferred)

    # --- names ----------------------------------------------------------------------

    def domains(self) -> tuple[Domain, ...]:
        """All domains, the default one first."""
        return self.get(self.store.records.domains())

    @property
    def default_domain(self) -> str:
        """The domain of logins that name none."""
        found = self.domains()
        if not found:
            raise click.ClickException("there is no domain yet: netservices domain add")
        return found[0].name

    def new_login(self, text: str, domain: str | None) -> tuple[str, str]:
        """Name and domain of an account to be made."""
        name, at, written_domain = text.rpartition("@")
        wanted = written_domain if at else domain
        home = normalised_domain(wanted) if wanted else self.default_domain
        if domain and normalised_domain(domain) != home:
            raise click.ClickException(f"{text} is not in {domain}")
        self.refuse_foreign(home)
        return new_account_name(name if at else text), home

    def address(self, text: str) -> str:
        """An address in the form in which it is kept; the default domain if none."""
        return normalised_address(
            text if "@" in text else f"{text}@{self.default_domain}"
        )

    def address_of_ours(self, text: str) -> str:
        """An address in one of the server's domains."""
        address = self.address(text)
        self.refuse_foreign(address.rpartition("@")[2])
        return address

    def refuse_foreign(self, domain: str) -> None:
        """Refuse a domain that is not the server's."""
        if domain not in {known.name for known in self.domains()}:
            raise click.ClickException(
                f"{domain} is not a domain of this server: "
                f"netservices domain add {domain}"
            )

    # --- accounts -------------------------------------------------------------------

    def account(self, login: str) -> Account:
        """The account of that login."""
        name, domain = split_login(login, self.default_domain)
        found = self.get(self.store.records.account(name, domain))
        if found is None:
            raise click.ClickException(f"there is no account {name}@{domain}")
        return found

    def accounts(self) -> Iterator[Account]:
        """All accounts, by login."""
        after = ""
        while page := self.get(self.store.records.accounts(after, PAGE)):
            yield from page
            after = page[-1].login

    def credentials(self, account: Account) -> tuple[Credential, ...]:
        """What the account may prove itself with."""
        return self.get(self.store.records.credentials(account.id))

    def aliases(self) -> Iterator[Alias]:
        """All aliases, by address."""
        after = ""
        while page := self.get(self.store.records.aliases(after, PAGE)):
            yield from page
            after = page[-1].address

    def refuse_alias_loop(self, address: str, targets: tuple[str, ...]) -> None:
        """Refuse an alias that leads back to itself."""

        def targets_of(known: str) -> tuple[str, ...]:
            found = self.get(self.store.records.alias(known))
            return found.targets if found else ()

        check_alias(address, targets, targets_of)

    def refuse_unknown_protocols(self, names: tuple[str, ...]) -> None:
        """Refuse protocols that no plugin serves."""
        known = set(self.configuration.protocols)
        unknown = ", ".join(sorted(set(names) - known))
        if unknown:
            raise click.ClickException(
                f"no such protocol: {unknown}; there are {', '.join(sorted(known))}"
            )

    def home(self, login: str) -> str:
        """The directory of an account's files."""
        state = self.configuration.state_directory
        return os.path.join(state, "files", directory_name(login))

    def refuse_left_files(self, login: str) -> None:
        """Refuse a new account that would get the files of an earlier one."""
        home = self.home(login)
        if os.path.isdir(home) and os.listdir(home):
            raise click.ClickException(
                f"{home} holds files already; move them away, or give --adopt-files"
            )

    def set_aside(self, login: str) -> str | None:
        """Move a removed account's files away; where they are now, if there were any.

        The next account of that name must not find them.
        """
        home = self.home(login)
        if not os.path.isdir(home):
            return None
        aside = os.path.join(self.configuration.state_directory, "removed")
        os.makedirs(aside, mode=0o700, exist_ok=True)
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
        place = os.path.join(aside, f"{directory_name(login)}.{stamp}")
        os.rename(home, place)
        return place

    def usage(self, account: Account) -> tuple[int, int]:
        """Octets and files that the account stores."""
        tree = f"home:{directory_name(account.login)}"
        return self.get(self.store.file_records.usage(tree))

    def forget_tree(self, login: str) -> tuple[Operation, ...]:
        """The operations that forget what is recorded of an account's files, partial
        uploads included: whoever has that name next is not charged for them."""
        tree = f"home:{directory_name(login)}"
        records = self.store.file_records
        partials = self.get(records.expired_partials(float("inf"), MOST_PARTIALS))
        return (
            RemoveFileRecords(tree, ()),
            *(
                RemovePartial(tree, path, account)
                for one, path, account, _ in partials
                if one == tree
            ),
            SetUsage(tree, 0, 0),
        )

    # --- care -----------------------------------------------------------------------

    def check(self, level: str, repair: bool, progress: Progress) -> list[Finding]:
        """What is damaged in store and files."""
        findings = list(
            self.get(self.store.admin.check(level, repair, progress)).findings
        )
        if level != "quick":
            directory = self.configuration.state_directory
            files = Files(directory, self.store, self.configuration.files, None)
            findings += self.get(files.check(repair)).findings
        return findings

    def backup(self, target: str, progress: Progress) -> Manifest:
        """A consistent copy of the whole state."""
        return self.get(self.store.admin.backup(target, progress, TREES))


@contextmanager
def _refusals_in_words() -> Iterator[None]:
    try:
        yield
    except (BadName, BadPassword) as problem:
        raise click.ClickException(str(problem)) from None
