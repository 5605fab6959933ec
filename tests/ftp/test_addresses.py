"""The addresses of data connections as replies give them."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netservices.ftp.settings import FTPSettings
from tests.ftp.memory import LOGIN, MemoryFTP


class IPv6Tests(MemoryFTP, SynchronousTestCase):
    """A client that came over IPv6."""

    peer = "::1"

    def test_families(self) -> None:
        """PASV and PORT cannot name an IPv6 address.  RFC 2428"""
        self.assert_dialogue(
            LOGIN
            + """
            C: PASV
            S: 425 ...
            C: PORT 127,0,0,1,4,0
            S: 425 ...
            C: EPSV 1
            S: 522 Network protocol not supported, use (2)
            C: EPRT |2|::1|1024|
            S: 200 ...
            C: EPSV 2
            S: 229 ...
            """
        )


class MasqueradeTests(MemoryFTP, SynchronousTestCase):
    """Behind a translating router."""

    settings = FTPSettings(masquerade_address="203.0.113.9")

    def test_pasv(self) -> None:
        """PASV names the address outside."""
        self.assert_dialogue(
            LOGIN
            + """
            C: PASV
            S: 227 Entering Passive Mode (203,0,113,9,195,80).
            """
        )
