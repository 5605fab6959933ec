"""What a start imports, and what it does without until somebody wants it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from netservices.plugin import Server
from netservices.service.late import import_late
from tests.house.twistd import SECONDS, environment

_START = """
import json, sys
from twisted.internet import reactor
from netservices.service.house import NetServices
from netservices.tap import Options

options = Options()
options.parseOptions(sys.argv[1:])
house = NetServices(options.configuration, reactor)

async def run():
    try:
        await house.start()
        late = [name for one in house.servers.values() for name in one.late_modules]
        print(json.dumps({"there": sorted(sys.modules), "late": late}))
        await house.stop()
    finally:
        reactor.stop()

def begin():
    from twisted.internet.defer import Deferred
    Deferred.fromCoroutine(run()).addErrback(lambda failure: failure.printTraceback())

reactor.callWhenRunning(begin)
reactor.run()
"""

# cryptography and pyOpenSSL are there: Twisted's reactor imports them.
LIBRARIES = (
    *("aioquic", "click", "dns", "h2", "hypothesis", "jinja2", "nh3", "psycopg"),
    *("publicsuffixlist", "pytest", "rich", "tomllib"),
    *("twisted.conch", "twisted.mail", "twisted.names", "twisted.web"),
    "twisted.internet.endpoints",
)
OURS = (
    *("accounts.sasl", "accounts.sasl_client", "cli", "store.backup", "store.check"),
    *("testing", "tls.selfsigned"),
    *("ftp.client", "ftp.mirror", "ftp.wire.listed"),
    *("dns.client.ask", "dns.client.link", "dns.server.refresh", "dns.zonefile"),
)
NOT_AT_START = (*LIBRARIES, *(f"netservices.{name}" for name in OURS))
"""Modules, and packages with all that is in them."""


def inside(names: Iterable[str], packages: Iterable[str]) -> list[str]:
    """Those of ``names`` that are one of ``packages`` or in it."""
    wanted = tuple(packages)
    return [
        name
        for name in names
        if any(name == one or name.startswith(f"{one}.") for one in wanted)
    ]


class ImportTests(SynchronousTestCase):
    """The modules of a server that has just started, in a process of its own."""

    def setUp(self) -> None:
        self.state = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.state)

    def started(self) -> dict[str, list[str]]:
        """The modules after a start of all protocols: those there, those to follow."""
        done = subprocess.run(
            [
                *(sys.executable, "-c", _START),
                *("--state", self.state),
                "--ftp-listen=tcp:0:interface=127.0.0.1",
                "--dns-listen=udp:0:interface=127.0.0.1",
                "--http-listen=tcp:0:interface=127.0.0.1",
            ],
            env=environment(),
            capture_output=True,
            check=False,
            text=True,
            timeout=SECONDS,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        found: dict[str, list[str]] = json.loads(done.stdout)
        return found

    def test_later_start(self) -> None:
        """A start on a state directory that exists imports nothing that only some
        sessions, commands or first starts want, and nothing that is to come late."""
        self.started()
        found = self.started()
        self.assertEqual([], inside(found["there"], NOT_AT_START))
        self.assertEqual([], sorted(set(found["there"]) & set(found["late"])))


class LateTests(SynchronousTestCase):
    """What is imported once everything listens."""

    def test_imported(self) -> None:
        """Modules that servers name are there when the thread has ended."""
        names = ("netservices.ftp.wire.ebcdic", "netservices.ftp.wire.blocks")
        import_late([Server(late_modules=names[:1]), Server(late_modules=names[1:])])
        thread = import_late([Server(late_modules=names)])
        thread.join()
        self.assertEqual([], [name for name in names if name not in sys.modules])

    def test_broken(self) -> None:
        """One that cannot be imported is logged, and the others follow."""
        names = ("netservices.nowhere", "netservices.ftp.wire.blocks")
        import_late([Server(late_modules=names)]).join()
        self.assertIn(names[1], sys.modules)
        failures = self.flushLoggedErrors(ModuleNotFoundError)
        self.assertEqual(1, len(failures))
