"""Sessions of browsers: what they keep, how they begin and end."""

from __future__ import annotations

from typing import Any

from netservices.core.deferreds import begun, value_of
from netservices.interfaces import StoreReadOnly
from netservices.units import DeleteAccount, UpdateAccount
from netservices.values import Origin
from netservices.web.authentication import require_account
from netservices.web.cookies import parse_cookies
from netservices.web.request import Request
from netservices.web.response import Response, text
from netservices.web.sessions import Sessions
from netservices.web.sessions.held import NAMESPACE
from tests.web.visits import VisitsTestCase

PLAIN = Origin("http", "127.0.0.1", is_secure=False, session="s2")


async def log_in(request: Request) -> Response:
    """Logs joe in without asking for his password."""
    await request.session.log_in(JOE[0], JOE[1])
    return text("hello")


async def log_out(request: Request) -> Response:
    """Ends the session."""
    await request.session.end()
    return text("goodbye")


def count(request: Request) -> Response:
    """Counts the visits."""
    visits = request.session.change("visits", lambda number: number + 1, 0)
    return text(str(visits))


def show(request: Request) -> Response:
    """Tells what is known of the visitor."""
    login = request.account.login if request.account else "nobody"
    return text(f"{login} {request.session.get('visits', 0)}")


JOE: list[Any] = []
"""The account, and its generation."""


class SessionsTestCase(VisitsTestCase):
    """Browsers with and without sessions."""

    def setUp(self) -> None:
        """Nobody has been here."""
        super().setUp()
        JOE[:] = [self.account("joe"), 0]

    def visit(self, handler: Any, cookie: str = "", **changes: Any) -> Response:
        """A request of a browser with that cookie."""
        self.handler = handler
        fields = [("cookie", cookie)] if cookie else []
        return self.ask(*fields, **changes)

    def cookie_of(self, response: Response) -> str:
        """The cookie that a response sets, as a browser sends it back."""
        return response.get("Set-Cookie").partition(";")[0]

    def rows(self, prefix: bytes = b"") -> list[tuple[bytes, bytes]]:
        """What the store keeps."""
        return list(value_of(self.store.values.scan(NAMESPACE, prefix)))

    def other_process(self) -> Sessions:
        """Another process with the same store."""
        return Sessions(self.store, self.sessions.limits, self.clock.seconds)


class TextbookTests(SessionsTestCase):
    """The first visit makes an id and an entry; later ones are recognised."""

    def test_first_and_later_visits(self) -> None:
        """An id comes with the first answer and is not set again."""
        first = self.visit(count)
        cookie = self.cookie_of(first)
        later = self.visit(count, cookie)

        self.assertEqual((b"1", b"2"), (first.body, later.body))
        self.assertEqual("", later.get("Set-Cookie"))
        self.assertRegex(
            first.get("Set-Cookie"),
            r"\A__Host-session=[\w-]{43}; Path=/; Max-Age=2592000; Secure; HttpOnly;"
            r" SameSite=Lax\Z",
        )

    def test_only_when_written(self) -> None:
        """Who puts nothing into a session gets no cookie and costs no entry."""
        response = self.visit(show)

        self.assertEqual((b"nobody 0", ""), (response.body, response.get("Set-Cookie")))
        self.assertEqual([], self.rows())

    def test_only_the_hash_is_kept(self) -> None:
        """The store holds nothing with which to visit."""
        cookie = self.cookie_of(self.visit(count))
        name = parse_cookies(cookie)["__Host-session"].encode()

        rows = self.rows()
        self.assertEqual(2, len(rows))
        self.assertFalse([row for row in rows if name in row[0] + row[1]])

    def test_other_process(self) -> None:
        """What one process keeps, another one knows and changes."""
        cookie = self.cookie_of(self.visit(count))
        name = parse_cookies(cookie)["__Host-session"]
        other = self.other_process()
        held = value_of(begun(other.find(name)))
        value_of(begun(other.change(held, lambda data: data.update(visits=41))))

        self.assertEqual(b"42", self.visit(count, cookie).body)

    def test_error_keeps_nothing(self) -> None:
        """A handler that raises has put nothing."""

        def broken(request: Request) -> Response:
            request.session.set("a", 1)
            return require_account(request)  # type: ignore[return-value]

        self.assertEqual(401, self.visit(broken).status)
        self.assertEqual([], self.rows())

    def test_what_is_told_to_caches(self) -> None:
        """Who looks at the session makes a response for one browser alone."""
        response = self.visit(show)
        self.assertEqual("Cookie", response.get("Vary"))
        self.assertEqual("private, no-cache", response.get("Cache-Control"))

        cookie = self.cookie_of(self.visit(count))
        response = self.visit(lambda request: text("the same for all"), cookie)
        self.assertEqual("", response.get("Vary") + response.get("Cache-Control"))


class EndTests(SessionsTestCase):
    """What ends a session."""

    def test_idle(self) -> None:
        """Unused it ends after the idle time, used it goes on, though not for ever."""
        cookie = self.cookie_of(self.visit(count))
        limits = self.sessions.limits
        for _ in range(3):
            self.clock.advance(limits.idle_seconds - 1)
            self.assertEqual(b"nobody 1", self.visit(show, cookie).body)
        self.clock.advance(limits.idle_seconds + 1)
        self.assertEqual(b"nobody 0", self.visit(show, cookie).body)

        cookie = self.cookie_of(self.visit(count))
        ends = self.clock.seconds() + limits.lifetime_seconds
        while self.visit(show, cookie).body == b"nobody 1":
            self.clock.advance(limits.idle_seconds / 2)
        self.assertEqual(ends, self.clock.seconds())

    def test_use_costs_few_writes(self) -> None:
        """Use is noted once a minute."""
        cookie = self.cookie_of(self.visit(count))
        seen = []
        for _ in range(60):
            self.visit(show, cookie)
            self.clock.advance(3)
            seen.append(dict(self.rows(b"session/")).popitem()[1])

        self.assertEqual(3, len(set(seen)))

    def test_logout(self) -> None:
        """The name opens nothing any more, and the browser forgets it."""
        cookie = self.cookie_of(self.visit(log_in))
        self.assertEqual(b"joe@example.org 0", self.visit(show, cookie).body)
        left = self.visit(log_out, cookie)

        self.assertIn("Expires=Thu, 01 Jan 1970", left.get("Set-Cookie"))
        self.assertEqual(b"nobody 0", self.visit(show, cookie).body)
        self.assertEqual([], self.rows())

    def test_account(self) -> None:
        """A new password, a disabled and a removed account end all its sessions."""
        number = JOE[0].id
        for what in (
            lambda: self.wait(self.accounts.set_password(number, "battery staple")),
            lambda: self.apply(UpdateAccount(number, is_enabled=False)),
            lambda: self.apply(DeleteAccount(number)),
        ):
            JOE[1] = self.wait(self.accounts.generation(number))
            self.apply(UpdateAccount(number, is_enabled=True))
            cookie = self.cookie_of(self.visit(log_in))
            self.assertEqual(b"joe@example.org 0", self.visit(show, cookie).body)
            what()
            self.assertEqual(b"nobody 0", self.visit(show, cookie).body)
            self.assertEqual([], self.rows())

    def test_ended_elsewhere(self) -> None:
        """What another process ends has ended, and a request under way does not bring
        it back."""
        cookie = self.cookie_of(self.visit(log_in))

        async def ended_meanwhile(request: Request) -> Response:
            request.session.set("a", 1)
            other = self.other_process()
            for held in await other.of_account(JOE[0].id):
                await other.end(held)
            return text("done")

        self.visit(ended_meanwhile, cookie)
        self.assertEqual(b"nobody 0", self.visit(show, cookie).body)
        self.assertEqual([], self.rows())


class AttackTests(SessionsTestCase):
    """What strangers try."""

    def test_fixation(self) -> None:
        """Who has slipped a browser a session has nothing of its login."""
        cookie = self.cookie_of(self.visit(count))
        fresh = self.cookie_of(self.visit(log_in, cookie))

        self.assertNotEqual(cookie, fresh)
        self.assertEqual(b"joe@example.org 1", self.visit(show, fresh).body)
        self.assertEqual(b"nobody 0", self.visit(show, cookie).body)

    def test_next_person(self) -> None:
        """Who logs in on somebody else's browser finds nothing of what he left; what
        was there before any login stays."""
        joe = self.cookie_of(self.visit(log_in, self.cookie_of(self.visit(count))))
        self.assertEqual(b"joe@example.org 1", self.visit(show, joe).body)
        again = self.cookie_of(self.visit(log_in, joe))
        self.assertEqual(b"joe@example.org 1", self.visit(show, again).body)
        JOE[0] = self.account("ann")
        ann = self.cookie_of(self.visit(log_in, again))

        self.assertEqual(b"ann@example.org 0", self.visit(show, ann).body)
        self.assertEqual(b"nobody 0", self.visit(show, again).body)

    def test_invented_name(self) -> None:
        """A name that the server has not made is not taken over."""
        for name in ("A" * 43, "", "A", "../" * 14 + "x", "é" * 43, "A" * 10_000_000):
            response = self.visit(count, f"__Host-session={name}")

            self.assertEqual(b"1", response.body)
            self.assertNotIn(f"={name};", response.get("Set-Cookie"))

    def test_tossed(self) -> None:
        """Two cookies of the name that differ count for nothing."""
        mine = self.cookie_of(self.visit(log_in))
        theirs = self.cookie_of(self.visit(log_in))

        self.assertEqual(b"nobody 0", self.visit(show, f"{mine}; {theirs}").body)
        self.assertEqual(b"joe@example.org 0", self.visit(show, f"{mine}; {mine}").body)

    def test_other_site(self) -> None:
        """A session counts for the scheme, host and port where it began."""
        cookie = self.cookie_of(self.visit(log_in))
        name = cookie.partition("=")[2]
        self.assertEqual(b"nobody 0", self.visit(show, cookie, host="other").body)
        for one in (cookie, f"__Host-session-8443={name}"):
            self.assertEqual(b"nobody 0", self.visit(show, one, port=8443).body)
        self.assertEqual(b"joe@example.org 0", self.visit(show, cookie, port=443).body)

        plain = {"scheme": "http", "origin": PLAIN}
        for one in (cookie, f"plain-session={name}"):
            self.assertEqual(b"nobody 0", self.visit(show, one, **plain).body)

    def test_plain(self) -> None:
        """On loopback a login works without TLS; from afar it counts for nothing."""
        plain = {"scheme": "http", "origin": PLAIN}
        response = self.visit(log_in, **plain)
        cookie = self.cookie_of(response)

        self.assertTrue(cookie.startswith("plain-session="))
        self.assertNotIn("Secure", response.get("Set-Cookie"))
        self.assertEqual(b"joe@example.org 0", self.visit(show, cookie, **plain).body)
        afar = Origin("http", "192.0.2.1", is_secure=False)
        response = self.visit(show, cookie, scheme="http", origin=afar)
        self.assertEqual(b"nobody 0", response.body)

    def test_too_much(self) -> None:
        """What is put into a session is bounded, and refused as a whole."""

        def fill(request: Request) -> Response:
            request.session.set("much", "x" * 20_000)
            return text("done")

        cookie = self.cookie_of(self.visit(count))
        self.assertEqual(413, self.visit(fill, cookie).status)
        self.assertEqual(413, self.visit(fill).status)
        self.assertEqual(b"nobody 1", self.visit(show, cookie).body)

    def test_floods(self) -> None:
        """Sessions without a login are bounded in number, and by network."""
        cookies = [self.cookie_of(self.visit(count)) for _ in range(40)]
        alive = [c for c in cookies if self.visit(show, c).body == b"nobody 1"]

        self.assertEqual(self.sessions.limits.most_anonymous, len(alive))
        self.assertEqual(len(alive), len(self.rows(b"session/")))
        self.may_begin = 7.5
        response = self.visit(count)
        self.assertEqual((429, "8"), (response.status, response.get("Retry-After")))
        self.assertEqual(b"2", self.visit(count, alive[0]).body)

    def test_sessions_of_an_account(self) -> None:
        """With one too many the one that was idle longest ends."""
        cookies = []
        for _ in range(self.sessions.limits.most_per_account + 2):
            self.clock.advance(100)
            cookies.append(self.cookie_of(self.visit(log_in)))
        known = [self.visit(show, c).body == b"joe@example.org 0" for c in cookies]

        self.assertEqual([False] * 2 + [True] * (len(cookies) - 2), known)

    def test_secrets_are_not_shown(self) -> None:
        """A session that is printed does not tell its name or what is in it."""
        seen = []

        def show_session(request: Request) -> Response:
            request.session.set("a", "geheim")
            seen.append(repr(request.session))
            return text("")

        cookie = self.cookie_of(self.visit(show_session))
        self.visit(show_session, cookie)
        held = value_of(begun(self.sessions.all()))
        seen.append(repr(held))

        self.assertNotIn("geheim", "".join(seen))
        self.assertNotIn(cookie.partition("=")[2], "".join(seen))


class AtOnceTests(SessionsTestCase):
    """Requests that come together."""

    def test_both_changes_count(self) -> None:
        """Two requests that change one value at once lose nothing."""
        cookie = self.cookie_of(self.visit(count))

        def while_another_counts(request: Request) -> Response:
            response = count(request)
            self.visit(count, cookie)
            return response

        self.visit(while_another_counts, cookie)
        self.assertEqual(b"nobody 3", self.visit(show, cookie).body)

    def test_altered_in_place(self) -> None:
        """A function that alters the value it gets does no harm when it is called
        twice."""

        def add(things: list[str]) -> list[str]:
            things.append("tea")
            return things

        def put(request: Request) -> Response:
            request.session.change("cart", add, [])
            if request.fields.get("x-again"):
                self.visit(put, cookie)
            return text("")

        cookie = self.cookie_of(self.visit(put))
        self.handler = put
        self.ask(("cookie", cookie), ("x-again", "1"))

        response = self.visit(lambda r: text(str(r.session["cart"])), cookie)
        self.assertEqual(b"['tea', 'tea', 'tea']", response.body)

    def test_parallel_logins(self) -> None:
        """Two logins of one browser at once give two sessions; the old one ends."""
        old = self.cookie_of(self.visit(count))
        inner: list[Response] = []

        async def twice(request: Request) -> Response:
            inner.append(self.visit(log_in, old))
            await request.session.log_in(JOE[0], JOE[1])
            return text("hello")

        self.handler = twice
        outer = self.ask(("cookie", old))
        for response, visits in ((inner[0], 1), (outer, 0)):
            cookie = self.cookie_of(response)
            expected = f"joe@example.org {visits}".encode()
            self.assertEqual(expected, self.visit(show, cookie).body)
        self.assertEqual(b"nobody 0", self.visit(show, old).body)

    def test_overtaken_by_a_login(self) -> None:
        """What a browser has sent just before it heard of its login does not push the
        new session out; a while later the old cookie is like any other."""
        old = self.cookie_of(self.visit(count))
        fresh = self.cookie_of(self.visit(log_in, old))
        late = self.visit(count, old)

        self.assertEqual((b"1", ""), (late.body, late.get("Set-Cookie")))
        self.assertEqual(b"joe@example.org 1", self.visit(show, fresh).body)
        self.clock.advance(61)
        self.assertNotEqual("", self.visit(count, old).get("Set-Cookie"))

    def test_store_fails(self) -> None:
        """What could not be kept is not said to be kept."""
        self.patch(self.store, "apply", _full)

        self.assertRaises(StoreReadOnly, self.visit, count)


def _full(*_: object, **__: object) -> None:
    raise StoreReadOnly("full")
