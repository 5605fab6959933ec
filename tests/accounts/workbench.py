"""An accounts service on a store in memory and a clock that the test moves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from queue import SimpleQueue
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.accounts.credentials import first_secrets
from netservices.accounts.service import Accounts
from netservices.accounts.settings import AccountsSettings
from netservices.core.deferreds import value_of
from netservices.core.limits import Limits, LimitsSettings
from netservices.core.settings import Size
from netservices.events import SCHEMA
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.units import CreateAccount, CreateDomain, Operation, Unit
from netservices.values import Account, Origin

CHEAP = AccountsSettings(argon2_time=1, argon2_memory=Size(8192), scram_iterations=4096)
"""Parameters with which a hash takes less than a millisecond."""

HERE = Origin("ftp", "127.0.0.1", is_secure=False, session="s1")
AFAR = Origin("imap", "198.51.100.7", is_secure=True, session="s2")
PASSWORD = "correct horse"


class ThreadedClock(Clock):
    """A clock that is also the reactor of real worker threads."""

    def __init__(self) -> None:
        super().__init__()
        self._calls: SimpleQueue[tuple[Any, ...]] = SimpleQueue()

    def callFromThread(  # noqa: N802
        self, function: Callable[..., Any], *args: Any, **keywords: Any
    ) -> None:
        """Keep the call for ``wait_for``."""
        self._calls.put((function, args, keywords))

    def wait_for(self, deferred: Deferred[Any]) -> Any:
        """The result, once the threads have brought it."""
        results: list[Any] = []
        deferred.addBoth(results.append)
        while not results:
            function, args, keywords = self._calls.get(timeout=10)
            function(*args, **keywords)
        deferred.addCallback(lambda _: results[0])
        return value_of(deferred)


class EventList:
    """Events kept in a list, checked against the schema."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Mapping[str, object]]] = []

    def emit(self, event: str, /, **fields: object) -> None:
        """Keep one."""
        assert set(fields) <= set(SCHEMA[event]), (event, fields)
        self.seen.append((event, fields))

    def subscribe(self, sink: Any) -> Callable[[], None]:
        """Nobody subscribes here."""
        raise NotImplementedError

    def named(self, event: str) -> list[Mapping[str, object]]:
        """The fields of all events of that name."""
        return [fields for name, fields in self.seen if name == event]


class AccountsTestCase(SynchronousTestCase):
    """A service with the accounts ``joe`` and ``ann`` in ``example.org``."""

    def setUp(self) -> None:
        """Start it with cheap hashes."""
        self.clock = ThreadedClock()
        self.store = SQLiteStore(None, StoreSettings(), None, self.clock.seconds)
        value_of(self.store.open())
        secrets = first_secrets(PASSWORD, CHEAP)
        self.apply(
            CreateDomain("example.org"),
            CreateAccount("joe", "example.org", secrets=secrets),
            CreateAccount("ann", "example.org", is_admin=True, secrets=secrets),
        )
        self.start(CHEAP)

    def start(self, settings: AccountsSettings, **limits: object) -> Accounts:
        """A service on that store, stopped at the end."""
        self.events = EventList()
        self.limits = Limits(evolve(LimitsSettings(), **limits), self.clock.seconds)
        self.accounts = accounts = Accounts(
            self.store.records,
            self.store,
            settings,
            self.limits,
            self.events,
            self.clock,
        )
        self.wait(accounts.start())
        self.addCleanup(lambda: self.wait(accounts.stop()))
        return accounts

    def apply(self, *operations: Operation) -> tuple[Any, ...]:
        """Do all of them, as another process would."""
        results = value_of(self.store.apply(Unit(operations)))
        assert isinstance(results, tuple)
        return results

    def wait(self, deferred: Deferred[Any]) -> Any:
        """The result of a Deferred that waits for threads only."""
        return self.clock.wait_for(deferred)

    def account(self, name: str) -> Account:
        """The account as it is stored."""
        found = value_of(self.store.records.account(name, "example.org"))
        assert found is not None
        return found

    def login(
        self, login: str, password: str = PASSWORD, origin: Origin = HERE
    ) -> Account:
        """Log in."""
        found = self.wait(self.accounts.login(login, password.encode(), origin))
        assert isinstance(found, Account)
        return found
