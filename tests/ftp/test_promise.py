"""STOU before PORT, for clients that want early connections."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netservices.ftp.settings import FTPSettings
from tests.ftp.memory import LOGIN, MemoryFTP, MemoryPort


class EarlyTests(MemoryFTP, SynchronousTestCase):
    """``active_connect = "early"``."""

    settings = FTPSettings(active_connect="early")

    def make_port(self) -> MemoryPort:
        """The client sends some words."""
        port = super().make_port()
        port.upload = [b"words"]
        return port

    def test_port_after_the_150(self) -> None:
        """The upload begins when PORT is said; its name was in the 150."""
        peer = self.logged_in("TYPE I")
        (line,) = self.say(peer, "STOU")
        self.assertRegex(line, "^150 FILE: upload")
        said = self.codes(peer, "PORT 127,0,0,1,200,0")
        self.assertEqual(["200", "226"], said)
        self.assertEqual(b"words", self.content_of(line.partition("FILE: ")[2]))

    def test_something_else(self) -> None:
        """Without PORT the upload ends with 425, and what was said is answered."""
        self.assert_dialogue(
            LOGIN
            + """
            C: STOU
            S: 150 FILE: ...
            C: NOOP
            S: 425 ...
            S: 200 OK
            C: PORT 127,0,0,1,200,0
            S: 200 ...
        """
        )


class LateTests(MemoryFTP, SynchronousTestCase):
    """By default."""

    def test_unprepared(self) -> None:
        """425, as for any transfer.  RFC 959 5.4"""
        self.assert_dialogue(
            LOGIN
            + """
            C: STOU
            S: 425 ...
        """
        )
