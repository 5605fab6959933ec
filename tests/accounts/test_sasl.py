"""SASL exchanges without I/O, server and client; RFC 4422, 4616, 5802, 7677."""

from __future__ import annotations

from base64 import b64encode

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.accounts.sasl import (
    Challenge,
    External,
    Login,
    Mechanism,
    NeedAccount,
    NeedKeys,
    NeedPassword,
    Plain,
    Scram,
    decode_saslname,
    server_mechanism,
)
from netservices.accounts.sasl_client import (
    ExternalClient,
    LoginClient,
    PlainClient,
    ScramClient,
    client_mechanism,
    encode_saslname,
)
from netservices.accounts.scram import (
    ScramKeys,
    client_proof,
    derive_keys,
    invented_keys,
    strict_base64,
)
from netservices.core.errors import Refused, SyntaxProblem

KEYS = derive_keys("pencil", b"saltsaltsaltsalt", 4096)
BINDING = {"tls-server-end-point": b"digest of a certificate"}


class PlainTests(SynchronousTestCase):
    """PLAIN; RFC 4616."""

    def test_message(self) -> None:
        """
        Login and password, with and without an authorization identity; RFC 4616 4.
        """
        for message, wanted in (
            (b"\0tim\0tanstaaftanstaaf", NeedPassword("tim", b"tanstaaftanstaaf")),
            (b"Ursel\0Kurt\0xipj3plmq", NeedPassword("Kurt", b"xipj3plmq", "Ursel")),
            ("\0jürgen\0pä ß".encode(), NeedPassword("jürgen", "pä ß".encode())),
        ):
            self.assertEqual(wanted, Plain().start(message))
            self.assertEqual(Challenge(b""), Plain().start(None))
            self.assertEqual(wanted, Plain().step(message))

    def test_nonsense(self) -> None:
        """
        Missing parts, further NULs, other encodings and floods are syntax errors.
        """
        for message in (
            b"",
            b"tim",
            b"\0tim",
            b"\0tim\0",
            b"\0\0password",
            b"a\0b\0c\0d",
            b"\0t\xff\0password",
            b"\0tim\0\xff",
            b"\0tim\0" + b"x" * 10_000,
        ):
            self.assertRaises(SyntaxProblem, Plain().start, message)

    def test_password_is_not_shown(self) -> None:
        """
        A step that is printed by mistake does not show the password.
        """
        self.assertNotIn("tanstaaf", repr(Plain().start(b"\0tim\0tanstaaf")))

    def test_client(self) -> None:
        """
        The client's message is what the server takes; a challenge is an error.
        """
        client = PlainClient("tim", "pässword")
        message = client.start()

        self.assertEqual(
            NeedPassword("tim", "pässword".encode()), Plain().start(message)
        )
        self.assertRaises(SyntaxProblem, client.step, b"more")


class LoginTests(SynchronousTestCase):
    """LOGIN."""

    def test_dialogue(self) -> None:
        """
        Login and password are asked for one after the other.
        """
        server, client = Login(), LoginClient("tim", "secret")

        self.assertIsNone(client.start())
        first = server.start(None)
        self.assertEqual(Challenge(b"Username:"), first)
        second = server.step(client.step(b"Username:"))
        self.assertEqual(Challenge(b"Password:"), second)
        self.assertEqual(
            NeedPassword("tim", b"secret"), server.step(client.step(b"Password:"))
        )
        self.assertRaises(SyntaxProblem, client.step, b"once more")

    def test_initial_response(self) -> None:
        """
        An initial response is the login, as some clients send it.
        """
        self.assertEqual(Challenge(b"Password:"), Login().start(b"tim"))


class ExternalTests(SynchronousTestCase):
    """EXTERNAL; RFC 4422 appendix A."""

    def test_identity(self) -> None:
        """
        The identity comes from the certificate; a wish is handed on.
        """
        mechanism = External("tim@example.com")

        self.assertEqual(Challenge(b""), mechanism.start(None))
        self.assertEqual(NeedAccount("tim@example.com"), mechanism.step(b""))
        self.assertEqual(
            NeedAccount("tim@example.com", authorization="ann"),
            mechanism.start(ExternalClient("ann").start()),
        )

    def test_without_certificate(self) -> None:
        """
        Nobody is authenticated by nothing.
        """
        self.assertRaises(Refused, External("").start, b"")
        self.assertRaises(SyntaxProblem, External("tim").start, b"a\0b")


class ScramVectorTests(SynchronousTestCase):
    """The examples of the RFCs, word for word."""

    def play(
        self,
        algorithm: str,
        salt: bytes,
        client_nonce: bytes,
        server_nonce: bytes,
    ) -> list[bytes]:
        """The four messages between our client and our server."""
        keys = derive_keys("pencil", salt, 4096, algorithm)
        server = Scram(make_nonce=lambda: server_nonce, algorithm=algorithm)
        client = ScramClient(
            "user", "pencil", make_nonce=lambda: client_nonce, algorithm=algorithm
        )
        first = client.start()
        assert first is not None
        self.assertEqual(NeedKeys("user"), server.start(first))
        challenge = server.keys_found(keys).data
        final = client.step(challenge)
        done = server.step(final)
        assert isinstance(done, NeedAccount)
        assert done.data is not None
        client.finish(done.data)
        return [first, challenge, final, done.data]

    def test_rfc_7677(self) -> None:
        """
        SCRAM-SHA-256; RFC 7677 3.
        """
        messages = self.play(
            "sha256",
            strict_base64(b"W22ZaJ0SNY7soEsUEjb6gQ=="),
            b"rOprNGfwEbeRWgbNEkqO",
            b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
        )

        nonce = b"rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
        self.assertEqual(
            [
                b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
                b"r=" + nonce + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
                b"c=biws,r="
                + nonce
                + b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ],
            messages,
        )

    def test_rfc_5802(self) -> None:
        """
        The same machinery gives the SHA-1 example; RFC 5802 5.
        """
        messages = self.play(
            "sha1",
            strict_base64(b"QSXCR+Q6sek8bf92"),
            b"fyko+d2lbbFgONRv9qkxdawL",
            b"3rfcNHYJY1ZVvWVs7j",
        )

        nonce = b"fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j"
        self.assertEqual(
            [
                b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
                b"r=" + nonce + b",s=QSXCR+Q6sek8bf92,i=4096",
                b"c=biws,r=" + nonce + b",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ],
            messages,
        )


class ScramTests(SynchronousTestCase):
    """SCRAM-SHA-256 off the beaten track; RFC 5802."""

    def converse(
        self, server: Scram, client: ScramClient, keys: ScramKeys = KEYS
    ) -> NeedAccount:
        """The last step of the server."""
        first = client.start()
        assert first is not None
        self.assertIsInstance(server.start(first), NeedKeys)
        done = server.step(client.step(server.keys_found(keys).data))
        assert isinstance(done, NeedAccount)
        client.finish(done.data)
        return done

    def test_wrong_password(self) -> None:
        """
        A wrong password gives a wrong proof, which is refused.
        """
        client = ScramClient("user", "pen")

        self.assertRaises(Refused, self.converse, Scram(), client)

    def test_invented_keys(self) -> None:
        """
        A login that does not exist gets the same salt each time, another login
        another one, and no password is right.
        """
        joe = invented_keys(b"seed", "joe", 4096)

        self.assertEqual(joe, invented_keys(b"seed", "joe", 4096))
        self.assertNotEqual(joe.salt, invented_keys(b"seed", "ann", 4096).salt)
        self.assertNotEqual(joe.salt, invented_keys(b"other", "joe", 4096).salt)
        client = ScramClient("joe", "pencil")
        self.assertRaises(Refused, self.converse, Scram(), client, joe)

    def test_names(self) -> None:
        """
        Commas and equals signs in names travel as =2C and =3D; RFC 5802 5.1.
        """
        done = self.converse(Scram(), ScramClient("a=b,c", "pencil"))

        self.assertEqual("a=b,c", done.login)
        self.assertEqual("a=b,c", decode_saslname(encode_saslname("a=b,c")))
        self.assertRaises(SyntaxProblem, decode_saslname, b"a=b")
        self.assertRaises(SyntaxProblem, decode_saslname, b"a=2c")

    def test_authorization(self) -> None:
        """
        An authorization identity is handed on with the success, not before.
        """
        done = self.converse(
            Scram(), ScramClient("user", "pencil", authorization="x,y")
        )

        self.assertEqual("x,y", done.authorization)

    def test_channel_binding(self) -> None:
        """
        With -PLUS both sides must see the same channel; RFC 5802 6.
        """
        kind = "tls-server-end-point"
        server = Scram(True, BINDING)
        self.converse(server, ScramClient("user", "pencil", (kind, BINDING[kind])))
        for bad in (
            ScramClient("user", "pencil", (kind, b"another certificate")),
            ScramClient("user", "pencil", ("tls-unique", BINDING[kind])),
        ):
            self.assertRaises(Refused, self.converse, Scram(True, BINDING), bad)

    def test_channel_binding_flag(self) -> None:
        """
        The gs2 flag must fit the mechanism, and "y" means a downgrade where we do bind;
        RFC 5802 6.
        """
        for is_plus, bindings, flag, wanted in (
            (False, {}, b"n", None),
            (False, {}, b"y", None),
            (False, BINDING, b"n", None),
            (False, BINDING, b"y", Refused),
            (False, BINDING, b"p=tls-server-end-point", SyntaxProblem),
            (True, BINDING, b"n", SyntaxProblem),
            (True, BINDING, b"y", SyntaxProblem),
            (True, BINDING, b"p=tls-server-end-point", None),
            (True, BINDING, b"p=tls-unique", Refused),
        ):
            server = Scram(is_plus, bindings)
            message = flag + b",,n=user,r=nonce"
            if wanted is None:
                self.assertEqual(NeedKeys("user"), server.start(message))
            else:
                self.assertRaises(wanted, server.start, message)

    def test_where_plus_is_not_offered(self) -> None:
        """
        A client that could bind is right to say "y" where -PLUS is switched off.
        """
        server = server_mechanism("SCRAM-SHA-256", BINDING, "", offers_plus=False)

        self.assertIsInstance(server.start(b"y,,n=user,r=nonce"), NeedKeys)

    def test_changed_messages(self) -> None:
        """
        A changed nonce, gs2 header or proof is refused.
        """
        for change in (
            lambda final: final.replace(b"c=biws", b"c=eSws"),
            lambda final: final.replace(b",r=", b",r=x"),
            lambda final: final.replace(b",p=", b",x=1,p="),
        ):
            server, client = Scram(), ScramClient("user", "pencil")
            server.start(client.start())
            final = client.step(server.keys_found(KEYS).data)
            self.assertRaises(Refused, server.step, change(final))

    def test_another_nonce(self) -> None:
        """
        A right proof over another nonce is refused: it could be an old one.
        """
        server = Scram()
        server.start(b"n,,n=user,r=abc")
        challenge = server.keys_found(KEYS).data
        unproved = b"c=biws,r=abcdef"
        auth_message = b",".join((b"n=user,r=abc", challenge, unproved))
        proof, _ = client_proof("pencil", KEYS.salt, KEYS.iterations, auth_message)
        final = unproved + b",p=" + b64encode(proof)

        error = self.assertRaises(Refused, server.step, final)
        self.assertIn("nonce", error.log_text)

    def test_mandatory_extension(self) -> None:
        """
        An extension that must be understood is refused; others are passed over;
        RFC 5802 5.1.
        """
        self.assertRaises(Refused, Scram().start, b"n,,m=ext,n=user,r=nonce")
        self.assertEqual(NeedKeys("user"), Scram().start(b"n,,n=user,r=nonce,x=ext"))

    def test_nonsense(self) -> None:
        """
        What the grammar does not know is a syntax error; RFC 5802 7.
        """
        for first in (
            b"",
            b"n,,",
            b"n=user,r=nonce",
            b"x,,n=user,r=nonce",
            b"n,,n=,r=nonce",
            b"n,,n=user,r=",
            b"n,,n=user",
            b"n,,r=nonce,n=user",
            b"n,,n=us\0er,r=nonce",
            b"n,,n=user,r=non\xc3\xa4ce",
            b"n,,n=us\xffer,r=nonce",
            b"n,,n=user,r=" + b"x" * 513,
            b"n,,n=user,r=" + b"x" * 9000,
        ):
            self.assertRaises(SyntaxProblem, Scram().start, first)
        for final in (b"", b"c=biws", b"c=biws,r=nonce", b"c=?,r=n,p=?", b"\xff"):
            server = Scram()
            server.start(b"n,,n=user,r=nonce")
            server.keys_found(KEYS)
            self.assertRaises(SyntaxProblem, server.step, final)

    def test_final_before_keys(self) -> None:
        """
        A driver that forgets the keys does not crash the exchange.
        """
        server = Scram()
        server.start(b"n,,n=user,r=nonce")
        self.assertRaises(SyntaxProblem, server.step, b"c=biws,r=nonce,p=YQ==")

    def test_keys_in_the_store(self) -> None:
        """
        Keys survive being written and read; damaged ones are a ValueError.
        """
        self.assertEqual(KEYS, ScramKeys.decode(KEYS.encode()))
        for damaged in (b"", b"4096", b"x,YQ==,YQ==,YQ==", b"1,?,YQ==,YQ=="):
            self.assertRaises(ValueError, ScramKeys.decode, damaged)
        self.assertNotIn(repr(KEYS.stored_key), repr(KEYS))


class ScramClientTests(SynchronousTestCase):
    """The client does not trust the server."""

    def answer(self, server_first: bytes) -> bytes:
        """What a client with the nonce ``abc`` answers."""
        client = ScramClient("user", "pencil", make_nonce=lambda: b"abc")
        client.start()
        return client.step(server_first)

    def test_false_server(self) -> None:
        """
        A nonce that does not continue ours, and iterations that are too few or too
        many, are refused; RFC 7677 4.
        """
        for message in (
            b"r=xyz,s=YQ==,i=4096",
            b"r=abc,s=YQ==,i=4096",
            b"r=abcd,s=YQ==,i=4095",
            b"r=abcd,s=YQ==,i=999999999",
        ):
            self.assertRaises(Refused, self.answer, message)
        for message in (
            b"",
            b"r=abcd",
            b"r=abcd,s=?,i=4096",
            b"r=abcd,s=Y,i=4096",
            b"r=abcd,s=YQ==,i=0",
            b"r=abcd,s=YQ==,i=4096\0",
        ):
            self.assertRaises(SyntaxProblem, self.answer, message)

    def test_server_must_prove_itself(self) -> None:
        """
        A success without the server's signature, or with a wrong one, is refused.
        """
        client = ScramClient("user", "pencil")
        self.assertRaises(Refused, client.finish, None)
        server = Scram()
        server.start(client.start())
        client.step(server.keys_found(KEYS).data)

        self.assertRaises(Refused, client.finish, None)
        self.assertRaises(Refused, client.finish, b"v=" + b64encode(b"x" * 32))
        self.assertRaises(Refused, client.finish, b"e=other-error")
        self.assertRaises(SyntaxProblem, client.finish, b"hello")

    def test_signature_as_a_challenge(self) -> None:
        """
        Where the protocol has no data with its success, the proof is a challenge that
        is answered with nothing; RFC 4422 3.6.
        """
        server, client = Scram(), ScramClient("user", "pencil")
        server.start(client.start())
        done = server.step(client.step(server.keys_found(KEYS).data))
        assert isinstance(done, NeedAccount)
        assert done.data is not None

        self.assertEqual(b"", client.step(done.data))
        client.finish(None)

    def test_choice(self) -> None:
        """
        The strongest mechanism both know, and no password where it may not travel.
        """
        everything = ("PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS")
        for offered, bindings, may_send, name, first in (
            (everything, BINDING, True, "SCRAM-SHA-256-PLUS", b"p="),
            (everything, {}, True, "SCRAM-SHA-256", b"n,"),
            (everything[:3], BINDING, True, "SCRAM-SHA-256", b"y,"),
            (everything[:3], {}, True, "SCRAM-SHA-256", b"n,"),
            (everything[:2], {}, True, "PLAIN", b"\0u"),
            (("login",), {}, True, "LOGIN", None),
        ):
            client = client_mechanism(offered, "u", "p", bindings, may_send)
            self.assertEqual(name, client.name)
            start = client.start()
            self.assertEqual(first, start[:2] if start else None)
        self.assertRaises(
            Refused, client_mechanism, everything[:2], "u", "p", {}, False
        )


def octets_like(*examples: bytes) -> st.SearchStrategy[bytes]:
    """Random octets, and the examples cut, joined and damaged."""
    pieces = st.one_of(st.binary(max_size=8), st.sampled_from(examples))
    return st.one_of(
        st.binary(max_size=200), st.lists(pieces, max_size=8).map(b"".join)
    )


FIRST = octets_like(
    b"n,,", b"p=tls-server-end-point,,", b"n=user", b",r=abc", b"=2C", b"=", b"\0u\0p"
)
FINAL = octets_like(b"c=biws", b",r=abcxyz", b",p=YQ==", b",x=y", b"p=YQ=")


class FuzzTests(SynchronousTestCase):
    """Garbage raises SyntaxProblem or Refused, and nothing else."""

    @settings(max_examples=300, deadline=None)
    @given(
        st.sampled_from(
            ["PLAIN", "LOGIN", "EXTERNAL", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"]
        ),
        st.none() | FIRST,
        st.lists(FIRST | FINAL, max_size=3),
    )
    def test_servers(
        self, name: str, first: bytes | None, responses: list[bytes]
    ) -> None:
        """
        Every mechanism survives every sequence of responses.
        """
        server: Mechanism = server_mechanism(name, BINDING, "joe", True)
        try:
            step = server.start(first)
            for response in responses:
                if isinstance(step, NeedKeys):
                    assert isinstance(server, Scram)
                    step = server.keys_found(KEYS)
                if not isinstance(step, Challenge):
                    return
                step = server.step(response)
        except (SyntaxProblem, Refused):
            pass

    @settings(max_examples=300, deadline=None)
    @given(octets_like(b"r=abcd", b",s=YQ==", b",i=4096", b",i=5000"), FINAL)
    def test_scram_client(self, first: bytes, final: bytes) -> None:
        """
        The client survives every server.
        """
        client = ScramClient("user", "pencil", make_nonce=lambda: b"abc")
        client.start()
        try:
            client.step(first)
            client.finish(final)
        except (SyntaxProblem, Refused):
            return
        self.fail("garbage was taken for a proof")

    @settings(max_examples=100, deadline=None)
    @given(st.text(max_size=30).filter(lambda text: "\0" not in text))
    def test_names_round_trip(self, name: str) -> None:
        """
        Every name survives its way through a SCRAM message.
        """
        try:
            octets = encode_saslname(name)
        except UnicodeEncodeError:
            return
        self.assertEqual(name, decode_saslname(octets))
