"""Lines of ``dns.views``: what they mean, and what is said of wrong ones."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.policy import Client
from netservices.dns.views import View, Views
from netservices.dns.wire.names import parse_name
from netservices.dns.wire.tsig import Key

OFFICE = Key(parse_name("office."), parse_name("hmac-sha256."), b"secret")


class MeaningTests(SynchronousTestCase):
    """Who sees what."""

    def test_networks(self) -> None:
        """A client in one of the networks has the view; an IPv4 address that came over
        IPv6 is the IPv4 address."""
        views = Views(["inside clients=10.0.0.0/8,fd00::/8"])
        for address in ("10.1.2.3", "fd00::1", "::ffff:10.9.9.9"):
            self.assertEqual("inside", views.of(address, ""))
        for address in ("11.0.0.1", "2001:db8::1", ""):
            self.assertEqual("", views.of(address, ""))

    def test_first_wins(self) -> None:
        """The first line that fits is the view."""
        views = Views(["lab clients=10.7.0.0/16", "inside clients=10.0.0.0/8"])
        self.assertEqual("lab", views.of("10.7.0.1", ""))
        self.assertEqual("inside", views.of("10.8.0.1", ""))

    def test_key(self) -> None:
        """A signed request has the view of its key; the same client without it has
        not."""
        views = Views(["inside clients=key:office"])
        signed = views.see(Client("192.0.2.1", key=OFFICE))
        self.assertEqual("inside", signed.view)
        self.assertEqual("", views.see(Client("192.0.2.1")).view)

    def test_server(self) -> None:
        """The address of ours that was asked chooses the view; over TCP as over UDP."""
        views = Views(["root server=127.0.0.11", "net server=127.0.0.12,2001:db8::/64"])
        self.assertEqual("root", views.of("192.0.2.1", "127.0.0.11"))
        self.assertEqual("net", views.of("192.0.2.1", "::ffff:127.0.0.12"))
        self.assertEqual("net", views.of("192.0.2.1", "2001:db8::53"))
        self.assertEqual("", views.of("192.0.2.1", ""))

    def test_both(self) -> None:
        """Where clients and server are written, both must fit."""
        views = Views(["inside clients=10.0.0.0/8 server=192.0.2.53"])
        self.assertEqual("inside", views.of("10.0.0.1", "192.0.2.53"))
        self.assertEqual("", views.of("10.0.0.1", "192.0.2.54"))
        self.assertEqual("", views.of("11.0.0.1", "192.0.2.53"))

    def test_zones(self) -> None:
        """``zones=`` limits what is there; names in any letter case, with or without
        the final dot."""
        view = View.parse("root server=127.0.0.11 zones=.,Example.COM")
        self.assertTrue(view.shows(b"\0"))
        self.assertTrue(view.shows(parse_name("example.com.")))
        self.assertFalse(view.shows(parse_name("example.org.")))
        self.assertTrue(View.parse("all clients=any").shows(parse_name("x.")))

    def test_same_client(self) -> None:
        """A client whose view is right stays the same value."""
        client = Client("192.0.2.1")
        self.assertIs(client, Views([]).see(client))


class WrongLineTests(SynchronousTestCase):
    """What is said of a line that is wrong."""

    def assert_refused(self, expected: str, *lines: str) -> None:
        with self.assertRaises(ValueError) as caught:
            Views(lines)
        self.assertIn(expected, str(caught.exception))
        self.assertIn("dns.views: ", str(caught.exception))

    def test_words(self) -> None:
        """The nearest right word is named."""
        for line, expected in (
            ("inside client=10.0.0.0/8", "no client=; did you mean clients=?"),
            ("inside servers=127.0.0.1", "did you mean server=?"),
            ("inside x=1", "there are clients=, server= and zones="),
            ("inside 10.0.0.0/8", "write clients=10.0.0.0/8 or server=10.0.0.0/8"),
            ("inside clients", "write clients=..."),
            ("inside clients=loopbak", "did you mean loopback?"),
            ("inside clients=office", "a key is written key:office"),
            ("inside clients=10.0.0.0/33", "is not a network"),
            ("inside clients=10.0.0.0/8,", "nothing behind"),
            ("inside server=ns1", "an address such as 127.0.0.11"),
            ("inside server=::1 zones=a..b", "empty label"),
            ("inside clients=any clients=any", "clients= is there twice"),
            ("inside zones=.", "is for nobody"),
            ("inside", "is for nobody"),
            ("Inside clients=any", "no name of a view"),
            ("in_side clients=any", "no name of a view"),
            ("", "no name of a view"),
        ):
            self.assert_refused(expected, line)

    def test_twice(self) -> None:
        """A name is one view's."""
        self.assert_refused("is there twice", "a clients=any", "a server=::1")
