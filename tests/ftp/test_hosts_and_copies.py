"""HOST, HASH and SITE CPTO on real sockets, with threads that read and copy."""

from __future__ import annotations

import ftplib
import hashlib
import io
import os
import ssl
from collections.abc import Callable, Generator
from typing import Any

from twisted.internet.defer import gatherResults, inlineCallbacks
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from netservices.testing import running

CONTENT = os.urandom(1 << 20) * 40


class RealTests(TestCase):
    """A server in this process, clients in threads."""

    @inlineCallbacks
    def setUp(self) -> Generator[Any, Any, None]:
        self.server = yield running(ftp=True, accounts=[("alice", "secret")])
        self.addCleanup(self.server.stop)

    def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What ``function`` returns with a client that has logged in."""

        def run() -> Any:
            with ftplib.FTP() as client:
                client.connect("127.0.0.1", self.server.port("ftp"))
                client.login("alice", "secret")
                return function(client, *arguments)

        return deferToThread(run)

    @inlineCallbacks
    def test_digests(self) -> Generator[Any, Any, None]:
        """Two sessions hear the same digest; the copy has it without a read."""
        yield self.in_thread(self.store, "big")
        md5 = hashlib.md5(CONTENT).hexdigest()

        def ask(client: ftplib.FTP, name: str) -> str:
            client.sendcmd("OPTS HASH MD5")
            return client.sendcmd(f"HASH {name}").split()[3]

        found = yield gatherResults([self.in_thread(ask, "big") for _ in range(2)])
        self.assertEqual([md5, md5], found)

        def copy(client: ftplib.FTP) -> str:
            client.sendcmd("SITE CPFR big")
            client.sendcmd("SITE CPTO copy")
            return client.sendcmd("HASH copy").split()[3]

        copied = yield self.in_thread(copy)
        self.assertEqual(hashlib.sha256(CONTENT).hexdigest(), copied)

    @staticmethod
    def store(client: ftplib.FTP, name: str) -> None:
        """Upload the content."""
        client.storbinary(f"STOR {name}", io.BytesIO(CONTENT), 1 << 20)

    @inlineCallbacks
    def test_abandoned(self) -> Generator[Any, Any, None]:
        """A client that leaves during a copy leaves nothing behind it."""
        yield self.in_thread(self.store, "big")

        def leave(client: ftplib.FTP) -> None:
            client.sendcmd("SITE CPFR big")
            client.putcmd("SITE CPTO copy")
            client.close()

        yield self.in_thread(leave)
        yield self.server.stop()
        self.assertFalse(os.path.exists(self.server.state_directory))

    @inlineCallbacks
    def test_host_and_server_name(self) -> Generator[Any, Any, None]:
        """HOST must be the name of the TLS handshake.  RFC 7151 3.2.2"""

        def ask() -> list[str]:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            with ftplib.FTP_TLS(context=context) as client:
                client.connect("127.0.0.1", self.server.port("ftp"))
                client.host = "localhost"
                client.auth()
                said = []
                for host in ("127.0.0.1", "localhost", "example.com"):
                    try:
                        said.append(client.sendcmd(f"HOST {host}")[:3])
                    except ftplib.error_perm as error:
                        said.append(str(error)[:3])
                return said

        said = yield deferToThread(ask)
        self.assertEqual(["220", "220", "504"], said)
