"""Sessions of browsers: whatever people, operators and time do, in whatever order.

Two processes share a store; browsers go to one or the other.  A plain dictionary says
what each browser must see.
"""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import begun, value_of
from netservices.web.request import Request
from netservices.web.response import Response, text
from netservices.web.sessions import SessionLayer, Sessions
from tests.web.visits import VisitsTestCase

BROWSERS = st.integers(0, 3)
PROCESSES = st.integers(0, 1)
NAMES = st.sampled_from(["joe", "ann"])


class House(VisitsTestCase):
    """The accounts, the store and two processes."""

    def open(self) -> None:
        """Begin."""
        self.setUp()
        other = Sessions(self.store, self.sessions.limits, self.clock.seconds)
        self.processes = [self.sessions, other]
        self.layers = [
            SessionLayer(one, self.accounts, self.store.records, lambda address: 0.0)
            for one in self.processes
        ]


class Browsers(RuleBasedStateMachine):
    """What four browsers do, and what they see."""

    def __init__(self) -> None:
        super().__init__()
        self.house = House("open")
        self.house.open()
        self.cookies: dict[int, str] = {}
        self.stolen: dict[int, str] = {}
        """The last cookie that a browser had before its present one."""
        self.seen: dict[int, tuple[str, int]] = {}
        """Account and visits of each browser that has a session."""

    def ask(self, browser: int, process: int, handler: Any, cookie: str = "") -> str:
        """What the browser is shown."""
        house = self.house
        house.find_session = house.layers[process]
        house.handler = handler
        sent = cookie or self.cookies.get(browser, "")
        response = house.ask(*([("cookie", sent)] if sent else []))
        heard = response.get("Set-Cookie")
        if heard and not cookie:
            self.stolen[browser] = self.cookies.get(browser, "")
            self.cookies[browser] = heard.partition(";")[0]
        return bytes(response.body).decode()  # type: ignore[arg-type]

    @rule(browser=BROWSERS, process=PROCESSES)
    def count(self, browser: int, process: int) -> None:
        """A visit is counted."""
        login, visits = self.seen.get(browser, ("", 0))
        self.seen[browser] = login, visits + 1

        assert self.ask(browser, process, count) == f"{login} {visits + 1}"

    @rule(browser=BROWSERS, process=PROCESSES)
    def look(self, browser: int, process: int) -> None:
        """Who is here, and how often he was."""
        login, visits = self.seen.get(browser, ("", 0))

        assert self.ask(browser, process, look) == f"{login} {visits}"

    @rule(browser=BROWSERS, process=PROCESSES, name=NAMES)
    def log_in(self, browser: int, process: int, name: str) -> None:
        """Somebody logs in; what somebody else left is gone."""
        account = self.house.account(name)
        generation = self.house.wait(self.house.accounts.generation(account.id))

        async def handler(request: Request) -> Response:
            await request.session.log_in(account, generation)
            return text("")

        login, visits = self.seen.get(browser, ("", 0))
        self.ask(browser, process, handler)
        kept = visits if login in ("", account.login) else 0
        self.seen[browser] = account.login, kept

    @rule(browser=BROWSERS, process=PROCESSES)
    def log_out(self, browser: int, process: int) -> None:
        """The session ends; its cookie opens nothing any more."""
        old = self.cookies.get(browser, "")
        self.ask(browser, process, end)
        self.seen.pop(browser, None)
        if old:
            assert self.ask(browser, 1 - process, look, old) == " 0"

    @rule(browser=BROWSERS, process=PROCESSES)
    def replay(self, browser: int, process: int) -> None:
        """An earlier cookie opens nothing."""
        old = self.stolen.get(browser, "")
        if old and old != self.cookies.get(browser):
            assert self.ask(browser, process, look, old) == " 0"

    @rule(name=NAMES)
    def new_password(self, name: str) -> None:
        """All sessions of the account end."""
        house = self.house
        house.wait(
            house.accounts.set_password(house.account(name).id, "battery staple")
        )
        self.forget(f"{name}@example.org")

    @rule(name=NAMES, process=PROCESSES)
    def revoke(self, name: str, process: int) -> None:
        """The operator ends all sessions of an account."""
        sessions = self.house.processes[process]
        number = self.house.account(name).id
        for held in value_of(begun(sessions.of_account(number))):
            value_of(begun(sessions.end(held)))
        self.forget(f"{name}@example.org")

    @rule(days=st.sampled_from([0.001, 0.4, 1.1, 31]))
    def wait(self, days: float) -> None:
        """Time passes: an unused session ends."""
        self.house.clock.advance(days * 86400)
        if days > 1:
            self.seen.clear()
        else:
            for browser in self.seen:
                self.ask(browser, 0, look)

    def forget(self, login: str) -> None:
        """No browser has a session of that account."""
        self.seen = {b: seen for b, seen in self.seen.items() if seen[0] != login}

    def teardown(self) -> None:
        """Nothing is kept that no browser has."""
        sessions = self.house.processes[0]
        alive = value_of(begun(sessions.all()))
        in_force = [b for b in self.seen if self.ask(b, 0, look) != " 0"]
        assert len(alive) >= len(in_force)


def count(request: Request) -> Response:
    """Counts the visits."""
    request.session.change("visits", lambda number: number + 1, 0)
    return look(request)


def look(request: Request) -> Response:
    """Account and visits."""
    login = request.account.login if request.account else ""
    return text(f"{login} {request.session.get('visits', 0)}")


async def end(request: Request) -> Response:
    """Ends the session."""
    await request.session.end()
    return text("")


class SessionModelTests(SynchronousTestCase):
    """The model and the server agree."""

    def test_browsers(self) -> None:
        """Every browser sees what it must, in either process."""
        run_state_machine_as_test(
            Browsers,
            settings=settings(
                max_examples=60, stateful_step_count=40, deadline=None, derandomize=True
            ),
        )
