"""Cookies that tell clients from forged addresses; RFC 7873, RFC 9018."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.backend.secrets import COOKIE_SECRETS, CookieSecrets
from netservices.dns.backend.shelf import NAMESPACE
from netservices.dns.dialogue.cookies import Cookies, Standing
from netservices.dns.dialogue.exact import ExactAnswers
from netservices.dns.policy import Client, Transport
from netservices.dns.server.authority import Authority
from netservices.dns.wire import edns
from netservices.dns.wire.codes import QR, Rcode
from netservices.dns.wire.cookies import is_ours, make_cookie, parse_secret
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message
from netservices.units import PutValue
from tests.dns.authority import LOOPBACK, make_dialogue, never_later, now, question
from tests.dns.house import add_zone, apply, make_authority, make_store

SECRET = bytes(range(16))
OTHER = bytes(range(16, 32))
CLIENT = b"12345678"
TCP = Client("127.0.0.1", Transport.TCP)
SMALL = "@ 60 SOA a b 1 2 3 4 5\n@ 60 NS a\n* 60 A 192.0.2.1\n"


def opt(*cookies: bytes) -> Edns:
    """OPT with cookies."""
    return Edns(1232, False, tuple((edns.COOKIE, cookie) for cookie in cookies))


class VectorTests(SynchronousTestCase):
    """RFC 9018, appendix A."""

    def cookies(self, seconds: int, *secrets: str) -> Cookies:
        made = Cookies(lambda: seconds)
        made.secrets = tuple(map(parse_secret, secrets))
        return made

    def assert_reply(
        self, cookies: Cookies, address: str, sent: str, standing: Standing, reply: str
    ) -> None:
        found = cookies.examine(bytes.fromhex(sent), address)
        self.assertEqual((standing, bytes.fromhex(reply)), found)

    def test_new(self) -> None:
        """A client without a server cookie learns one.  A.1."""
        self.assert_reply(
            self.cookies(1559731985, "e5e973e5a6b2a43f48e7dc849e37bfcf"),
            "198.51.100.100",
            "2464c4abcf10c957",
            Standing.CLIENT,
            "2464c4abcf10c957010000005cf79f111f8130c3eee29480",
        )

    def test_renewed(self) -> None:
        """A cookie that is 40 minutes old is good and is replaced.  A.2."""
        self.assert_reply(
            self.cookies(1559734385, "e5e973e5a6b2a43f48e7dc849e37bfcf"),
            "198.51.100.100",
            "2464c4abcf10c957010000005cf79f111f8130c3eee29480",
            Standing.VALID,
            "2464c4abcf10c957010000005cf7a871d4a564a1442aca77",
        )

    def test_reserved_octets(self) -> None:
        """Reserved octets count as they came, and are zero in ours.  A.3.

        The cookie of the RFC is 112 minutes old, so its time is a reply's here."""
        secret = "e5e973e5a6b2a43f48e7dc849e37bfcf"
        sent = "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5"
        octets = bytes((203, 0, 113, 203))
        self.assertTrue(is_ours(bytes.fromhex(sent), octets, parse_secret(secret)))
        standing, reply = self.cookies(1559734700 - 3600, secret).examine(
            bytes.fromhex(sent), "203.0.113.203"
        )
        self.assertIs(Standing.VALID, standing)
        self.assertEqual(bytes(3), reply[9:12])
        self.assert_reply(
            self.cookies(1559734700, secret),
            "203.0.113.203",
            sent,
            Standing.INVALID,
            "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e",
        )

    def test_old_secret(self) -> None:
        """A cookie made with the secret before this one is good and is replaced at
        once; IPv6.  A.4."""
        self.assert_reply(
            self.cookies(
                1559741961,
                "445536bcd2513298075a5d379663c962",
                "dd3bdf9344b678b185a6f5cb60fca715",
            ),
            "2001:db8:220:1:59de:d0f4:8769:82b8",
            "22681ab97d52c298010000005cf7c57926556bd0934c72f8",
            Standing.VALID,
            "22681ab97d52c298010000005cf7c609a6bb79d16625507a",
        )


class CookieTests(SynchronousTestCase):
    """What is taken, and for how long."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.cookies = Cookies(self.clock.seconds)
        self.cookies.secrets = (SECRET,)

    def fresh(self, address: str = "192.0.2.1") -> bytes:
        return self.cookies.examine(CLIENT, address)[1]

    def standing(self, option: bytes, address: str = "192.0.2.1") -> Standing:
        return self.cookies.examine(option, address)[0]

    def test_age(self) -> None:
        """An hour in the past and five minutes in the future.  RFC 9018 4.3."""
        start = self.clock.seconds()
        for made, standing in (
            (start - 3600, Standing.VALID),
            (start - 3601, Standing.INVALID),
            (start + 300, Standing.VALID),
            (start + 301, Standing.INVALID),
        ):
            option = make_cookie(CLIENT, bytes((192, 0, 2, 1)), int(made), SECRET)
            self.assertIs(standing, self.standing(option))

    def test_young(self) -> None:
        """A cookie comes back as it is until it is half an hour old."""
        option = self.fresh()
        self.clock.advance(1800)
        self.assertEqual(option, self.cookies.examine(option, "192.0.2.1")[1])
        self.clock.advance(1)
        self.assertNotEqual(option, self.cookies.examine(option, "192.0.2.1")[1])

    def test_time_wraps(self) -> None:
        """In 2106 the number of seconds begins anew.  RFC 1982."""
        self.clock.advance(2**32 - 10 - self.clock.seconds())
        option = self.fresh()
        self.clock.advance(20)
        self.assertIs(Standing.VALID, self.standing(option))

    def test_somebody_else(self) -> None:
        """A cookie is good for its address and client part alone; every bit counts."""
        option = self.fresh()
        self.assertIs(Standing.VALID, self.standing(option))
        for address in ("192.0.2.2", "2001:db8::1", "/run/socket"):
            self.assertIs(Standing.INVALID, self.standing(option, address))
        for bit in range(24 * 8):
            changed = bytearray(option)
            changed[bit // 8] ^= 1 << bit % 8
            self.assertIs(Standing.INVALID, self.standing(bytes(changed)), bit)

    def test_other_lengths(self) -> None:
        """Server cookies of another length are of another maker.  RFC 9018 4.4."""
        option = self.fresh()
        for length in range(16, 41):
            wanted = Standing.VALID if length == 24 else Standing.INVALID
            self.assertIs(wanted, self.standing((option + bytes(16))[:length]))

    def test_cluster(self) -> None:
        """Two servers with one secret take each other's cookies, also while a new
        secret is brought to them one by one.  RFC 9018 5."""
        other = Cookies(self.clock.seconds)
        stages = [(SECRET,), (SECRET, OTHER), (OTHER, SECRET)]
        for mine, theirs in [*zip(stages, stages[1:], strict=False), (stages[2],) * 2]:
            self.cookies.secrets, other.secrets = mine, theirs
            self.assertIs(Standing.VALID, other.examine(self.fresh(), "192.0.2.1")[0])
            made = other.examine(CLIENT, "192.0.2.1")[1]
            self.assertIs(Standing.VALID, self.standing(made))

    def test_alone(self) -> None:
        """Before it knows its secret a server has one that nobody else has."""
        other = Cookies(self.clock.seconds)
        self.assertNotEqual(other.secrets, Cookies(self.clock.seconds).secrets)
        self.assertIs(Standing.INVALID, other.examine(self.fresh(), "192.0.2.1")[0])


class DialogueTests(SynchronousTestCase):
    """Cookies in questions and answers."""

    def setUp(self) -> None:
        self.dialogue = make_dialogue()
        self.dialogue.extensions.cookies = Cookies(lambda: 1_700_000_000)

    def ask(
        self, asked: Edns | None, client: Client = LOOPBACK, **more: Any
    ) -> Message:
        data = question(more.pop("name", "www.example.com."), "A", edns=asked)
        return Message.parse(now(self.dialogue.answer(data, client)))

    def cookie_of(self, message: Message) -> bytes:
        assert message.edns is not None
        cookie = message.edns.option(edns.COOKIE)
        assert cookie is not None
        return cookie

    def test_learned(self) -> None:
        """The answer to a client cookie brings a server's, and both are repeated; with
        refusals too.  RFC 7873 5.2.3, 5.2.5."""
        for name in ("www.example.com.", "none.example.com.", "foreign."):
            cookie = self.cookie_of(self.ask(opt(CLIENT), name=name))
            self.assertEqual((CLIENT, 24), (cookie[:8], len(cookie)))
            again = self.ask(opt(cookie), name=name)
            self.assertEqual(cookie, self.cookie_of(again))

    def test_not_asked(self) -> None:
        """Who sends no cookie gets none.  RFC 7873 5.2.1."""
        message = self.ask(Edns(1232))
        assert message.edns is not None
        self.assertEqual((), message.edns.options)
        self.assertIsNone(self.ask(None).edns)

    def test_invalid(self) -> None:
        """A cookie that is not ours counts as none: an answer, and a good cookie.
        RFC 7873 5.2.4."""
        message = self.ask(opt(CLIENT + bytes(16)))
        self.assertEqual((Rcode.NOERROR, 2), (message.rcode, len(message.answer)))
        good = self.cookie_of(message)
        self.assertEqual(good, self.cookie_of(self.ask(opt(good))))

    def test_malformed(self) -> None:
        """Lengths that no cookie has are a format error.  RFC 7873 5.2.2."""
        for length in (0, 1, 7, 9, 15, 41, 60):
            message = self.ask(opt(bytes(length)))
            self.assertEqual((Rcode.FORMERR, ()), (message.rcode, message.answer))
            assert message.edns is not None
            self.assertEqual((), message.edns.options)

    def test_two(self) -> None:
        """The first of several cookies counts.  RFC 7873 5.2."""
        cookie = self.cookie_of(self.ask(opt(CLIENT, b"87654321")))
        self.assertEqual(CLIENT, cookie[:8])

    def test_alone(self) -> None:
        """A packet without question asks for a cookie.  RFC 7873 5.4."""
        for option, rcode in (
            (CLIENT, Rcode.NOERROR),
            (CLIENT + bytes(16), Rcode.BADCOOKIE),
            (self.cookie_of(self.ask(opt(CLIENT))), Rcode.NOERROR),
        ):
            data = Message(id=7, edns=opt(option)).encode()
            message = Message.parse(now(self.dialogue.answer(data, LOOPBACK)))
            self.assertEqual(
                (7, rcode, ()), (message.id, message.rcode, message.questions)
            )
            self.assertEqual(QR, message.flags)
            good = self.cookie_of(message)
            self.assertEqual((CLIENT, 24), (good[:8], len(good)))

    def test_alone_and_wrong(self) -> None:
        """Without question and without cookie it is a format error."""
        for asked in (None, Edns(1232), opt(b"short"), Edns(1232, version=1)):
            data = Message(id=7, edns=asked).encode()
            reply = now(self.dialogue.answer(data, LOOPBACK))
            self.assertEqual((12, Rcode.FORMERR), (len(reply), reply[3] & 15))
        self.dialogue.extensions.cookies = None
        data = Message(id=7, edns=opt(CLIENT)).encode()
        self.assertEqual(12, len(now(self.dialogue.answer(data, LOOPBACK))))

    def test_padded(self) -> None:
        """The reply to a cookie alone is padded over TLS as all others are."""
        asked = Edns(1232, False, ((edns.COOKIE, CLIENT), (edns.PADDING, b"")))
        data = Message(id=7, edns=asked).encode()
        client = Client("127.0.0.1", Transport.TLS)
        self.assertEqual(468, len(now(self.dialogue.answer(data, client))))

    def test_required(self) -> None:
        """Where cookies are required, UDP without a good one gets no answer but the
        way to one: BADCOOKIE with a cookie, or TC.  RFC 7873 5.2.3."""
        self.dialogue.extensions.requires_cookies = True
        for asked in (opt(CLIENT), opt(CLIENT + bytes(16))):
            message = self.ask(asked)
            self.assertEqual((Rcode.BADCOOKIE, ()), (message.rcode, message.answer))
            cookie = self.cookie_of(message)
            self.assertEqual(2, len(self.ask(opt(cookie)).answer))
            self.assertEqual(2, len(self.ask(asked, TCP).answer))
        for asked in (None, Edns(1232)):
            message = self.ask(asked)
            self.assertTrue(message.is_truncated)
            self.assertEqual((Rcode.NOERROR, ()), (message.rcode, message.answer))
            self.assertEqual(2, len(self.ask(asked, TCP).answer))

    def test_off(self) -> None:
        """With ``dns.cookies`` off they are ignored."""
        self.dialogue.extensions.cookies = None
        message = self.ask(opt(CLIENT))
        assert message.edns is not None
        self.assertEqual((), message.edns.options)

    def test_not_shared(self) -> None:
        """A cookie goes to nobody else, whatever is remembered of the answer."""
        exact = ExactAnswers(self.dialogue, 100, later=never_later)
        answer = exact.answerer()
        data = question("www.example.com.", "A", edns=opt(CLIENT))
        here = [answer(data, ("127.0.0.1", 4711), None) for _ in range(3)]
        there = answer(data, ("127.0.0.2", 4711), None)
        self.assertEqual(here[0], here[2])
        assert here[2] is not None
        assert there is not None
        self.assertEqual(here[2][:-8], there[:-8])
        self.assertNotEqual(here[2][-8:], there[-8:])


class SecretTests(SynchronousTestCase):
    """Where the secret comes from, and how long it is kept."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.store = make_store()
        self.addCleanup(self.store.close)
        add_zone(self.store, SMALL)

    def start(self, **settings: Any) -> Authority:
        authority = make_authority(self.store, self.clock, **settings)
        self.successResultOf(authority.start())
        self.addCleanup(authority.stop)
        return authority

    def secrets(self, authority: Authority) -> tuple[bytes, ...]:
        return authority.guard.secrets.cookies.secrets

    def test_kept(self) -> None:
        """The secret of the first start is that of the next."""
        first = self.start()
        first.stop()
        self.assertEqual(self.secrets(first), self.secrets(self.start()))

    def test_shared(self) -> None:
        """Servers on one store have one secret, and take over a new one."""
        first, second = self.start(), self.start()
        self.assertEqual(self.secrets(first), self.secrets(second))
        made = CookieSecrets(OTHER, self.clock.seconds(), SECRET)
        apply(self.store, COOKIE_SECRETS.put(b"server", made))
        self.clock.advance(0)
        self.assertEqual((OTHER, SECRET), self.secrets(first))
        self.assertEqual((OTHER, SECRET), self.secrets(second))

    def test_rotation(self) -> None:
        """A new secret after its lifetime; the old one is good for some hours more."""
        authority = self.start(cookie_secret_lifetime=86400.0)
        (old,) = self.secrets(authority)
        for _ in range(25):
            self.clock.advance(3600)
        new, *others = self.secrets(authority)
        self.assertEqual([old], others)
        self.assertNotEqual(old, new)
        for _ in range(3):
            self.clock.advance(3600)
        self.assertEqual((new,), self.secrets(authority))

    def test_settings(self) -> None:
        """A cluster's secrets come from the settings, and the store gets none."""
        authority = self.start(cookie_secrets=(OTHER.hex(), SECRET.hex()))
        self.assertEqual((OTHER, SECRET), self.secrets(authority))
        found = self.successResultOf(
            self.store.values.scan(NAMESPACE, COOKIE_SECRETS.prefix, None, 9)
        )
        self.assertEqual(0, len(found))

    def test_unreadable(self) -> None:
        """What the store holds may be damaged; there is a secret all the same."""
        apply(self.store, PutValue(NAMESPACE, b"cookie/server", b'{"current": "00"}'))
        self.assertEqual(16, len(self.secrets(self.start())[0]))

    def test_written_wrongly(self) -> None:
        """What is no secret is refused, and not repeated."""
        with self.assertRaises(ValueError) as caught:
            parse_secret("12345")
        self.assertNotIn("12345", str(caught.exception))

    def test_hidden(self) -> None:
        """A secret does not show when it is printed."""
        self.assertNotIn(SECRET.hex(), repr(CookieSecrets(SECRET, 1.0, SECRET)))
        self.assertNotIn(repr(SECRET), repr(CookieSecrets(SECRET, 1.0, SECRET)))

    def test_off(self) -> None:
        """With ``dns.cookies`` off nobody gets one."""
        self.assertIsNone(self.start(cookies=False).dialogue.extensions.cookies)
