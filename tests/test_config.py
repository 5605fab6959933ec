"""The configuration: what is taken, what is refused, and in which words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.config.conversion import from_text, structure, written
from netservices.config.discovery import Found
from netservices.config.loading import CommandLine, default_state_directory, load
from netservices.core.errors import ConfigurationError
from netservices.core.settings import Duration, PortRange, Size, settings_of
from netservices.plugin import ProtocolPlugin
from tests.house.configurations import ECHO, ECHO_FOUND, EchoSettings, load_text

SETTINGS = {setting.key: setting for setting in settings_of(EchoSettings)}


class SourceTests(SynchronousTestCase):
    """The file as such, and the place where relative names begin."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def refusal(self, content: bytes) -> str:
        """Why a file is refused."""
        self.path.write_bytes(content)
        command_line = CommandLine(file=str(self.path))
        return str(self.assertRaises(ConfigurationError, load, command_line))

    def test_byte_order_mark(self) -> None:
        """A file that an editor began with a byte order mark is read."""
        self.path.write_bytes(b'\xef\xbb\xbf[server]\nhostname = "a.example"\n')
        found = load(CommandLine(file=str(self.path)))
        self.assertEqual("a.example", found.hostname)

    def test_longest(self) -> None:
        """Of a device that never ends, no more is read than a configuration can be."""
        error = self.assertRaises(
            ConfigurationError, load, CommandLine(file="/dev/zero")
        )
        self.assertIn("is longer than 1 MB", str(error))

    def test_nul(self) -> None:
        """No setting holds a NUL, which no path can; the message shows it escaped."""
        words = self.refusal(b'[server]\nstate = "a\\u0000b"\n')
        self.assertIn('state = "a\\u0000b": a setting cannot hold a NUL', words)

    def test_endless_durations(self) -> None:
        """A duration has an end."""
        for value in (b"inf", b"nan", b'"' + b"9" * 400 + b's"'):
            words = self.refusal(b"[store]\npoll_interval = " + value + b"\n")
            self.assertIn("a duration has an end", words)

    def test_directory(self) -> None:
        """Relative names begin where the process was started, wherever it is now."""
        directory = self.path.absolute()
        directory.mkdir()
        (directory / "x.toml").write_text('[server]\nstate = "s"\n')
        found = load(CommandLine(file="x.toml", directory=str(directory)))
        self.assertEqual(str(directory / "s"), found.state_directory)

    def test_directory_that_is_gone(self) -> None:
        """Where the working directory was removed, a relative state is refused, and an
        absolute one taken."""
        here = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
        self.addCleanup(os.close, here)
        gone = self.path.absolute()
        gone.mkdir()
        os.chdir(gone)
        try:
            gone.rmdir()
            found = load(CommandLine(flags={"--state": ("server.state", "/s")}))
            wanted = CommandLine(flags={"--state": ("server.state", "s")})
            error = self.assertRaises(ConfigurationError, load, wanted)
        finally:
            os.fchdir(here)
        self.assertEqual("/s", found.state_directory)
        self.assertIn("working directory is gone", str(error))


class ValueTests(SynchronousTestCase):
    """Values of the file and of the command line become typed ones."""

    def echo(self, text: str, *assignments: str) -> Any:
        """The echo settings that file and ``--set`` make."""
        return load_text(text, found=ECHO_FOUND, assignments=assignments).echo

    def test_types_of_the_file(self) -> None:
        """Durations, sizes, ranges, lists, numbers and switches are read as such."""
        echo = self.echo(
            """
            [echo]
            passive_ports = "1000-1009"
            patience = "2m"
            longest = "128K"
            peers = ["a", "b"]
            waits = ["30s", 90]
            is_loud = true
            factor = 2
            note = "words"
            """
        )

        self.assertEqual(PortRange(1000, 1009), echo.passive_ports)
        self.assertEqual(120.0, echo.patience)
        self.assertEqual(131072, echo.longest)
        self.assertEqual(("a", "b"), echo.peers)
        self.assertEqual((30.0, 90.0), echo.waits)
        self.assertIs(True, echo.is_loud)
        self.assertEqual(2.0, echo.factor)
        self.assertEqual("words", echo.note)

    def test_types_of_the_command_line(self) -> None:
        """``--set`` takes the same values as bare words, lists with commas or TOML."""
        echo = self.echo(
            "",
            "echo.passive_ports=1000",
            "echo.patience=90",
            "echo.longest=4096",
            'echo.peers=["a,b", "c"]',
            "echo.waits=1s,2s",
            "echo.is_loud=yes",
            "echo.factor=0.5",
            "echo.count=9",
            "echo.greeting=a=b",
            "echo.note=1",
        )

        self.assertEqual(PortRange(1000, 1000), echo.passive_ports)
        self.assertEqual(Duration(90), echo.patience)
        self.assertEqual(Size(4096), echo.longest)
        self.assertEqual(("a,b", "c"), echo.peers)
        self.assertEqual((1.0, 2.0), echo.waits)
        self.assertIs(True, echo.is_loud)
        self.assertEqual(0.5, echo.factor)
        self.assertEqual(9, echo.count)
        self.assertEqual("a=b", echo.greeting)
        self.assertEqual("1", echo.note)

    def test_the_command_line_wins(self) -> None:
        """``--set`` replaces the file's value, a later one an earlier, a flag both."""
        text = '[echo]\ngreeting = "file"\n[server]\nstate = "/file"\n'
        configuration = load_text(
            text,
            found=ECHO_FOUND,
            assignments=("echo.greeting=one", "echo.greeting=two", "server.state=/set"),
            flags={"--state": ("server.state", "/flag")},
        )

        self.assertEqual("two", configuration.echo.greeting)
        self.assertEqual("/flag", configuration.server.state)

    @given(st.floats(0, 1e9).map(Duration) | st.integers(0, 1 << 50).map(Size))
    def test_written_values_can_be_read(self, value: Duration | Size) -> None:
        """What ``written`` prints is a value that reads back to within its unit."""
        kind = type(value)
        text = written(value).strip('"')
        again = kind.parse(int(text) if text.isdigit() else text)  # type: ignore[arg-type]

        self.assertLess(abs(float(value) - float(again)), 0.001)

    @given(st.text(max_size=40), st.sampled_from(sorted(SETTINGS)))
    def test_any_text(self, text: str, key: str) -> None:
        """Any text is a value of the right type, or a ValueError with one line."""
        setting = SETTINGS[key]
        try:
            structure(from_text(text, setting.type), setting)
        except ValueError as error:
            self.assertEqual(1, len(str(error).splitlines()))


class ErrorTests(SynchronousTestCase):
    """Each error names file, line, section, key and value, and the way out."""

    def refused(self, text: str = "", **arguments: Any) -> str:
        """The error's text, the directory of the file removed."""
        error = self.assertRaises(
            ConfigurationError, load_text, text, found=ECHO_FOUND, **arguments
        )
        self.assertEqual(2, error.exit_status)
        message = str(error)
        self.assertEqual(1, len(message.splitlines()), message)
        place, slash, rest = message.partition("x.toml")
        return slash + rest if slash else place

    def test_unknown_key(self) -> None:
        """A misspelt key is answered with the nearest one."""
        text = '# a\n[echo]\n\npassive_port = "1-2"\n'

        self.assertEqual(
            'x.toml:4: [echo] passive_port = "1-2": no such setting; did you mean'
            " passive_ports?",
            self.refused(text),
        )

    def test_unknown_key_on_the_command_line(self) -> None:
        """The same for ``--set``."""
        self.assertEqual(
            "--set echo.passive_port=1-2: no such setting; did you mean"
            " echo.passive_ports?",
            self.refused(assignments=("echo.passive_port=1-2",)),
        )

    def test_unknown_key_without_a_near_one(self) -> None:
        """Where nothing is near, all that there is is listed."""
        message = self.refused("[plain]\nzzz = 1\n")

        self.assertEqual(
            "x.toml:2: [plain] zzz = 1: no such setting; there are enabled, listen",
            message,
        )

    def test_key_of_another_section(self) -> None:
        """A setting that stands in one other section is found there."""
        self.assertEqual(
            'x.toml:2: [plain] drain_deadline = "5s": no such setting; did you mean'
            " server.drain_deadline?",
            self.refused("[plain]\ndrain_deadline = '5s'\n"),
        )

    def test_unknown_section(self) -> None:
        """A misspelt section is answered with the nearest one."""
        self.assertEqual(
            "x.toml:1: [servers]: no such section; did you mean server?",
            self.refused("[servers]\nstate = '/x'\n"),
        )

    def test_key_outside_a_section(self) -> None:
        """A setting before the first section is explained."""
        self.assertEqual(
            'x.toml:1: state = "/x": settings stand in sections, such as [server]',
            self.refused("state = '/x'\n"),
        )

    def test_wrong_values(self) -> None:
        """What is wanted is said in words, for every type and limit."""
        for written_value, reason in (
            ("passive_ports = '9-1'", "ports lie between 0 and 65535"),
            ("patience = 'soon'", "a duration such as 30s, 5m or 2d is wanted"),
            ("patience = '11m'", "at most 10m is wanted"),
            ("patience = '0s'", "at least 1s is wanted"),
            ("longest = 'big'", "a size such as 512, 64K, 10M or 5G is wanted"),
            ("longest = '2M'", "at most 1M is wanted"),
            ("greeting = 1", "text in quotation marks is wanted"),
            ("flavour = 'bitter'", "one of sweet, sour is wanted"),
            ("peers = 'a'", "a list in square brackets is wanted"),
            ("peers = [1]", "text in quotation marks is wanted"),
            ("waits = ['x']", "a duration such as 30s, 5m or 2d is wanted"),
            ("is_loud = 1", "true or false is wanted"),
            ("is_loud = 'true'", "true or false is wanted"),
            ("factor = 'x'", "a number is wanted"),
            ("factor = -0.5", "at least 0.0 is wanted"),
            ("count = 1.0", "a whole number is wanted"),
            ("count = true", "a whole number is wanted"),
            ("count = 10", "at most 9 is wanted"),
            ("patience = {a = 1}", "one value is wanted, not a list or table"),
        ):
            message = self.refused(f"[echo]\n{written_value}\n")
            self.assertIn(reason, message)
            self.assertTrue(message.startswith("x.toml:2: [echo] "), message)

    def test_wrong_assignments(self) -> None:
        """``--set`` without section, key or equals sign says what is wanted."""
        for text in ("echo", "echo.count", "count=1", ".count=1", "echo.=1"):
            self.assertIn("is wanted", self.refused(assignments=(text,)))
        message = self.refused(assignments=("echo.count=many",))
        self.assertEqual("--set echo.count=many: a whole number is wanted", message)

    def test_wrong_flag(self) -> None:
        """A flag is named as it was typed."""
        message = self.refused(flags={"--port-offset": ("server.port_offset", "x")})

        self.assertEqual("--port-offset x: a whole number is wanted", message)

    def test_wrong_endpoint(self) -> None:
        """A listen setting says which endpoint is wrong, and how one is written."""
        message = self.refused("[echo]\nlisten = ['tpc:21']\n")
        self.assertTrue(message.startswith('x.toml:2: [echo] listen = ["tpc:21"]: '))
        self.assertIn("tcp", message.rpartition(":")[0])

        message = self.refused(listen={"echo": ("tcp:99999",)})
        self.assertEqual(
            "--echo-listen tcp:99999: 'tcp:99999': port '99999': 0 to 65535 is wanted",
            message,
        )

    def test_offset_out_of_range(self) -> None:
        """An offset that moves a port out of the range is refused."""
        message = self.refused(flags={"--port-offset": ("server.port_offset", "70000")})

        self.assertEqual("--port-offset 70000: at most 64000 is wanted", message)

    def test_not_toml(self) -> None:
        """A syntax error has its line."""
        message = self.refused("[server]\nstate = \n")

        self.assertTrue(message.startswith("x.toml: not TOML: "), message)
        self.assertIn("line 2", message)

    def test_unreadable_files(self) -> None:
        """A file that is missing, a directory, or no UTF-8 is one line."""
        directory = self.mktemp()
        os.mkdir(directory)
        Path(directory, "latin").write_bytes(b"[server]\nhostname = '\xe4'\n")
        for path, reason in (
            ("/nowhere/x.toml", "No such file or directory"),
            (directory, "Is a directory"),
            (os.path.join(directory, "latin"), "not UTF-8"),
        ):
            error = self.assertRaises(
                ConfigurationError, load, CommandLine(file=path), ECHO_FOUND
            )
            self.assertTrue(str(error).startswith(f"{path}: {reason}"), str(error))

    def test_settings_that_cannot_be_loaded(self) -> None:
        """A plugin whose settings class is not there is named, with the reason."""
        broken = ProtocolPlugin(
            name="broken",
            target="nowhere.make",
            summary="",
            listen=(),
            settings="tests.house.nowhere.Settings",
        )
        found = Found({"broken": broken}, ())
        error = self.assertRaises(
            ConfigurationError, load_text, "[broken]\nenabled = true\n", found=found
        )
        self.assertEqual(
            "plugin broken: settings 'tests.house.nowhere.Settings' cannot be loaded:"
            " ModuleNotFoundError: No module named 'tests.house.nowhere'",
            str(error),
        )

    @given(st.text(max_size=200))
    def test_any_file(self, text: str) -> None:
        """Any text is a configuration or a ConfigurationError, never another one."""
        try:
            load_text(text.replace("\r", ""), found=ECHO_FOUND)
        except ConfigurationError as error:
            self.assertIn("x.toml", str(error))


class ProtocolTests(SynchronousTestCase):
    """Which protocols run, where, and in which order."""

    def enabled(self, text: str = "", **arguments: Any) -> list[str]:
        """The names of the protocols that run."""
        configuration = load_text(text, **arguments)
        return [protocol.plugin.name for protocol in configuration.enabled()]

    def test_built_in_ones_by_default(self) -> None:
        """Without flags and configuration the built-in protocols run."""
        names = self.enabled()

        self.assertIn("ftp", names)
        self.assertIn("dns", names)

    def test_strangers_only_when_asked(self) -> None:
        """A plugin of somebody else runs when the configuration or a flag says so."""
        self.assertEqual([], self.enabled(found=ECHO_FOUND))
        self.assertEqual(
            ["echo"], self.enabled("[echo]\nenabled = true", found=ECHO_FOUND)
        )
        self.assertEqual(
            ["plain"], self.enabled(found=ECHO_FOUND, protocols=("plain",))
        )

    def test_flags_replace_the_configuration(self) -> None:
        """With a protocol flag exactly the protocols named by flags run."""
        text = "[echo]\nenabled = true\n"

        self.assertEqual(
            ["plain"], self.enabled(text, found=ECHO_FOUND, protocols=("plain",))
        )

    def test_offset_and_interface(self) -> None:
        """The offset moves default endpoints, the interface every one without its
        own."""
        configuration = load_text(
            "[server]\nport_offset = 8000\ninterface = '127.0.0.1'\n"
            "[plain]\nlisten = ['udp:9', 'udp:0:interface=::1']\n",
            found=ECHO_FOUND,
        )

        self.assertEqual(
            ["udp:8007:interface=127.0.0.1", "tcp:8007:interface=127.0.0.1"],
            [str(e) for e in configuration.protocols["echo"].endpoints],
        )
        self.assertEqual(
            ["udp:9:interface=127.0.0.1", "udp:0:interface=[::1]"],
            [str(e) for e in configuration.protocols["plain"].endpoints],
        )

    def test_order(self) -> None:
        """A plugin starts after those that it names."""
        first = ProtocolPlugin("zulu", "x.y", "", ())
        second = ProtocolPlugin("alpha", "x.y", "", (), after=("zulu",))
        found = Found({"alpha": second, "zulu": first}, ())

        names = self.enabled(found=found, protocols=("alpha", "zulu"))

        self.assertEqual(["zulu", "alpha"], names)

    def test_circle(self) -> None:
        """Plugins that wait for each other are refused."""
        one = ProtocolPlugin("one", "x.y", "", (), after=("two",))
        two = ProtocolPlugin("two", "x.y", "", (), after=("one",))
        found = Found({"one": one, "two": two}, ())
        configuration = load_text("", found=found, protocols=("one", "two"))

        error = self.assertRaises(ConfigurationError, configuration.enabled)

        self.assertEqual("plugins that wait for each other: one, two", str(error))

    def test_attributes(self) -> None:
        """Sections and protocols are attributes; anything else is an AttributeError."""
        configuration = load_text("", found=ECHO_FOUND, protocols=("echo",))

        self.assertEqual("hello", configuration.echo.greeting)
        self.assertIs(configuration.sections["tls"], configuration.tls)
        self.assertIs(ECHO, configuration.protocols["echo"].plugin)
        self.assertRaises(AttributeError, lambda: configuration.gopher)


class StateDirectoryTests(SynchronousTestCase):
    """Where the state is, when nobody says."""

    def test_systemd(self) -> None:
        """systemd's ``$STATE_DIRECTORY`` wins; of several, the first."""
        self.patch(os, "environ", {**os.environ, "STATE_DIRECTORY": "/a:/b"})

        self.assertEqual("/a", default_state_directory())

    def test_root(self) -> None:
        """root's is the system's."""
        environ = {k: v for k, v in os.environ.items() if k != "STATE_DIRECTORY"}
        self.patch(os, "environ", environ)
        self.patch(os, "geteuid", lambda: 0)

        self.assertEqual("/var/lib/netservices", default_state_directory())

    def test_user(self) -> None:
        """A user's is below ``$XDG_STATE_HOME``."""
        environ = {"XDG_STATE_HOME": "/home/joe/state"}
        self.patch(os, "environ", environ)
        self.patch(os, "geteuid", lambda: 1000)

        self.assertEqual("/home/joe/state/netservices", default_state_directory())
