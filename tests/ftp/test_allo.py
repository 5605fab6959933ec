"""ALLO as the size of what follows: a shorter upload is one that broke off."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netservices.ftp.settings import FTPSettings
from tests.ftp.memory import LOGIN, MemoryFTP, MemoryPort


class AlloCase(MemoryFTP):
    """Uploads of ten octets."""

    def make_port(self) -> MemoryPort:
        """They come in two pieces."""
        port = MemoryPort(self.peer)
        port.upload = [b"12345", b"67890"]
        return port


class SizeTests(AlloCase, SynchronousTestCase):
    """In binary type, where octets are octets."""

    content = {"old": b"content", "begun": b"12345"}

    def test_shorter(self) -> None:
        """Fewer octets than announced: 426, and the old file stays."""
        self.assert_dialogue(
            LOGIN
            + """
            C: TYPE I
            S: 200 ...
            C: ALLO 11
            S: 202 ...
            C: EPSV
            S: 229 ...
            C: STOR old
            S: 125 ...
            S: 426 ...
            C: SIZE old
            S: 213 7
            """
        )

    def test_as_announced(self) -> None:
        """As many, or more: the file is complete; the next upload announces anew."""
        self.assert_dialogue(
            LOGIN
            + """
            C: TYPE I
            S: 200 ...
            C: ALLO 10
            S: 202 ...
            C: EPSV
            S: 229 ...
            C: STOR a
            S: 125 ...
            S: 226 ...
            C: EPSV
            S: 229 ...
            C: STOR b
            S: 125 ...
            S: 226 ...
            C: ALLO 5 R 100
            S: 202 ...
            C: EPSV
            S: 229 ...
            C: STOR c
            S: 125 ...
            S: 226 ...
            """
        )

    def test_rest(self) -> None:
        """A client that goes on may announce the whole, or what remains."""
        for announced in (10, 15):
            self.assert_dialogue(
                LOGIN
                + f"""
                C: TYPE I
                S: 200 ...
                C: ALLO {announced}
                S: 202 ...
                C: EPSV
                S: 229 ...
                C: APPE begun
                S: 125 ...
                S: 226 ...
                """
            )

    def test_text(self) -> None:
        """In ASCII type the size of the client's file is not that of what travels."""
        self.assert_dialogue(
            LOGIN
            + """
            C: ALLO 11
            S: 202 ...
            C: EPSV
            S: 229 ...
            C: STOR a
            S: 125 ...
            S: 226 ...
            """
        )


class NoSizeTests(AlloCase, SynchronousTestCase):
    """``ftp.allo_is_size = false``."""

    settings = FTPSettings(allo_is_size=False)

    def test_shorter(self) -> None:
        """ALLO only asks for room, and may ask for more than is needed.  RFC 959"""
        self.assert_dialogue(
            LOGIN
            + """
            C: TYPE I
            S: 200 ...
            C: ALLO 1000
            S: 202 ...
            C: EPSV
            S: 229 ...
            C: STOR a
            S: 125 ...
            S: 226 ...
            """
        )
