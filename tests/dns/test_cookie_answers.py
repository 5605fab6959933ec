"""Replies to questions with cookies, from what is remembered."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.dialogue.cookies import Cookies
from netservices.dns.dialogue.exact import ExactAnswers
from netservices.dns.policy import Client
from netservices.dns.wire import edns
from netservices.dns.wire.codes import Rcode, Type
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message
from netservices.dns.wire.names import parse_name
from netservices.values import RRset
from tests.dns.authority import make_dialogue, make_tree, never_later, now, question

PEER = ("192.0.2.200", 4711)
CLIENT = b"abcdefgh"
NAMES = (
    "www.example.com.",
    "WWW.example.com.",
    "mail.example.com.",
    "example.com.",
    "alias.example.com.",
    "nothing.example.com.",
    "x.wild.example.com.",
    "www.sub.example.com.",
    "example.net.",
)


def with_cookie(
    name: str, cookie: bytes, qtype: str = "A", is_do: bool = False
) -> bytes:
    """A question with a cookie and no other option."""
    return question(name, qtype, edns=Edns(1232, is_do, ((edns.COOKIE, cookie),)))


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class CookieAnswersTests(SynchronousTestCase):
    """What stands in front of the dialogue, asked with cookies."""

    def setUp(self) -> None:
        self.start()

    def start(self, **settings: object) -> None:
        self.tree = make_tree()
        self.dialogue = make_dialogue(self.tree, **settings)
        self.clock = Clock()
        self.dialogue.extensions.cookies = Cookies(self.clock)
        self.exact = ExactAnswers(self.dialogue, 64, later=never_later)
        self.rated: list[bytes] = []
        self.exact.limit = self.limit
        self.answer = self.exact.answerer()

    def limit(self, address: str, account: bytes, reply: bytes) -> bytes:
        self.rated.append(account)
        return reply

    def ask(self, data: bytes, peer: tuple[str, int] = PEER) -> bytes:
        return now(self.answer(data, peer, None))

    def cookie_for(self, client: bytes, peer: tuple[str, int] = PEER) -> bytes:
        reply = Message.parse(self.ask(with_cookie(NAMES[0], client), peer))
        assert reply.edns is not None
        return reply.edns.option(edns.COOKIE) or b""

    def expect(self, data: bytes, peer: tuple[str, int] = PEER) -> bytes:
        """The reply of the dialogue, which remembers none."""
        return now(self.dialogue.answer(data, Client(peer[0])))

    def test_same_as_dialogue(self) -> None:
        """Each time the reply is what the dialogue says, for each kind of answer and of
        cookie, with and without DO."""
        good = self.cookie_for(CLIENT)
        for name in NAMES:
            for qtype in ("A", "MX", "TXT"):
                for is_do in (False, True):
                    for cookie in (CLIENT, good, good[:-1] + b"x"):
                        data = with_cookie(name, cookie, qtype, is_do)
                        for _ in range(4):
                            self.assertEqual(self.expect(data), self.ask(data))

    def test_remembered(self) -> None:
        """A reply is remembered once for all clients; each gets its own cookie."""
        self.cookie_for(CLIENT)
        self.assertEqual(0, len(self.exact))
        self.cookie_for(CLIENT)
        self.assertEqual(1, len(self.exact))
        for number in range(20):
            client, peer = struct.pack(">Q", number), (f"192.0.2.{number}", 4711)
            cookie = self.cookie_for(client, peer)
            self.assertEqual(client, cookie[:8])
            data = with_cookie(NAMES[0], cookie)
            self.assertEqual(self.expect(data, peer), self.ask(data, peer))
        self.assertEqual(2, len(self.exact))

    def test_rated(self) -> None:
        """Whoever brings a cookie of ours is not rated, whoever else is remembered or
        not is."""
        good = self.cookie_for(CLIENT)
        for _ in range(4):
            self.rated.clear()
            self.ask(with_cookie(NAMES[0], good))
            self.assertEqual([], self.rated)
            self.ask(with_cookie(NAMES[0], good), ("192.0.2.9", 4711))
            self.ask(with_cookie(NAMES[0], CLIENT))
            self.assertEqual([parse_name(NAMES[0])] * 2, self.rated)

    def test_required(self) -> None:
        """Where cookies are required, what is remembered goes to those alone who have
        one."""
        self.dialogue.extensions.requires_cookies = True
        good = self.cookie_for(CLIENT)
        for _ in range(4):
            reply = Message.parse(self.ask(with_cookie(NAMES[0], good)))
            self.assertEqual(Rcode.NOERROR, reply.rcode)
            reply = Message.parse(self.ask(with_cookie(NAMES[0], CLIENT)))
            self.assertEqual(Rcode.BADCOOKIE, reply.rcode)
            reply = Message.parse(self.ask(with_cookie(NAMES[0], good), ("::1", 53)))
            self.assertEqual(Rcode.BADCOOKIE, reply.rcode)

    def test_age(self) -> None:
        """A cookie that was good is not for ever: it is replaced after half an hour and
        worth nothing after an hour."""
        good = self.cookie_for(CLIENT)
        data = with_cookie(NAMES[0], good)
        for seconds in (0, 1799, 1800, 1801, 3600, 3601, 10_000, 0, -300, -301):
            self.clock.now = 1_700_000_000 + seconds
            for _ in range(2):
                reply = Message.parse(self.ask(data))
                assert reply.edns is not None
                is_same = reply.edns.option(edns.COOKIE) == good
                self.assertEqual(-300 <= seconds <= 1800, is_same)
                self.rated.clear()
                self.ask(data)
                self.assertEqual(-300 <= seconds <= 3600, not self.rated)

    def test_new_secret(self) -> None:
        """With another secret a cookie that was good is not."""
        cookies = self.dialogue.extensions.cookies
        assert cookies is not None
        good = self.cookie_for(CLIENT)
        for _ in range(3):
            self.ask(with_cookie(NAMES[0], good))
        cookies.secrets = (bytes(16),)
        self.rated.clear()
        self.ask(with_cookie(NAMES[0], good))
        self.assertEqual(1, len(self.rated))

    def test_change(self) -> None:
        """After a change nothing old is sent."""
        data = with_cookie("mail.example.com.", self.cookie_for(CLIENT))
        for _ in range(4):
            self.ask(data)
        owner = parse_name("mail.example.com.")
        self.tree.put(RRset(owner, Type.A, 1, (b"\1\1\1\1",)))
        self.exact.forget(self.tree.touch())
        reply = Message.parse(self.ask(data))
        self.assertEqual(b"\1\1\1\1", reply.answer[0].rdata)

    def test_turned(self) -> None:
        """The records of an answer take turns behind cookies too."""
        self.start(rotation="cyclic")
        data = with_cookie("www.example.com.", self.cookie_for(CLIENT))
        first = [Message.parse(self.ask(data)).answer[0].rdata for _ in range(8)]
        self.assertEqual(2, len(set(first[2:])))
        self.assertEqual(first[2:6:2], first[4:8:2])

    def test_other_options(self) -> None:
        """Nothing is remembered of a packet with another option, or with octets that
        only look like a cookie."""
        looks = b"\0\x0a\0\x08" + CLIENT
        for data in (
            question(NAMES[0], "A", edns=Edns(1232, False, ((3, b""), (10, CLIENT)))),
            question(NAMES[0], "A", edns=Edns(1232, False, ((3, looks),))),
            question(NAMES[0], "A") + looks,
            question(NAMES[0], "A", edns=Edns(1232, False, ((10, CLIENT),) * 2)),
        ):
            for _ in range(4):
                self.assertEqual(self.expect(data), self.ask(data))
            self.assertEqual(0, len(self.exact))

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(NAMES),
                st.sampled_from((1, 15, 255)),
                st.lists(
                    st.sampled_from((CLIENT, CLIENT * 3, b"", b"\0\x0a\0\x18" * 7)),
                    max_size=2,
                ),
                st.integers(-30, 0),
                st.binary(max_size=2),
            ),
            min_size=1,
            max_size=4,
        )
    )
    def test_anything(
        self, asked: list[tuple[str, int, list[bytes], int, bytes]]
    ) -> None:
        """Whatever comes in which order, cut short or with octets behind it, replies
        are those of the dialogue."""
        self.setUp()
        for name, qtype, options, cut, more in asked * 3:
            opt = Edns(1232, False, tuple((edns.COOKIE, data) for data in options))
            data = question(name, qtype, edns=opt)
            data = (data[:cut] if cut else data) + more
            expected = self.dialogue.answer(data, Client(PEER[0]))
            self.assertEqual(expected, self.answer(data, PEER, None))
