"""Permissions by directory: what each command may do where."""

from __future__ import annotations

import os
from ftplib import FTP, error_perm
from pathlib import Path as DiskPath
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from netservices.core.deferreds import as_deferred, value_of
from netservices.core.settings import with_values
from netservices.core.who import Person
from netservices.files import restricted
from netservices.ftp.settings import FTPSettings
from netservices.interfaces import Exists, NotAllowed
from netservices.testing import running
from netservices.values import Permission, Permissions, WriteMode
from tests.ftp.memory import LOGIN, MemoryFTP


class PermissionTests(MemoryFTP, SynchronousTestCase):
    """Sessions of alice under some rules."""

    content = {
        "open/note.txt": b"note",
        "inbox/old.txt": b"old",
        "secret/key.txt": b"key",
        "shared/book.txt": b"book",
        "plain.txt": b"plain",
    }
    settings = with_values(
        FTPSettings,
        permissions=(
            "alice /inbox upload",
            "alice /secret none",
            "* /shared read-only",
            "alice /shared/mine all",
            "bob /open none",
        ),
    )

    def play(self, text: str) -> None:
        """What follows the login."""
        self.assert_dialogue(LOGIN + text)

    def test_upload_only(self) -> None:
        """New names may be uploaded and nothing else: no listing, no reading, no
        writing over, no deleting."""
        self.play(
            """
            C: CWD inbox
            S: 250 "/inbox" is the current directory
            C: LIST
            S: 550 Permission denied
            C: NLST
            S: 550 Permission denied
            C: MLSD
            S: 550 Permission denied
            C: PASV
            S: 227 ...
            C: RETR old.txt
            S: 550 Permission denied
            C: SIZE old.txt
            S: 550 Permission denied
            C: SIZE none.txt
            S: 550 Permission denied
            C: MDTM old.txt
            S: 550 Permission denied
            C: MLST old.txt
            S: 550 Permission denied
            C: DELE old.txt
            S: 550 Permission denied
            C: STOR old.txt
            S: 550 The name is taken
            C: APPE old.txt
            S: 550 The name is taken
            C: RNFR old.txt
            S: 550 Permission denied
            C: MKD sub
            S: 550 Permission denied
            C: STOR new.txt
            S: 125 ...
            S: 226 ...
            """
        )
        self.assertIn("new.txt", os.listdir(self.disk / "inbox"))

    def test_resumed(self) -> None:
        """An upload that broke off is gone on with by its account, also where it may
        only make new files; what is there is not."""
        self.make_house()
        account = value_of(self.policy.accounts.find("alice"))
        assert account is not None
        person = Person("127.0.0.1", "alice@example.org", default_domain="example.org")
        permissions = self.policy.rules.permissions(person, Permission.ALL)
        tree = self.files.home(account, permissions)
        path = ("inbox", "long")
        upload = value_of(tree.begin_write(path))
        upload.write(b"one ")
        value_of(upload.abort(keep_partial=True))
        upload = value_of(tree.begin_write(path, WriteMode.RESUME, 4))
        upload.write(b"two")
        value_of(upload.commit())

        self.assertEqual(b"one two", (self.disk / "inbox" / "long").read_bytes())
        again = tree.begin_write(path, WriteMode.RESUME, 4)
        self.failureResultOf(again, Exists)

    def test_copied(self) -> None:
        """A copy comes to where it may be made, and from where it may be read."""
        self.play(
            """
            C: SITE CPFR plain.txt
            S: 350 ...
            C: SITE CPTO inbox/plain.txt
            S: 250 ...
            C: SITE CPFR inbox/old.txt
            S: 550 Permission denied
            C: SITE CPFR plain.txt
            S: 350 ...
            C: SITE CPTO shared/plain.txt
            S: 550 Permission denied
            C: XSHA256 inbox/old.txt
            S: 550 Permission denied
            C: MFF Modify=20200101000000; shared/book.txt
            S: 550 Permission denied
            C: SITE CHMOD 600 shared/book.txt
            S: 550 Permission denied
            C: SITE UMASK 077
            S: 200 ...
            C: DELE shared/book.txt
            S: 550 Permission denied
            C: RETR secret/key.txt
            S: 550 Permission denied
            """
        )

    def test_nothing(self) -> None:
        """A directory with ``none`` is in no listing, and refuses everything."""
        self.play(
            """
            C: CWD secret
            S: 550 Permission denied
            C: MLST secret
            S: 550 Permission denied
            C: SIZE secret/key.txt
            S: 550 Permission denied
            C: PASV
            S: 227 ...
            C: RETR secret/key.txt
            S: 550 Permission denied
            C: STOR secret/new.txt
            S: 550 Permission denied
            C: NLST
            S: 125 ...
            S: 226 ...
            """
        )
        self.assertEqual(
            b"inbox\r\nopen\r\nplain.txt\r\nshared\r\n", self.sent_by_server()
        )

    def test_longest_path(self) -> None:
        """What is said of a directory holds below it, until a longer path says
        otherwise."""
        self.play(
            """
            C: MKD shared/other
            S: 550 Permission denied
            C: MKD shared/mine
            S: 257 "/shared/mine" created
            C: MKD shared/mine/deep
            S: 257 "/shared/mine/deep" created
            C: DELE shared/book.txt
            S: 550 Permission denied
            C: SIZE shared/book.txt
            S: 213 4
            """
        )

    def test_perm_fact(self) -> None:
        """MLST says of each place what may be done there."""
        self.play(
            """
            C: OPTS MLST perm;
            S: 200 ...
            C: MLST shared/book.txt
            S: 250-...
            S:  perm=r; /shared/book.txt
            S: 250 ...
            C: MLST inbox
            S: 250-...
            S:  perm=ce; /inbox
            S: 250 ...
            C: MLST shared
            S: 250-...
            S:  perm=el; /shared
            S: 250 ...
            C: MLST shared/mine
            S: 550 No such file or directory
            C: MKD shared/mine
            S: 257 ...
            C: MLST shared/mine
            S: 250-...
            S:  perm=cdelmp; /shared/mine
            S: 250 ...
            C: MLST plain.txt
            S: 250-...
            S:  perm=adfrw; /plain.txt
            S: 250 ...
            C: MLST
            S: 250-...
            S:  perm=celmp; /
            S: 250 ...
            """
        )

    def test_rename(self) -> None:
        """A directory to which permissions are bound keeps its name, and a file does
        not become readable by moving."""
        self.play(
            """
            C: RNFR secret
            S: 550 Permission denied
            C: RNFR shared
            S: 350 ...
            C: RNTO open/shared
            S: 550 Permission denied
            C: RNFR plain.txt
            S: 350 ...
            C: RNTO inbox/plain.txt
            S: 550 Permission denied
            C: RNFR plain.txt
            S: 350 ...
            C: RNTO open/plain.txt
            S: 250 Renamed
            """
        )

    @property
    def disk(self) -> DiskPath:
        """Where alice's files are."""
        return DiskPath(self.state, "files", "alice@example.org")

    def sent_by_server(self) -> bytes:
        """What the last transfer sent."""
        assert self.port.channel is not None
        return b"".join(self.port.channel.sent)


class _Counting(dict[tuple[str, ...], Permission]):
    """Permissions by path that count how often they are asked."""

    asked = 0

    def get(self, path: Any, default: Any = None) -> Any:
        """What is said of one path."""
        self.asked += 1
        return super().get(path, default)


class DeepPathTests(SynchronousTestCase):
    """Paths of many segments."""

    def test_bounded(self) -> None:
        """A path that a client has made as long as a line costs no more looks than
        the longest one that has permissions has segments."""
        below = _Counting({("a", "b"): Permission.READ, ("c",): Permission.NONE})
        permissions = Permissions(Permission.ALL, below)
        self.assertEqual(Permission.READ, permissions.at(("a", "b") * 4000))
        self.assertEqual(Permission.ALL, permissions.at(("a",) * 4000))
        self.assertEqual(Permission.NONE, permissions.at(("c", "b")))
        self.assertEqual(5, below.asked)


class LinkTests(MemoryFTP, SynchronousTestCase):
    """Links that lead from one directory to another."""

    content = {
        "open/note.txt": b"note",
        "secret/key.txt": b"key",
        "inbox/old.txt": b"old",
        "shared/book.txt": b"book",
    }
    settings = with_values(
        FTPSettings,
        permissions=(
            "alice /secret none",
            "alice /inbox upload",
            "alice /shared read-only",
            "alice /work/dir/private none",
        ),
    )

    def make_house(self) -> None:
        """With links from a directory where everything is allowed."""
        super().make_house()
        home = DiskPath(self.state, "files", "alice@example.org")
        for name in ("secret", "inbox", "shared", "work"):
            os.symlink(f"../{name}", home / "open" / name)
        os.symlink("../secret/key.txt", home / "open" / "key.txt")

    def test_no_way_in(self) -> None:
        """A link leads to a directory with what is allowed there, and no more."""
        self.assert_dialogue(
            LOGIN
            + """
            C: CWD open/secret
            S: 550 Permission denied
            C: SIZE open/secret/key.txt
            S: 550 Permission denied
            C: SIZE open/key.txt
            S: 550 Permission denied
            C: PASV
            S: 227 ...
            C: RETR open/key.txt
            S: 550 Permission denied
            C: RETR open/secret/key.txt
            S: 550 Permission denied
            C: RETR open/inbox/old.txt
            S: 550 Permission denied
            C: LIST open/inbox
            S: 550 Permission denied
            C: DELE open/shared/book.txt
            S: 550 Permission denied
            C: STOR open/shared/new.txt
            S: 550 Permission denied
            C: MKD open/shared/new
            S: 550 Permission denied
            C: RNFR open/note.txt
            S: 350 ...
            C: RNTO open/shared/note.txt
            S: 550 Permission denied
            C: MFMT 20200101000000 open/shared/book.txt
            S: 550 Permission denied
            C: RETR open/shared/book.txt
            S: 125 ...
            S: 226 ...
            """
        )

    def test_rename_behind_link(self) -> None:
        """A directory that holds one to which permissions are bound keeps its name,
        whatever link leads to it."""
        self.assert_dialogue(
            LOGIN
            + """
            C: MKD work
            S: 257 ...
            C: MKD work/dir
            S: 257 ...
            C: MKD work/dir/private
            S: 550 Permission denied
            C: RNFR open/work/dir
            S: 350 ...
            C: RNTO open/dir
            S: 550 Permission denied
            C: RNFR open/work
            S: 350 ...
            C: RNTO open/link
            S: 250 Renamed
            """
        )

    def test_no_links(self) -> None:
        """Where the system does not tell where a descriptor lies, no link leads
        anywhere, and all else is as it was."""
        self.make_house()
        account = value_of(self.policy.accounts.find("alice"))
        assert account is not None
        person = Person("127.0.0.1", "alice@example.org", default_domain="example.org")
        permissions = self.policy.rules.permissions(person, Permission.ALL)
        self.patch(restricted, "_DESCRIPTORS", os.path.join(self.state, "none"))
        tree = self.files.home(account, permissions)

        value_of(tree.open(("shared", "book.txt"))).close()
        value_of(tree.make_directory(("open", "made")))
        for path in (("open", "shared", "book.txt"), ("open", "key.txt")):
            self.failureResultOf(tree.open(path), NotAllowed)
        made = tree.make_directory(("open", "secret", "made"))
        self.failureResultOf(made, NotAllowed)

    def test_link_itself(self) -> None:
        """The link is a name like others, and may be deleted."""
        self.assert_dialogue(
            LOGIN
            + """
            C: DELE open/key.txt
            S: 250 File deleted
            """
        )


class SwappedLinkTests(MemoryFTP, SynchronousTestCase):
    """A directory that becomes a link while it is used."""

    content = {"open/dir/key.txt": b"open", "secret/key.txt": b"key"}
    settings = with_values(FTPSettings, permissions=("alice /secret none",))

    def test_swap(self) -> None:
        """A link that takes a directory's place at the last moment leads nowhere: what
        counts is where the opened file lies."""
        self.make_house()
        account = value_of(self.policy.accounts.find("alice"))
        assert account is not None
        person = Person("127.0.0.1", "alice@example.org", default_domain="example.org")
        permissions = self.policy.rules.permissions(person, Permission.ALL)
        disk = self.tree.volume.disk
        opened = disk.opener
        above = DiskPath(disk.directory, "open")

        def swap_and_open(root: int, path: bytes, flags: int) -> int:
            os.rename(above / "dir", above / "old")
            os.symlink("../secret", above / "dir")
            return opened(root, path, flags)

        disk.opener = swap_and_open
        tree = self.files.home(account, permissions)

        self.failureResultOf(tree.open(("open", "dir", "key.txt")), NotAllowed)


class RunningTests(TestCase):
    """A server whose files are opened by the reactor's own thread where they can."""

    timeout = 60

    @as_deferred
    async def test_links(self) -> None:
        """There, too, a link leads to what is allowed where it leads."""
        server = await running(
            ftp=True,
            accounts=[("alice", "secret")],
            settings={
                "ftp.listen": "tcp:0:interface=127.0.0.1",
                "ftp.passive_ports": "0",
                "ftp.permissions": '["* /secret none", "* /box upload"]',
            },
        )
        self.addCleanup(server.stop)
        home = DiskPath(server.state_directory, "files", "alice@localhost")
        for name in ("open", "secret", "box"):
            (home / name).mkdir(parents=True)
            (home / name / "file").write_bytes(name.encode())
            os.symlink(f"../{name}", home / "open" / name)
        said = await deferToThread(_read_all, server.port("ftp"))

        self.assertEqual(
            {
                "open/file": "open",
                "open/secret/file": "550",
                "open/box/file": "550",
                "open/open/file": "open",
                "box/file": "550",
                "secret/file": "550",
            },
            said,
        )


def _read_all(port: int) -> dict[str, str]:
    """What alice gets for each path; blocks."""
    said: dict[str, str] = {}
    with FTP() as client:
        client.connect("127.0.0.1", port)
        client.login("alice", "secret")
        for above in ("open/", "open/secret/", "open/box/", "open/open/", "box/"):
            said[f"{above}file"] = _read(client, f"{above}file")
        said["secret/file"] = _read(client, "secret/file")
    return said


def _read(client: FTP, path: str) -> str:
    """The content, or the code of the refusal."""
    lines: list[str] = []
    try:
        client.size(path)
        client.retrlines(f"RETR {path}", lines.append)
    except error_perm as refusal:
        return str(refusal)[:3]
    return lines[0]
