"""Signatures (RFC 8945) against dnspython as an independent implementation."""

from __future__ import annotations

import time

import dns.message
import dns.name
import dns.tsig
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.errors import SyntaxProblem
from netservices.dns.wire.codes import Rcode
from netservices.dns.wire.message import Message, Question, Record
from netservices.dns.wire.names import parse_name
from netservices.dns.wire.signing import (
    MAX_UNSIGNED,
    Believed,
    Doubted,
    SignedRequest,
    check_request,
)
from netservices.dns.wire.tsig import (
    ALGORITHMS,
    TSIG,
    Key,
    TSIGProblem,
    accepted_algorithm,
    algorithm_text,
    append_tsig,
    find_algorithm,
    find_tsig,
    strip_tsig,
)

NOW = 1_800_000_000.0
SECRET = b"a secret of thirty-two octets..."
NAMED = [text for text in ALGORITHMS if text != "hmac-sha1-96"]
"""Those that have a name of their own in the record."""


def key_of(algorithm: str = "hmac-sha256", name: str = "key.example.") -> Key:
    return Key(parse_name(name), parse_name(algorithm + "."), SECRET)


def their_key(key: Key) -> dns.tsig.Key:
    found = find_algorithm(key.algorithm)
    assert found is not None
    algorithm = dns.name.from_wire(found.name, 0)[0]
    return dns.tsig.Key(dns.name.from_wire(key.name, 0)[0], key.secret, algorithm)


def message_of(id_: int = 0x1234, name: str = "www.example.com.") -> bytes:
    return Message(id=id_, questions=(Question(parse_name(name), 1),)).encode()


def reply_of(id_: int = 0x1234, number: int = 1) -> bytes:
    owner = parse_name("www.example.com.")
    record = Record(owner, 1, 1, 300, bytes((192, 0, 2, number)))
    return Message(
        id=id_, flags=0x8400, questions=(Question(owner, 1),), answer=(record,)
    ).encode()


def their_query(key: Key) -> dns.message.Message:
    """A query that they sign, with what time it is."""
    query = dns.message.make_query("www.example.com.", "A", use_edns=0)
    theirs = their_key(key)
    query.use_tsig(theirs, theirs.name, algorithm=theirs.algorithm)
    query.to_wire()
    return query


def check(data: bytes, *keys: Key, now: float = NOW) -> Believed | Doubted:
    return check_request(data, find_tsig(data), {key.name: key for key in keys}, now)


class RecordTests(SynchronousTestCase):
    """The record, and where it stands."""

    @given(
        st.sampled_from(NAMED),
        st.integers(0, 2**48 - 1),
        st.integers(0, 65535),
        st.binary(max_size=64),
        st.integers(0, 65535),
        st.integers(0, 4095),
        st.binary(max_size=16),
    )
    def test_round_trip(
        self,
        algorithm: str,
        time: int,
        fudge: int,
        mac: bytes,
        id_: int,
        error: int,
        other: bytes,
    ) -> None:
        """What is written reads back, as we read it and as they do."""
        name = ALGORITHMS[algorithm].name
        tsig = TSIG(key_of().name, name, time, fudge, mac, id_, error, other)
        signed = append_tsig(message_of(), tsig)
        start = find_tsig(signed)
        self.assertEqual(tsig, TSIG.parse(signed, start))
        self.assertEqual(message_of(), strip_tsig(signed, start))
        theirs = dns.message.from_wire(signed, keyring=False).tsig
        assert theirs is not None
        self.assertEqual(
            (time, fudge, mac, id_, error, other),
            (
                theirs[0].time_signed,
                theirs[0].fudge,
                theirs[0].mac,
                theirs[0].original_id,
                theirs[0].error,
                theirs[0].other,
            ),
        )

    def test_place(self) -> None:
        """The record is the last of the additional section, and the only one; RFC 8945
        5.1, 5.2."""
        signed = SignedRequest(key_of()).sign(message_of(), NOW)
        self.assertEqual(len(message_of()), find_tsig(signed))
        self.assertEqual(0, find_tsig(message_of()))
        record = signed[find_tsig(signed) :]
        for wrong in (
            append_tsig(signed, TSIG.parse(signed, find_tsig(signed))),
            message_of()[:8] + b"\0\1\0\0" + message_of()[12:] + record,
            signed[:11] + b"\2" + signed[12:] + b"\0\0\x29\4\xd0" + bytes(6),
            signed + b"\0",
            signed[:11],
        ):
            self.assertRaises(SyntaxProblem, find_tsig, wrong)

    @given(st.integers(0, 200), st.binary(min_size=1, max_size=4))
    def test_garbage(self, at: int, octets: bytes) -> None:
        """Whatever stands there, it is believed only if nothing has changed."""
        signed = SignedRequest(key_of()).sign(message_of(), NOW)
        at %= len(signed)
        changed = signed[:at] + octets + signed[at + len(octets) :]
        try:
            if changed[2] & 0x80 or not find_tsig(changed):
                return
            outcome = check(changed, key_of())
        except SyntaxProblem:
            return
        if isinstance(outcome, Believed):
            start = find_tsig(signed)
            same_mac = TSIG.parse(changed, find_tsig(changed)).mac
            self.assertEqual(TSIG.parse(signed, start).mac, same_mac)
            self.assertEqual(message_of()[2:], outcome.message[2:])
        else:
            outcome.sign(message_of(), NOW)


class AlgorithmTests(SynchronousTestCase):
    """Keyed hashes and their names."""

    def test_names(self) -> None:
        """Each algorithm is found by the name that people use and by that of the
        record; an unknown one is no error."""
        for text, algorithm in ALGORITHMS.items():
            named = parse_name(text + ".")
            self.assertIs(algorithm, find_algorithm(named))
            self.assertEqual(text, algorithm_text(named))
        self.assertEqual(
            "hmac-md5", algorithm_text(parse_name("hmac-md5.sig-alg.reg.int."))
        )
        self.assertIsNone(find_algorithm(parse_name("gss-tsig.")))
        self.assertEqual("gss-tsig", algorithm_text(parse_name("gss-tsig.")))

    def test_one(self) -> None:
        """A key is taken with its own algorithm alone, a truncated one also by the name
        of the full hash; RFC 8945 10."""
        full = parse_name("hmac-sha256.")
        for text, wanted in (
            ("hmac-sha256", 32),
            ("hmac-sha256-128", 16),
            ("hmac-sha512", None),
            ("hmac-sha512-256", None),
        ):
            found = accepted_algorithm(key_of(text), full)
            self.assertEqual(wanted, found.octets if found else None)


class ServerTests(SynchronousTestCase):
    """What the server makes of requests."""

    def test_algorithms(self) -> None:
        """Requests that they sign are believed, and they believe the replies."""
        for text in NAMED:
            with self.subTest(text):
                key = key_of(text)
                query = their_query(key)
                now = time.time()
                checked = check(query.to_wire(), key, now=now)
                assert isinstance(checked, Believed)
                reply = checked.signer.sign(reply_of(query.id), now)
                parsed = dns.message.from_wire(
                    reply, keyring=query.keyring, request_mac=query.mac
                )
                self.assertTrue(parsed.had_tsig)
                room = len(reply) - len(reply_of(query.id))
                self.assertEqual(room, checked.signer.reserved_octets)

    def test_stream(self) -> None:
        """They believe a stream of messages, and not one where two changed places."""
        key = key_of()
        query = their_query(key)
        for order in ([0, 1, 2], [0, 2, 1]):
            checked = check(query.to_wire(), key, now=time.time())
            assert isinstance(checked, Believed)
            stream = [
                checked.signer.sign(reply_of(query.id, number), time.time())
                for number in range(3)
            ]
            context = None
            try:
                for number in order:
                    message = dns.message.from_wire(
                        stream[number],
                        keyring=query.keyring,
                        request_mac=query.mac,
                        multi=True,
                        tsig_ctx=context,
                    )
                    context = message.tsig_ctx
                self.assertEqual([0, 1, 2], order)
            except dns.tsig.BadSignature:
                self.assertEqual([0, 2, 1], order)

    def test_bad_key(self) -> None:
        """An unknown key, and a known one with another algorithm, get BADKEY without a
        signature; RFC 8945 5.2.1."""
        signed = SignedRequest(key_of()).sign(message_of(), NOW)
        for keys in ((), (key_of("hmac-sha512"),), (key_of(name="other."),)):
            checked = check(signed, *keys)
            assert isinstance(checked, Doubted)
            self.assertEqual(Rcode.BADKEY, checked.error)
            reply = checked.sign(reply_of(), NOW)
            record = TSIG.parse(reply, find_tsig(reply))
            self.assertEqual((b"", Rcode.BADKEY), (record.mac, record.error))

    def test_bad_signature(self) -> None:
        """Another secret, another message: BADSIG, without a signature; RFC 8945
        5.2.2."""
        signed = SignedRequest(evolve(key_of(), secret=b"x")).sign(message_of(), NOW)
        good = SignedRequest(key_of()).sign(message_of(), NOW)
        for wrong in (signed, good.replace(b"\3www", b"\3wwx")):
            checked = check(wrong, key_of())
            assert isinstance(checked, Doubted)
            self.assertEqual((Rcode.BADSIG, None), (checked.error, checked.signer))

    def test_bad_time(self) -> None:
        """A time more than the fudge away gets BADTIME, signed, with the client's time
        and the server's; RFC 8945 5.2.3."""
        for away in (-301, -300, 300, 301):
            asked = SignedRequest(key_of())
            checked = check(asked.sign(message_of(), NOW + away), key_of())
            if abs(away) <= 300:
                self.assertIsInstance(checked, Believed)
                continue
            assert isinstance(checked, Doubted)
            reply = checked.sign(reply_of(), NOW)
            record = TSIG.parse(reply, find_tsig(reply))
            self.assertEqual((NOW + away, 300), (record.time, record.fudge))
            with self.assertRaises(TSIGProblem) as caught:
                asked.check(reply, NOW + away)
            self.assertEqual(Rcode.BADTIME, caught.exception.error)
            self.assertEqual(NOW, caught.exception.server_time)

    def test_order(self) -> None:
        """The MAC is checked before the time, and that before the truncation; RFC 8945
        5.2."""
        key = key_of()
        late = SignedRequest(evolve(key, secret=b"x")).sign(message_of(), NOW - 999)
        checked = check(late, key)
        assert isinstance(checked, Doubted)
        self.assertEqual(Rcode.BADSIG, checked.error)
        short = truncated(SignedRequest(key).sign(message_of(), NOW - 999), 16)
        checked = check(short, key)
        assert isinstance(checked, Doubted)
        self.assertEqual(Rcode.BADTIME, checked.error)

    def test_lengths(self) -> None:
        """A MAC longer than the hash, or shorter than 10 octets and half of it, is a
        format error; a shorter one than the key's algorithm says is BADTRUNC, signed;
        RFC 8945 5.2.2.1, 5.2.4."""
        signed = SignedRequest(key_of()).sign(message_of(), NOW)
        for octets in (0, 1, 9, 10, 15, 33, 64):
            with self.assertRaises(SyntaxProblem, msg=str(octets)):
                check(truncated(signed, octets), key_of())
        for octets in (16, 31):
            checked = check(truncated(signed, octets), key_of())
            assert isinstance(checked, Doubted)
            self.assertEqual(Rcode.BADTRUNC, checked.error)
            assert checked.signer is not None
            reply = checked.sign(reply_of(), NOW)
            self.assertEqual(32, len(TSIG.parse(reply, find_tsig(reply)).mac))

    def test_truncated(self) -> None:
        """Keys of truncated algorithms take whole MACs too, and no reply is weaker than
        its request; RFC 8945 7."""
        for text, full, own in (
            ("hmac-sha256-128", "hmac-sha256", 16),
            ("hmac-sha1-96", "hmac-sha1", 12),
        ):
            whole = SignedRequest(key_of(full)).sign(message_of(), NOW)
            for octets in (own, own + 2, ALGORITHMS[full].octets):
                checked = check(truncated(whole, octets), key_of(text))
                assert isinstance(checked, Believed)
                reply = checked.signer.sign(reply_of(), NOW)
                self.assertEqual(octets, len(TSIG.parse(reply, find_tsig(reply)).mac))

    def test_forwarded(self) -> None:
        """A request under another ID is believed, and the reply to it too; RFC 8945
        4.3.2."""
        asked = SignedRequest(key_of())
        forwarded = b"\x77\x77" + asked.sign(message_of(), NOW)[2:]
        checked = check(forwarded, key_of())
        assert isinstance(checked, Believed)
        self.assertEqual(0x7777, int.from_bytes(checked.message[:2], "big"))
        reply = checked.signer.sign(reply_of(0x7777), NOW)
        back = b"\x12\x34" + reply[2:]
        self.assertEqual(reply_of(), asked.check(back, NOW))


def truncated(signed: bytes, octets: int) -> bytes:
    """The same with a MAC of so many octets."""
    start = find_tsig(signed)
    tsig = TSIG.parse(signed, start)
    mac = (tsig.mac + bytes(octets))[:octets]
    return append_tsig(strip_tsig(signed, start), evolve(tsig, mac=mac))


class ClientTests(SynchronousTestCase):
    """What a client of ours makes of replies."""

    def setUp(self) -> None:
        self.asked = SignedRequest(key_of())
        signed = self.asked.sign(message_of(), NOW)
        checked = check(signed, key_of())
        assert isinstance(checked, Believed)
        self.signer = checked.signer

    def refused(self, data: bytes, now: float = NOW) -> int:
        """The error with which a reply is not believed."""
        with self.assertRaises(TSIGProblem) as caught:
            self.asked.check(data, now)
        return caught.exception.error

    def test_theirs(self) -> None:
        """They believe our requests, and we their replies."""
        for text in NAMED:
            with self.subTest(text):
                key = key_of(text)
                asked = SignedRequest(key)
                now = time.time()
                query = dns.message.from_wire(
                    asked.sign(message_of(), now), keyring=their_key(key)
                )
                self.assertTrue(query.had_tsig)
                response = dns.message.make_response(query)
                data = response.to_wire()
                plain = strip_tsig(data, find_tsig(data))
                self.assertEqual(plain, asked.check(data, now))
                asked.finish()

    def test_good(self) -> None:
        """A signed reply comes back as it was before."""
        self.assertEqual(
            reply_of(), self.asked.check(self.signer.sign(reply_of(), NOW), NOW)
        )

    def test_bad(self) -> None:
        """No signature, a changed message, another key or ID, a reply to another
        request, a time too far away: not believed; after that a good one still is."""
        good = self.signer.sign(reply_of(), NOW)
        start = find_tsig(good)
        tsig = TSIG.parse(good, start)
        other = check(SignedRequest(key_of()).sign(message_of(7), NOW), key_of())
        assert isinstance(other, Believed)
        for error, data in (
            (Rcode.FORMERR, reply_of()),
            (Rcode.BADSIG, good.replace(b"\xc0\0\2\1", b"\xc0\0\2\2")),
            (Rcode.BADSIG, append_tsig(reply_of(), evolve(tsig, original_id=1))),
            (Rcode.BADKEY, append_tsig(reply_of(), evolve(tsig, name=b"\1k\0"))),
            (Rcode.BADKEY, append_tsig(reply_of(), evolve(tsig, algorithm=b"\0"))),
            (Rcode.BADSIG, other.signer.sign(reply_of(7), NOW)),
            (Rcode.FORMERR, truncated(good, 0)),
        ):
            self.assertEqual(error, self.refused(data))
        self.assertEqual(Rcode.BADTIME, self.refused(good, NOW + 301))
        self.assertEqual(Rcode.BADTRUNC, self.refused(truncated(good, 16)))
        self.assertEqual(reply_of(), self.asked.check(good, NOW))

    def test_errors(self) -> None:
        """What the server says that did not believe us is passed on."""
        signed = self.asked.sign(message_of(), NOW)
        for error, checked in (
            (Rcode.BADKEY, check(signed)),
            (Rcode.BADSIG, check(signed, evolve(key_of(), secret=b"x"))),
            (Rcode.BADTIME, check(signed, key_of(), now=NOW + 301)),
        ):
            assert isinstance(checked, Doubted)
            reply = checked.sign(reply_of(), NOW + 301)
            self.assertEqual(error, self.refused(reply))

    def test_stream(self) -> None:
        """Up to 99 messages of a stream may be unsigned between two signed ones, the
        first and the last may not; RFC 8945 5.3.1."""
        self.asked.check(self.signer.sign(reply_of(), NOW), NOW)
        for number in range(MAX_UNSIGNED):
            self.asked.check(reply_of(number=number), NOW)
        self.assertRaises(TSIGProblem, self.asked.finish)
        self.assertEqual(Rcode.FORMERR, self.refused(reply_of()))

    def test_gaps(self) -> None:
        """A signature covers the unsigned messages before it."""
        for changed in (False, True):
            self.setUp()
            self.asked.check(self.signer.sign(reply_of(), NOW), NOW)
            between = [reply_of(number=number) for number in (2, 3)]
            for message in between:
                self.asked.check(message, NOW)
            if changed:
                between.reverse()
            prior = self.signer._prior
            self.signer._prior = prior + b"".join(between)
            last = self.signer.sign(reply_of(number=4), NOW)
            if changed:
                self.assertEqual(Rcode.BADSIG, self.refused(last))
            else:
                self.asked.check(last, NOW)
                self.asked.finish()

    def test_unknown(self) -> None:
        """A key of an unknown algorithm cannot sign."""
        key = evolve(key_of(), algorithm=parse_name("gss-tsig."))
        self.assertRaises(ValueError, SignedRequest, key)

    def test_secret(self) -> None:
        """A key does not print its secret."""
        self.assertNotIn("secret of", repr(key_of()))
