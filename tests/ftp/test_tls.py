"""What is said of TLS: RFC 2228, RFC 4217, and the rules of the house."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netservices.ftp.settings import FTPSettings
from tests.ftp.memory import LOGIN, MemoryFTP

SECURED = """
    S: 220 ...
    C: AUTH TLS
    S: 234 ...
    C & S: <TLS>
"""
IN_TLS = """
    C: USER alice
    S: 331 ...
    C: PASS secret
    S: 230 ...
"""


class CodeTests(MemoryFTP, SynchronousTestCase):
    """The replies of RFC 2228 3."""

    def test_before_tls(self) -> None:
        """Whatever needs a security exchange is 503, CCC 533, an unknown mechanism
        504."""
        self.assert_dialogue("""
            S: 220 ...
            C: PBSZ 0
            S: 503 ...
            C: PROT P
            S: 503 ...
            C: ADAT AAAA
            S: 503 ...
            C: MIC AAAA
            S: 503 ...
            C: CONF AAAA
            S: 503 ...
            C: ENC AAAA
            S: 503 ...
            C: CCC
            S: 533 ...
            C: AUTH KERBEROS_V4
            S: 504 ...
            C: AUTH
            S: 501 ...
        """)

    def test_mechanisms(self) -> None:
        """TLS has two names, and those of old leave data in the clear or protect it at
        once.  RFC 4217 8, 17"""
        for name, is_protected in (
            ("TLS", False),
            ("tls-c", False),
            ("SSL", True),
            ("TLS-P", True),
        ):
            self.assert_dialogue(f"""
                S: 220 ...
                C: AUTH {name}
                S: 234 ...
                C & S: <TLS>
                C: NOOP
                S: 200 ...
                C: AUTH TLS
                S: 503 ...
            """)
            self.assertEqual(is_protected, self.port.is_protected, name)

    def test_in_tls(self) -> None:
        """PBSZ comes before PROT, which knows four letters, of which TLS has two."""
        self.assert_dialogue(
            SECURED
            + """
            C: PROT P
            S: 503 ...
            C: PBSZ x
            S: 501 ...
            C: PBSZ 4294967296
            S: 501 ...
            C: PBSZ 16384
            S: 200 PBSZ=0
            C: PROT S
            S: 536 ...
            C: PROT E
            S: 536 ...
            C: PROT X
            S: 504 ...
            C: PROT P
            S: 200 ...
            C: PROT C
            S: 200 ...
            C: ADAT AAAA
            S: 503 ...
            C: MIC AAAA
            S: 537 ...
            C: CONF AAAA
            S: 537 ...
            C: ENC AAAA
            S: 537 ...
            C: CCC
            S: 534 ...
        """
        )


class ClearControlTests(MemoryFTP, SynchronousTestCase):
    """CCC where it is allowed.  RFC 4217 5"""

    settings = FTPSettings(allow_clear_control=True)

    def test_after_login(self) -> None:
        """200, and the session goes on in the clear: with the protection of data as it
        was, without PBSZ and PROT, and with AUTH once more."""
        self.assert_dialogue(
            SECURED
            + """
            C: CCC
            S: 534 Log in first
            C: PBSZ 0
            S: 200 ...
            C: PROT P
            S: 200 ...
        """
            + IN_TLS
            + """
            C: CCC
            S: 200 ...
            C & S: <no TLS>
            C: PWD
            S: 257 ...
            C: PBSZ 0
            S: 503 ...
            C: PROT C
            S: 503 ...
            C: CCC
            S: 533 ...
        """
        )
        self.assertTrue(self.port.is_protected)
        self.assertFalse(self.talk.is_secure)

    def test_auth_once_more(self) -> None:
        """AUTH after CCC begins anew: the login and the protection are gone."""
        self.assert_dialogue(
            SECURED
            + "C: PBSZ 0\nS: 200 ...\nC: PROT P\nS: 200 ...\n"
            + IN_TLS
            + """
            C: CCC
            S: 200 ...
            C & S: <no TLS>
            C: AUTH TLS
            S: 234 ...
            C & S: <TLS>
            C: PWD
            S: 530 ...
            C: PROT P
            S: 503 ...
        """
        )
        self.assertFalse(self.port.is_protected)

    def test_too_early(self) -> None:
        """What is pipelined behind CCC is never answered."""
        self.assert_dialogue(
            SECURED
            + IN_TLS
            + """
            C: CCC
            C: DELE a
            S: 200 ...
            C & S: <no TLS>
            C: NOOP
            S: 200 OK
        """,
            ways=("pipelined",),
        )


class ReinTests(MemoryFTP, SynchronousTestCase):
    """REIN in TLS.  RFC 4217 13"""

    def test_ends_tls(self) -> None:
        """The reply is still protected; what follows is as after connecting."""
        self.assert_dialogue(
            SECURED
            + "C: PBSZ 0\nS: 200 ...\nC: PROT P\nS: 200 ...\n"
            + IN_TLS
            + """
            C: REIN
            S: 220 ...
            C & S: <no TLS>
            C: PWD
            S: 530 ...
            C: PBSZ 0
            S: 503 ...
            C: AUTH TLS
            S: 234 ...
            C & S: <TLS>
        """
            + IN_TLS
        )
        self.assertFalse(self.port.is_protected)

    def test_waits_for_the_transfer(self) -> None:
        """The transfer's reply comes first, in TLS, and then that of REIN."""
        self.assert_dialogue(
            SECURED
            + IN_TLS
            + """
            C: TYPE I
            S: 200 ...
            C: EPSV
            S: 229 ...
            C: STOR a
            C: REIN
            S: 125 ...
            S: 226 ...
            S: 220 ...
            C & S: <no TLS>
            C: NOOP
            S: 200 ...
        """,
            ways=("pipelined",),
        )


class KeptReinTests(MemoryFTP, SynchronousTestCase):
    """REIN where TLS stays."""

    settings = FTPSettings(rein_ends_tls=False)

    def test_stays(self) -> None:
        """The login and the protection of data are gone, TLS is not."""
        self.assert_dialogue(
            SECURED
            + "C: PBSZ 0\nS: 200 ...\nC: PROT P\nS: 200 ...\n"
            + IN_TLS
            + """
            C: REIN
            S: 220 ...
            C: PROT P
            S: 503 ...
            C: PBSZ 0
            S: 200 ...
        """
            + IN_TLS
        )
        self.assertFalse(self.port.is_protected)


class RequiredTests(MemoryFTP, SynchronousTestCase):
    """TLS for every login and every transfer.  RFC 4217 10"""

    settings = FTPSettings(tls_required=True, protect_data=True)

    def test_login(self) -> None:
        """534 to USER, also on the loopback interface and for anonymous users."""
        self.assert_dialogue(
            """
            S: 220 ...
            C: USER alice
            S: 534 ...
            C: USER anonymous
            S: 534 ...
            C: AUTH TLS
            S: 234 ...
            C & S: <TLS>
        """
            + IN_TLS
        )

    def test_data(self) -> None:
        """521 to the transfer, before any 1xx and not to PASV; 534 to PROT C."""
        self.assert_dialogue(
            SECURED
            + IN_TLS
            + """
            C: EPSV
            S: 229 ...
            C: LIST
            S: 521 ...
            C: STOR a
            S: 521 ...
            C: PBSZ 0
            S: 200 ...
            C: PROT C
            S: 534 ...
            C: PROT P
            S: 200 ...
            C: STOR a
            S: 125 ...
            S: 226 ...
        """
        )


class RuleTests(MemoryFTP, SynchronousTestCase):
    """TLS for some."""

    settings = FTPSettings(rules=("alice tls_required=yes protect_data=yes",))

    def test_login(self) -> None:
        """USER says nothing; PASS is 534, whether the password is right or wrong."""
        self.assert_dialogue(
            """
            S: 220 ...
            C: USER alice
            S: 331 ...
            C: PASS secret
            S: 534 Log in over TLS; what you sent now was sent in the clear
            C: USER alice
            S: 331 ...
            C: PASS wrong
            S: 534 Log in over TLS; what you sent now was sent in the clear
            C: AUTH TLS
            S: 234 ...
            C & S: <TLS>
        """
            + IN_TLS
            + """
            C: EPSV
            S: 229 ...
            C: LIST
            S: 521 ...
        """
        )

    def test_others(self) -> None:
        """Nobody else notices."""
        self.assert_dialogue("""
            S: 220 ...
            C: USER anonymous
            S: 331 ...
            C: PASS x
            S: 230 ...
            C: EPSV
            S: 229 ...
            C: LIST
            S: 125 ...
            S: 226 ...
        """)


class AnonymousRuleTests(MemoryFTP, SynchronousTestCase):
    """TLS for anonymous users only, who are known as such once they have logged in."""

    settings = FTPSettings(rules=("anonymous tls_required=yes",))

    def test_login(self) -> None:
        """534 without TLS; others notice nothing."""
        self.assert_dialogue(
            """
            S: 220 ...
            C: USER anonymous
            S: 331 ...
            C: PASS joe@example.net
            S: 534 ...
            C: PWD
            S: 530 ...
            C: USER alice
            S: 331 ...
            C: PASS secret
            S: 230 ...
            C: AUTH TLS
            S: 234 ...
            C & S: <TLS>
            C: USER anonymous
            S: 331 ...
            C: PASS joe@example.net
            S: 230 ...
        """
        )


class ByDefaultTests(MemoryFTP, SynchronousTestCase):
    """Nothing is demanded."""

    def test_plain(self) -> None:
        """A session without TLS transfers in the clear."""
        self.assert_dialogue(
            LOGIN
            + """
            C: EPSV
            S: 229 ...
            C: LIST
            S: 125 ...
            S: 226 ...
        """
        )
