"""WebDAV with requests that nobody would send: no answer is 500, and what is locked
stays as it is."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.http.dav_kit import DAVHouse
from tests.http.test_dav_locks import LOCK, SHARED, token_of

METHODS = st.sampled_from(
    [
        *("GET", "HEAD", "PUT", "PATCH", "DELETE", "MKCOL", "COPY", "MOVE"),
        *("PROPFIND", "PROPPATCH", "LOCK", "UNLOCK"),
    ]
)
PATHS = st.sampled_from(
    [
        *("/dav/", "/dav", "/dav/a", "/dav/a/", "/dav/a/b", "/dav/d", "/dav/d/"),
        *("/dav/d/e", "/dav/d/f/", "/dav/%00", "/dav/%ff", "/dav/%2e%2e/x"),
        *("/dav//a", "/dav/d/../a", "/dav/.ns-uploads/x", "/dav/" + "x" * 300),
    ]
)
WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
URLS = st.one_of(
    PATHS, WORDS, st.just("http://h/dav/d/x"), st.just("http://other/dav/x")
)
CONDITIONS = st.lists(
    st.sampled_from(
        ["(", ")", "<urn:x>", '["e"]', "Not ", "<DAV:no-lock>", "</dav/a>", " ", "x"]
    ),
    max_size=8,
).map("".join)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "Depth": st.sampled_from(["0", "1", "infinity", "2", ""]),
        "Destination": URLS,
        "Overwrite": st.sampled_from(["T", "F", "x"]),
        "If": CONDITIONS,
        "If_Match": st.sampled_from(["*", '"x"', "x", ""]),
        "If_None_Match": st.sampled_from(["*", '"x"', ","]),
        "Timeout": st.sampled_from(["Infinite", "Second-5", "Second-x", ""]),
        "Lock_Token": st.sampled_from(["<urn:x>", "x", "<>"]),
        "Range": st.sampled_from(["bytes=0-", "bytes=9-1", "x"]),
        "Content_Range": st.just("bytes 0-1/2"),
        "Content_Type": st.sampled_from(["application/merge-patch+json", "text/x"]),
    },
)
ELEMENTS = st.recursive(
    st.sampled_from(
        [
            *("<D:prop/>", "<D:allprop/>", "<D:propname/>", "<D:getetag/>", "<x/>"),
            *("<D:exclusive/>", "<D:write/>", "text", "&amp;", "<a xmlns='u' b='c'/>"),
        ]
    ),
    lambda inner: st.tuples(
        st.sampled_from(
            [
                *("propfind", "prop", "propertyupdate", "set", "remove", "include"),
                *("lockinfo", "lockscope", "locktype", "owner"),
            ]
        ),
        st.lists(inner, max_size=3),
    ).map(lambda pair: f"<D:{pair[0]}>{''.join(pair[1])}</D:{pair[0]}>"),
    max_leaves=8,
)
BODIES = st.one_of(
    st.none(),
    st.binary(max_size=50),
    st.sampled_from([LOCK.encode(), SHARED.encode(), b"{}"]),
    ELEMENTS.map(lambda text: text.replace(">", ' xmlns:D="DAV:">', 1).encode()),
)


class FuzzTests(DAVHouse, SynchronousTestCase):
    """A tree with a file, a directory, and a lock."""

    content = {"a": b"words", "d/e": b"x", "kept/locked": b"as it is"}

    def begin(self) -> None:
        """All is as it was at first."""
        self._is_made = False
        self.make_house()
        token_of(self.ask("LOCK", "/dav/kept/", LOCK))

    @settings(
        max_examples=150,
        deadline=None,
        suppress_health_check=[HealthCheck.differing_executors],
    )
    @given(st.lists(st.tuples(METHODS, PATHS, BODIES, FIELDS), max_size=6))
    def test_requests(self, requests: list) -> None:  # type: ignore[type-arg]
        """Any requests, one after the other."""
        self.begin()
        for method, path, body, fields in requests:
            said = self.ask(method, path, body, **fields)
            self.assertNotEqual(500, said.status, (method, path, body, fields))
        self.assertEqual(b"as it is", self.ask("GET", "/dav/kept/locked").body)
        self.assertEqual([], self.flushLoggedErrors())
