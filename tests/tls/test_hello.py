"""What a client offers with its first words."""

from __future__ import annotations

import contextlib
import ssl

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.tls.engine import Engine
from netservices.tls.hello import client_hello, offers_session
from tests.tls.authority import Authority
from tests.tls.talkers import HOST, VERSIONS


class HelloTests(SynchronousTestCase):
    """``client_hello`` and ``offers_session``"""

    authority = Authority()

    def first_words(
        self, version: ssl.TLSVersion, session: ssl.SSLSession | None = None
    ) -> bytes:
        """The records that a client begins with."""
        context = self.context = self.authority.client_context(version)
        return self.words(context, session)

    def words(self, context: ssl.SSLContext, session: ssl.SSLSession | None) -> bytes:
        """The same with a context that there is."""
        engine = Engine(context, False, HOST, session)
        engine.shake()
        return engine.take()

    def test_no_session(self) -> None:
        """A first visit offers none, in either version."""
        for version in VERSIONS:
            hello = client_hello(self.first_words(version))
            assert hello is not None
            self.assertFalse(offers_session(hello), version)

    def test_session(self) -> None:
        """A second one does."""
        server_context = self.authority.server_context(self.mktemp(), HOST)
        for version in VERSIONS:
            context = self.authority.client_context(version)
            client = Engine(context, False, HOST)
            server = Engine(server_context, True)
            client.shake()
            for _ in range(3):
                server.feed(client.take())
                client.feed(server.take())
            hello = client_hello(self.words(context, client.object.session))
            assert hello is not None
            self.assertTrue(offers_session(hello), version)

    def test_pieces(self) -> None:
        """It is incomplete until its last octet has come, also in several records."""
        records = self.first_words(VERSIONS[1])
        hello = client_hello(records)
        assert hello is not None
        for size in range(len(records)):
            self.assertIsNone(client_hello(records[:size]))
        split = b"".join(
            b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part
            for part in (hello[:2], hello[2:50], hello[50:])
        )
        self.assertEqual(hello, client_hello(split + b"more"))

    def test_something_else(self) -> None:
        """ValueError for what is no ClientHello, or a very long one."""
        for octets in (
            b"USER alice\r\n",
            b"\x17\x03\x03\x00\x05hello",
            b"\x16\x03\x01\x00\x04\x02\x00\x00\x00",
            b"\x16\x03\x01\x00\x04\x01\x01\x00\x00",
            b"\x16\x03\x01\x00\x00",
        ):
            self.assertRaises(ValueError, client_hello, octets)

    @given(st.binary(max_size=300))
    def test_any_octets(self, octets: bytes) -> None:
        """Whatever comes is answered, or ValueError."""
        with contextlib.suppress(ValueError):
            client_hello(octets)
        offers_session(octets)
        header = b"\x01" + len(octets).to_bytes(3, "big")
        record = header + octets
        size = len(record).to_bytes(2, "big")
        self.assertEqual(record, client_hello(b"\x16\x03\x01" + size + record))
