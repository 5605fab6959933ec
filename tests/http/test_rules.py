"""Access rules: how they are read, and what they say."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.who import Person
from netservices.http.rules import Outcome, Rules, is_deep, parse_line
from netservices.web.request import segments_of

HOME, AWAY = "10.1.2.3", "198.51.100.7"
NOBODY = Person(AWAY, is_anonymous=True, default_domain="example.org")


def person(login: str = "", *groups: str, address: str = AWAY) -> Person:
    """Somebody; without a login anybody."""
    name = f"{login}@example.org" if login else ""
    return Person(address, name, frozenset(groups), not login, "example.org")


class ReadingTests(SynchronousTestCase):
    """What somebody has written."""

    def test_lines(self) -> None:
        """The parts of a line."""
        line = parse_line(
            'joe+10.0.0.0/8 WWW.example.org"/a b/*.pdf" deny PUT,DELETE POST'.replace(
                "WWW", "www"
            )
        )

        self.assertEqual("www.example.org", line.host)
        self.assertEqual(("a b", "*.pdf"), line.path)
        self.assertEqual({"PUT", "DELETE", "POST"}, line.methods)
        self.assertEqual(["joe", "10.0.0.0/8"], [one.text for one in line.who])

    def test_mistakes(self) -> None:
        """A bad line is quoted, with what is wrong and what may have been meant."""
        for text, expected in (
            ("", "WHO WHERE VERDICT is wanted"),
            ("* /", "WHO WHERE VERDICT is wanted"),
            ("* private/ deny", "a path begins with a slash (/private/)"),
            ("* https://a/ deny", "is no path"),
            ("* /a/../b deny", "goes up again"),
            ("* / denny", "no verdict denny; did you mean deny?"),
            ("* / read", "no verdict read"),
            ("* / readonly", "did you mean read-only?"),
            ("* / deny get", "no method get; did you mean GET?"),
            ("* / deny BR E!", "no method E!"),
            ("* / deny GTE", "no method GTE; did you mean GET?"),
            ("joe+ann / deny", "nobody is ann and joe at once"),
            ("10.0.0/8 / deny", "'10.0.0/8' is not a network"),
            ("anonimous / deny", "did you mean anonymous?"),
            ("joe /hook any-origin", "any-origin is said for everybody"),
            ("* /hook any-origin POST", "any-origin is said for everybody"),
            ('* "/a deny', "No closing quotation"),
        ):
            with self.assertRaises(ValueError) as caught:
                parse_line(text)
            self.assertTrue(str(caught.exception).startswith(repr(text)))
            self.assertIn(expected, str(caught.exception))


class JudgingTests(SynchronousTestCase):
    """What becomes of a request."""

    def check(self, lines: list[str], *table: tuple[object, ...]) -> None:
        """Each row: method, host and path, person, and what becomes of it."""
        rules = Rules(lines)
        for method, where, who, expected in table:
            host, _, path = str(where).partition("/")
            found = rules.judge(host, segments_of(f"/{path}"), str(method), who)  # type: ignore[arg-type]

            self.assertEqual(expected, found.outcome.name, (method, where, who))

    def test_nothing_said(self) -> None:
        """Without a line that fits the handler decides."""
        self.check(["* /in/ deny"], ("GET", "/", NOBODY, "PASS"))
        self.check(["* /in/ deny"], ("GET", "/inn", NOBODY, "PASS"))
        self.check([], ("DELETE", "/in/", NOBODY, "PASS"))

    def test_login(self) -> None:
        """Who has not logged in is asked to; everybody who has may."""
        self.check(
            ["* /in/ login", "* /in/public/ allow"],
            ("GET", "/in/x", NOBODY, "LOGIN"),
            ("GET", "/in", NOBODY, "LOGIN"),
            ("PUT", "/in/x", person("joe"), "PASS"),
            ("GET", "/in/public/x", NOBODY, "PASS"),
        )

    def test_group(self) -> None:
        """A group has to log in; others are refused, and strangers hear nothing more
        than that a login is wanted."""
        self.check(
            ["* /staff/ deny", "@staff /staff/ allow", "bob /staff/ deny"],
            ("GET", "/staff/x", NOBODY, "LOGIN"),
            ("GET", "/staff/x", person("ann", "staff"), "PASS"),
            ("GET", "/staff/x", person("joe"), "REFUSE"),
            ("GET", "/staff/x", person("bob", "staff"), "REFUSE"),
        )

    def test_network(self) -> None:
        """A login helps nobody who is in the wrong network."""
        self.check(
            [
                "* /lab/ deny",
                "10.0.0.0/8 /lab/ allow",
                "@staff+10.0.0.0/8 /lab/x allow",
                "* /lab/x/ deny",
                "@staff+10.0.0.0/8 /lab/x allow",
            ],
            ("GET", "/lab/", NOBODY, "REFUSE"),
            ("GET", "/lab/", person(address=HOME), "PASS"),
            ("GET", "/lab/", person(address="::ffff:10.0.0.1"), "PASS"),
            ("GET", "/lab/x", NOBODY, "REFUSE"),
            ("GET", "/lab/x", person("ann", "staff"), "REFUSE"),
            ("GET", "/lab/x", person(address=HOME), "LOGIN"),
            ("GET", "/lab/x", person("ann", "staff", address=HOME), "PASS"),
        )

    def test_read_only(self) -> None:
        """Who may only read is refused, or asked to log in where that would help."""
        self.check(
            ["* /wiki/ read-only", "@editors /wiki/ write", "* /archive/ read-only"],
            ("GET", "/wiki/x", NOBODY, "PASS"),
            ("PROPFIND", "/wiki/x", NOBODY, "PASS"),
            ("PUT", "/wiki/x", NOBODY, "LOGIN"),
            ("PUT", "/wiki/x", person("joe"), "REFUSE"),
            ("PUT", "/wiki/x", person("joe", "editors"), "PASS"),
            ("POST", "/archive/x", NOBODY, "REFUSE"),
            ("POST", "/archive/x", person("joe", "editors"), "REFUSE"),
        )

    def test_order(self) -> None:
        """The longest path counts; of several the last."""
        self.check(
            [
                "joe /a/b/ allow",
                "* /a/ deny",
                "* /a/b/ login",
                "ann@example.org / deny",
            ],
            ("GET", "/a/b/c", person("joe"), "PASS"),
            ("GET", "/a/b/c", person("ann"), "PASS"),
            ("GET", "/a/x", person("joe"), "REFUSE"),
            ("GET", "/x", person("ann"), "REFUSE"),
            ("GET", "/x", person("joe"), "PASS"),
        )

    def test_methods_and_hosts(self) -> None:
        """A line may be for some methods and for some hosts."""
        self.check(
            [
                "* api.example.org/ deny DELETE",
                "* *.example.com/in login GET",
                "* intranet./in login",
            ],
            ("DELETE", "api.example.org/x", NOBODY, "REFUSE"),
            ("GET", "api.example.org/x", NOBODY, "PASS"),
            ("DELETE", "example.org/x", NOBODY, "PASS"),
            ("HEAD", "www.example.com/in", NOBODY, "LOGIN"),
            ("GET", "a.b.example.com/in", NOBODY, "LOGIN"),
            ("GET", "example.com/in", NOBODY, "PASS"),
            ("GET", "wwwexample.com/in", NOBODY, "PASS"),
            ("GET", "intranet/in", NOBODY, "LOGIN"),
        )

    def test_stars(self) -> None:
        """A star stands for any letters within a segment."""
        self.check(
            ["* /~*/private/ deny", "* /docs/*.pdf login"],
            ("GET", "/~joe/private/x", NOBODY, "REFUSE"),
            ("GET", "/~joe/x/private", NOBODY, "PASS"),
            ("GET", "/docs/a.pdf", NOBODY, "LOGIN"),
            ("GET", "/docs/a\nb.pdf", NOBODY, "LOGIN"),
            ("GET", "/docs/apdf", NOBODY, "PASS"),
            ("GET", "/docs/x/a.pdf", NOBODY, "PASS"),
        )

    def test_spellings(self) -> None:
        """No spelling of a path slips past its rule."""
        for path in (
            "/in/x",
            "//in/x",
            "/./in/x",
            "/a/../in/x",
            "/%69n/x",
            "/i%6E/x",
            "/in//x",
            "/a/%2e%2e/in/x",
            "/in/%78",
            "/in/./x/",
            "/in/x/..",
        ):
            self.check(["* /in/ deny"], ("GET", path, NOBODY, "REFUSE"))

    def test_below(self) -> None:
        """Who takes a directory along needs the right for all that is in it."""
        rules = Rules(["* /dav/a/secret/ deny", "joe /dav/a/secret allow"])
        for path, who, expected in (
            (("dav", "a"), NOBODY, Outcome.LOGIN),
            (("dav",), person("ann"), Outcome.REFUSE),
            (("dav", ""), person("joe"), Outcome.PASS),
            (("dav", "b"), person("ann"), Outcome.PASS),
        ):
            found = rules.judge("", path, "DELETE", who, is_deep=True)
            self.assertEqual(expected, found.outcome)
        self.assertTrue(is_deep("PROPFIND", ""))
        self.assertTrue(is_deep("PROPFIND", "infinity"))
        self.assertFalse(is_deep("PROPFIND", "1"))

    @settings(max_examples=300, deadline=None, derandomize=True)
    @given(
        st.lists(st.sampled_from(["in", "x", ".", "..", "", "%2e", "%69n"]), max_size=8)
    )
    def test_any_spelling(self, words: list[str]) -> None:
        """A path that leads into a place is under the place's rule."""
        try:
            path = segments_of("/" + "/".join(words))
        except Exception:
            return
        found = Rules(["* /in/ deny"]).judge("", path, "GET", NOBODY)

        is_in = bool(path) and path[0] == "in"
        self.assertEqual(is_in, found.outcome is Outcome.REFUSE)
