"""The command line of ``twistd netservices``."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from netservices import __version__
from netservices.config.discovery import Found, find_plugins
from netservices.tap import FLAGS, Options
from tests.house.configurations import ECHO_FOUND
from tests.house.twistd import ROOT, environment, run_twistd


class OptionsTests(SynchronousTestCase):
    """Options made from plugins."""

    def parsed(self, *arguments: str, found: Found = ECHO_FOUND) -> Options:
        """The options that a command line makes."""
        options = Options(found)
        options.parseOptions(list(arguments))
        return options

    def refused(self, *arguments: str, found: Found = ECHO_FOUND) -> str:
        """What a wrong command line prints on standard error; its status is 2."""
        output = io.StringIO()
        self.patch(sys, "stderr", output)
        leaving = self.assertRaises(SystemExit, self.parsed, *arguments, found=found)
        self.assertEqual(2, leaving.code)
        text = output.getvalue()
        self.assertEqual(1, len(text.splitlines()), text)
        return text.strip()

    def printed(self, *arguments: str, found: Found = ECHO_FOUND) -> str:
        """What a command line that only prints prints; its status is 0."""
        output = io.StringIO()
        self.patch(sys, "stdout", output)
        leaving = self.assertRaises(SystemExit, self.parsed, *arguments, found=found)
        self.assertIn(leaving.code, (0, None))
        return output.getvalue()

    def configuration(self, *arguments: str) -> Any:
        """The configuration that a command line makes."""
        return self.parsed(*arguments).configuration

    def test_every_option(self) -> None:
        """All options of the contract, together."""
        made = self.configuration(
            *("--state", "/s", "--interface=127.0.0.1", "--port-offset", "100"),
            *("--echo", "--plain", "--set", "echo.count=5", "--set=echo.note=x"),
            *("--echo-listen", "tcp:1", "--echo-listen", "udp:2"),
        )

        self.assertEqual("/s", made.state_directory)
        self.assertEqual((5, "x"), (made.echo.count, made.echo.note))
        self.assertEqual(
            ["tcp:1:interface=127.0.0.1", "udp:2:interface=127.0.0.1"],
            [str(endpoint) for endpoint in made.protocols["echo"].endpoints],
        )
        self.assertEqual(109, made.protocols["plain"].endpoints[0].port)
        self.assertEqual(["echo", "plain"], [p.plugin.name for p in made.enabled()])

    def test_unknown_option(self) -> None:
        """A misspelt option is one line with the nearest one, and status 2."""
        self.assertEqual(
            "netservices: --port-ofset: no such option; did you mean --port-offset?"
            " (twistd netservices --help shows the options)",
            self.refused("--port-ofset", "8000"),
        )

    def test_listen_of_an_unknown_protocol(self) -> None:
        """``--NAME-listen`` is compared with the protocols there are."""
        self.assertIn(
            "--tls-listen: no such option; there are the protocols echo, plain",
            self.refused("--tls-listen", "tcp:1"),
        )
        self.assertIn(
            "did you mean --echo-listen?", self.refused("--eccho-listen=tcp:1")
        )

    def test_check_refuses(self) -> None:
        """``--check`` refuses whatever a start would refuse."""
        for words, reason in (
            ("accounts.checker=file:/nope", "no such file"),
            ("accounts.mechanisms=PLAN", "did you mean PLAIN?"),
            ("limits.exempt=127.0.0.0/8,foo", "'foo' is not a network"),
            ("ftp.masquerade_address=foo", "'foo' is no IPv4 address"),
            ("tls.ciphers=nope", "no cipher in 'nope'"),
            ("tls.client_authorities=/nope", "/nope: No such file"),
            ("tls.certificates=/nope", "/nope: No such file"),
            ("server.hostname=a b", "a host name such as"),
            ("server.interface=foo", "an IP address such as"),
            ("log.events=/proc/x/y", "cannot be written"),
            ("log.events=/dev", "cannot be written"),
        ):
            text = self.refused(
                "--check", "--ftp", "--set", words, found=find_plugins()
            )
            self.assertIn(reason, text)
        text = self.refused("--check", "--echo", "--echo-listen", "systemd:x")
        self.assertIn("it passed none", text)
        text = self.refused("--check", "--plain", "--plain-listen", "udp:fd=777")
        self.assertIn("descriptor 777 is not a socket", text)

    def test_abbreviations(self) -> None:
        """An abbreviation is refused: a new plugin would change what it means."""
        self.assertIn(
            "--ech: no such option; did you mean --echo?", self.refused("--ech")
        )

    def test_options_of_twistd(self) -> None:
        """``-n`` behind ``netservices`` is explained."""
        self.assertIn("stand before netservices", self.refused("-n"))
        self.assertIn("file.toml: no such option", self.refused("file.toml"))

    def test_missing_value(self) -> None:
        """An option at the end that wants a value says so."""
        self.assertIn("--set: a value is wanted", self.refused("--echo", "--set"))

    def test_flag_with_a_value(self) -> None:
        """A flag takes none."""
        self.assertIn("--echo", self.refused("--echo=yes"))

    def test_value_that_looks_like_an_option(self) -> None:
        """The value of an option may begin with dashes."""
        made = self.configuration(
            "--echo", "--set", "echo.greeting=--hello", "--state", "--x"
        )

        self.assertTrue(made.state_directory.endswith("/--x"))

    def test_wrong_setting(self) -> None:
        """An error of the configuration is one line, and status 2."""
        self.assertEqual(
            "netservices: --set echo.cuont=1: no such setting; did you mean"
            " echo.count?",
            self.refused("--set", "echo.cuont=1"),
        )

    def test_version(self) -> None:
        """``--version`` is ours, not Twisted's."""
        self.assertEqual(f"netservices {__version__}\n", self.printed("--version"))

    def test_help(self) -> None:
        """``--help`` fits on a screen and names every option and protocol."""
        text = self.printed("--help", found=find_plugins())

        self.assertLess(len(text.splitlines()), 25)
        self.assertLess(max(map(len, text.splitlines())), 81)
        for name in (*FLAGS, "check", "version", "help", "ftp", "dns"):
            self.assertIn(f"--{name}", text)

    def test_check(self) -> None:
        """``--check`` prints what would run, and leaves with 0."""
        text = self.printed("--check", "--echo", "--port-offset", "8000")

        self.assertIn("echo      *:8007   TCP  tcp:8007", text)
        self.assertNotIn("plain", text)

    def test_nothing_enabled(self) -> None:
        """A start that would serve nothing is refused, and says what there is."""
        for arguments in ((), ("--check",)):
            self.assertIn("--echo", self.refused(*arguments))

    def test_no_prefix_clashes(self) -> None:
        """No option is the beginning of another one, but for a protocol's own
        ``-listen``: getopt would take the shorter for the longer."""
        names = {option.rstrip("=") for option in Options(find_plugins()).longOpt}
        clashes = {
            (short, long)
            for short in names
            for long in names
            if long.startswith(short) and long not in (short, f"{short}-listen")
        }

        self.assertEqual(set(), clashes)


class CommandTests(SynchronousTestCase):
    """The command as it is typed, in a process of its own."""

    def plugin_directory(self, text: str) -> Path:
        """A directory for ``PYTHONPATH`` with one more plugin file."""
        directory = Path(self.mktemp()).absolute()
        (directory / "twisted" / "plugins").mkdir(parents=True)
        (directory / "twisted" / "plugins" / "broken_plugin.py").write_text(text)
        return directory

    def last_line(self, text: str) -> str:
        """Our line; before it stand the tracebacks that twistd itself prints when it
        looks for its commands."""
        lines = text.splitlines()
        self.assertEqual(1, sum(line.startswith("netservices: ") for line in lines))
        return lines[-1]

    def test_check(self) -> None:
        """``twistd -n netservices --check`` shows both protocols, with status 0."""
        # A public address, so that there is nothing to warn of.
        public = ("--set", "ftp.masquerade_address=8.8.8.8")
        done = run_twistd(
            "--check", "--port-offset", "8000", "--state", "/nowhere", *public
        )

        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertIn("/nowhere", done.stdout)
        self.assertRegex(done.stdout, r"ftp +\*:8021 +TCP")
        self.assertRegex(done.stdout, r"dns +\*:8053 +UDP")
        self.assertFalse(os.path.exists("/nowhere"))

    def test_python_m_twisted(self) -> None:
        """``python -m twisted netservices`` works from a checkout."""
        import subprocess

        env = environment()
        del env["PYTHONPATH"]
        done = subprocess.run(
            [sys.executable, "-m", "twisted", "netservices", "--check"]
            + ["--interface", "127.0.0.1"],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual((0, ""), (done.returncode, done.stderr))
        self.assertIn("ftp", done.stdout)

    def test_wrong_configuration(self) -> None:
        """A wrong file is one line on standard error and status 2."""
        path = Path(self.mktemp()).absolute()
        path.write_text("[ftp]\npassive_port = '1-2'\n")

        done = run_twistd("--config", str(path), "--check")

        self.assertEqual(2, done.returncode)
        self.assertEqual("", done.stdout)
        self.assertEqual(
            f'netservices: {path}:2: [ftp] passive_port = "1-2": no such setting; did'
            " you mean passive_ports?\n",
            done.stderr,
        )

    def test_broken_plugin_file(self) -> None:
        """A plugin file that fails is one line that names it; the rest works."""
        directory = self.plugin_directory("import nowhere_at_all\n")

        done = run_twistd("--check", "--dns", paths=(directory,))

        self.assertEqual(0, done.returncode, done.stderr)
        self.assertEqual(
            f"netservices: warning: plugin {directory}/twisted/plugins/broken_plugin.py"
            ":1 cannot be used: ModuleNotFoundError: No module named"
            " 'nowhere_at_all'",
            self.last_line(done.stderr),
        )

    def test_plugin_file_with_a_syntax_error(self) -> None:
        """The same for one that is no Python."""
        directory = self.plugin_directory("def\n")

        done = run_twistd("--check", "--dns", paths=(directory,))

        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn(
            "broken_plugin.py:1 cannot be used: SyntaxError",
            self.last_line(done.stderr),
        )

    def test_plugin_with_a_bad_target(self) -> None:
        """A plugin whose code is not there is named with the reason, by ``--check``."""
        directory = self.plugin_directory(
            "from netservices.plugin import ProtocolPlugin\n"
            "gopher = ProtocolPlugin(name='gopher', target='no_gopher.make_server',\n"
            "    summary='Gopher.', listen=('tcp:70',))\n"
        )

        done = run_twistd("--check", "--gopher", paths=(directory,))

        self.assertEqual(
            (
                2,
                "netservices: plugin gopher: target 'no_gopher.make_server' cannot be"
                " loaded: ModuleNotFoundError: No module named 'no_gopher'\n",
            ),
            (done.returncode, done.stderr),
        )

    def test_plugin_with_the_name_of_an_option(self) -> None:
        """A plugin called like an option of ours is refused by name."""
        directory = self.plugin_directory(
            "from netservices.plugin import ProtocolPlugin\n"
            "state = ProtocolPlugin(name='state', target='a.b', summary='',\n"
            "    listen=())\n"
        )

        done = run_twistd("--check", "--dns", paths=(directory,))

        self.assertEqual(
            (
                0,
                "netservices: warning: plugin state (a.b) cannot be used: an option or"
                " a section of netservices has that name\n",
            ),
            (done.returncode, done.stderr),
        )

    def test_plugin_with_a_bad_name(self) -> None:
        """A plugin whose name cannot be a flag is refused with the reason."""
        directory = self.plugin_directory(
            "from netservices.plugin import ProtocolPlugin\n"
            "gopher = ProtocolPlugin(name='Go pher', target='a.b',\n"
            "    summary='', listen=())\n"
        )

        done = run_twistd("--check", "--dns", paths=(directory,))

        self.assertIn(
            "'Go pher' is not lower-case letters", self.last_line(done.stderr)
        )
