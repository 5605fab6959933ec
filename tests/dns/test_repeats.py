"""Updates that come again, and what OPT says in updates and notices."""

from __future__ import annotations

from attrs import evolve

from netservices.dns.backend.keys import KEYS
from netservices.dns.policy import Client, Transport
from netservices.dns.wire import edns
from netservices.dns.wire.codes import Opcode, Rcode
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message
from netservices.dns.wire.signing import SignedRequest
from tests.dns.authority import question
from tests.dns.house import apply
from tests.dns.test_updates import ACME, AWAY, HERE, ServerTestCase
from tests.dns.updating import message

ADD, DELETE = "add x 60 A 192.0.2.1", "del x"
CLIENT_COOKIE = b"12345678"


class UnsignedTests(ServerTestCase):
    """Copies of updates that nobody signed."""

    def test_copy(self) -> None:
        """A copy gets the reply of the first one, and the zone stays as others have
        made it meanwhile; RFC 2136 2.2, 5.1."""
        first = message(ADD)
        self.assertEqual(Rcode.NOERROR, self.send(first).rcode)
        other = evolve(HERE, address="127.0.0.2")
        self.assertEqual(Rcode.NOERROR, self.send(message(DELETE), other).rcode)
        self.assertEqual(Rcode.NOERROR, self.send(first).rcode)
        self.assertEqual((), self.stored("x.example.com."))
        self.assertEqual(1, self.authority.updates.status()["repeated"])

    def test_under_way(self) -> None:
        """Copies that come while the first one waits wait with it."""
        first = message(ADD, "nx x")
        waiting = [self.begin(first) for _ in range(3)]
        replies = [self.successResultOf(one) for one in waiting]
        self.assertEqual([replies[0]] * 3, replies)
        self.assertEqual(2, self.authority.updates.status()["repeated"])

    def test_no_copy(self) -> None:
        """It is no copy after another update of the same client, after ten seconds,
        over TCP, or where the first one was not carried out."""
        for lines in (ADD,), (DELETE,), (ADD,):
            self.check(Rcode.NOERROR, *lines)
        self.clock.advance(11)
        self.check(Rcode.NOERROR, ADD)
        stream = evolve(HERE, transport=Transport.TCP)
        for _ in range(2):
            self.check(Rcode.NOERROR, ADD, client=stream)
        self.check(Rcode.YXDOMAIN, "nx x", client=HERE)
        self.check(Rcode.YXDOMAIN, "nx x", client=HERE)
        self.assertEqual(0, self.authority.updates.status()["repeated"])


class SignedTests(ServerTestCase):
    """Copies of updates that are signed."""

    settings = {"allow_update": ("key:acme",), "max_updates_remembered": 2}

    def setUp(self) -> None:
        super().setUp()
        apply(self.store, KEYS.put(ACME.name, ACME))
        self.clock.advance(0)

    def make(self, *lines: str) -> bytes:
        """A signed update."""
        return SignedRequest(ACME).sign(message(*lines), self.clock.seconds())

    def test_replay(self) -> None:
        """A signed update is carried out once, over whatever it comes, from wherever,
        and under another ID; RFC 8945 5.2.3."""
        add, delete = self.make(ADD), self.make(DELETE)
        for data in add, delete:
            self.assertEqual(Rcode.NOERROR, self.send(data, AWAY).rcode)
        self.clock.advance(200)
        for client in AWAY, HERE, Client("192.0.2.9", Transport.TCP):
            self.assertEqual(Rcode.NOERROR, self.send(add, client).rcode)
        self.assertEqual(Rcode.NOERROR, self.send(b"\0\1" + add[2:], AWAY).rcode)
        self.assertEqual((), self.stored("x.example.com."))

    def test_again(self) -> None:
        """The same that is signed again is another update."""
        for lines in (ADD,), (DELETE,), (ADD,):
            self.assertEqual(Rcode.NOERROR, self.send(self.make(*lines), AWAY).rcode)
            self.clock.advance(1)
        self.assertEqual((b"\xc0\0\2\1",), self.stored("x.example.com."))

    def test_bounded(self) -> None:
        """So many are remembered, and no more."""
        for number in range(5):
            self.send(self.make(f"add x{number} 60 A 192.0.2.1"), AWAY)
        self.assertEqual(2, len(self.authority.updates._repeats))


class OptTests(ServerTestCase):
    """OPT in updates and notices."""

    settings = {"allow_update": ("192.0.2.0/24",), "cookies": True}

    def opt(self, cookie: bytes, version: int = 0) -> Edns:
        return Edns(1232, options=((edns.COOKIE, cookie),), version=version)

    def learn(self, client: Client) -> bytes:
        """The cookie that an update got."""
        reply = self.send(message("nx x", edns=self.opt(CLIENT_COOKIE)), client)
        assert reply.edns is not None
        return reply.edns.option(edns.COOKIE) or b""

    def test_cookie(self) -> None:
        """Whoever sends a cookie gets one, and with it may update over UDP from an
        address that may; RFC 7873 5.2, 6."""
        cookie = self.learn(AWAY)
        self.assertEqual(CLIENT_COOKIE, cookie[:8])
        self.assertEqual(24, len(cookie))
        for found, rcode in (
            (CLIENT_COOKIE, Rcode.REFUSED),
            (cookie[:-1] + b"?", Rcode.REFUSED),
            (cookie, Rcode.NOERROR),
        ):
            data = message(ADD, edns=self.opt(found))
            self.assertEqual(rcode, self.send(data, AWAY).rcode)
        stranger = Client("198.51.100.1")
        data = message(ADD, edns=self.opt(self.learn(stranger)))
        self.assertEqual(Rcode.REFUSED, self.send(data, stranger).rcode)

    def test_notice(self) -> None:
        """So it is with notices."""
        data = question(
            "example.com.", "SOA", opcode=Opcode.NOTIFY, edns=self.opt(CLIENT_COOKIE)
        )
        reply = self.send(data, AWAY)
        self.assertEqual(Rcode.REFUSED, reply.rcode)
        assert reply.edns is not None
        self.assertEqual(CLIENT_COOKIE, (reply.edns.option(edns.COOKIE) or b"")[:8])

    def test_malformed(self) -> None:
        """Versions that are not known: BADVERS; cookies of no length: FORMERR.
        RFC 6891 6.1.3, RFC 7873 5.2.2."""
        for opt, rcode in (
            (self.opt(CLIENT_COOKIE, version=1), Rcode.BADVERS),
            (self.opt(b"1234567"), Rcode.FORMERR),
        ):
            notice = question("example.com.", "SOA", opcode=Opcode.NOTIFY, edns=opt)
            for data in message(ADD, edns=opt), notice:
                reply: Message = self.send(data, AWAY)
                self.assertEqual(rcode, reply.rcode)
                self.assertIsNotNone(reply.edns)
