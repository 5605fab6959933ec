"""What ``core.write`` and ``core.poll`` lean on inside Twisted is as it was read.

Each entry is a private or nearly private piece of Twisted and the digest of its code
without comments and docstrings.  A failure means: this Twisted release changed it.
Read the new code against the theory in the module named, then record the new digest.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import textwrap
from typing import Any

from twisted.internet import abstract, epollreactor, tcp, unix
from twisted.trial.unittest import SynchronousTestCase

WATCHED: dict[str, tuple[str, Any]] = {}


def watch(module: str, digest: str, owner: Any, name: str) -> None:
    """Add one function to the table."""
    key = f"{owner.__module__}.{owner.__name__}.{name}"
    WATCHED[key] = (f"{module} {digest}", getattr(owner, name))


def digest_of(function: Any) -> str:
    """Digest of a function's code, comments and docstring left out."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    body = tree.body[0].body  # type: ignore[attr-defined]
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        del body[0]
    code = "\n".join(ast.unparse(statement) for statement in body)
    return hashlib.sha256(code.encode()).hexdigest()[:12]


watch("write", "fd5b65a1c8cb", abstract.FileDescriptor, "write")
watch("write", "9cabbf20078c", abstract.FileDescriptor, "writeSequence")
watch("write", "bd05f297f0a3", abstract.FileDescriptor, "doWrite")
watch("write", "c31a72fb6b32", abstract.FileDescriptor, "_maybePauseProducer")
watch("write", "9b896826879a", abstract.FileDescriptor, "_isSendBufferFull")
watch("write", "2962b366dddd", abstract.FileDescriptor, "loseConnection")
watch("write", "1c2c5114c5df", abstract.FileDescriptor, "connectionLost")
watch("write", "b89a5e2d0a79", abstract.FileDescriptor, "registerProducer")
watch("write", "c13489643827", abstract.FileDescriptor, "unregisterProducer")
watch("write", "3bf7dd85f121", tcp.Connection, "doRead")
watch("write", "61f62e8a6a7a", tcp.Connection, "_dataReceived")
watch("write", "47d5d08e340c", tcp.Connection, "readConnectionLost")
watch("write", "5eaa413683e8", tcp.Connection, "writeSomeData")
watch("write", "c67146e4116b", tcp.Connection, "write")
watch("write", "93e49b74752e", tcp.Connection, "writeSequence")
watch("write", "218ca2dec0aa", tcp.Connection, "abortConnection")
watch("write", "6b19fe704087", tcp.Connection, "connectionLost")
watch("write", "751d2bfda0e7", tcp.Server, "__init__")
watch("write", "98625923faab", tcp.BaseClient, "_connectDone")
watch("write", "71460092dbef", tcp.Connector, "_makeTransport")
watch("write", "61299dbf59f4", tcp.Port, "_fromListeningDescriptor")
watch("write", "aa0919205f12", tcp.Port, "createInternetSocket")
watch("write", "53917cac2ad9", tcp.Port, "startListening")
watch("write", "f88207c6d5ea", tcp.Port, "doRead")
watch("write", "9f9451256c02", tcp.Port, "connectionLost")
watch("write", "e367b67b21ef", unix.Server, "doRead")
watch("write", "b3f075d3de10", unix.Server, "writeSomeData")
watch("write", "6a68a1752e9b", unix.Server, "sendFileDescriptor")
watch("write", "1350731809bb", unix.Port, "_fromListeningDescriptor")
watch("write", "b7cf68cc8685", unix.Port, "startListening")
watch("write", "3b294fa37d4c", unix.Port, "connectionLost")
watch("poll", "d092d95b6a72", epollreactor.EPollReactor, "doPoll")
watch("poll", "5a966fa5eebd", epollreactor.EPollReactor, "_doReadOrWrite")
watch("poll", "099992f9c6eb", epollreactor.EPollReactor, "_disconnectSelectable")


class TwistedNamesTests(SynchronousTestCase):
    """This Twisted release is the one that ``core`` was written for."""

    def test_code_is_unchanged(self) -> None:
        """Every watched function has the code that was read."""
        changed = [
            f"{name} (read it again for core/{recorded.split()[0]}.py):"
            f" {digest_of(function)}"
            for name, (recorded, function) in WATCHED.items()
            if recorded.split()[1] != digest_of(function)
        ]
        self.assertEqual([], changed, "Twisted changed code that core leans on")

    def test_attributes_exist(self) -> None:
        """Every watched attribute of a connection, port and reactor is there."""
        connection = abstract.FileDescriptor(reactor=object())  # type: ignore[arg-type]
        reactor = epollreactor.EPollReactor()
        self.addCleanup(reactor._poller.close)
        self.addCleanup(reactor.removeAll)
        wanted: dict[Any, str] = {
            connection: "_tempDataBuffer _tempDataLen dataBuffer offset producer"
            " _writeDisconnected _writeDisconnecting _maybePauseProducer",
            abstract.FileDescriptor: "streamingProducer producerPaused SEND_LIMIT"
            " bufferSize",
            tcp.Connection: "TLS _aborting",
            tcp.Port: "transport _preexistingSocket _shouldShutdown _logger",
            reactor: "_poller _selectables _doReadOrWrite _disconnectSelectable doPoll"
            " doIteration",
        }
        missing = [
            f"{owner!r}.{name}"
            for owner, names in wanted.items()
            for name in names.split()
            if not hasattr(owner, name)
        ]
        self.assertEqual([], missing)
