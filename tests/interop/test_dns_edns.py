"""What a server says to all that EDNS and DNS allow: the questions of RFC 8906, asked
by dig and kdig; and cookies, of which they are the judges."""

from __future__ import annotations

import re
import socket
from contextlib import ExitStack
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.wire.codes import Rcode
from netservices.dns.wire.edns import Edns
from netservices.dns.wire.message import Message
from netservices.testing import running_process
from tests.dns.authority import question
from tests.programs import located, run

ZONE = (
    "$TTL 3600\n@ SOA ns1 hostmaster 1 7200 1800 1209600 300\n@ NS ns1\n"
    "ns1 A 192.0.2.1\nwww A 192.0.2.80\n"
    + "".join(f"big TXT {'x' * 200}{i:02}\n" for i in range(20))
)
SECRET = "e5e973e5a6b2a43f48e7dc849e37bfcf"

FORMS = {
    # RFC 8906 8.1: basic tests
    "SOA +noedns": ("NOERROR", "qr aa", ""),
    "TYPE1000 +noedns": ("NOERROR", "qr aa", ""),
    "SOA +noedns +cd": ("NOERROR", "qr aa cd", ""),
    "SOA +noedns +ad": ("NOERROR", "qr aa", ""),
    "SOA +noedns +zflag": ("NOERROR", "qr aa", ""),
    "SOA +noedns +opcode=15 +header-only": ("NOTIMP", "qr", ""),
    "SOA +noedns +tcp": ("NOERROR", "qr aa", ""),
    # RFC 8906 8.2: EDNS
    "SOA +edns=0": ("NOERROR", "qr aa", "version: 0, flags:; udp: 1232"),
    "SOA +edns=1 +noednsneg": ("BADVERS", "qr", "version: 0, flags:; udp: 1232"),
    "SOA +edns=0 +ednsopt=100": ("NOERROR", "qr aa", "version: 0, flags:; udp: 1232"),
    "SOA +edns=0 +ednsflags=0x0040": (
        "NOERROR",
        "qr aa",
        "version: 0, flags:; udp: 1232",
    ),
    "SOA +edns=1 +noednsneg +ednsopt=100": (
        "BADVERS",
        "qr",
        "version: 0, flags:; udp: 1232",
    ),
    "SOA +edns=0 +dnssec": ("NOERROR", "qr aa", "version: 0, flags: do; udp: 1232"),
    "SOA +edns=1 +noednsneg +dnssec": (
        "BADVERS",
        "qr",
        "version: 0, flags: do; udp: 1232",
    ),
    "SOA +edns=0 +nsid": ("NOERROR", "qr aa", "version: 0, flags:; udp: 1232"),
    "SOA +edns=0 +subnet=192.0.2.0/24": (
        "NOERROR",
        "qr aa",
        "version: 0, flags:; udp: 1232",
    ),
    "SOA +edns=0 +ad +cd +rec": ("NOERROR", "qr aa rd cd", "version: 0, flags:"),
    "SOA +bufsize=0": ("NOERROR", "qr aa", "udp: 1232"),
    "SOA +bufsize=511": ("NOERROR", "qr aa", "udp: 1232"),
    "SOA +bufsize=4096": ("NOERROR", "qr aa", "udp: 1232"),
}
"""The words after ``dig example.com``; status, flags and the line about EDNS in the
reply, "" for no such line."""


class DigTests(SynchronousTestCase):
    """One server, asked in many ways."""

    def setUp(self) -> None:
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        self.server = self.start()

    def start(self, **settings: object) -> Any:
        given = {f"dns.{key}": value for key, value in settings.items()}
        return self.stack.enter_context(
            running_process(dns=True, zones={"example.com": ZONE}, settings=given)
        )

    def dig(self, *words: str, server: Any = None) -> str:
        """What dig says.  UDP and TCP have ports of their own here, so that it is told
        not to go from one to the other."""
        common = ("+norec", "+tries=1", "+nocookie", "+noad", "+nobadcookie", "+ignore")
        kind = "tcp" if "+tcp" in words else "udp"
        port = (server or self.server).port("dns", kind)
        where = ("@127.0.0.1", "-p", str(port))
        return run(located("dig"), *where, *common, *words)

    @property
    def udp(self) -> str:
        return str(self.server.port("dns", "udp"))

    def raw(self, data: bytes) -> Message:
        """The reply to a packet that dig does not send."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(10)
            asking.sendto(data, ("127.0.0.1", int(self.udp)))
            return Message.parse(asking.recv(4096))

    def test_forms(self) -> None:
        """Every form gets the status, flags and EDNS line that it should."""
        for form, (status, flags, about_edns) in FORMS.items():
            out = self.dig("example.com", *form.split())
            self.assertIn(f"status: {status}", out, form)
            self.assertIn(f";; flags: {flags}; ", out.replace("; MBZ", ";"), form)
            found = re.search(r"; EDNS: (.*)", out)
            self.assertIn(about_edns, found[1] if found else "", form)
            self.assertEqual(bool(about_edns), bool(found), form)
            self.assertNotIn("malformed", out, form)
            self.assertNotIn("MBZ", out, form)
            self.assertNotIn("OPT=100", out, form)

    def test_truncation(self) -> None:
        """What is too long for a datagram comes with TC, and whole over TCP."""
        for size in ((), ("+bufsize=512",), ("+bufsize=4096",), ("+noedns",)):
            out = self.dig("big.example.com", "TXT", *size)
            self.assertIn("flags: qr aa tc;", out)
            self.assertIn("ANSWER: 0", out)
            out = self.dig("big.example.com", "TXT", "+tcp", *size)
            self.assertIn("ANSWER: 20", out)

    def test_two_opts(self) -> None:
        """Two OPT records are a format error.  RFC 6891 6.1.1."""
        opt = Edns(1232).encode()
        data = question("www.example.com.", "A")
        data = data[:10] + b"\0\2" + data[12:] + opt + opt
        self.assertEqual(Rcode.FORMERR, self.raw(data).rcode)

    def test_extended_errors(self) -> None:
        """dig and kdig show why there is no answer."""
        self.assertIn(": 20 (Not Authoritative)", self.dig("foreign.example"))
        where = ("@127.0.0.1", "-p", self.udp, "+edns")
        out = run(located("kdig"), *where, "foreign.example")
        self.assertIn(": 20 (Not Authoritative)", out)

    def test_cookies(self) -> None:
        """dig takes our cookie for good, comes back with it, and both agree; kdig
        too."""
        out = self.dig("www.example.com", "+cookie")
        found = re.search(r"; COOKIE: ([0-9a-f]{48}) \(good\)", out)
        assert found is not None, out
        again = self.dig("www.example.com", f"+cookie={found[1]}")
        self.assertRegex(again, r"; COOKIE: [0-9a-f]{48}")
        where = (
            "@127.0.0.1",
            "-p",
            self.udp,
            "+edns",
            "+cookie",
        )
        self.assertRegex(
            run(located("kdig"), *where, "www.example.com"), "COOKIE: [0-9A-F]{48}"
        )

    def test_required(self) -> None:
        """Where cookies are required dig gets one with BADCOOKIE and then its answer;
        without cookies it gets TC, and the answer over TCP."""
        server = self.start(require_cookies=True, cookie_secrets=[SECRET])
        out = self.dig("www.example.com", "+cookie", server=server)
        self.assertIn("status: BADCOOKIE", out)
        out = self.dig("www.example.com", "+cookie", "+badcookie", server=server)
        self.assertIn("status: NOERROR", out)
        self.assertIn("192.0.2.80", out)
        out = self.dig("www.example.com", server=server)
        self.assertIn("flags: qr tc;", out)
        out = self.dig("www.example.com", "+tcp", server=server)
        self.assertIn("192.0.2.80", out)

    def test_one_secret(self) -> None:
        """A server with the same secret takes the cookie, one with another does not."""
        first, same, other = (
            self.start(require_cookies=True, cookie_secrets=[secret])
            for secret in (SECRET, SECRET, SECRET[::-1])
        )
        out = self.dig("www.example.com", "+cookie", server=first)
        found = re.search(r"; COOKIE: ([0-9a-f]{48})", out)
        assert found is not None, out
        cookie = f"+cookie={found[1]}"
        self.assertIn("NOERROR", self.dig("www.example.com", cookie, server=same))
        self.assertIn("BADCOOKIE", self.dig("www.example.com", cookie, server=other))

    def test_cookie_alone(self) -> None:
        """dig can ask for a cookie and nothing else.  RFC 7873 5.4."""
        out = self.dig("+header-only", "+cookie")
        self.assertIn("status: NOERROR", out)
        self.assertIn("QUERY: 0, ANSWER: 0", out)
        self.assertRegex(out, r"; COOKIE: [0-9a-f]{48} \(good\)")
