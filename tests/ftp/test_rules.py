"""Rules of the configuration: how they are read, and whom they fit."""

from __future__ import annotations

import re
from ftplib import FTP
from pathlib import Path as DiskPath
from typing import Any

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase, TestCase

from netservices.core.deferreds import as_deferred
from netservices.core.errors import Refused
from netservices.core.settings import Size, settings_of, with_values
from netservices.core.who import Person
from netservices.ftp.options import DEFAULTS, KINDS, Options, Share
from netservices.ftp.policy import LOGIN_INCORRECT
from netservices.ftp.rules import (
    WORDS,
    Rules,
    parse_permission,
    parse_rule,
    rules_from,
)
from netservices.ftp.settings import FTPSettings
from netservices.ftp.wire import Reply
from netservices.testing import running
from netservices.values import Origin, Permission
from tests.ftp.memory import LOGIN, MemoryFTP

ROOT = DiskPath(__file__).resolve().parent.parent.parent

ALICE = Person(
    "192.0.2.7",
    "alice@example.org",
    frozenset(("staff", "wheel")),
    default_domain="example.org",
)
STRANGER = Person("2001:db8::7", is_anonymous=True)
NOBODY = Person("192.0.2.7")


def rules(*lines: str, permissions: tuple[str, ...] = ()) -> Rules:
    """Rules of these lines."""
    return rules_from(with_values(FTPSettings, rules=lines, permissions=permissions))


def errors_of(parse: Any, text: str) -> str:
    """What the person who wrote ``text`` is told; nothing where it is right."""
    try:
        parse(text)
    except ValueError as problem:
        return str(problem)
    return ""


class ReadingTests(SynchronousTestCase):
    """Lines as people write them, and what they are told."""

    def test_mistakes_in_rules(self) -> None:
        """Each mistake is named, with what may have been meant."""
        for written, told in (
            ("alice", "WHO OPTION=VALUE is wanted, such as 'alice umask=077'"),
            ("alice session_reus=off", "no option session_reus; did you mean"),
            ("alice umask", "umask needs a value: umask=OCTAL"),
            ("alice umask=9", "umask=9: three octal digits such as 022"),
            ("alice umask=100077", "umask=100077: three octal digits"),
            ("alice encoding=utf-16", "encoding=utf-16: an encoding such as"),
            ("alice download_rate=fast", "download_rate=fast: a size such as"),
            ("alice sessions=-1", "sessions=-1: a number is wanted"),
            ("alice tls_required=maybe", "tls_required=maybe: yes or no"),
            ("alice session_reuse=of", "one of prefer|require|off is wanted"),
            ("10.0.0.0/33 umask=077", "'10.0.0.0/33' is not a network"),
            ("anonymoux umask=077", "'anonymoux' is nobody; did you mean anonymous?"),
            ("@ umask=077", "'@' is not a login, @group, network, anonymous or *"),
            ("alice+ umask=077", "'' is not a login"),
            ("alice+bob umask=077", "nobody is alice and bob at once"),
        ):
            self.assertIn(told, errors_of(parse_rule, written), written)

    def test_mistakes_in_permissions(self) -> None:
        """The same for permissions."""
        for written, told in (
            ("alice /inbox", "WHO PATH PERMISSIONS is wanted"),
            ("alice inbox all", "the path 'inbox' does not begin with /"),
            ("alice /a/../b all", "the path '/a/../b' goes up again"),
            ("alice /inbox uploat", "no permission uploat; did you mean upload?"),
            ("alice '/in box all", "No closing quotation"),
        ):
            self.assertIn(told, errors_of(parse_permission, written), written)

    def test_permission_line(self) -> None:
        """Words by commas or spaces; a path in quotes may hold spaces."""
        line = parse_permission("@staff '/in box/deep/' list,read delete")

        self.assertEqual(("in box", "deep"), line.path)
        self.assertEqual(Permission.READ_ONLY | Permission.DELETE, line.permission)

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Whatever is written is understood or refused in words."""
        for parse in (parse_rule, parse_permission):
            errors_of(parse, text)
            errors_of(parse, "alice umask=" + text)
            errors_of(parse, "alice encoding=" + text)
            errors_of(parse, "alice /" + text)

    def test_every_word(self) -> None:
        """All words together are everything."""
        everything = Permission.NONE
        for word in WORDS:
            everything |= parse_permission(f"* / {word}").permission

        self.assertEqual(Permission.ALL, everything)


class FittingTests(SynchronousTestCase):
    """Whom a line means."""

    def fits(self, who: str, person: Person) -> bool:
        """Whether a rule for ``who`` is about that person."""
        return rules(f"{who} umask=077").options(person).umask == 0o077

    def test_who(self) -> None:
        """Logins, groups, addresses, networks, everybody, and several at once."""
        for who, person, does_fit in (
            ("alice", ALICE, True),
            ("ALICE@example.org", ALICE, True),
            ("alice@example.net", ALICE, False),
            ("alice", attrs.evolve(ALICE, login="alice@example.net"), False),
            ("@staff", ALICE, True),
            ("@students", ALICE, False),
            ("192.0.2.0/24", ALICE, True),
            ("192.0.2.7", ALICE, True),
            ("192.0.2.8", ALICE, False),
            ("2001:db8::/32", STRANGER, True),
            ("2001:db8::/32", ALICE, False),
            ("anonymous", STRANGER, True),
            ("anonymous", ALICE, False),
            ("*", NOBODY, True),
            ("@staff+192.0.2.0/24", ALICE, True),
            ("@staff+10.0.0.0/8", ALICE, False),
            ("alice", NOBODY, False),
            ("@staff", NOBODY, False),
            ("anonymous", NOBODY, False),
        ):
            self.assertEqual(does_fit, self.fits(who, person), (who, person))

    def test_mapped_address(self) -> None:
        """An IPv4 address that came in IPv6 is the IPv4 address."""
        person = attrs.evolve(ALICE, address="::ffff:192.0.2.7")

        self.assertTrue(self.fits("192.0.2.0/24", person))

    def test_later_lines_win(self) -> None:
        """Option by option, whoever the lines name."""
        found = rules(
            "alice umask=077 encoding=gbk",
            "* umask=022 upload_rate=3K",
            "bob umask=000",
        ).options
        self.assertEqual(0o022, found(ALICE).umask)
        self.assertEqual("gbk", found(ALICE).encoding)
        self.assertEqual(3072, found(ALICE).upload_rate)

    def test_shared_rates(self) -> None:
        """A rate of a class has the class's name."""
        options = rules("@staff class_upload_rate=1M").options(ALICE)

        self.assertEqual(Share(1 << 20, "@staff"), options.class_upload_rate)

    def test_settings_are_defaults(self) -> None:
        """An option that is also a setting begins with that; no rules, no copies."""
        settings = with_values(FTPSettings, encoding="CP1251", download_rate=5)
        found = rules_from(settings)

        self.assertEqual("cp1251", found.options(ALICE).encoding)
        self.assertEqual(5, found.options(ALICE).download_rate)
        self.assertIs(found.options(ALICE), found.options(STRANGER))
        self.assertEqual(0, found.options(ALICE).sessions)
        self.assertEqual(DEFAULTS.umask, found.options(ALICE).umask)

    def test_settings_are_live(self) -> None:
        """Settings that are options change at a reload, as the rules do."""
        waiting = [
            setting.key
            for setting in settings_of(FTPSettings)
            if setting.key in KINDS and not setting.is_live
        ]

        self.assertEqual(["sessions"], waiting)

    def test_permissions(self) -> None:
        """The longest path counts, then the later line."""
        found = rules(
            permissions=(
                "alice /a/b none",
                "* /a read-only",
                "@staff /a all",
                "* / list",
                "bob / none",
            )
        ).permissions(ALICE, Permission.ALL)

        self.assertEqual(Permission.LIST, found.at(()))
        self.assertEqual(Permission.ALL, found.at(("a", "x", "y")))
        self.assertEqual(Permission.NONE, found.at(("a", "b", "c")))
        self.assertEqual(Permission.LIST, found.at(("ab",)))

    def test_strangers(self) -> None:
        """What everybody may do is no leave for anonymous users to write."""
        lines = ("* /a all", "anonymous /b upload", "2001:db8::/32 / all")
        found = rules(permissions=lines).permissions(STRANGER, Permission.READ_ONLY)

        self.assertEqual(Permission.READ_ONLY, found.at(()))
        self.assertEqual(Permission.READ_ONLY, found.at(("a",)))
        self.assertEqual(Permission.CREATE, found.at(("b",)))


class ManualTests(SynchronousTestCase):
    """The table of the manual."""

    def test_options(self) -> None:
        """Each option is there, as the server explains it."""
        page = (ROOT / "docs" / "ftp.md").read_text(encoding="utf-8")
        table = page.partition("<!-- options:")[2].partition("<!-- end of options")[0]
        told = re.findall(r"^\| `(\w+)` \| `(.*)` \| (.*) \|$", table, re.MULTILINE)
        known = [
            (field.name, KINDS[field.name].shape, field.metadata["help"])
            for field in attrs.fields(Options)
        ]

        self.assertEqual(
            known,
            [(name, shape.replace("\\|", "|"), text) for name, shape, text in told],
        )

    def test_words(self) -> None:
        """Each word of permissions is there."""
        page = (ROOT / "docs" / "ftp.md").read_text(encoding="utf-8")
        part = page.partition("## Permissions by directory")[2].partition("\n## ")[0]

        self.assertEqual([], [word for word in WORDS if f"`{word}`" not in part])


class SessionTests(MemoryFTP, SynchronousTestCase):
    """Rules in sessions."""

    settings = with_values(
        FTPSettings, rules=("alice umask=027 sessions=2", "anonymous sessions=1")
    )

    def test_umask(self) -> None:
        """Uploads and directories have the modes that the rule leaves."""
        self.assert_dialogue(
            LOGIN
            + """
            C: MKD dir
            S: 257 ...
            C: PASV
            S: 227 ...
            C: STOR file
            S: 125 ...
            S: 226 ...
            """
        )
        home = DiskPath(self.state, "files", "alice@example.org")
        self.assertEqual(0o750, (home / "dir").stat().st_mode & 0o777)
        self.assertEqual(0o640, (home / "file").stat().st_mode & 0o777)

    def log_in(self, login: str) -> Deferred[Any]:
        """Another login from here."""
        origin = Origin("ftp", "127.0.0.1", False)
        logging_in = self.policy.login(login, b"secret", origin, None)
        return Deferred.fromCoroutine(logging_in)

    def test_sessions(self) -> None:
        """So many sessions of one account, or of strangers at one address; who leaves
        makes room."""
        self.make_house()
        origin = Origin("ftp", "127.0.0.1", False)
        for login, most in (("alice", 2), ("anonymous", 1)):
            users = [self.successResultOf(self.log_in(login)) for _ in range(most)]
            refused = self.failureResultOf(self.log_in(login), Refused)
            self.assertEqual(530, refused.value.reply.code)
            self.assertEqual("session_refused", self.events.seen[-1][0])
            for user in users:
                self.policy.logged_out(user, origin, 0.0)
            self.successResultOf(self.log_in(login))

    def test_login(self) -> None:
        """Whom a rule keeps out hears what a wrong password hears; a later line lets
        some of them in again."""
        self.make_house()
        lines = ("* login=no", "alice+127.0.0.0/8 login=yes")
        self.policy.reconfigure(with_values(FTPSettings, rules=lines))
        self.successResultOf(self.log_in("alice"))
        self.failureResultOf(self.log_in("anonymous"), Refused)
        self.policy.reconfigure(with_values(FTPSettings, rules=("alice login=no",)))
        refused = self.failureResultOf(self.log_in("alice"), Refused)
        self.assertEqual(LOGIN_INCORRECT, refused.value.reply)
        event, fields = self.events.seen[-1]
        self.assertEqual("login_refused", event)
        self.assertEqual("a rule", fields["reason"])
        self.successResultOf(self.log_in("anonymous"))

    def test_sessions_of_addresses(self) -> None:
        """A network's rule counts before the login, too, address by address."""
        self.make_house()
        self.policy.reconfigure(
            with_values(FTPSettings, rules=("192.0.2.0/24 sessions=1",))
        )
        first = Origin("ftp", "192.0.2.1", False)
        self.policy.enter(Origin("ftp", "192.0.2.2", False))
        slot = self.policy.enter(first)
        refused = self.assertRaises(Refused, self.policy.enter, first)
        assert isinstance(refused.reply, Reply)
        self.assertEqual(421, refused.reply.code)
        self.policy.leave(slot, first.address)
        self.policy.enter(first)

    def test_reload(self) -> None:
        """A session keeps its rules; those who log in later have the new ones."""
        self.make_house()
        origin = Origin("ftp", "127.0.0.1", False)
        user = self.successResultOf(self.log_in("alice"))
        self.policy.reconfigure(with_values(FTPSettings, rules=("alice umask=077",)))
        later = self.successResultOf(self.log_in("alice"))

        self.assertEqual(0o027, self.policy.options(user, origin).umask)
        self.assertEqual(0o077, self.policy.options(later, origin).umask)


def make_directory(port: int) -> None:
    """Alice logs in and makes a directory; blocks."""
    with FTP() as client:
        client.connect("127.0.0.1", port)
        client.login("alice", "secret")
        client.mkd("made")


class ReloadTests(TestCase):
    """A server that is told to read its configuration again."""

    timeout = 60

    @as_deferred
    async def test_rules(self) -> None:
        """New rules are in force at once, for those who log in; nothing waits for a
        restart."""
        server = await running(
            ftp=True,
            accounts=[("alice", "secret")],
            settings={
                "ftp.listen": "tcp:0:interface=127.0.0.1",
                "ftp.passive_ports": "0",
            },
        )
        self.addCleanup(server.stop)
        before = server.house.configuration
        ftp = before.protocols["ftp"]
        rules = ("* umask=077",)
        settings = attrs.evolve(ftp.settings, rules=rules, total_upload_rate=Size(5))
        protocols = {**before.protocols, "ftp": attrs.evolve(ftp, settings=settings)}
        waiting = await server.house.reload(attrs.evolve(before, protocols=protocols))
        await deferToThread(make_directory, server.port("ftp"))

        self.assertEqual([], waiting)
        made = DiskPath(server.state_directory, "files", "alice@localhost", "made")
        self.assertEqual(0o700, made.stat().st_mode & 0o777)
