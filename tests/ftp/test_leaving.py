"""Clients that leave while the server works for them: nothing is left behind."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.files.settings import FilesSettings
from netservices.testing import Peer
from netservices.units import PutLock, Unit
from netservices.values import FileLock, Node, Path
from tests.ftp.memory import NOW, MemoryFTP, MemoryPort

WORDS = b"words " * 1000


class _HeldTree:
    """A tree whose copies wait for the test, and then say how far they are."""

    def __init__(self, tree: Any) -> None:
        self._tree = tree
        self.held: Deferred[None] = Deferred()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tree, name)

    async def copy(self, source: Path, target: Path, progress: Any) -> Node:
        """A copy, once the test lets it go on."""
        await self.held
        progress(1)
        node: Node = await self._tree.copy(source, target, progress)
        return node


class LeavingTests(MemoryFTP, SynchronousTestCase):
    """The control connection ends in the middle of it."""

    content = {"a": WORDS}
    files_settings = FilesSettings(durability="none", small_upload=1000)

    def make_port(self) -> MemoryPort:
        """Uploads of some length."""
        port = super().make_port()
        port.upload = [WORDS]
        return port

    def logged_in(self) -> Peer:
        """A session after its login."""
        peer = Peer(self.make_session)
        peer.send(b"USER alice\r\nPASS secret\r\nTYPE I\r\n")
        peer.receive()
        return peer

    def test_commit_that_fails(self) -> None:
        """An upload that is refused at its very end, when nobody waits any more, ends
        as others do: what came can be continued, and nothing stays reserved."""
        peer = self.logged_in()
        volume = self.tree.volume
        intent = value_of(volume.intents.take(("new",)))
        peer.send(b"PASV\r\nSTOR new\r\n")
        peer.leave()
        lock = FileLock("urn:x", ("new",), 99, expires=NOW + 60)
        value_of(self.store.apply(Unit((PutLock(volume.name, lock, 1),))))
        volume.intents.release(intent)
        self.assertEqual(len(WORDS), value_of(self.tree.partial_octets(("new",))))
        self.assertEqual(0, volume.ledger.reserved_octets)
        area = os.path.join(volume.disk.directory, ".ns-uploads")
        self.assertEqual(["p-"], [name[:2] for name in os.listdir(area)])
        outcomes = [f["outcome"] for name, f in self.events.seen if name == "transfer"]
        self.assertEqual(["450"], outcomes)

    def test_copy(self) -> None:
        """A copy that nobody waits for is given up: clients that come, begin one and
        leave have no more of them under way than they have sessions."""
        peer = self.logged_in()
        peer.send(b"SITE CPFR a\r\n")
        tree = _HeldTree(self.talk.view.tree)
        self.talk.view.tree = tree  # type: ignore[assignment]
        peer.send(b"SITE CPTO b\r\n")
        peer.leave()
        tree.held.callback(None)
        disk = self.tree.volume.disk.directory
        self.assertNotIn("b", os.listdir(disk))
