"""A delegation is registered with a foreign server as the parent's primary."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from netservices.cli import main
from tests.interop.dns_programs import short_place
from tests.interop.test_dns_peers import Peer, bind_configuration
from tests.programs import located, run

SECRET = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
KEY = f'key "registrar" {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n'
ZONE = """$TTL 60
@ SOA ns.nic hostmaster.nic 1 2 3 4 5
@ NS ns.nic
ns.nic A 127.0.0.12
taken A 192.0.2.1
deep.ent A 192.0.2.2
"""


def registry_configuration(place: Path, port: int, zones: list[str]) -> str:
    """named.conf of a primary that takes updates with the key."""
    text = bind_configuration(place, port, zones)
    return KEY + text.replace(
        "type primary;", 'type primary; allow-update { key "registrar"; };'
    )


class RegisterTests(SynchronousTestCase):
    """``netservices zone register`` with named as the registry of ``test.``"""

    def setUp(self) -> None:
        program = located("named")
        place = short_place()
        self.addCleanup(shutil.rmtree, place)
        texts = {"test.": ZONE, "ready.test.": ZONE}
        self.named = Peer(program, place, texts, registry_configuration)
        self.addCleanup(self.named.stop)
        self.named.wait()
        self.key = place / "registrar.key"
        self.key.write_text(KEY)

    def invoke(self, *words: str, has_key: bool = True) -> Any:
        server = ("--server", f"127.0.0.1@{self.named.port}")
        key = ("--key-file", str(self.key)) if has_key else ()
        return CliRunner().invoke(
            main, ["zone", "register", *words, *server, *key, "--json"]
        )

    def action(self, *words: str) -> str:
        result = self.invoke(*words)
        self.assertEqual(0, result.exit_code, result.output)
        row = json.loads(result.stdout)
        self.assertEqual("test.", row["parent"])
        return str(row["action"])

    def refusal(self, *words: str, has_key: bool = True) -> str:
        result = self.invoke(*words, has_key=has_key)
        self.assertEqual(1, result.exit_code, result.output)
        self.assertNotIn("Traceback", result.output)
        return str(result.stderr)

    def delegation(self, name: str = "example.test") -> set[str]:
        """What dig is referred to."""
        out = run(
            located("dig"), "@127.0.0.1", "-p", str(self.named.port), "+norec",
            "+noall", "+authority", "+additional", name, "NS",
        )  # fmt: skip
        return {" ".join(line.split()[3:]) for line in out.splitlines() if line}

    def test_life(self) -> None:
        """A delegation is registered, stays as it is, is replaced only when that is
        said, and removed."""
        first = ("example.test", "--ns", "ns.example.test=127.0.0.13")
        self.assertEqual("registered", self.action(*first))
        self.assertEqual({"NS ns.example.test.", "A 127.0.0.13"}, self.delegation())
        self.assertEqual("unchanged", self.action(*first))
        second = (
            "example.test", "--ns", "ns2.example.test=2001:db8::2", "--ns", "ns.out.",
            "--ds", "1 8 2 " + "ab" * 32,
        )  # fmt: skip
        self.assertIn("delegated to ns.example.test. already", self.refusal(*second))
        self.assertEqual("replaced", self.action(*second, "--replace"))
        wanted = {"NS ns2.example.test.", "NS ns.out.", "AAAA 2001:db8::2"}
        self.assertEqual(wanted, self.delegation())
        self.assertEqual("unchanged", self.action(*second))
        self.assertEqual("removed", self.action("example.test", "--remove"))
        self.assertIn("is not delegated", self.refusal("example.test", "--remove"))

    def test_refusals(self) -> None:
        """Names with records, names that hide others, and keys that are missing."""
        ns = ("--ns", "ns.out.")
        self.assertIn("has records in test. already", self.refusal("taken.test", *ns))
        self.assertIn("has records in test. already", self.refusal("ent.test", *ns))
        self.assertIn("may not be changed", self.refusal("a.test", *ns, has_key=False))
        self.assertIn("no zone above", self.refusal("example.edu", *ns))
        self.key.write_text(KEY.replace("MDEy", "MDAw"))
        self.assertIn("BADSIG", self.refusal("a.test", *ns))

    def test_child_on_the_same_server(self) -> None:
        """Where the parent's server has the child's zone too, it cannot be asked for
        the delegation; what is there is not overwritten all the same."""
        words = ("ready.test", "--ns", "ns.nic.test")
        self.assertEqual("registered", self.action(*words))
        other = ("ready.test", "--ns", "ns.out.")
        self.assertIn("already", self.refusal(*other))

    def test_nobody_there(self) -> None:
        """A server that is not there is an error in words."""
        self.named.stop()
        self.assertIn("no answer from", self.refusal("a.test", "--ns", "ns.out."))
