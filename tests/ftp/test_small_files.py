"""Small files, which are sent in one write."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from netservices.ftp.dialogue.channels import DataBroken
from netservices.ftp.server.channels import DataConnection


class PartlyCached:
    """A file of ``size`` octets that gives few at a time, as one does of which only
    some pages are in memory; it has become as short as ``content``."""

    def __init__(self, content: bytes, size: int) -> None:
        self.node = SimpleNamespace(size=size)
        self._content = content

    def fileno(self) -> int:
        """It has none."""
        return -1

    def read(self, offset: int, size: int) -> Deferred[bytes]:
        """A page at most."""
        return succeed(self._content[offset : offset + min(size, 4096)])


class SmallFileTests(SynchronousTestCase):
    """``DataConnection.send_file``."""

    def send(self, content: bytes, size: int, offset: int = 0) -> Any:
        """The transport, and the outcome."""
        connection = DataConnection(65536, Clock())
        transport = StringTransport()
        connection.makeConnection(transport)
        file: Any = PartlyCached(content, size)
        return transport, Deferred.fromCoroutine(connection.send_file(file, offset))

    def test_short_reads(self) -> None:
        """A read that gives less than was asked for is not the end of the file."""
        content = bytes(range(256)) * 50
        transport, done = self.send(content, len(content), 5)
        self.successResultOf(done)
        self.assertEqual(content[5:], transport.value())

    def test_shorter_now(self) -> None:
        """A file that has become shorter is no success."""
        transport, done = self.send(b"x" * 100, 200)
        self.failureResultOf(done, DataBroken)
        self.assertEqual(b"", transport.value())

    def test_nothing(self) -> None:
        """An empty file needs no read."""
        transport, done = self.send(b"", 0)
        self.successResultOf(done)
        self.assertEqual(b"", transport.value())
