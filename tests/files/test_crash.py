"""Killed at any moment: files are old or new, never mixed, and nothing is left over."""

from __future__ import annotations

import os
import random
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.values import NodeKind
from tests.files import crashing

ROUNDS = 12


class CrashTests(SynchronousTestCase):
    """``kill -9`` in the middle of uploads."""

    def test_killed_while_uploading(self) -> None:
        """What was acknowledged is there; the sweep leaves no temporary file; the sums
        can be repaired."""
        state = os.path.abspath(self.mktemp())
        os.makedirs(os.path.join(state, "store"))
        moments = random.Random(20)
        acknowledged = 0
        for _ in range(ROUNDS):
            acknowledged = self.run_and_kill(state, acknowledged, moments)
            self.check(state, acknowledged)

    def run_and_kill(self, state: str, last: int, moments: random.Random) -> int:
        """The last version that the process has acknowledged before its death."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.files.crashing", state, str(last + 2)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert process.stdout is not None
        try:
            for _ in range(moments.randrange(1, 12)):
                last = int(process.stdout.readline())
            # Somewhere in what it does next, wherever that is.
            for _ in range(moments.randrange(20_000)):
                pass
        finally:
            process.kill()
        rest, _ = process.communicate()
        return int(rest.split()[-1]) if rest.split() else last

    def check(self, state: str, acknowledged: int) -> None:
        """What is on disk now."""
        area = os.path.join(state, "files", crashing.ACCOUNT.login, ".ns-uploads")
        files = crashing.open_files(state)
        tree = files.home(crashing.ACCOUNT)
        opened = value_of(tree.open(("f",)))
        found = value_of(opened.read(0, 1 << 20))
        opened.close()
        number = int(found[:8])
        self.assertTrue(number >= acknowledged)
        self.assertEqual(crashing.version(number), found)
        self.assertTrue(all(name.startswith("p-") for name in os.listdir(area)))
        value_of(files.check(repair=True))
        self.assertEqual((), value_of(files.check()).findings)
        kept = value_of(tree.partial_octets(("p",)))
        self.assertEqual(int(kept is not None), len(os.listdir(area)))
        self.assertEqual(NodeKind.FILE, value_of(tree.list(()))[0].kind)
        value_of(files.stop())
        value_of(files.store.close())
