"""The transfer log: its format, what goes into it, and what becomes of the file."""

from __future__ import annotations

import os
import re
import time
from ftplib import FTP
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase

from netservices.config.loading import CommandLine, load
from netservices.core.deferreds import as_deferred
from netservices.core.errors import ConfigurationError
from netservices.events import SCHEMA
from netservices.ftp.policy import email_of
from netservices.ftp.server.xferlog import xferlog_line
from netservices.service.parts import check
from tests.ftp.sockets import SECONDS, ServerCase, Wire, reset

LINE = re.compile(
    r"(?P<date>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}) "
    r"(?P<seconds>\d+) (?P<host>\S+) (?P<octets>\d+) (?P<name>\S+) (?P<type>[ab]) "
    r"(?P<action>_) (?P<way>[iod]) (?P<mode>[agr]) (?P<user>\S+) (?P<service>ftp) "
    r"(?P<method>[01]) (?P<id>\S+) (?P<end>[ci])"
)
"""What programs that read the log look for."""

WHEN = 1_700_000_000.0


def transfer(**fields: Any) -> dict[str, Any]:
    """An event of an upload."""
    record: dict[str, Any] = dict.fromkeys(SCHEMA["transfer"])
    record.update(time=WHEN, event="transfer", protocol="ftp", address="192.0.2.7")
    record.update(account="joe@example.org", direction="up", path="/a", type="I")
    record.update(size_octets=5120, seconds=2.4, outcome="complete", email="")
    record.update(fields)
    return record


def deletion(**fields: Any) -> dict[str, Any]:
    """An event of a deletion."""
    record: dict[str, Any] = dict.fromkeys(SCHEMA["file_changed"])
    record.update(time=WHEN, event="file_changed", protocol="ftp", address="::1")
    record.update(account="joe@example.org", change="deleted", path="/a", email="")
    record.update(size_octets=7)
    record.update(fields)
    return record


class FormatTests(SynchronousTestCase):
    """One event, one line."""

    def assert_line(self, expected: str, record: dict[str, Any]) -> None:
        """The line without its date, which is that of the event."""
        date = time.ctime(WHEN)
        line = xferlog_line(record)
        self.assertEqual(date, line[: len(date)])
        self.assertEqual(expected, line[len(date) + 1 :])
        self.assertRegex(line, LINE)

    def test_upload(self) -> None:
        """Seconds, client, octets, name, binary, inward, a real user, complete."""
        line = "2 192.0.2.7 5120 /a b _ i r joe@example.org ftp 0 * c"
        self.assert_line(line, transfer())

    def test_download(self) -> None:
        """Outward; ASCII; a transfer takes a second at least; not complete."""
        record = transfer(direction="down", type="A", seconds=0.01, outcome="426")
        line = "1 192.0.2.7 5120 /a a _ o r joe@example.org ftp 0 * i"
        self.assert_line(line, record)

    def test_deletion(self) -> None:
        """The direction of a deletion is d, as ProFTPD has it; its octets are those of
        the file."""
        line = "0 ::1 7 /a b _ d r joe@example.org ftp 0 * c"
        self.assert_line(line, deletion())

    def test_anonymous(self) -> None:
        """The user is the address that was given as password; ? where there is none."""
        record = transfer(account="anonymous", email="joe@example.com")
        line = "2 192.0.2.7 5120 /a b _ i a joe@example.com ftp 0 * c"
        self.assert_line(line, record)
        self.assert_line(
            "2 192.0.2.7 5120 /a b _ i a ? ftp 0 * c", transfer(account="anonymous")
        )

    def test_names(self) -> None:
        """Spaces become underscores; what is not printable is escaped."""
        for path, shown in (
            ("/two words", "/two_words"),
            ("/a\nb c", r"/a\x0ab_c"),
            ("/\x1b[31m", r"/\x1b[31m"),
            ("/caf\xe9", "/caf\xe9"),
            ("/caf\udce9", r"/caf\xe9"),
            ("/a\u2028b", r"/a\x2028b"),
        ):
            fields = xferlog_line(transfer(path=path)).split()
            self.assertEqual(shown, fields[8])

    @given(st.text(min_size=1), st.text(), st.text())
    def test_any_name(self, path: str, email: str, account: str) -> None:
        """Whatever the names are, it is one line of the right number of fields."""
        path, email, account = (
            text.encode("utf-8", "replace").decode() for text in (path, email, account)
        )
        record = transfer(path="/" + path, email=email, account=account or "x")
        line = xferlog_line(record)

        self.assertEqual([line], line.splitlines())
        self.assertEqual(18, len(line.split()))
        self.assertRegex(line, LINE)

    def test_addresses_as_passwords(self) -> None:
        """What an anonymous user gives is kept where it looks like an address, as it
        might be somebody's password."""
        for given_, kept in (
            (b"joe@example.org", "joe@example.org"),
            (b"lftp@", "lftp@"),
            (b"-wget@", "-wget@"),
            (b"joe@localhost", "joe@localhost"),
            (b"P@ssw0rd", ""),
            (b"secret", ""),
            (b"joe@example.org\nfoo", ""),
            (b"j o@example.org", ""),
            (b"\xff@example.org", ""),
            (b"", ""),
        ):
            self.assertEqual(kept, email_of(given_), given_)


class LogTests(ServerCase):
    """A server that writes one."""

    settings: dict[str, Any] = {"ftp.xferlog": "xferlog", "log.events_delay": "60s"}

    def path(self, name: str = "xferlog") -> str:
        """Where the log is."""
        return os.path.join(self.server.state_directory, "log", name)

    def lines(self, name: str = "xferlog") -> list[dict[str, str]]:
        """What it holds; each line is well-formed."""
        with open(self.path(name), encoding="utf-8") as file:
            matches = [LINE.fullmatch(line) for line in file.read().splitlines()]
        found = [match.groupdict() for match in matches if match is not None]
        self.assertEqual(len(matches), len(found))
        return found

    async def stopped(self) -> None:
        """End the server, and keep its directory."""
        await self.server.house.stop()

    @as_deferred
    async def test_session(self) -> None:
        """Uploads, downloads, broken ones and deletions are there at the stop; listings
        and directories are not."""
        self.put("a", b"abc")

        def conversation(wire: Wire) -> None:
            wire.data("LIST").close()
            wire.reply()
            wire.say("MKD d")
            data = wire.data("STOR two words")
            data.sendall(b"hello")
            data.close()
            wire.reply()
            data = wire.data("STOR broken")
            data.sendall(b"abc")
            while "3 octets" not in self.status(wire):
                pass
            reset(data)
            wire.reply()
            wire.say("DELE a")
            wire.say("RMD d")

        await self.talk(conversation)
        await self.stopped()

        self.assertEqual(
            [
                ("/two_words", "5", "i", "c"),
                ("/broken", "3", "i", "i"),
                ("/a", "3", "d", "c"),
            ],
            [(f["name"], f["octets"], f["way"], f["end"]) for f in self.lines()],
        )

    def status(self, wire: Wire) -> str:
        """The reply to STAT, whole."""
        wire.socket.sendall(b"STAT\r\n")
        text = ""
        while not text.startswith("211 ") and "\n211 " not in text:
            text += wire.file.readline().decode()
        return text

    @as_deferred
    async def test_anonymous(self) -> None:
        """An anonymous user is named by the address that was given."""
        public = os.path.join(self.server.state_directory, "pub")
        with open(os.path.join(public, "readme"), "wb") as file:
            file.write(b"welcome")

        def conversation() -> None:
            with FTP(timeout=SECONDS) as client:
                client.connect("127.0.0.1", self.port)
                client.login("anonymous", "joe@example.com")
                client.retrbinary("RETR readme", lambda _data: None)
                client.quit()

        await deferToThread(conversation)
        await self.stopped()

        (line,) = self.lines()
        self.assertEqual(("a", "joe@example.com"), (line["mode"], line["user"]))

    @as_deferred
    async def test_rotation(self) -> None:
        """After a reload what follows is in a new file of the name."""

        def upload(name: str) -> Any:
            def conversation(wire: Wire) -> None:
                wire.data(f"STOR {name}").close()
                wire.reply()

            return self.talk(conversation)

        await upload("a")
        os.rename(self.path(), self.path("old"))
        house = self.server.house
        await house.reload(house.configuration)
        await upload("b")
        await self.stopped()

        self.assertEqual(["/a"], [one["name"] for one in self.lines("old")])
        self.assertEqual(["/b"], [one["name"] for one in self.lines()])


class CheckTests(SynchronousTestCase):
    """What ``--check`` says of the setting."""

    def test_unusable(self) -> None:
        """A file that cannot be written is refused before anything starts."""
        for path in ("/proc/x/y", "/dev"):
            settings = (f"server.state={self.mktemp()}", f"ftp.xferlog={path}")
            configuration = load(CommandLine(assignments=settings, protocols=("ftp",)))
            error = self.assertRaises(ConfigurationError, check, configuration, Clock())
            self.assertIn(f"ftp.xferlog: {path} cannot be written", str(error))
