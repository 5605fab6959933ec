"""slowhttptest against a server: slow heads and slow readers are got rid of, and others
are served meanwhile."""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from netservices.control.client import ask
from tests.interop.test_http_life import site
from tests.programs import located, run

PATIENCE = {"http__head_deadline": "2s", "http__stall_timeout": "2s"}


class SlowTests(SynchronousTestCase):
    """Fifty slow connections."""

    def attack(self, *words: str, path: str = "small") -> None:
        """The server stays available, and none of the connections."""
        with site(**PATIENCE, http__minimum_rate=1000) as server:
            url = f"http://127.0.0.1:{server.port('http', 'tcp')}/{path}"
            common = ("-c", "50", "-r", "100", "-l", "12", "-p", "10", "-u", url)
            said = run(located("slowhttptest"), *words, *common)
            plain = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", said)
            found = set(re.findall(r"service available: *(YES|NO)", plain))
            self.assertEqual({"YES"}, found, plain)
            left = ask(server.state_directory, {"verb": "sessions"})["total"]
            self.assertEqual(0, left)

    def test_slow_heads(self) -> None:
        """Heads that never end (slowloris)."""
        self.attack("-H", "-i", "1")

    def test_slow_readers(self) -> None:
        """Windows of an octet or two."""
        words = ("-X", "-w", "1", "-y", "2", "-n", "1", "-z", "1")
        self.attack(*words, path="big")
