"""Cookies as they come and go."""

from __future__ import annotations

import re
from http.cookies import SimpleCookie

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.web.cookies import (
    LONGEST_COOKIE,
    LONGEST_LIFE,
    MOST_COOKIES,
    SetCookie,
    add_cookie,
    parse_cookies,
)
from netservices.web.response import Response

quick = settings(max_examples=200, deadline=None, derandomize=True)
_TOKEN = "!#$%&'*+-.^_`|~0123456789ABCXYZabcxyz"
_OCTETS = "".join(chr(c) for c in range(33, 127) if chr(c) not in '",;\\')
names = st.text(_TOKEN, min_size=1, max_size=30)
values = st.text(_OCTETS, max_size=60)
_GRAMMAR = re.compile(
    r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+=[!#-+\--:<-\[\]-~]*"
    r"(; (Expires=[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT"
    r"|Max-Age=[1-9][0-9]*|Domain=[a-z0-9.\-]+|Path=/[ -:<-~]*|Secure|HttpOnly"
    r"|SameSite=(Strict|Lax|None)|Partitioned))*"
)


class ParseTests(SynchronousTestCase):
    """What a browser sends."""

    def test_rfc(self) -> None:
        """The example of RFC 6265 3.1."""
        cookies = parse_cookies("SID=31d4d96e407aad42; lang=en-US")

        self.assertEqual({"SID": "31d4d96e407aad42", "lang": "en-US"}, dict(cookies))

    def test_lenient(self) -> None:
        """Other programs' cookies do no harm: quotes are taken off, spaces and missing
        ones borne, nonsense passed over."""
        for text, expected in (
            ("", {}),
            (";;; ;", {}),
            ('a="b c"; d="', {"a": "b c", "d": '"'}),
            ("a=b=c", {"a": "b=c"}),
            ("a=", {"a": ""}),
            ("=a; =__Host-s=1; b", {}),
            ("a=1;b=2;\tc = 3 ", {"a": "1", "b": "2", "c": "3"}),
            ('a={"x":1,"y":[2]}', {"a": '{"x":1,"y":[2]}'}),
            ("a b=1; c=\x01; d=2", {"d": "2"}),
            ("n\xe9=1; a=\xe9", {"a": "\xe9"}),
        ):
            self.assertEqual(expected, dict(parse_cookies(text)), text)

    def test_several_of_one_name(self) -> None:
        """The first counts, but where it matters contradictions count for nothing."""
        cookies = parse_cookies("a=1; a=2; b=3; b=3")

        self.assertEqual(("1", ("1", "2")), (cookies["a"], cookies.all("a")))
        self.assertEqual("", cookies.only("a"))
        self.assertEqual("3", cookies.only("b"))
        self.assertEqual(("", ()), (cookies.only("c"), cookies.all("c")))

    def test_bounds(self) -> None:
        """What comes after two hundred cookies, or 64 KiB, is not read."""
        many = parse_cookies("; ".join(f"c{n}=1" for n in range(100_000)))
        self.assertEqual(MOST_COOKIES, len(many))
        self.assertLess(len(parse_cookies("a=" + "x" * 10_000_000)["a"]), 65536)
        self.assertEqual(1, len(parse_cookies("a=1;" * 1_000_000)))

    def test_secret(self) -> None:
        """Values are not in what is printed."""
        self.assertNotIn("geheim", repr(parse_cookies("a=geheim")))
        self.assertNotIn("geheim", repr(SetCookie("a", "geheim")))

    @quick
    @given(st.text(max_size=300))
    def test_anything(self, text: str) -> None:
        """Whatever comes is read, and every name is a token."""
        for name in parse_cookies(text):
            self.assertRegex(name, r"\A[!#$%&'*+\-.^_`|~0-9A-Za-z]+\Z")

    @quick
    @given(st.lists(st.tuples(names, values), max_size=20))
    def test_order(self, pairs: list[tuple[str, str]]) -> None:
        """What is well-formed comes back whole."""
        cookies = parse_cookies("; ".join(f"{n}={v}" for n, v in pairs))

        for name in {n for n, _ in pairs}:
            expected = tuple(v for n, v in pairs if n == name)
            self.assertEqual(expected, cookies.all(name))


class SetTests(SynchronousTestCase):
    """What goes to a browser."""

    def test_attributes(self) -> None:
        """Careful unless told otherwise."""
        for cookie, expected in (
            (SetCookie("a", "b"), "a=b; Path=/; Secure; HttpOnly; SameSite=Lax"),
            (
                SetCookie(
                    "a",
                    "",
                    max_age=60,
                    path="/x",
                    domain="example.org",
                    secure=False,
                    http_only=False,
                    same_site="Strict",
                ),
                "a=; Path=/x; Domain=example.org; Max-Age=60; SameSite=Strict",
            ),
            (
                SetCookie("__Host-a", "b", same_site="None", partitioned=True),
                "__Host-a=b; Path=/; Secure; HttpOnly; SameSite=None; Partitioned",
            ),
            (
                SetCookie("a", "", max_age=0),
                "a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Secure; HttpOnly;"
                " SameSite=Lax",
            ),
        ):
            self.assertEqual(expected, str(cookie))

    def test_longest_life(self) -> None:
        """No cookie lives longer than 400 days."""
        cookie = SetCookie("a", "b", max_age=10**12)

        self.assertIn(f"Max-Age={LONGEST_LIFE};", str(cookie))

    def test_refused(self) -> None:
        """What a browser would drop is refused, and so is an injected attribute."""
        for name, value, changes in (
            ("", "b", {}),
            ("a b", "b", {}),
            ("a=", "b", {}),
            ("é", "b", {}),
            ("a", "b; Domain=evil.example", {}),
            ("a", "b\r\nX: y", {}),
            ("a", "b c", {}),
            ("a", "é", {}),
            ("a", "b" * LONGEST_COOKIE, {}),
            ("a", "b", {"path": "x"}),
            ("a", "b", {"path": "/;Secure"}),
            ("a", "b", {"path": "/" + "x" * 1024}),
            ("a", "b", {"domain": ".example.org"}),
            ("a", "b", {"domain": "example.org; Secure"}),
            ("a", "b", {"same_site": "lax"}),
            ("a", "b", {"same_site": "None", "secure": False}),
            ("a", "b", {"partitioned": True, "secure": False}),
            ("__Secure-a", "b", {"secure": False}),
            ("__SECURE-a", "b", {"secure": False}),
            ("__Host-a", "b", {"secure": False}),
            ("__Host-a", "b", {"path": "/x"}),
            ("__hOST-a", "b", {"domain": "example.org"}),
            ("__Http-a", "b", {"http_only": False}),
            ("__Host-Http-a", "b", {"http_only": False}),
        ):
            with self.assertRaises(ValueError, msg=f"{name}={value} {changes}"):
                SetCookie(name, value, **changes)

    def test_one_of_a_name(self) -> None:
        """A response sets a cookie once.  RFC 6265 4.1.1."""
        response = Response()
        for cookie in (
            SetCookie("a", "1"),
            SetCookie("ab", "2"),
            SetCookie("a", "3", path="/x"),
            SetCookie("a", "4"),
        ):
            add_cookie(response, cookie)

        self.assertEqual(
            ["ab=2", "a=3", "a=4"], [v.partition(";")[0] for _, v in response.fields]
        )

    @quick
    @given(
        names,
        values,
        st.none() | st.integers(-10, 10**9),
        st.booleans(),
        st.sampled_from(["Strict", "Lax", "None"]),
    )
    def test_grammar(
        self, name: str, value: str, age: int | None, secure: bool, site: str
    ) -> None:
        """Whatever is not refused follows the grammar, and is read back as it was."""
        try:
            cookie = SetCookie(name, value, max_age=age, secure=secure, same_site=site)
        except ValueError:
            return
        self.assertRegex(str(cookie), rf"\A{_GRAMMAR.pattern}\Z")
        self.assertEqual({name: value}, dict(parse_cookies(f"{name}={value}")))

    def test_standard_library(self) -> None:
        """Python's own parser reads the same."""
        morsel = SimpleCookie(str(SetCookie("__Host-a", "x.y", max_age=5)))["__Host-a"]

        self.assertEqual(
            ("x.y", "5", "/"), (morsel.value, morsel["max-age"], morsel["path"])
        )
