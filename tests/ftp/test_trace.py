"""What ``log.trace`` shows of a session, beside its lines."""

from __future__ import annotations

import re
import socket
from typing import Any

from twisted.internet.testing import EventLoggingObserver
from twisted.logger import formatEvent, globalLogPublisher

from netservices.core.deferreds import as_deferred
from tests.ftp.sockets import ServerCase, Wire, read_all, reset, secured


class TraceTests(ServerCase):
    """A session, as the log tells it."""

    settings: dict[str, Any] = {"log.trace": True}

    async def shown(self, conversation: Any) -> list[str]:
        """What is in angle brackets, without the numbers of ports."""
        observer = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        await self.talk(conversation)
        await self.server.house.stop()
        texts = [formatEvent(event) for event in observer]
        found = [text.split(" ", 1)[1] for text in texts if re.search(": <.*>$", text)]
        return [re.sub(r"(\.1:)\d+", r"\1*", text) for text in found]

    @as_deferred
    async def test_passive(self) -> None:
        """Who connects and who closes, on both connections, and how much was sent."""
        self.put("a", b"abc")

        def conversation(wire: Wire) -> None:
            data = wire.data("STOR b")
            data.sendall(b"hello")
            data.close()
            self.assertEqual("226", wire.reply()[:3])
            read_all(wire.data("RETR a"))
            self.assertEqual("226", wire.reply()[:3])
            wire.say("QUIT")

        ends = "from 127.0.0.1:* to 127.0.0.1:*"
        expected = [
            f"C: <connects {ends}>",
            f"C: <opens a data connection {ends}>",
            "C: <closes the data connection, 5 octets>",
            f"C: <opens a data connection {ends}>",
            "S: <closes the data connection, 3 octets>",
            "S: <closes>",
        ]
        self.assertEqual(expected, await self.shown(conversation))

    @as_deferred
    async def test_secrets(self) -> None:
        """Passwords and what may hold them are not shown, nor is anything that was said
        on data connections."""

        def conversation(wire: Wire) -> None:
            for line in (
                "PASS hunter2",
                "ACCT hunter2",
                "ADAT hunter2",
                "MIC hunter2",
                "CONF hunter2",
                "ENC hunter2",
                "SITE PSWD old hunter2",
                "site passwd hunter2",
                "PAS S hunter2",
                " PASS hunter2",
            ):
                wire.say(line)
            data = wire.data("STOR a")
            data.sendall(b"hunter2")
            data.close()
            wire.reply()

        observer = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        await self.talk(conversation)
        await self.server.house.stop()
        told = "\n".join(formatEvent(event) or "" for event in observer)
        self.assertIn("C: PASS ****", told)
        self.assertIn("7 octets", told)
        self.assertNotIn("hunter2", told)
        self.assertNotIn("secret", told)

    @as_deferred
    async def test_active(self) -> None:
        """In active mode the server opens the connection; a reset is no close."""
        self.put("big", bytes(1 << 26))

        def conversation(wire: Wire) -> None:
            listener = socket.create_server(("127.0.0.1", 0))
            port = listener.getsockname()[1]
            wire.say(f"EPRT |1|127.0.0.1|{port}|")
            wire.socket.sendall(b"RETR big\r\n")
            data, _ = listener.accept()
            listener.close()
            # What has arrived was sent by a server that knows of the connection.
            data.recv(1)
            wire.reply()
            reset(data)
            self.assertEqual("426", wire.reply()[:3])

        shown = await self.shown(conversation)
        ends = "from 127.0.0.1:* to 127.0.0.1:*"
        self.assertEqual(f"S: <opens a data connection {ends}>", shown[1])
        self.assertRegex(shown[2], r"C: <breaks off the data connection, \d+ octets>")

    @as_deferred
    async def test_tls(self) -> None:
        """Both handshakes are shown where they happen.  RFC 4217"""

        def conversation(wire: Wire) -> None:
            wire.say("REIN")
            context = secured(wire)
            read_all(context.wrap_socket(wire.data("NLST")))
            self.assertEqual("226", wire.reply()[:3])

        shown = await self.shown(conversation)
        self.assertEqual("C & S: <TLS>", shown[1])
        self.assertEqual("C & S: <TLS on the data connection>", shown[3])
