"""Every state with every verb, every verb with and without an argument."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from netservices.ftp.dialogue.conversation import COMMANDS
from netservices.ftp.dialogue.registry import UNIMPLEMENTED
from netservices.ftp.dialogue.states import ALLOWED, State
from netservices.ftp.settings import FTPSettings
from netservices.testing import Peer
from tests.ftp.memory import MemoryFTP


class StateTests(MemoryFTP, SynchronousTestCase):
    """Every state with every verb."""

    WAY_TO = {
        State.CONNECTED: b"",
        State.NAMED: b"USER alice\r\n",
        State.LOGGED_IN: b"USER alice\r\nPASS secret\r\n",
        State.RENAMING: b"USER alice\r\nPASS secret\r\nRNFR a\r\n",
    }
    BEFORE_LOGIN = (State.CONNECTED, State.NAMED)
    content = {"a": b""}
    policy: Any = None

    def make_house(self) -> None:
        """One for all sessions of a test."""
        if self.policy is None:
            super().make_house()

    def test_every_state_with_every_verb(self) -> None:
        """A verb that the table allows is never 503 or 530 "log in"; any other is."""
        for state, way in self.WAY_TO.items():
            for name in sorted(COMMANDS.verbs):
                with self.subTest(state=state.name, verb=name):
                    reply = self.reply_to(way, name)
                    is_refused = reply[:3] in ("503", "530")
                    if name in ("PBSZ", "PROT", "ADAT", "MIC", "CONF", "ENC"):
                        continue  # 503 for want of TLS
                    if name in ("SITE", "STAT") and state in self.BEFORE_LOGIN:
                        continue  # SITE HELP and STAT alone only
                    if name == "PASS" and state is State.NAMED:
                        continue  # 530: the argument is no password
                    self.assertEqual(name not in ALLOWED[state], is_refused, reply)

    settings = FTPSettings(sessions_per_address=1000)

    def reply_to(self, way: bytes, name: str) -> str:
        """What the server says to the verb with some argument, in a new session."""
        peer = Peer(self.make_session)
        peer.send(way)
        peer.receive()
        takes_none = COMMANDS.verbs[name].argument.name == "NONE"
        peer.send(name.encode() + (b"\r\n" if takes_none else b" 1\r\n"))
        lines = peer.receive_lines()
        self.assertTrue(lines, f"{name} got no reply")
        peer.leave()
        return lines[-1]

    def test_unknown_and_unimplemented(self) -> None:
        """500 for what nobody knows, 502 for what an RFC names."""
        for name in sorted(UNIMPLEMENTED):
            self.assertEqual("502", self.reply_to_line(name)[:3])
        self.assertEqual("500", self.reply_to_line("XYZZY")[:3])

    def reply_to_line(self, line: str) -> str:
        """The reply to a line in a session that has logged in."""
        peer = Peer(self.make_session)
        peer.send(self.WAY_TO[State.LOGGED_IN])
        peer.receive()
        peer.send(line.encode() + b"\r\n")
        return peer.receive_lines()[-1]

    def test_arguments(self) -> None:
        """501 where an argument is missing, or is too much.  RFC 959 5.4"""
        for name, verb in sorted(COMMANDS.verbs.items()):
            with self.subTest(verb=name):
                if verb.argument.name == "REQUIRED":
                    self.assertEqual("501", self.reply_to_line(name)[:3])
                elif verb.argument.name == "NONE":
                    self.assertEqual("501", self.reply_to_line(name + " x")[:3])
