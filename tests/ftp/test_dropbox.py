"""The drop box: what strangers upload, and do not see."""

from __future__ import annotations

import os
import stat
from pathlib import Path as DiskPath

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.core.settings import with_values
from netservices.ftp.settings import FTPSettings
from netservices.interfaces import QuotaExceeded
from netservices.values import Origin
from tests.ftp.memory import MemoryFTP, MemoryPort

STRANGER = """
    S: 220 ftp.example.org FTP server ready
    C: USER anonymous
    S: 331 ...
    C: PASS joe@example.net
    S: 230 ...
"""


def files_in(directory: DiskPath) -> list[str]:
    """What lies there; nothing where there is no such directory."""
    return os.listdir(directory) if directory.is_dir() else []


class DropBoxTests(MemoryFTP, SynchronousTestCase):
    """Anonymous sessions; 100 octets an upload, 250 in all."""

    settings = with_values(
        FTPSettings,
        drop_box="incoming",
        drop_box_upload=100,
        drop_box_total=250,
    )
    octets = 10
    is_broken = False

    def make_port(self) -> MemoryPort:
        """What the test uploads."""
        port = super().make_port()
        port.upload = [b"x" * self.octets]
        port.is_broken = self.is_broken
        return port

    def make_house(self) -> None:
        """With a file that lies in ``pub/`` and one that lies in the box."""
        super().make_house()
        self.box = DiskPath(self.state, "pub", "incoming")
        os.mkdir(self.box)
        (self.box.parent / "readme").write_bytes(b"read me")
        (self.box / "taken").write_bytes(b"t" * 50)

    def play(self, text: str) -> None:
        """What follows the login of a stranger."""
        self.assert_dialogue(STRANGER + text)

    def test_upload(self) -> None:
        """A new file arrives, and only the server's own user may read it."""
        self.play(
            """
            C: PASV
            S: 227 ...
            C: STOR incoming/new
            S: 125 ...
            S: 226 ...
            """
        )
        status = os.stat(self.box / "new")
        self.assertEqual((10, 0o600), (status.st_size, stat.S_IMODE(status.st_mode)))

    def test_blind(self) -> None:
        """Nothing can be seen, read, replaced, resumed or deleted, and nothing is
        written elsewhere."""
        self.play(
            """
            C: PASV
            S: 227 ...
            C: LIST incoming
            S: 550 Permission denied
            C: STAT incoming
            S: 550 Permission denied
            C: RETR incoming/taken
            S: 550 Permission denied
            C: SIZE incoming/taken
            S: 550 Permission denied
            C: MLST incoming/taken
            S: 550 Permission denied
            C: MDTM incoming/none
            S: 550 Permission denied
            C: STOR incoming/taken
            S: 550 The name is taken
            C: APPE incoming/taken
            S: 550 The name is taken
            C: DELE incoming/taken
            S: 550 Permission denied
            C: RNFR incoming/taken
            S: 550 Permission denied
            C: MKD incoming/sub
            S: 550 Permission denied
            C: RMD incoming
            S: 550 Permission denied
            C: STOR new
            S: 550 Permission denied
            C: STOR readme
            S: 550 Permission denied
            C: TYPE I
            S: 200 ...
            C: REST 10
            S: 350 ...
            C: STOR incoming/new
            S: 550 Permission denied
            """
        )
        self.assertEqual(b"t" * 50, (self.box / "taken").read_bytes())

    def test_announced(self) -> None:
        """ALLO of more than is allowed is refused, by ALLO or by STOR."""
        self.play(
            """
            C: ALLO 101
            S: ...
            C: PASV
            S: 227 ...
            C: STOR incoming/new
            S: 552 Quota exceeded
            """
        )


class CrowdedTests(DropBoxTests):
    """Uploads of nothing, which take no room in octets: their number has a limit."""

    settings = attrs.evolve(DropBoxTests.settings, drop_box_files=2)
    octets = 0

    def test_upload(self) -> None:
        """552 as soon as there are so many files, before a 1xx."""
        self.play(
            """
            C: PASV
            S: 227 ...
            C: STOR incoming/new
            S: 125 ...
            S: 226 ...
            C: PASV
            S: 227 ...
            C: STOR incoming/newer
            S: 552 Quota exceeded
            """
        )
        self.assertEqual({"taken", "new"}, set(os.listdir(self.box)))


class LongUploadTests(DropBoxTests):
    """Uploads that are too long, which shows when their octets come."""

    octets = 101

    def test_upload(self) -> None:
        """552, and nothing is left behind."""
        self.play(
            """
            C: PASV
            S: 227 ...
            C: STOR incoming/new
            S: 125 ...
            S: 552 Quota exceeded
            """
        )
        self.assertEqual(["taken"], os.listdir(self.box))
        self.assertEqual([], files_in(self.box.parent / ".ns-uploads"))


class BrokenUploadTests(DropBoxTests):
    """Uploads that break off."""

    is_broken = True

    def test_upload(self) -> None:
        """Nothing is kept: the next stranger must not go on with it."""
        self.play(
            """
            C: PASV
            S: 227 ...
            C: STOR incoming/new
            S: 125 ...
            S: 426 ...
            C: SIZE incoming/new
            S: 550 Permission denied
            """
        )
        self.assertEqual([], files_in(self.box.parent / ".ns-uploads"))


class TotalTests(MemoryFTP, SynchronousTestCase):
    """What the box holds in all."""

    settings = DropBoxTests.settings

    def test_total(self) -> None:
        """The server makes the box.  Uploads fill it, and what people take away makes
        room again."""
        self.make_house()
        value_of(Deferred.fromCoroutine(self.policy.prepare()))
        box = DiskPath(self.state, "pub", "incoming")
        origin = Origin("ftp", "127.0.0.1", False)
        login = self.policy.login("anonymous", b"", origin, None)
        stranger = value_of(Deferred.fromCoroutine(login))
        tree = stranger.view.tree

        def put(name: str) -> None:
            upload = value_of(tree.begin_write(("incoming", name)))
            waiting = upload.write(b"x" * 100)
            if waiting is not None:
                value_of(waiting)
            value_of(upload.commit())

        put("one")
        put("two")
        self.assertRaises(QuotaExceeded, put, "three")
        os.unlink(box / "one")
        put("three")

        self.assertEqual({"two", "three"}, set(os.listdir(box)))


class AnonymousLoginTests(MemoryFTP, SynchronousTestCase):
    """Who is anonymous, and what he must say."""

    settings = with_values(
        FTPSettings, anonymous_names=("anonymous", "Anonymous"), anonymous_email=True
    )

    def test_logins(self) -> None:
        """Those names and no others; the password looks like an address."""
        self.assert_dialogue(
            """
            S: 220 ...
            C: USER Anonymous
            S: 331 Anonymous access; give your e-mail address as password
            C: PASS guess
            S: 530 Give your e-mail address as password
            C: USER ftp
            S: 331 Password, please
            C: USER anonymous
            S: 331 Anonymous access; give your e-mail address as password
            C: PASS joe@example.org
            S: 230 Logged in as anonymous
            """
        )
