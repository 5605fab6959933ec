"""One connection of a command to the control socket, on a clock of the test's."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from netservices.control.server import ControlSession
from netservices.control.verbs import verbs_of
from netservices.plugin import Server

PATIENCE = 30.0


class ControlSessionTests(SynchronousTestCase):
    """Requests, replies, and patience."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.answers: list[Deferred[Any]] = []
        self.session = ControlSession({"slow": self.slow}, self.clock, PATIENCE)
        self.transport = StringTransport()
        self.session.makeConnection(self.transport)

    def slow(self, _request: Any) -> Deferred[Any]:
        """An answer that the test gives."""
        answer: Deferred[Any] = Deferred()
        self.answers.append(answer)
        return answer

    def test_a_slow_answer(self) -> None:
        """Whoever waits for an answer is not the one to be impatient with; requests
        that come meanwhile are answered in order."""
        self.session.dataReceived(b'{"verb": "slow"}\n{"verb": "slow"}\n')
        self.clock.advance(3 * PATIENCE)
        self.assertFalse(self.transport.disconnected)
        self.assertEqual(1, len(self.answers))
        for number in range(2):
            self.answers[number].callback({"number": number})
        found = [json.loads(line) for line in self.transport.value().splitlines()]
        self.assertEqual([0, 1], [reply["number"] for reply in found])

    def test_silence(self) -> None:
        """Whoever asks nothing is disconnected; each request begins the time anew."""
        self.clock.advance(PATIENCE - 1)
        self.session.dataReceived(b'{"verb": "none"}\n')
        self.clock.advance(PATIENCE - 1)
        self.assertFalse(self.transport.disconnected)
        self.clock.advance(1)
        self.assertTrue(self.transport.disconnected)

    def test_verbs_of_protocols(self) -> None:
        """What a protocol answers is asked for under the protocol's name."""

        async def refresh(request: Any) -> Any:
            return {"zone": request["zone"]}

        house: Any = SimpleNamespace(
            servers={"dns": Server(verbs={"refresh": refresh})}
        )
        session = ControlSession(verbs_of(house), self.clock, PATIENCE)
        session.makeConnection(self.transport)
        session.dataReceived(b'{"verb": "dns.refresh", "zone": "example.org"}\n')
        reply = json.loads(self.transport.value())
        self.assertEqual({"ok": True, "zone": "example.org"}, reply)
