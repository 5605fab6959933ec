"""Endpoint strings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.config.endpoint import Endpoint, parse_endpoint

WRONG = {
    "": "an endpoint begins with tcp, tls, udp, unix or systemd",
    "tcp": "port '': 0 to 65535 is wanted",
    "tcp:": "port '': 0 to 65535 is wanted",
    "tcp:ftp": "port 'ftp': 0 to 65535 is wanted",
    "tcp:65536": "port '65536'",
    "tcp:-1": "port '-1'",
    "tcp:\u0661": "port",
    "ssl:1": "an endpoint begins with",
    "tcp:21:interfaces=1.2.3.4": "no option 'interfaces=1.2.3.4'; tcp takes backlog,",
    "udp:53:role=x": "no option 'role=x'; udp takes fd, interface",
    "tcp:21:interface=localhost": "interface 'localhost': an IP address is wanted",
    "tcp:21:backlog=many": "backlog 'many'",
    "unix:": "a path is wanted after unix:",
    "unix:/x:mode=abc": "mode 'abc': octal digits as 660 are wanted",
    "systemd:": "the name of a socket is wanted after systemd:",
}


class EndpointTests(SynchronousTestCase):
    """``parse_endpoint`` and its inverse."""

    def test_forms(self) -> None:
        """Every form that the manual names."""
        for text, expected in (
            ("tcp:21", Endpoint("tcp", 21)),
            ("tcp:0:interface=127.0.0.1", Endpoint("tcp", 0, "127.0.0.1")),
            ("tcp:1:interface=[::1]:role=x", Endpoint("tcp", 1, "::1", role="x")),
            ("tcp:1:interface=::1:role=x", Endpoint("tcp", 1, "::1", role="x")),
            ("tcp:1:interface=\\:\\:1", Endpoint("tcp", 1, "::1")),
            ("tcp:1:interface=fe80::1%2", Endpoint("tcp", 1, "fe80::1%2")),
            ("tcp:1:interface=*", Endpoint("tcp", 1)),
            ("tls:990:backlog=5", Endpoint("tls", 990, backlog=5, is_tls=True)),
            ("udp:53", Endpoint("udp", 53)),
            ("udp:fd=4", Endpoint("udp", fd=4)),
            ("unix:/run/x:mode=660", Endpoint("unix", path="/run/x", mode=0o660)),
            ("unix:/run/a\\:b", Endpoint("unix", path="/run/a:b")),
            ("systemd:web", Endpoint("systemd", path="web")),
            (
                "systemd:web:tls=yes:role=r",
                Endpoint("systemd", path="web", role="r", is_tls=True),
            ),
        ):
            endpoint = parse_endpoint(text)
            self.assertEqual(expected, endpoint, text)
            self.assertEqual(endpoint, parse_endpoint(str(endpoint)), text)

    def test_wrong_ones(self) -> None:
        """Whatever is wrong is said, with what would be right."""
        for text, reason in WRONG.items():
            error = self.assertRaises(ValueError, parse_endpoint, text)
            self.assertIn(reason, str(error))

    def test_moved(self) -> None:
        """Offset and interface move ports, but for port 0, paths and descriptors."""
        for text, expected in (
            ("tcp:21", "tcp:8021:interface=127.0.0.1"),
            ("tcp:0", "tcp:0:interface=127.0.0.1"),
            ("udp:53:interface=::1", "udp:8053:interface=[::1]"),
            ("unix:/x", "unix:/x"),
            ("systemd:x", "systemd:x"),
            ("tcp:fd=3", "tcp:fd=3"),
        ):
            self.assertEqual(
                expected, str(parse_endpoint(text).moved(8000, "127.0.0.1"))
            )
        self.assertRaises(ValueError, parse_endpoint("tcp:60000").moved, 8000, "")

    @given(st.text(alphabet="tcpudlsynixme:=[]\\0129./%fdrole", max_size=40))
    def test_any_text(self, text: str) -> None:
        """Any text is an endpoint that prints as itself, or a ValueError."""
        try:
            endpoint = parse_endpoint(text)
        except ValueError:
            return
        self.assertEqual(endpoint, parse_endpoint(str(endpoint)))
