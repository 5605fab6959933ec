"""Data connections that resume the TLS session of the control connection."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.ftp.sockets import read_all
from tests.ftp.tls_wire import VERSIONS, BothVersionsCase, TLSWire, end


class ReuseCase(BothVersionsCase):
    """One policy, both versions."""

    def each_version(self, conversation: Callable[[TLSWire], None]) -> Deferred[None]:
        """Where there is a file."""
        self.put("a", b"content")
        return super().each_version(conversation)

    def assert_complete(self, wire: TLSWire, resumes: bool = True) -> None:
        """A download is complete."""
        self.assertEqual(
            ("226", b"content"), self.cut(wire.download("a", resumes)), wire.context
        )

    def assert_refused(self, wire: TLSWire, resumes: bool = True) -> None:
        """A download is refused for want of the session."""
        self.assertEqual(("522", b""), self.cut(wire.download("a", resumes)))

    def cut(self, found: tuple[str, bytes]) -> tuple[str, bytes]:
        """The code in place of the reply."""
        return found[0][:3], found[1]


class RequireTests(ReuseCase):
    """``require``: from the first data connection on."""

    settings: dict[str, Any] = {"ftp.session_reuse": "require"}

    def test_refused(self) -> Deferred[None]:
        """Without the session 522, for downloads and uploads; nothing is sent, and
        nothing stored."""

        def conversation(wire: TLSWire) -> None:
            self.assert_refused(wire, False)
            self.assertEqual("522", wire.upload("a", b"new", False)[:3])
            self.assertEqual(b"content", self.content_of("a"))
            self.assert_complete(wire)

        return self.each_version(conversation)

    def test_fifty(self) -> Deferred[None]:
        """Fifty transfers over one control connection, each by the newest session."""

        def conversation(wire: TLSWire) -> None:
            for number in range(25):
                content = b"%d" % number
                self.assertEqual("226", wire.upload("b", content)[:3])
                self.assertEqual(("226", content), self.cut(wire.download("b")))

        return self.each_version(conversation)

    def test_one_session_for_all(self) -> Deferred[None]:
        """The session of the control connection may be used again and again."""

        def conversation(wire: TLSWire) -> None:
            first = wire.session
            for _ in range(10):
                wire.session = first
                self.assert_complete(wire)
                wire.session = first
                self.assertEqual("226", wire.upload("b", b"x")[:3])

        return self.each_version(conversation)

    def test_tickets_of_uploads(self) -> Deferred[None]:
        """An upload brings a new ticket, which comes with the server's own end."""

        def run() -> None:
            wire = TLSWire(self.server, ssl.TLSVersion.TLSv1_3)
            data = wire.secured_data("STOR b")
            data.sendall(b"x")
            before = data.session.id  # type: ignore[union-attr]
            wire.session = end(data)
            self.assertNotEqual(before, wire.session.id)
            self.assertEqual("226", wire.reply()[:3])
            self.assert_complete(wire)
            wire.close()

        self.put("a", b"content")
        return deferToThread(run)

    def test_foreign_session(self) -> Deferred[None]:
        """The session of another user's control connection is none: a thief with an
        account of his own, or with none, resumes nothing."""

        def run() -> None:
            for version in VERSIONS:
                wire = TLSWire(self.server, version)
                thief = TLSWire(self.server, version, login=False)
                thief.say("USER anonymous")
                self.assertEqual("230", thief.say("PASS x")[:3])
                wire.context, wire.session = thief.context, thief.socket.session
                self.assert_refused(wire)
                thief.close()
                wire.close()

        self.put("a", b"content")
        return deferToThread(run)

    def test_pooled_sessions(self) -> Deferred[None]:
        """A client with several control connections may resume the session of any."""

        def run() -> None:
            for version in VERSIONS:
                wires = [TLSWire(self.server, version) for _ in range(3)]
                for wire in wires:
                    wire.context = wires[-1].context
                    wire.session = wires[-1].socket.session
                    self.assert_complete(wire)
                for wire in wires:
                    wire.close()

        self.put("a", b"content")
        return deferToThread(run)

    def test_pooled_before_the_login(self) -> Deferred[None]:
        """Also of one that logs in only then."""

        def run() -> None:
            for version in VERSIONS:
                wire = TLSWire(self.server, version)
                late = TLSWire(self.server, version, login=False)
                late.say("USER alice")
                context = late.context
                plain = wire.data("RETR a")
                data = context.wrap_socket(plain, session=late.socket.session)
                self.assertEqual("230", late.say("PASS secret")[:3])
                self.assertEqual(b"content", read_all(data))
                self.assertEqual("226", wire.reply()[:3])
                late.close()
                wire.close()

        self.put("a", b"content")
        return deferToThread(run)

    def test_never_logs_in(self) -> Deferred[None]:
        """Of one that leaves without a login nothing is resumed."""

        def run() -> None:
            for version in VERSIONS:
                wire = TLSWire(self.server, version)
                late = TLSWire(self.server, version, login=False)
                plain = wire.data("RETR a")
                data = late.context.wrap_socket(plain, session=late.socket.session)
                late.close()
                self.assertEqual("522", wire.reply()[:3])
                data.close()
                wire.close()

        self.put("a", b"content")
        return deferToThread(run)

    def test_implicit(self) -> Deferred[None]:
        """The same on the implicit port."""

        def run() -> None:
            for version in VERSIONS:
                wire = TLSWire(self.server, version, is_implicit=True)
                self.assert_refused(wire, False)
                self.assert_complete(wire)
                wire.close()

        self.put("a", b"content")
        return deferToThread(run)


class PreferTests(ReuseCase):
    """``prefer``, the default: once is for ever."""

    def test_never(self) -> Deferred[None]:
        """A client that never resumes is served."""

        def conversation(wire: TLSWire) -> None:
            for _ in range(3):
                self.assert_complete(wire, False)
                self.assertEqual("226", wire.upload("b", b"x", False)[:3])

        return self.each_version(conversation)

    def test_once(self) -> Deferred[None]:
        """After one that resumed, one that does not is 522, and the next is served."""

        def conversation(wire: TLSWire) -> None:
            self.assert_complete(wire)
            self.assert_refused(wire, False)
            self.assert_complete(wire)

        return self.each_version(conversation)

    def test_session_of_a_data_connection(self) -> Deferred[None]:
        """What began on a data connection proves nothing: a thief who got hold of one
        cannot resume it later."""

        def conversation(wire: TLSWire) -> None:
            data = wire.secured_data("RETR a", False)
            while data.recv(100):
                pass
            stolen = data.session
            data.close()
            self.assertEqual("226", wire.reply()[:3])
            self.assert_complete(wire)
            wire.session = stolen
            self.assert_refused(wire)

        return self.each_version(conversation)

    def test_no_ticket_after_an_upload(self) -> Deferred[None]:
        """In TLS 1.3 a client may have no ticket after an upload: it is served."""

        def run() -> None:
            wire = TLSWire(self.server, ssl.TLSVersion.TLSv1_3)
            self.assertEqual("226", wire.upload("b", b"x")[:3])
            self.assertEqual("226", wire.upload("b", b"x", False)[:3])
            wire.close()

        return deferToThread(run)


class OffTests(ReuseCase):
    """``off``: nobody asks; by rule somebody may be asked all the same."""

    settings: dict[str, Any] = {
        "ftp.session_reuse": "off",
        "ftp.rules": ["bob session_reuse=require"],
    }

    def test_either_way(self) -> Deferred[None]:
        """With and without, in any order."""

        def conversation(wire: TLSWire) -> None:
            for resumes in (True, False, True):
                self.assert_complete(wire, resumes)

        return self.each_version(conversation)


class RuleTests(ReuseCase):
    """What a rule says of one account."""

    settings: dict[str, Any] = {
        "ftp.session_reuse": "off",
        "ftp.rules": ["alice session_reuse=require"],
    }

    def test_account(self) -> Deferred[None]:
        """The account has to resume."""

        def conversation(wire: TLSWire) -> None:
            self.assert_refused(wire, False)
            self.assert_complete(wire)

        return self.each_version(conversation)
