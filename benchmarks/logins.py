"""How many logins a second: with a verified password in the cache, and without.

``python -m benchmarks.logins [count]`` prints microseconds of CPU for each login on one
core, everything included: limits, two reads of an embedded store, the event.
"""

from __future__ import annotations

import sys
import time
from tempfile import TemporaryDirectory

from twisted.internet.task import Clock

from netservices.accounts.credentials import first_secrets
from netservices.accounts.service import Accounts
from netservices.accounts.settings import AccountsSettings
from netservices.config.settings import LogSettings
from netservices.core.deferreds import value_of
from netservices.core.limits import Limits, LimitsSettings
from netservices.events import Events
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.units import CreateAccount, CreateDomain, Unit
from netservices.values import Origin

PASSWORD = "correct horse"
ORIGIN = Origin("ftp", "127.0.0.1", is_secure=False, session="benchmark")


def make_accounts(directory: str) -> Accounts:
    """A started service with the account ``joe``, at the default settings."""
    settings = AccountsSettings()
    store = SQLiteStore(directory, StoreSettings(), None)
    value_of(store.open())
    joe = CreateAccount("joe", "example.org", secrets=first_secrets(PASSWORD, settings))
    value_of(store.apply(Unit((CreateDomain("example.org"), joe))))
    limits = Limits(LimitsSettings(), time.monotonic)
    events = Events(LogSettings(), directory, Clock())
    accounts = Accounts(store.records, store, settings, limits, events, None)
    value_of(accounts.start())
    return accounts


def cpu_of(accounts: Accounts, count: int) -> float:
    """Microseconds of CPU a login takes."""
    password = PASSWORD.encode()
    began = time.process_time()
    for _ in range(count):
        value_of(accounts.login("joe", password, ORIGIN))
    return (time.process_time() - began) / count * 1e6


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with TemporaryDirectory() as directory:
        accounts = make_accounts(directory)
        print(f"first login        {cpu_of(accounts, 1):10.1f} us")
        print(f"verified lately    {cpu_of(accounts, count):10.1f} us")
        value_of(accounts.stop())


if __name__ == "__main__":
    main()
