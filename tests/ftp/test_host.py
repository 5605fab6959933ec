"""HOST, LANG, CLNT, CSID: which host, which language, to what client."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.core.errors import SyntaxProblem
from netservices.ftp.dialogue.hosts import full_login, parse_host
from netservices.testing import Peer
from netservices.units import CreateAccount, CreateDomain, Unit
from tests.ftp.memory import LOGIN, MemoryFTP, known_secrets


class HostTests(MemoryFTP, SynchronousTestCase):
    """HOST.  RFC 7151"""

    def make_house(self) -> None:
        """Another domain, with an ``alice`` of its own."""
        super().make_house()
        create = CreateAccount("alice", "example.net", secrets=known_secrets())
        value_of(self.store.apply(Unit((CreateDomain("example.net"), create))))

    def test_domain(self) -> None:
        """A name without a domain is one of the host's; the last HOST counts."""
        self.assert_dialogue("""
            S: 220 ...
            C: HOST ftp.example.org
            S: 220 ftp.example.org FTP server ready
            C: host EXAMPLE.NET.
            S: 220 example.net FTP server ready
            C: USER alice
            S: 331 ...
            C: PASS secret
            S: 230 Logged in as alice@example.net
            C: HOST example.org
            S: 503 ...
        """)

    def test_after_user(self) -> None:
        """Between USER and PASS it begins the login anew (RFC 7151 4); a login with a
        domain stays what it is."""
        self.assert_dialogue("""
            S: 220 ...
            C: USER alice
            S: 331 ...
            C: HOST example.net
            S: 220 ...
            C: PASS secret
            S: 503 ...
            C: USER alice
            S: 331 ...
            C: PASS secret
            S: 230 Logged in as alice@example.net
            C: USER alice@example.org
            S: 331 ...
            C: PASS secret
            S: 230 Logged in as alice@example.org
        """)

    def test_rein(self) -> None:
        """REIN forgets the host.  RFC 7151 3.2.1"""
        self.assert_dialogue("""
            S: 220 ...
            C: HOST example.net
            S: 220 ...
            C: REIN
            S: 530 ...
            C: USER alice
            S: 331 ...
            C: PASS secret
            S: 230 Logged in as alice@example.net
            C: REIN
            S: 220 ...
            C: USER alice
            S: 331 ...
            C: PASS secret
            S: 230 Logged in as alice@example.org
        """)

    def test_unknown(self) -> None:
        """504 for hosts that are not here, 501 for what is none.  RFC 7151 3.1"""
        self.assert_dialogue("""
            S: 220 ...
            C: HOST www.example.com
            S: 504 ...
            C: HOST 192.0.2.1
            S: 504 ...
            C: HOST [2001:db8::c000:201]
            S: 504 ...
            C: HOST 127.0.0.1:2112
            S: 501 ...
            C: HOST [::1]:2112
            S: 501 ...
            C: HOST 2001:db8::1
            S: 501 ...
            C: HOST -x.example.org
            S: 501 ...
            C: HOST
            S: 501 ...
            C: HOST 127.0.0.1
            S: 220 ...
            C: HOST ftp.example.org
            S: 220 ...
        """)

    def test_anonymous(self) -> None:
        """Anonymous users are the same everywhere."""
        self.assert_dialogue("""
            S: 220 ...
            C: HOST example.net
            S: 220 ...
            C: USER anonymous
            S: 331 ...
            C: PASS joe@
            S: 230 Logged in as anonymous
        """)

    def test_server_name(self) -> None:
        """The name must be the one that TLS was asked for.  RFC 7151 3.2.2"""
        peer = Peer(self.make_session)
        self.talk.server_name = lambda: "Example.net"
        peer.receive()
        peer.send(b"HOST example.org\r\nHOST example.net\r\nHOST 127.0.0.1\r\n")
        codes = [line[:3] for line in peer.receive_lines()]
        self.assertEqual(["504", "220", "220"], codes)
        peer.leave()

    def test_server_name_after_host(self) -> None:
        """So must that of a handshake which comes after HOST; else HOST counts as not
        sent.  RFC 7151 3.3"""
        for asked, login in (
            ("example.org", "alice@example.org"),
            ("Example.Net", "alice@example.net"),
            (None, "alice@example.net"),
        ):
            peer = Peer(self.make_session)
            self.talk.server_name = lambda asked=asked: asked
            peer.send(b"HOST example.net\r\nAUTH TLS\r\n")
            peer.shake_hands()
            peer.receive()
            peer.send(b"USER alice\r\nPASS secret\r\n")
            self.assertEqual(f"230 Logged in as {login}", peer.receive_lines()[-1])
            peer.leave()

    @given(st.binary(max_size=300))
    def test_any_argument(self, argument: bytes) -> None:
        """A host is in normal form, or the argument is a syntax error."""
        try:
            name, is_address = parse_host(argument)
        except SyntaxProblem:
            return
        self.assertEqual(name, name.lower())
        literal = f"[{name}]" if ":" in name else name
        self.assertEqual((name, is_address), parse_host(literal.encode()))

    def test_full_login(self) -> None:
        """A domain is added where one is meant and none is there."""
        self.assertEqual("joe@example.org", full_login("joe", "example.org"))
        self.assertEqual("joe@example.net", full_login("joe@example.net", "x.org"))
        self.assertEqual("joe", full_login("joe", ""))


class ClientTests(MemoryFTP, SynchronousTestCase):
    """LANG, CLNT, CSID, SMNT."""

    def test_lang(self) -> None:
        """English in all its kinds, which is also the default.  RFC 2640 4.2"""
        self.assert_dialogue("""
            S: 220 ...
            C: LANG
            S: 200 ...
            C: LANG en
            S: 200 ...
            C: LANG EN-gb
            S: 200 ...
            C: LANG fr
            S: 504 ...
            C: LANG ?!?
            S: 501 ...
            C: LANG averylonglanguage
            S: 501 ...
        """)

    def test_client(self) -> None:
        """Clients may say who they are, and learn who we are."""
        self.assert_dialogue(
            LOGIN
            + """
            C: CLNT Shovel 1.0
            S: 200 ...
            C: CSID Name=Bucket; Version=2.0;
            S: 200 Name=netservices; Version=...
            C: CSID
            S: 200 ... CaseSensitive=1; DirSep=/;
            C: CLNT
            S: 501 ...
            C: SMNT /mnt
            S: 502 ...
        """
        )
        self.assertEqual("Bucket", self.talk.client_name)
