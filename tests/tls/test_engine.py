"""The engine alone: two of them, octets carried by hand."""

from __future__ import annotations

import contextlib
import os
import ssl

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.tls.engine import RECORD_OCTETS, Engine
from tests.tls.authority import Authority

AUTHORITY = Authority()


def shaken(directory: str, version: ssl.TLSVersion) -> tuple[Engine, Engine]:
    """A client and a server after their handshake."""
    client = Engine(AUTHORITY.client_context(version), False, "a.example")
    server = Engine(AUTHORITY.server_context(directory, "a.example"), True)
    client.shake()
    for _ in range(4):
        server.feed(client.take())
        client.feed(server.take())
    assert client.is_open and server.is_open
    return client, server


class EngineTests(SynchronousTestCase):
    """Ciphertext in, plaintext out."""

    def both(self) -> list[tuple[Engine, Engine]]:
        """A pair for each version."""
        directory = self.mktemp()
        return [
            shaken(directory, version)
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
        ]

    def test_sizes_around_a_record(self) -> None:
        """Blocks of every interesting size come out whole."""
        for client, server in self.both():
            for size in (1, 16383, 16384, 16385, 32768, 300_000):
                data = os.urandom(size)
                cipher = b"".join(client.encrypt(data))
                self.assertEqual(data, b"".join(server.feed(cipher)))

    def test_buffers_stay_small(self) -> None:
        """No record that comes out, and so no buffer, is larger than a record, however
        large the block."""
        for client, _ in self.both():
            records = client.encrypt(bytes(1_000_000))
            self.assertLessEqual(max(map(len, records)), RECORD_OCTETS)

    @settings(deadline=None, max_examples=40)
    @given(st.lists(st.integers(1, 40_000), min_size=1, max_size=20), st.binary())
    def test_any_split(self, sizes: list[int], extra: bytes) -> None:
        """Whatever the pieces of the ciphertext, the plaintext is the same."""
        client, server = self._kept()
        data = bytes(sum(sizes) % 100_000) + extra + b"."
        cipher = b"".join(client.encrypt(data))
        found = b""
        while cipher:
            size = sizes[len(cipher) % len(sizes)]
            found += b"".join(server.feed(cipher[:size]))
            cipher = cipher[size:]
        self.assertEqual(data, found)

    def _kept(self) -> tuple[Engine, Engine]:
        """One pair for all examples."""
        if not hasattr(self, "_pair"):
            self._pair = shaken(self.mktemp(), ssl.TLSVersion.TLSv1_3)
        return self._pair

    @settings(deadline=None, max_examples=200)
    @given(st.binary(min_size=1, max_size=2000))
    def test_garbage(self, garbage: bytes) -> None:
        """Garbage in place of a ClientHello raises SSLError or waits for more; nothing
        else."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server = Engine(context, True)
        with contextlib.suppress(ssl.SSLError):
            self.assertEqual([], server.feed(garbage))
        self.assertFalse(server.is_open)

    def test_close(self) -> None:
        """close_notify is made once and seen once."""
        for client, server in self.both():
            goodbye = client.close()
            self.assertTrue(goodbye)
            self.assertEqual(b"", client.close())
            self.assertEqual([], server.feed(goodbye))
            self.assertTrue(server.peer_closed)

    def test_close_behind_data(self) -> None:
        """Data before close_notify in the same block is found, data behind it is
        not."""
        for client, server in self.both():
            block = b"".join(client.encrypt(b"data")) + client.close()
            self.assertEqual([b"data"], server.feed(block + b"\x17\x03\x03\x00\x01x"))
            self.assertTrue(server.peer_closed)

    def test_close_before_the_handshake(self) -> None:
        """There is nothing to say goodbye to before the handshake."""
        engine = Engine(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), True)
        self.assertEqual(b"", engine.close())
