"""SITE and its commands, those of plugins among them; facts that clients set; AVBL."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.core.errors import ProtocolError
from netservices.files.settings import FilesSettings
from netservices.ftp.dialogue.attributes import parse_changes
from netservices.ftp.dialogue.conversation import COMMANDS
from netservices.ftp.settings import FTPSettings
from netservices.ftp.site import SITE_COMMANDS, Argument, Permission, Reply
from netservices.testing import Peer
from tests.ftp.memory import LOGIN, MemoryFTP


class UsageTests(MemoryFTP, SynchronousTestCase):
    """501 to what is not well written."""

    content = {"a": b"x"}

    def test_usage(self) -> None:
        """The reply says how the command is written, that of SITE commands, too."""
        self.assert_dialogue(
            LOGIN
            + """
            C: RNFR
            S: 501 Syntax: RNFR <path>
            C: MFMT yesterday a
            S: 501 Syntax: MFMT <YYYYMMDDHHMMSS> <path>
            C: SITE CHMOD
            S: 501 Syntax: CHMOD <octal mode> <path>
            C: SITE CHMOD 999 a
            S: 501 Syntax: CHMOD <octal mode> <path>
            C: SITE UTIME yesterday a
            S: 501 Syntax: UTIME <YYYYMMDDhhmm[ss]> <path>
        """
        )


class FactTests(MemoryFTP, SynchronousTestCase):
    """MDTM, MFMT, MFF, SITE CHMOD, SITE UTIME."""

    content = {"a": b"x", "20200102030405 b": b"x", "d/e": b"x"}

    def test_mdtm_sets(self) -> None:
        """A time before the path sets it, unless a file has the whole as its name."""
        self.assert_dialogue(
            LOGIN
            + """
            C: MDTM 20210102030405 a
            S: 213 Modify=20210102030405; a
            C: MDTM a
            S: 213 20210102030405
            C: MFMT 20220102030405 20200102030405 b
            S: 213 ...
            C: MDTM 20200102030405 b
            S: 213 20220102030405
            C: MDTM 20209902030405 a
            S: 501 ...
            C: MDTM 20200102030405 nowhere
            S: 550 ...
            C: MDTM 20200102030405
            S: 550 ...
            C: MDTM d
            S: 550 Not a plain file
            C: MFCT 20200102030405 a
            S: 502 ...
        """
        )

    def test_mff(self) -> None:
        """All the facts that are named, or none.  draft-somers-ftp-mfxx-04 5"""
        self.assert_dialogue(
            LOGIN
            + """
            C: MFF Modify=20210102030405;UNIX.mode=0640; a
            S: 213 Modify=20210102030405;UNIX.mode=0640; a
            C: MFF unix.mode=600; d/e
            S: 213 UNIX.mode=0600; d/e
            C: MFF Modify=20220102030405;UNIX.owner=root; a
            S: 504 ...
            C: MDTM a
            S: 213 20210102030405
            C: MFF Modify=20220102030405;UNIX.mode=999; a
            S: 501 ...
            C: MFF Modify=20220102030405 a
            S: 501 ...
            C: MFF Modify; a
            S: 501 ...
            C: MFF UNIX.mode=600; nowhere
            S: 550 ...
        """
        )

    def test_anonymous(self) -> None:
        """Who may read only sets nothing."""
        with open(os.path.join(self.state_of_public(), "a"), "w"):
            pass
        self.assert_dialogue("""
            S: 220 ...
            C: USER anonymous
            S: 331 ...
            C: PASS joe@
            S: 230 ...
            C: MDTM 20210102030405 a
            S: 550 Permission denied
            C: MFF UNIX.mode=600; a
            S: 550 Permission denied
            C: SITE CPFR nowhere
            S: 550 No such file or directory
            C: SITE CPTO b
            S: 550 Permission denied
        """)

    def state_of_public(self) -> str:
        """The directory of anonymous users."""
        self.make_house()
        return os.path.join(self.state, "pub")

    @given(st.binary(max_size=60))
    def test_any_changes(self, argument: bytes) -> None:
        """Every argument of MFF has a path, or an answer."""
        try:
            _, _, name = parse_changes(argument)
        except ProtocolError:
            return
        self.assertTrue(name)


class CopyTests(MemoryFTP, SynchronousTestCase):
    """SITE CPFR and SITE CPTO."""

    content = {"a": b"words", "b": b"other words", "d/e": b""}

    def test_copy(self) -> None:
        """The copy has the name when the client hears 250."""
        self.assert_dialogue(
            LOGIN
            + """
            C: SITE CPTO c
            S: 503 Say SITE CPFR first
            C: SITE CPFR a
            S: 350 ...
            C: NOOP
            S: 200 ...
            C: SITE CPTO d/c
            S: 250 Copied to "/d/c"
            C: SITE CPTO again
            S: 503 ...
            C: SIZE d/c
            S: 213 5
        """
        )
        changes = [fields for name, fields in self.events.seen if "change" in fields]
        self.assertEqual(["copied"], [fields["change"] for fields in changes])
        self.assertEqual("/a", changes[0]["path"])
        self.assertEqual("/d/c", changes[0]["target"])

    def test_refused(self) -> None:
        """Of what is no file, to where nothing can be."""
        self.assert_dialogue(
            LOGIN
            + """
            C: SITE CPFR d
            S: 550 Not a plain file
            C: SITE CPFR nothing
            S: 550 No such file or directory
            C: SITE CPFR a
            S: 350 ...
            C: SITE CPTO nowhere/c
            S: 550 ...
            C: SITE CPFR a
            S: 350 ...
            C: SITE CPTO d
            S: 550 Is a directory
            C: SITE CPFR
            S: 501 ...
        """
        )

    def test_abort(self) -> None:
        """ABOR ends it before the copy has the name; the old file stays."""
        peer = self.logged_in("SITE CPFR a")
        tree = _HeldTree(self.talk.view.tree)
        self.talk.view.tree = tree  # type: ignore[assignment]
        peer.send(b"SITE CPTO b\r\n")
        peer.send(b"ABOR\r\n")
        tree.held.callback(None)
        codes = [line[:3] for line in peer.receive_lines()]
        self.assertEqual(["426", "226"], codes)
        self.assertEqual(b"other words", self.content_of("b"))
        peer.leave()


class ManyMasksTests(MemoryFTP, SynchronousTestCase):
    """A client that never tires of SITE UMASK."""

    content = {"a": b"x"}

    def test_again_and_again(self) -> None:
        """The last one counts, and the others leave nothing behind."""
        peer = Peer(self.make_session)
        self.addCleanup(peer.leave)
        peer.send(b"USER alice\r\nPASS secret\r\nTYPE I\r\n")
        peer.send(b"SITE UMASK 022\r\n" * 1500 + b"SITE UMASK 077\r\n")
        peer.receive()
        peer.send(b"SIZE a\r\nMKD d\r\n")
        self.assertEqual(["213 1", '257 "/d" created'], peer.receive_lines())
        made = os.stat(os.path.join(self.tree.volume.disk.directory, "d"))
        self.assertEqual(0o700, made.st_mode & 0o777)


class ManyMasksByDirectoryTests(ManyMasksTests):
    """The same where permissions differ by directory."""

    settings = FTPSettings(permissions=("alice /fixed read-only",))


class PermissionTests(MemoryFTP, SynchronousTestCase):
    """Copies and digests where permissions differ by directory."""

    content = {"a": b"words", "hidden/b": b"x", "fixed/c": b"x", "inbox/d": b"x"}
    settings = FTPSettings(
        permissions=(
            "alice /hidden none",
            "alice /fixed read-only",
            "alice /inbox create",
        )
    )

    def test_refused(self) -> None:
        """Reading what may not be read, writing where that is not allowed."""
        self.assert_dialogue(
            LOGIN
            + """
            C: HASH hidden/b
            S: 550 ...
            C: XMD5 inbox/d
            S: 550 ...
            C: SITE CPFR hidden/b
            S: 550 ...
            C: SITE CPFR inbox/d
            S: 550 ...
            C: SITE CPTO b
            S: 503 ...
            C: SITE CPFR a
            S: 350 ...
            C: SITE CPTO fixed/c
            S: 550 ...
            C: SITE CPFR a
            S: 350 ...
            C: SITE CPTO inbox/d
            S: 550 ...
            C: SITE CPFR a
            S: 350 ...
            C: SITE CPTO inbox/new
            S: 250 ...
            C: SITE CPFR fixed/c
            S: 350 ...
            C: SITE CPTO c
            S: 250 ...
            C: MFF UNIX.mode=600; fixed/c
            S: 550 ...
            C: MDTM 20200102030405 fixed/c
            S: 550 ...
        """
        )


class _HeldTree:
    """A tree whose copies begin when the test wants."""

    def __init__(self, tree: Any) -> None:
        self.tree = tree
        self.held: Deferred[None] = Deferred()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.tree, name)

    def copy(self, source: Any, target: Any, progress: Callable[[int], None]) -> Any:
        """As soon as the test lets go."""
        return self.held.addCallback(lambda _: self.tree.copy(source, target, progress))


class SessionTests(MemoryFTP, SynchronousTestCase):
    """SITE UMASK and SITE IDLE, AVBL, HELP, FEAT."""

    files_settings = FilesSettings(durability="none", umask="022")
    content = {"a": b"words", "d/e": b""}

    def test_umask(self) -> None:
        """It holds for what is made from then on, in this session."""
        self.assert_dialogue(
            LOGIN
            + """
            C: SITE UMASK
            S: 200 The umask is 022
            C: SITE UMASK 077
            S: 200 The umask is 077
            C: MKD private
            S: 257 ...
            C: SITE UMASK 9
            S: 501 ...
            C: SITE UMASK 0027
            S: 200 The umask is 027
            C: MKD shared
            S: 257 ...
        """
        )
        modes = [
            value_of(self.tree.stat((name,))).mode for name in ("private", "shared")
        ]
        self.assertEqual([0o700, 0o750], modes)

    def test_idle(self) -> None:
        """Up to a limit, until the session begins anew."""
        self.assert_dialogue(
            LOGIN
            + """
            C: SITE IDLE
            S: 200 The idle time is 900 seconds, at most 7200
            C: SITE IDLE 1200
            S: 200 The idle time is 1200 seconds, at most 7200
            C: SITE IDLE 7201
            S: 501 ...
            C: SITE IDLE 0
            S: 501 ...
            C: SITE IDLE x
            S: 501 ...
            C: SITE IDLE
            S: 200 The idle time is 1200 seconds, ...
        """
        )

    def test_available(self) -> None:
        """What the disk leaves, or the quota; of directories only."""
        peer = self.logged_in()
        free = self.say(peer, "AVBL", "AVBL d", "AVBL a", "AVBL x")
        self.assertRegex(free[0], r"^213 \d+$")
        self.assertRegex(free[1], r"^213 \d+$")
        self.assertEqual(["550", "550"], [line[:3] for line in free[2:]])
        peer.leave()

    def test_help(self) -> None:
        """Every command is named in HELP, and explained."""
        peer = Peer(self.make_session)
        for prefix, verbs in (
            (b"HELP", COMMANDS.verbs),
            (b"SITE HELP", SITE_COMMANDS.verbs),
        ):
            peer.receive()
            peer.send(prefix + b"\r\n")
            lines = peer.receive_lines()
            self.assertTrue(lines[0].startswith("214-"))
            self.assertEqual("214 End", lines[-1])
            named = {word for line in lines[1:-1] for word in line.split()}
            self.assertEqual(set(verbs), named)
            for name, verb in verbs.items():
                peer.send(prefix + b" " + name.encode() + b"\r\n")
                expected = f"214 {verb.syntax} - {verb.purpose}"
                self.assertEqual([expected], peer.receive_lines())
        peer.send(b"HELP SITE CHMOD\r\nSITE HELP NOSUCH\r\n")
        codes = [line[:3] for line in peer.receive_lines()]
        self.assertEqual(["214", "502"], codes)
        peer.leave()

    def test_features(self) -> None:
        """FEAT has each line once, after a space, in order.  RFC 2389 3.2"""
        peer = Peer(self.make_session)
        peer.receive()
        peer.send(b"FEAT\r\n")
        lines = peer.receive_lines()
        self.assertEqual(("211-Extensions:", "211 End"), (lines[0], lines[-1]))
        features = lines[1:-1]
        self.assertEqual(sorted(set(features)), features)
        for line in (
            " AVBL",
            " HOST",
            " LANG EN*",
            " MFF Modify;UNIX.mode;",
            " MLST type*;perm*;size*;modify*;unique*;unix.mode*;"
            "unix.uid;unix.gid;unix.owner;",
            " REST STREAM",
            " TVFS",
            " UTF8",
        ):
            self.assertIn(line, features)
        peer.leave()


class PluginTests(MemoryFTP, SynchronousTestCase):
    """A SITE command that a plugin brings along."""

    content = {"a": b"words"}

    def setUp(self) -> None:
        """Two commands: one that answers, one that changes something."""

        @SITE_COMMANDS.verb(
            "TWICE", argument=Argument.REQUIRED, help="<text>: say it again"
        )
        def twice(talk: Any, argument: bytes) -> Reply:
            text = talk.decode(argument)
            return Reply(200, f"{text} {text}")

        @SITE_COMMANDS.verb(
            "HIDE",
            argument=Argument.REQUIRED,
            help="<path>: take it away",
            permission=Permission.DELETE,
        )
        async def hide(talk: Any, argument: bytes) -> Reply:
            path = talk.path(argument)
            await talk.carry_out(talk.view.tree.remove(path), "deleted", path)
            return Reply(250, "It is gone")

        self.addCleanup(SITE_COMMANDS.verbs.pop, "TWICE")
        self.addCleanup(SITE_COMMANDS.verbs.pop, "HIDE")

    def test_commands(self) -> None:
        """It is as good as our own: HELP, arguments, permissions, refusals, events."""
        self.assert_dialogue(
            """
            S: 220 ...
            C: SITE TWICE x
            S: 530 ...
            C: SITE HELP TWICE
            S: 214 TWICE <text> - say it again
            """
            + LOGIN.partition("\n")[2].partition("\n")[2]
            + """
            C: SITE twice hello
            S: 200 hello hello
            C: SITE TWICE
            S: 501 ...
            C: SITE HIDE nothing
            S: 550 No such file or directory
            C: SITE HIDE a
            S: 250 It is gone
            C: SITE HIDE a
            S: 550 ...
        """
        )
        changes = [fields for name, fields in self.events.seen if "change" in fields]
        self.assertEqual(["deleted"], [fields["change"] for fields in changes])

    def test_twice(self) -> None:
        """A name is taken once."""
        with self.assertRaises(ValueError):
            SITE_COMMANDS.verb("CHMOD", argument=Argument.NONE, help=": no")(
                lambda talk, argument: None
            )
