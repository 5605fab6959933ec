"""Reverse zones from forward records."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.wire.names import is_below, name_text, parse_name
from netservices.dns.zonefile.reverse import (
    MAX_ZONES,
    delegation_lines,
    gather,
    network_of,
    pointers,
    reverse_origins,
    reverse_owner,
)
from tests.cli.bench import CommandTestCase
from tests.cli.test_zone import ZONE
from tests.dns.authority import make_tree

V4 = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32)).map(
    lambda pair: ip_network((pair[0], pair[1]), strict=False)
)
V6 = st.tuples(st.integers(0, 2**128 - 1), st.integers(0, 128)).map(
    lambda pair: ip_network((pair[0] | 1 << 127, pair[1]), strict=False)
)


class NameTests(SynchronousTestCase):
    """Networks and the names of their zones."""

    def names(self, network: str) -> list[str]:
        """The zones of a network."""
        return [name_text(name) for name, _ in reverse_origins(ip_network(network))]

    def test_boundaries(self) -> None:
        """A network that ends at an octet or nibble is one zone; RFC 1035 3.5, RFC 3596
        2.5."""
        for network, name in (
            ("192.0.2.0/24", "2.0.192.in-addr.arpa."),
            ("10.0.0.0/8", "10.in-addr.arpa."),
            ("0.0.0.0/0", "in-addr.arpa."),
            ("192.0.2.7/32", "7.2.0.192.in-addr.arpa."),
            ("2001:db8::/32", "8.b.d.0.1.0.0.2.ip6.arpa."),
            ("::/0", "ip6.arpa."),
        ):
            self.assertEqual([name], self.names(network))

    def test_between(self) -> None:
        """What lies between two boundaries is several zones, up to a limit."""
        expected = [f"{n}.0.10.in-addr.arpa." for n in range(4)]
        self.assertEqual(expected, self.names("10.0.0.0/22"))
        self.assertEqual(2, len(self.names("2001:db8::/31")))
        self.assertEqual(MAX_ZONES, len(self.names("10.0.0.0/12")))
        self.assertRaises(ValueError, self.names, "10.0.0.0/9")

    def test_classless(self) -> None:
        """A part of a /24 has a zone of its own below that of the /24; RFC 2317 4."""
        network = ip_network("192.0.2.64/26")
        ((name, _),) = reverse_origins(network)

        self.assertEqual("64/26.2.0.192.in-addr.arpa.", name_text(name))
        self.assertEqual(
            "65.64/26.2.0.192.in-addr.arpa.",
            name_text(reverse_owner(ip_address("192.0.2.65"), name)),
        )
        self.assertEqual(
            ["$GENERATE 64-127 $ CNAME $.64/26.2.0.192.in-addr.arpa."],
            delegation_lines(name, network),
        )

    @given(st.one_of(V4, V6))
    def test_there_and_back(self, network: Any) -> None:
        """The name of a zone tells its network, and every address has its name in
        it."""
        try:
            found = reverse_origins(network)
        except ValueError:
            return
        for name, part in found:
            self.assertEqual(part, network_of(name))
            self.assertTrue(is_below(reverse_owner(part[-1], name), name))

    def test_no_reverse_zone(self) -> None:
        """Other names have no network."""
        for name in (
            "example.com.",
            "x.in-addr.arpa.",
            "256.in-addr.arpa.",
            "1.2.3.4.5.in-addr.arpa.",
            "10.ip6.arpa.",
            "g.ip6.arpa.",
            "1/99.2.0.192.in-addr.arpa.",
        ):
            self.assertIsNone(network_of(parse_name(name)), name)


class PointerTests(SynchronousTestCase):
    """Which pointers a reverse zone gets."""

    network = ip_network("192.0.2.0/24")
    origin = parse_name("2.0.192.in-addr.arpa.")
    head = "$TTL 60\n@ SOA ns1.example.com. joe 1 2 3 4 5\n@ NS ns1.example.com.\n"

    def names(self, text: str) -> Any:
        """Who has which address in ``example.com``."""
        tree = make_tree(self.head + text)
        return gather([(tree.apex, tree.rrsets())])

    def put(self, forward: str, reverse: str = "", has_all: bool = False) -> Any:
        """What goes, and what is put: names and targets."""
        tree = make_tree(self.head + reverse, "2.0.192.in-addr.arpa.")
        removed, added = pointers(
            self.origin,
            self.network,
            tree.rrsets(),
            self.names(forward),
            [parse_name("example.com.")],
            has_all,
        )
        return (
            {name_text(owner) for owner, _ in removed},
            {name_text(r.owner): [name_text(t) for t in r.rdatas] for r in added},
        )

    def test_one_name(self) -> None:
        """Of several names of a host, that which mail or NS records use is best, then
        one below the zone's own; wildcards are none."""
        _, added = self.put(
            "@ A 192.0.2.1\n@ MX 1 smtp\nwww A 192.0.2.1\nsmtp A 192.0.2.1\n"
            "a A 192.0.2.2\n@ A 192.0.2.2\n* A 192.0.2.3\nother A 198.51.100.1\n"
        )

        self.assertEqual(
            {
                "1.2.0.192.in-addr.arpa.": ["smtp.example.com."],
                "2.2.0.192.in-addr.arpa.": ["a.example.com."],
            },
            added,
        )

    def test_all_names(self) -> None:
        """All names, if that is wanted."""
        _, added = self.put("a A 192.0.2.2\nb A 192.0.2.2\n", has_all=True)

        self.assertEqual([["a.example.com.", "b.example.com."]], list(added.values()))

    def test_right_ones_stay(self) -> None:
        """A pointer to a name that has the address stays, also where another would be
        chosen."""
        changed = self.put("a A 192.0.2.2\nzz A 192.0.2.2\n", "2 PTR ZZ.example.com.\n")

        self.assertEqual((set(), {}), changed)

    def test_stale(self) -> None:
        """A pointer to a name that lost the address goes, or is replaced; one to a name
        elsewhere stays."""
        removed, added = self.put(
            "a A 192.0.2.2\n",
            "2 PTR old.example.com.\n3 PTR old.example.com.\n4 PTR x.example.net.\n",
        )

        self.assertEqual({"3.2.0.192.in-addr.arpa."}, removed)
        self.assertEqual(["2.2.0.192.in-addr.arpa."], list(added))


class CommandTests(CommandTestCase):
    """``netservices zone reverse``."""

    def setUp(self) -> None:
        super().setUp()
        path = self.mktemp()
        with open(path, "w") as file:
            file.write(ZONE)
        self.command("zone", "import", "example.net", path)

    def pointed(self, origin: str) -> dict[str, str]:
        """The pointers of a reverse zone."""
        rows = self.rows("zone", "record", "list", origin, "--type", "PTR")
        return {row["name"]: row["data"] for row in rows}

    def test_make(self) -> None:
        """A new zone has the servers of the forward zone, and a pointer for each
        address."""
        self.command("zone", "reverse", "192.0.2.0/24")
        origin = "2.0.192.in-addr.arpa"

        self.assertEqual("ns1.example.net.", self.pointed(origin)[f"53.{origin}."])
        self.assertEqual(3, len(self.pointed(origin)))
        rows = self.rows("zone", "record", "list", origin, "--type", "NS")
        self.assertEqual(["ns1.example.net."], [row["data"] for row in rows])

    def test_dry_run(self) -> None:
        """With --dry-run the changes are shown alone."""
        text = self.command("zone", "reverse", "192.0.2.0/24", "--dry-run")

        self.assertIn("+53.2.0.192.in-addr.arpa. 3600 IN PTR ns1.example.net.", text)
        self.assertNotIn("in-addr", str(self.rows("zone", "list")))

    def test_update(self) -> None:
        """For a forward zone, the reverse zones of its addresses are brought up to
        date; addresses without one are named."""
        self.command("zone", "reverse", "192.0.2.0/24")
        self.command("zone", "record", "add", "example.net", "new", "A", "192.0.2.9")
        self.command("zone", "record", "remove", "example.net", "www", "A")
        result = self.run_command("zone", "reverse", "example.net")

        self.assertEqual(0, result.exit_code)
        self.assertIn("2001:db8::25", result.stderr)
        names = set(self.pointed("2.0.192.in-addr.arpa").values())
        self.assertEqual({"ns1.example.net.", "new.example.net."}, names)
        self.assertEqual("", self.command("zone", "reverse", "example.net"))

    def test_classless(self) -> None:
        """A classless zone, and what the zone above needs for it; RFC 2317."""
        result = self.run_command("zone", "reverse", "192.0.2.0/26")

        self.assertEqual(0, result.exit_code, result.output)
        self.assertIn("$GENERATE 0-63 $ CNAME $.0/26.2.0.192", result.stderr)
        self.assertIn(
            "53.0/26.2.0.192.in-addr.arpa.", self.pointed("0/26.2.0.192.in-addr.arpa")
        )
        self.command(
            "zone",
            "reverse",
            "192.0.2.64/26",
            "--origin",
            "64-127.2.0.192.in-addr.arpa",
        )
        self.assertEqual(2, len(self.pointed("64-127.2.0.192.in-addr.arpa")))

    def test_six(self) -> None:
        """IPv6 addresses have their own; the server may be another."""
        self.command("zone", "reverse", "2001:db8::/64", "--ns", "ns.example.com")
        (zone,) = (
            row["zone"] for row in self.rows("zone", "list") if "ip6" in row["zone"]
        )

        self.assertEqual(["mail.example.net."], list(self.pointed(zone).values()))

    def test_mistakes(self) -> None:
        """A network with too many zones, or no network and no zone, is refused."""
        for words in (
            ("10.0.0.0/9",),
            ("192.0.2.1/24",),
            ("10.0.0.0/22", "--origin", "x.arpa"),
        ):
            self.assertNotEqual("", self.refusal("zone", "reverse", *words))
