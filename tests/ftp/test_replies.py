"""Each row of the table of reply codes, as a transcript played to a real server.

The transcripts are the files of ``replies/``; each says in its first line what it is
about.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from netservices.core.deferreds import as_deferred
from netservices.files import placing
from netservices.testing import running
from netservices.units import Unit, UpdateAccount
from tests.ftp.replay import Transcript, play, read_transcript
from tests.ftp.sockets import SETTINGS

DIRECTORY = Path(__file__).parent / "replies"
PATHS = sorted(DIRECTORY.glob("*.txt"))


class RepliesTests(TestCase):
    """A server for each transcript."""

    def patch_disk(self) -> None:
        """Let the disk be full."""

        def full(descriptor: int, chunks: Any) -> None:
            raise OSError(28, "No space left on device")

        self.patch(placing, "write_all", full)

    async def play(self, transcript: Transcript) -> None:
        """Set a server up, and play."""
        server = await running(
            ftp=True,
            accounts=[("alice", "secret")],
            settings={**SETTINGS, **transcript.settings},
        )
        self.addCleanup(server.stop)
        home = os.path.join(server.state_directory, "files/alice@localhost")
        os.makedirs(home, exist_ok=True)
        for name in transcript.directories:
            os.makedirs(os.path.join(home, name))
        for name, size in transcript.files.items():
            with open(os.path.join(home, name), "wb") as file:
                file.truncate(size)
        if transcript.quota is not None:
            await self.limit(server, transcript.quota)
        if transcript.is_disk_full:
            self.patch_disk()
        await deferToThread(play, transcript, server.port("ftp", "tcp"))

    async def limit(self, server: Any, octets: int) -> None:
        """Give alice a quota."""
        services = server.house.services
        account = await services.accounts.find("alice")
        change = UpdateAccount(account.id, quota_octets=octets)
        await services.store.apply(Unit((change,)))

    def test_there_are_transcripts(self) -> None:
        """Every file is read, and begins by saying what it is about."""
        self.assertGreater(len(PATHS), 20)
        for path in PATHS:
            self.assertRegex(path.read_text(), r"^# [A-Z0-9].*\.", path.name)


def _test_of(path: Path) -> Any:
    @as_deferred
    async def test(self: RepliesTests) -> None:
        await self.play(read_transcript(path))

    lines = path.read_text(encoding="utf-8").splitlines()
    test.__doc__ = lines[0].removeprefix("# ")
    test.__name__ = f"test_{path.stem}"
    return test


for _path in PATHS:
    setattr(RepliesTests, f"test_{_path.stem}", _test_of(_path))
