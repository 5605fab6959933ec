"""``netservices http``."""

from __future__ import annotations

import json
import time

from attrs import evolve

from netservices.core.deferreds import begun, value_of
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.web.sessions import SessionLimits, Sessions
from netservices.web.sessions.record import new_name
from tests.cli.bench import CommandTestCase

RULES = """
[http]
access = ["* /in/ login", "* /staff/ deny", "@staff /staff/ allow",
          "* example.com/x deny DELETE"]
"""


class SessionsTests(CommandTestCase):
    """Browsers that have logged in are listed, and logged out."""

    def setUp(self) -> None:
        """alice has two browsers, admin one, and a stranger a cart."""
        super().setUp()
        for name in ("alice", "bob"):
            self.command("account", "add", name)
        self.labels = [self.begin(name) for name in ("alice", "alice", "admin", "")]

    def begin(self, login: str) -> str:
        """A session; its label."""
        store = SQLiteStore(self.state, StoreSettings(), None)
        value_of(store.open())
        sessions = Sessions(store, SessionLimits(), time.time)
        record = sessions.new_record("https://example.org", "192.0.2.1", "Lynx\x1b[1m")
        record = evolve(record, data={"cart": "secret"})
        if login:
            account = value_of(store.records.account(login, "example.org"))
            made = sessions.log_in(new_name(), None, record, account, 0)
        else:
            made = sessions.begin(new_name(), record)
        held = value_of(begun(made))
        value_of(store.close())
        return str(held.label)

    def listed(self, *words: str) -> set[str]:
        """The labels that a listing shows."""
        return {row["id"] for row in self.rows("http", "sessions", *words)}

    def test_list(self) -> None:
        """Who has logged in, of one account or of all; carts on request."""
        self.assertEqual(set(self.labels[:3]), self.listed())
        self.assertEqual(set(self.labels), self.listed("--all"))
        self.assertEqual(set(self.labels[:2]), self.listed("alice"))
        self.assertEqual(set(), self.listed("bob"))
        shown = self.command("http", "sessions", "--all")
        self.assertIn("alice@example.org\thttps://example.org\t192.0.2.1\t", shown)
        self.assertNotIn("secret", shown)
        self.assertNotIn("\x1b", shown)

    def test_end(self) -> None:
        """By id, by account, all of them."""
        self.assertIn("say which", self.refusal("http", "end"))
        self.assertIn("no session x", self.refusal("http", "end", self.labels[0], "x"))
        self.assertEqual("1 ended\n", self.command("http", "end", self.labels[0]))
        self.assertEqual(set(self.labels[1:]), self.listed("--all"))
        self.assertEqual("1 ended\n", self.command("http", "end", "--account", "alice"))
        self.assertEqual("2 ended\n", self.command("http", "end", "--all"))
        self.assertEqual(set(), self.listed("--all"))

    def test_new_password(self) -> None:
        """Sessions of an earlier password, and of who may not log in, are none."""
        self.command(
            "account", "passwd", "alice", "--password-stdin", given="12345678\n"
        )
        self.command("account", "change", "admin", "--disable")

        self.assertEqual({self.labels[3]}, self.listed("--all"))


class ExplainTests(CommandTestCase):
    """What the rules say, and which one."""

    def setUp(self) -> None:
        """Some rules."""
        super().setUp()
        with open(self.config, "a") as file:
            file.write(RULES)
        self.command("account", "add", "alice", "--group", "staff")

    def test_explain(self) -> None:
        """The outcome, and the line."""
        for words, expected in (
            (("/x",), ("allowed", "no rule is about this")),
            (("/in/x",), ("allowed after a login", "* /in/ login")),
            (("/in/x", "--login", "admin"), ("allowed", "* /in/ login")),
            (("/staff/",), ("allowed after a login", "* /staff/ deny")),
            (("/staff/", "--login", "admin"), ("refused", "* /staff/ deny")),
            (("/%73taff/", "--login", "alice"), ("allowed", "@staff /staff/ allow")),
            (
                ("example.com/x", "--method", "delete"),
                ("refused", "* example.com/x deny DELETE"),
            ),
        ):
            found = json.loads(self.command("http", "explain", "--json", *words))
            self.assertEqual(expected, (found["outcome"], found["because"]), words)
        self.assertIn("WHERE is a path", self.refusal("http", "explain", "x"))
        self.assertIn("out of the site", self.refusal("http", "explain", "/../x"))

    def test_mistake(self) -> None:
        """A rule that cannot be read is told as the server tells it."""
        with open(self.config, "a") as file:
            file.write('login_path = "x"\n')

        self.assertIn("login_path", self.refusal("http", "explain", "/"))
