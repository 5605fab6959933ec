"""pyftpdlib's functional tests against this server: which of them fail, and why.

By default those that ask for something that this server does in another way on purpose,
each with its reason; with the settings that make it do as pyftpdlib does, none.
"""

from __future__ import annotations

import os
import shutil
import tempfile

from twisted.trial.unittest import SynchronousTestCase

from netservices.testing import running_process
from tests.conformance.pyftpdlib_suite import run

CLASSES = (
    "TestFtpAuthentication",
    "TestFtpDummyCmds",
    "TestFtpCmdsSemantic",
    "TestFtpFsOperations",
    "TestFtpStoreData",
    "TestFtpRetrieveData",
    "TestFtpListingCmds",
    "TestFtpAbort",
    "TestIPv4Environment",
    "TestIPv6Environment",
    "TestIPv6MixedEnvironment",
    "TestCornerCases",
)
PLAIN = tuple(f"test_functional.py::{name}" for name in CLASSES)
WITH_TLS = (
    *(
        f"test_functional_ssl.py::{name}TLSMixin"
        for name in (
            "TestFtpAuthentication",
            "TestTFtpDummyCmds",
            "TestFtpCmdsSemantic",
            "TestFtpFsOperations",
            "TestFtpStoreData",
            "TestFtpRetrieveData",
            "TestFtpListingCmds",
            "TestFtpAbort",
            "TestIPv4Environment",
            "TestIPv6Environment",
            "TestCornerCases",
        )
    ),
    *(
        f"test_functional_ssl.py::TestFTPS::{name}"
        for name in (
            "test_auth",
            "test_pbsz",
            "test_prot",
            "test_feat",
            "test_unforseen_ssl_shutdown",
        )
    ),
)

INSIDE = {
    "test_unforeseen_time_event",
    "test_error_on_callback",
    "test_repr",
    "test_ioloop_fileno",
}
"""They look into the memory of a pyftpdlib server."""

EARLY = {
    "TestIPv4Environment::test_eprt",
    "TestIPv6Environment::test_eprt",
    "TestIPv6MixedEnvironment::test_eprt_v4",
    "TestCornerCases::test_port_race_condition",
    "TestCornerCases::test_active_conn_error",
}
"""They want the server to connect when it hears PORT or EPRT.  RFC 959 3.2 has it
connect at the transfer command, so that a client may listen late and no connection is
made in vain."""

EXACT = {"TestFtpFsOperations::test_size"}
"""It wants SIZE refused in TYPE A.  RFC 3659 4 wants the octets that would be sent, and
they are known here."""

MORE = {"TestFtpDummyCmds::test_stru", "TestFtpDummyCmds::test_mode"}
"""They want STRU R and MODE B and C refused; here these are there (RFC 959 3.1 and
3.4)."""

UNPREPARED = {"TestFtpStoreData::test_stou"}
"""It says STOU first and PORT after the 150.  Without PASV or PORT the answer is 425
(RFC 959 5.4), which a client understands that has forgotten them."""

CLEARED = {
    "TestFtpAuthenticationTLSMixin::test_rein",
    "TestFtpAuthenticationTLSMixin::test_rein_during_transfer",
    "TestFtpCmdsSemanticTLSMixin::test_auth_cmds",
    "TestFtpCmdsSemanticTLSMixin::test_no_auth_cmds",
}
"""They go on in TLS after REIN.  RFC 4217 13: TLS "MUST be cleared"."""

TRUNCATED = {"TestFtpStoreDataTLSMixin::test_quit_during_transfer"}
"""It ends an upload without close_notify, as an attacker could do in the middle of the
file: 426, not 226 (RFC 5246 7.2.1)."""

PLAIN_DEVIATIONS = EARLY | EXACT | MORE | UNPREPARED

BOTH: dict[str, object] = {
    "limits.exempt": "127.0.0.0/8,::1/128",
    "ftp.sessions_per_address": 1000,
}
COMPATIBLE: dict[str, object] = {
    **BOTH,
    "ftp.active_connect": "early",
    "ftp.ascii_size": "refuse",
    "ftp.representations": "common",
    "ftp.rein_ends_tls": False,
    "ftp.lenient_tls_end": True,
}


class SuiteTests(SynchronousTestCase):
    """The suite, plain and over TLS, by default and in the compatible profile."""

    def check(
        self,
        tests: tuple[str, ...],
        settings: dict[str, object],
        deviations: set[str],
        count: int,
    ) -> None:
        """Exactly these fail, of so many."""
        # Short, because the path of a socket in it has a limit.
        state = tempfile.mkdtemp(prefix="netservices-")
        self.addCleanup(shutil.rmtree, state)
        home = os.path.join(state, "files", "user@localhost")
        os.makedirs(home)
        os.symlink(home, os.path.join(state, "pub"))
        listen = ["tcp:0:interface=127.0.0.1", "tcp:0:interface=[::1]"]
        with running_process(
            ftp=True,
            state=state,
            accounts=[("user", "12345")],
            settings={**settings, "ftp.listen": listen},
        ) as server:
            ports = {address: port for _, _, address, port in server.addresses}
            found = run(tests, home, ports)
        counted = {
            name: outcome
            for name, outcome in found.items()
            if name.rpartition("::")[2] not in INSIDE
        }
        failed = {name for name, outcome in counted.items() if outcome == "failed"}
        self.assertEqual(sorted(deviations), sorted(failed))
        self.assertEqual(count, len(counted))

    def test_plain(self) -> None:
        """Without TLS: nine of 87 want something else than the RFCs, or less."""
        self.check(PLAIN, BOTH, PLAIN_DEVIATIONS, 87)

    def test_tls(self) -> None:
        """Over TLS, where the suite skips STOU itself: five more."""
        deviations = _with_tls(PLAIN_DEVIATIONS - UNPREPARED) | CLEARED | TRUNCATED
        self.check(WITH_TLS, BOTH, deviations, 88)

    def test_compatible_plain(self) -> None:
        """All, without TLS, in the compatible profile."""
        self.check(PLAIN, COMPATIBLE, set(), 87)

    def test_compatible_tls(self) -> None:
        """All, over TLS, in the compatible profile."""
        self.check(WITH_TLS, COMPATIBLE, set(), 88)


def _with_tls(names: set[str]) -> set[str]:
    """The same tests in their classes for TLS."""
    found = set()
    for name in names:
        group, _, test = name.partition("::")
        if group == "TestIPv6MixedEnvironment":
            continue
        if group == "TestFtpDummyCmds":
            group = "TestTFtpDummyCmds"
        found.add(f"{group}TLSMixin::{test}")
    return found
