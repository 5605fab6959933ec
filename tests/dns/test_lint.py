"""What ``netservices zone check`` finds beside what forbids to serve a zone."""

from __future__ import annotations

import re
import subprocess

from twisted.trial.unittest import SynchronousTestCase

from netservices.dns.wire.names import is_below
from netservices.dns.zone.tree import ZoneTree
from netservices.dns.zonefile.lint import LEVELS, level_of, lint
from tests.cli.bench import CommandTestCase
from tests.cli.test_zone import ZONE
from tests.dns.authority import make_tree
from tests.programs import located

TODAY = 20261121
SOA = "@ SOA ns1 joe 2026112101 7200 1800 1209600 300\n"
HEAD = "$TTL 3600\n" + SOA + "@ NS ns1\n@ NS ns2\nns1 A 192.0.2.1\nns2 A 192.0.2.2\n"
OTHER = make_tree(HEAD + "alias CNAME ns1\ntext TXT x\n", "other.example.")
CASES = {
    "soa-timers": (
        "7200 1800 1209600 300 -> 1800 7200 1209600 300",
        "7200 1800 1209600 300 -> 60 30 1209600 300",
        "7200 1800 1209600 300 -> 900000 1800 12096000 300",
        "7200 1800 1209600 300 -> 7200 1800 8000 300",
        "7200 1800 1209600 300 -> 7200 1800 86400 300",
        "7200 1800 1209600 300 -> 7200 1800 1209600 900000",
    ),
    "mname": ("SOA ns1 -> SOA nowhere",),
    "rname": ("ns1 joe -> ns1 joe@example.com.",),
    "serial-future": ("2026112101 -> 2027010101",),
    "serial-form": ("2026112101 -> 2026139901",),
    "serial-zero": ("2026112101 -> 0",),
    "one-server": ("@ NS ns2\n -> ",),
    "ds-place": ("@ DS 1 8 1 0123456789012345678901234567890123456789",),
    "spf-twice": ('@ TXT "v=spf1 -all"\n@ TXT "v=spf1" " mx -all"',),
    "dmarc-twice": ('_dmarc TXT "v=DMARC1; p=none"\n_dmarc TXT "v=DMARC1;p=reject"',),
    "dmarc-place": ('dmarc TXT "v=DMARC1; p=none"',),
    "dkim-place": ('mail TXT "v=DKIM1; p=abc"',),
    "missing-dot": (
        "www.example.com A 192.0.2.1",
        "www CNAME ns1.example.com",
        "@ MX 1 ns1.example.com",
    ),
    "srv-name": ("sip.tcp SRV 1 2 3 ns1",),
    "underscore-host": ("my_host A 192.0.2.1",),
    "address-literal": ("@ MX 10 192.0.2.1", "www CNAME 192.0.2.1."),
    "obsolete": ('@ SPF "v=spf1 -all"',),
    "wildcard-place": ("a.*.b A 192.0.2.1",),
    "wildcard-type": ("*.b NS ns1",),
    "wildcard-hidden": ("*.b A 192.0.2.1\nx.ent.b A 192.0.2.1",),
    "too-large": ("".join(f"a TXT {n:04}{'x' * 240}\n" for n in range(300)),),
    "large": ("".join(f"a TXT {n:04}{'x' * 240}\n" for n in range(6)),),
    "ttl-odd": ("a 0 A 192.0.2.1", "a 4w A 192.0.2.1"),
    "cname-chain": ("a CNAME b\nb CNAME ns1",),
    "cname-loop": ("a CNAME b\nb CNAME a", "a CNAME a"),
    "dangling": ("a CNAME no.other.example.", "@ MX 1 no.other.example."),
    "alias": ("@ MX 1 alias.other.example.",),
    "no-address": ("@ MX 1 text.other.example.",),
}
"""By code: records that cause it, or ``old -> new`` in the head of the zone."""
FINE = """\
@ MX 10 ns1
@ TXT "v=spf1 mx -all"
@ TXT "something else"
_dmarc TXT "v=DMARC1; p=none"
x._domainkey TXT "v=DKIM1; p=abc"
_sip._tcp SRV 1 2 3 ns1.other.example.
www CNAME ns1.other.example.
* A 192.0.2.3
nomail MX 0 .
"""


def find(name: bytes) -> ZoneTree | None:
    """The other zone of ours."""
    return OTHER if is_below(name, OTHER.apex) else None


def codes(text: str) -> set[str]:
    """What is found in a zone with these lines."""
    old, arrow, new = text.partition(" -> ")
    zone = HEAD.replace(old, new) if arrow else HEAD + text + "\n"
    return {finding.code for finding in lint(make_tree(zone), TODAY, find)}


class LintTests(SynchronousTestCase):
    """Each mistake has its code."""

    def test_clean(self) -> None:
        """A zone as it should be has no findings."""
        self.assertEqual(set(), codes(FINE))

    def test_cases(self) -> None:
        """Each mistake is found, under its code."""
        for code, texts in CASES.items():
            for text in texts:
                self.assertIn(code, codes(text), text)

    def test_all_codes(self) -> None:
        """Each code of this module is tried here."""
        import inspect

        from netservices.dns.zonefile import lint as module

        said = set(re.findall(r'_about\(\s*"([a-z-]+)"', inspect.getsource(module)))

        self.assertEqual(said, {*CASES, "ptr-twice"})

    def test_levels(self) -> None:
        """Findings are errors, warnings or notes."""
        found = lint(make_tree(HEAD + "a 0 A 192.0.2.1\n@ SPF x\n"), TODAY)

        self.assertEqual({"note"}, {level_of(finding) for finding in found})
        self.assertEqual({"error", "note"}, set(LEVELS.values()))

    def test_reverse(self) -> None:
        """Two pointers of one address are told."""
        tree = make_tree(
            HEAD + "7 PTR a.example.\n7 PTR b.example.\n", "2.0.192.in-addr.arpa."
        )

        self.assertIn("ptr-twice", {f.code for f in lint(tree, TODAY)})


class CommandTests(CommandTestCase):
    """``netservices zone check``."""

    def check(self, text: str, *options: str) -> tuple[int, str]:
        """Exit status and output for a master file."""
        self.path = self.mktemp()
        with open(self.path, "w") as file:
            file.write(text)
        words = ("zone", "check", "example.net", self.path)
        result = self.run_command(*words, *options)
        return result.exit_code, result.output

    def test_levels(self) -> None:
        """Notes are shown if they are wanted."""
        self.assertEqual((0, "No mistakes found.\n"), self.check(ZONE))
        status, text = self.check(ZONE, "--level", "note")

        self.assertEqual(1, status)
        self.assertIn("note\tone-server\texample.net.", text)

    def test_place(self) -> None:
        """A finding in a file has its line."""
        status, text = self.check(ZONE + "@ MX 20 backup\nwww2 CNAME nowhere\n")

        self.assertEqual(1, status)
        self.assertIn(f"nowhere.example.net. does not exist\t{self.path}:11", text)

    def test_mismatched_ttls(self) -> None:
        """Two TTLs in one RRset are told; RFC 2181 5.2."""
        status, text = self.check(ZONE + "www 77 A 192.0.2.99\n")

        self.assertEqual(1, status)
        self.assertIn("ttl-mismatch", text)

    def test_other_zone(self) -> None:
        """Targets in other zones of ours are looked up there."""
        self.command("zone", "create", "example.com")
        status, text = self.check(ZONE + "x CNAME nowhere.example.com.\n")

        self.assertEqual(1, status)
        self.assertIn("nowhere.example.com. does not exist", text)

    def test_unreadable(self) -> None:
        """What cannot be read has exit status 2."""
        self.assertEqual(2, self.check(ZONE + "x A nonsense\n")[0])
        self.assertEqual(2, self.run_command("zone", "check", "x.example").exit_code)

    def test_agrees_with_named(self) -> None:
        """named-checkzone finds the same mistakes, where it looks for them."""
        for lines, is_fine in (
            ("", True),
            ("@ MX 10 nowhere\n", False),
            ("@ MX 10 alias\nalias CNAME www\n", False),
            ("sub NS ns.sub\n", False),
            ("x SRV 1 2 3 nowhere\n", False),
            ("x SRV 1 2 3 alias\nalias CNAME www\n", False),
            ("@ NS alias\nalias CNAME www\n", False),
            ("@ NS nowhere\n", False),
            ("@ MX 10 192.0.2.1\n", False),
            ("www CNAME mail\n", False),
            ("@ SOA a b 1 2 3 4 5\n", False),
            ("sub NS ns.sub\nns.sub A 192.0.2.1\n", True),
            ("x CNAME elsewhere.example.\n", True),
        ):
            is_clean = self.check(ZONE + lines)[0] == 0
            self.assertEqual(is_fine, is_clean, lines)
            self.assertEqual(is_fine, self.satisfies_named(), lines)

    def satisfies_named(self) -> bool:
        """Whether named-checkzone is content."""
        command = [located("named-checkzone"), "-i", "local"]
        for option in "kmnrMS":
            command += [f"-{option}", "fail"]
        command += ["example.net", self.path]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        return result.returncode == 0 and " has no " not in result.stdout
