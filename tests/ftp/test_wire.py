"""Commands, replies, addresses, facts, listings and text on the wire."""

from __future__ import annotations

import contextlib

import attrs
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.dialogue import Then
from netservices.core.errors import Refused, SyntaxProblem
from netservices.ftp import wire
from netservices.ftp.wire import Command, HostPort, Replies, Reply
from netservices.values import Node, NodeKind

octets = st.binary(max_size=60)
ports = st.integers(1, 65535)
ipv4 = st.ip_addresses(v=4).map(str)
ipv6 = st.ip_addresses(v=6).map(lambda a: wire.normal_address(str(a)))


class CommandTests(SynchronousTestCase):
    """``parse_command`` and ``strip_telnet``."""

    def test_table(self) -> None:
        """A verb is letters in any case; the argument keeps its spaces.  RFC 959
        5.3."""
        for line, verb, argument in (
            (b"NOOP", "NOOP", b""),
            (b"noop", "NOOP", b""),
            (b"CwD a b ", "CWD", b"a b "),
            (b"CWD  a", "CWD", b" a"),
            (b"STOR caf\xc3\xa9", "STOR", b"caf\xc3\xa9"),
            (b"STOR a\r\0b", "STOR", b"a\rb"),
            (b"STOR a\xff\xffb", "STOR", b"a\xffb"),
            (b"\xff\xf4\xff\xf2ABOR", "ABOR", b""),
            (b"\xf4\xffABOR", "ABOR", b""),
            (b"RETR \xff\xfb\x01x", "RETR", b"x"),
            (b"RE\xff\xfaanything\xff\xf0TR x", "RETR", b"x"),
        ):
            with self.subTest(line=line):
                self.assertEqual(Command(verb, argument), wire.parse_command(line))

    def test_nonsense(self) -> None:
        """What has no verb, or a NUL, is a syntax problem and nothing worse."""
        for line in (
            b"",
            b" NOOP",
            b"N-OP",
            b"STOR a\0b",
            b"\0",
            b"\xff",
            b"\x80",
            b"A" * 17,
        ):
            with self.subTest(line=line):
                self.assertRaises(SyntaxProblem, wire.parse_command, line)

    def test_octet_255_that_was_not_doubled(self) -> None:
        """A legacy name with the octet 255 survives without Telnet's doubling."""
        self.assertEqual(b"a\xffb", wire.strip_telnet(b"a\xffb"))
        self.assertEqual(b"a\xff", wire.strip_telnet(b"a\xff"))

    @given(octets.filter(lambda data: b"\xff" not in data))
    def test_telnet_leaves_the_rest_alone(self, data: bytes) -> None:
        """Octets other than 255 pass as they are, and doubled ones come out single."""
        self.assertEqual(data, wire.strip_telnet(data))
        self.assertEqual(b"\xff" + data, wire.strip_telnet(b"\xff\xff" + data))

    @given(octets)
    def test_any_octets(self, line: bytes) -> None:
        """Every line is a command or a syntax problem."""
        try:
            command = wire.parse_command(line)
        except SyntaxProblem:
            return
        self.assertTrue(command.verb.isalnum() and command.verb.isupper())
        self.assertNotIn(0, command.argument)

    @given(octets)
    def test_names_are_octets(self, name: bytes) -> None:
        """Names come back as the octets that they were.  RFC 2640 2.2"""
        self.assertEqual(name, wire.UTF8.encode(wire.UTF8.decode(name)))


class ReplyTests(SynchronousTestCase):
    """``Reply``, ``Replies`` and ``ReplyReader``."""

    def test_encode(self) -> None:
        """One line, or several with the inner ones padded.  RFC 959 4.2"""
        self.assertEqual(b"200 OK\r\n", Reply(200, "OK").encode())
        reply = Reply(211, ("Extensions:", "211 x", "End"))
        self.assertEqual(b"211-Extensions:\r\n 211 x\r\n211 End\r\n", reply.encode())
        self.assertEqual(b"214 only\r\n", Reply(214, ("only",)).encode())

    def test_no_line_can_be_injected(self) -> None:
        """A line end in a name does not end the reply."""
        self.assertEqual(b"257 a??200 b\r\n", Reply(257, "a\r\n200 b").encode())
        reply = Reply(213, ("a\n", "b\r", "c\0"))
        self.assertEqual(b"213-a?\r\n b?\r\n213 c?\r\n", reply.encode())

    def test_octet_255_is_doubled(self) -> None:
        """As Telnet wants it on the control connection.  RFC 854"""
        name = wire.UTF8.decode(b"a\xff")
        self.assertEqual(b"250 a\xff\xff\r\n", Reply(250, name).encode())

    def test_replies_leave_together(self) -> None:
        """The parts in order, and what the last one asks for."""
        both = Replies((Reply(226, "a"), Reply(221, "b", Then.CLOSE)))
        self.assertEqual(b"226 a\r\n221 b\r\n", both.encode())
        self.assertIs(Then.CLOSE, both.then)

    @given(st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=20))
    def test_quotes(self, path: str) -> None:
        """Quotes in a path are doubled, and halved again.  RFC 959 A II"""
        quoted = wire.quoted(path)
        self.assertEqual(path, wire.unquoted(quoted + " created"))
        self.assertEqual(0, quoted.count('"') % 2)

    def test_unquoted_nonsense(self) -> None:
        """A 257 without a path is noticed."""
        for text in ("", "a", '"a', 'x "a"'):
            self.assertRaises(SyntaxProblem, wire.unquoted, text)

    lines = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)

    @given(st.integers(100, 599), st.lists(lines, min_size=1, max_size=5))
    def test_round_trip(self, code: int, lines: list[str]) -> None:
        """What the server prints the client reads."""
        text = lines[0] if len(lines) == 1 else tuple(lines)
        reader = wire.ReplyReader()
        found = [
            reader.take(line) for line in Reply(code, text).encode().split(b"\r\n")[:-1]
        ]
        self.assertEqual([None] * (len(lines) - 1), found[:-1])
        last = found[-1]
        assert last is not None
        self.assertEqual(tuple(lines), last.lines)
        self.assertEqual(code, last.code)

    def test_reader_refuses(self) -> None:
        """Lines that are no reply, and replies without end."""
        self.assertRaises(SyntaxProblem, wire.ReplyReader().take, b"hello")
        self.assertRaises(SyntaxProblem, wire.ReplyReader().take, b"99 x")
        reader = wire.ReplyReader(longest=2)
        reader.take(b"211-a")
        reader.take(b" b")
        self.assertRaises(SyntaxProblem, reader.take, b" c")


class AddressTests(SynchronousTestCase):
    """PORT, EPRT, PASV and EPSV."""

    @given(ipv4, ports)
    def test_port_round_trip(self, host: str, port: int) -> None:
        """PORT and PASV carry the same six numbers.  RFC 959 4.1.2"""
        target = HostPort(host, port)
        written = wire.format_port(target)
        self.assertEqual(target, wire.parse_port(written.encode()))
        self.assertEqual(target, wire.parse_pasv_reply(wire.format_pasv(target)))

    @given(ipv4 | ipv6.filter(lambda host: ":" in host), ports)
    def test_eprt_round_trip(self, host: str, port: int) -> None:
        """Both families.  RFC 2428 2"""
        target = HostPort(host, port)
        self.assertEqual(target, wire.parse_eprt(wire.format_eprt(target).encode()))
        self.assertEqual(port, wire.parse_epsv_reply(wire.format_epsv(port)))

    def test_port_nonsense(self) -> None:
        """Numbers above 255, too few, too many, port 0."""
        for argument in (
            b"127,0,0,1,7", b"127,0,0,1,7,138,1", b"256,0,0,1,7,138",
            b"127,0,0,1,7,256", b"127,0,0,1,0,0", b"a,b,c,d,e,f", b"", b"1,2,3,4,-5,6",
            b"127.0.0.1.7.138", b"127,0,0,1,7,1380", b"0x7f,0,0,1,7,138",
        ):  # fmt: skip
            with self.subTest(argument=argument):
                self.assertRaises(SyntaxProblem, wire.parse_port, argument)

    def test_eprt_nonsense(self) -> None:
        """Wrong delimiters, addresses, families and ports."""
        for argument in (
            b"", b"|", b"|1|127.0.0.1|", b"|1|127.0.0.1|80", b"x|1|127.0.0.1|80|",
            b"|1|::1|80|", b"|2|127.0.0.1|80|", b"|1|127.0.0.1|0|", b"|1|localhost|80|",
            b"|1|127.0.0.1|65536|", b"|1|127.0.0.1|99999999999|", b"|1|127.0.0.1|80|x",
            b"|2|fe80::1%eth0|80|", b"|x|127.0.0.1|80|", b" | 1|127.0.0.1|80|",
            b"\xff1\xff127.0.0.1\xff80\xff",
        ):  # fmt: skip
            with self.subTest(argument=argument):
                self.assertRaises(SyntaxProblem, wire.parse_eprt, argument)
        self.assertRaises(Refused, wire.parse_eprt, b"|3|127.0.0.1|80|")

    def test_epsv_argument(self) -> None:
        """A family, ALL in any case, or nothing.  RFC 2428 3"""
        self.assertIsNone(wire.parse_epsv_argument(b""))
        self.assertEqual(4, wire.parse_epsv_argument(b"1"))
        self.assertEqual(6, wire.parse_epsv_argument(b"2"))
        self.assertEqual("ALL", wire.parse_epsv_argument(b"all"))
        self.assertRaises(Refused, wire.parse_epsv_argument, b"9")
        self.assertRaises(SyntaxProblem, wire.parse_epsv_argument, b"x")

    def test_replies_of_other_servers(self) -> None:
        """Parentheses and text around the numbers differ.  RFC 1123 4.1.2.6"""
        expected = HostPort("10.0.0.1", 1025)
        for text in ("=10,0,0,1,4,1", "Entering (10,0,0,1,4,1)", "10,0,0,1,4,1 ok"):
            self.assertEqual(expected, wire.parse_pasv_reply(text))
        self.assertRaises(SyntaxProblem, wire.parse_pasv_reply, "nothing")
        self.assertRaises(SyntaxProblem, wire.parse_epsv_reply, "nothing")

    @given(octets)
    def test_any_octets(self, argument: bytes) -> None:
        """Every argument is an address or one of the known problems."""
        for parse in (wire.parse_port, wire.parse_eprt, wire.parse_epsv_argument):
            with contextlib.suppress(SyntaxProblem, Refused):
                parse(argument)

    def test_normal_address(self) -> None:
        """Mapped addresses are IPv4, scopes go."""
        self.assertEqual("192.0.2.1", wire.normal_address("::ffff:192.0.2.1"))
        self.assertEqual("fe80::1", wire.normal_address("fe80:0::1%eth0"))


class TextTests(SynchronousTestCase):
    """TYPE A both ways."""

    cut = st.lists(st.sampled_from([b"\r", b"\n", b"a", b"\r\n"]), max_size=12).map(
        b"".join
    )

    @given(st.lists(cut, max_size=6))
    def test_out_in_pieces(self, pieces: list[bytes]) -> None:
        """Cuts make no difference, and the length is what SIZE says.  RFC 3659 4"""
        encoder = wire.ToNVT()
        sent = b"".join(map(encoder.feed, pieces)) + encoder.finish()
        whole = b"".join(pieces)
        self.assertEqual(wire.ToNVT().feed(whole), sent)
        bare = whole.count(b"\n") - whole.count(b"\r\n")
        self.assertEqual(len(whole) + bare, len(sent))
        self.assertEqual(0, sent.count(b"\n") - sent.count(b"\r\n"))

    @given(st.lists(cut, max_size=6))
    def test_in_in_pieces(self, pieces: list[bytes]) -> None:
        """Cuts make no difference, not even between CR and LF."""
        decoder = wire.FromNVT()
        stored = b"".join(map(decoder.feed, pieces)) + decoder.finish()
        self.assertEqual(b"".join(pieces).replace(b"\r\n", b"\n"), stored)

    @given(st.binary(max_size=40).filter(lambda data: b"\r" not in data))
    def test_round_trip(self, data: bytes) -> None:
        """Text without CR comes back as it was."""
        decoder = wire.FromNVT()
        sent = wire.ToNVT().feed(data)
        self.assertEqual(data, decoder.feed(sent) + decoder.finish())


def node(name: str = "a", kind: NodeKind = NodeKind.FILE, **changes: object) -> Node:
    """A node with an age, a size and a mode."""
    values: dict[str, object] = dict(
        size=5, mtime_ns=1_700_000_000_500_000_000, mode=0o644, id="7", owner="joe"
    )
    return Node(name, kind, **{**values, **changes})  # type: ignore[arg-type]


class ListingTests(SynchronousTestCase):
    """LIST lines, facts and times."""

    def test_list_line(self) -> None:
        """As ls -l writes it."""
        now = 1_700_000_000.0 + 60
        self.assertEqual(
            "-rw-r--r--   1 joe      ftp                 5 Nov 14 22:13 a",
            wire.list_line(node(), now),
        )
        old = wire.list_line(node(), now + 400 * 86400)
        self.assertIn(" Nov 14  2023 a", old)

    def test_list_kinds(self) -> None:
        """Directories and links show their kind."""
        directory = wire.list_line(node(kind=NodeKind.DIRECTORY, mode=0o755), 0)
        self.assertTrue(directory.startswith("drwxr-xr-x   2 "))
        link = wire.list_line(
            node(kind=NodeKind.SYMLINK, mode=0o777, link_target="../b"), 0
        )
        self.assertTrue(link.startswith("lrwxrwxrwx"))
        self.assertTrue(link.endswith(" a -> ../b"))

    def test_line_ends_in_names(self) -> None:
        """A name with a line end is one line."""
        self.assertTrue(wire.list_line(node("a\nb\r"), 0).endswith(" a?b?"))
        self.assertEqual(" a?b", wire.format_facts([], "a\nb"))

    def test_options(self) -> None:
        """Options of ls are skipped; names that begin otherwise are not."""
        for text, path in (
            ("", ""), ("-la", ""), ("-l -a", ""), ("-la dir", "dir"), ("-1 a b", "a b"),
            ("dir", "dir"), ("./-la", "./-la"), ("- a", "- a"), (" a", " a"),
        ):  # fmt: skip
            with self.subTest(text=text):
                self.assertEqual(path, wire.split_list_options(text))

    def test_facts(self) -> None:
        """All facts, and only those that were chosen.  RFC 3659 7.5"""
        everything = wire.facts_of(node(), "adfrw", wire.FACTS)
        self.assertEqual(
            "type=file;perm=adfrw;size=5;modify=20231114221320;unique=7;"
            "unix.mode=0644;unix.owner=joe; a",
            wire.format_facts(everything, "a"),
        )
        wanted = wire.chosen_facts("size;TYPE;nonsense;")
        self.assertEqual(("type", "size"), wanted)
        directory = wire.facts_of(node(kind=NodeKind.DIRECTORY), "el", wanted)
        self.assertEqual(["type=dir"], directory)
        told = wire.facts_of(node(kind=NodeKind.DIRECTORY), "el", wanted, True)
        self.assertEqual(["type=dir", "size=5"], told)
        owned = attrs.evolve(node(), owner="joe", uid=1, gid=2)
        wanted = wire.chosen_facts("unix.uid;unix.gid;UNIX.owner;")
        self.assertEqual(
            ["unix.uid=1", "unix.gid=2", "unix.owner=joe"],
            wire.facts_of(owned, "r", wanted),
        )

    def test_parse_facts(self) -> None:
        """The client's side; names may hold spaces and equal signs."""
        name, facts = wire.parse_facts("Type=file;Size=5; a b=c;d")
        self.assertEqual("a b=c;d", name)
        self.assertEqual({"type": "file", "size": "5"}, facts)
        self.assertEqual(("x", {}), wire.parse_facts(" x"))
        self.assertRaises(SyntaxProblem, wire.parse_facts, "x")

    @given(st.integers(0, 253_402_300_799))
    def test_times(self, seconds: int) -> None:
        """Times come back to the second.  RFC 3659 2.3"""
        mtime_ns = seconds * 1_000_000_000
        self.assertEqual(mtime_ns, wire.parse_time(wire.format_time(mtime_ns)))

    def test_time_table(self) -> None:
        """Fractions, leap seconds and nonsense."""
        self.assertEqual(500_000_000, wire.parse_time("19700101000000.5"))
        self.assertEqual(60_000_000_000, wire.parse_time("19700101000060"))
        for text in ("", "1970", "19701301000000", "19700101006000", "1970010100000061",
                     "19700101000061", "x" * 14, "19700101000000."):  # fmt: skip
            with self.subTest(text=text):
                self.assertRaises(SyntaxProblem, wire.parse_time, text)
