"""A raw FTP session behaves as a small model of RFC 959 does, whatever is said to it.

The model knows who is logged in, the working directory, TYPE, REST, RNFR, EPSV ALL,
whether a data connection is prepared, and every file.  Commands reach the session cut
into pieces and with Telnet sequences among them, which must make no difference.
"""

from __future__ import annotations

import shutil
import struct
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from netservices.ftp.wire import UTF8
from netservices.testing.peers import Peer
from tests.ftp.memory import MemoryFTP, MemoryPort

Path = tuple[str, ...]

NAMES = ["a", "b", "c d", "é", "\udcff"]
segments = st.sampled_from([*NAMES, *NAMES, "..", ".", ""])
written_paths = (
    st.tuples(
        st.sampled_from(["", "", "/"]), st.lists(segments, min_size=1, max_size=3)
    )
    .map(lambda parts: parts[0] + "/".join(parts[1]))
    .filter(bool)
)
contents = st.lists(
    st.sampled_from([b"x", b"yz", b"\n", b"\r\n", b"\r", b"\xff"]), max_size=8
).map(b"".join)


class House(MemoryFTP):
    """What ``MemoryFTP`` asks of a test case."""

    def addCleanup(self, function: Any, *args: Any, **keywords: Any) -> None:
        """The machine removes the state itself."""


def resolve(directory: Path, text: str) -> Path:
    """The path that is meant (RFC 3659 2.2: TVFS)."""
    found = [] if text.startswith("/") else list(directory)
    for segment in text.split("/"):
        if segment == "..":
            found = found[:-1]
        elif segment not in ("", "."):
            found.append(segment)
    return tuple(found)


def to_file(data: bytes) -> bytes:
    """TYPE A inwards."""
    return data.replace(b"\r\n", b"\n")


def to_wire(data: bytes) -> bytes:
    """TYPE A outwards."""
    return to_file(data).replace(b"\n", b"\r\n")


def in_mode(mode: str, data: bytes) -> list[bytes]:
    """What a client sends, in two pieces: a stream, or a block of each."""
    if mode == "S":
        return [data[:3], data[3:]]
    pieces = [data[:3], data[3:], b""]
    return [
        struct.pack(">BH", 64 if at == 2 else 0, len(piece)) + piece
        for at, piece in enumerate(pieces)
    ]


def out_of_mode(mode: str, sent: bytes) -> bytes:
    """What a client has received."""
    if mode == "S":
        return sent
    found, flags = b"", 0
    while not flags & 64:
        flags, count = struct.unpack(">BH", sent[:3])
        found += sent[3 : 3 + count]
        sent = sent[3 + count :]
    assert sent == b""
    return found


class SessionMachine(RuleBasedStateMachine):
    """``tree``: bytes for a file, None for a directory."""

    def __init__(self) -> None:
        super().__init__()
        self.house = House()
        self.peer = Peer(self.house.make_session)
        self.port: MemoryPort = self.house.port
        self.tree: dict[Path, bytes | None] = {(): None}
        self.chunk = 1000
        self.telnet = b""
        self.login = "none"
        self.forget()
        assert self.codes() == ["220"]

    def teardown(self) -> None:
        """What is on the disk is what the model says."""
        found: dict[Path, bytes | None] = {(): None}
        for path in sorted(self.tree, key=len):
            if self.tree[path] is not None:
                continue
            for node in value_of(self.house.tree.list(path)):
                below = (*path, node.name)
                is_file = node.kind.name == "FILE"
                found[below] = self.read(below) if is_file else None
        self.peer.leave()
        shutil.rmtree(self.house.state)
        assert found == self.tree

    def read(self, path: Path) -> bytes:
        """A file from the disk."""
        file = value_of(self.house.tree.open(path))
        try:
            return value_of(file.read(0, 1 << 20))
        finally:
            file.close()

    # --- the session ----------------------------------------------------------------

    def forget(self) -> None:
        """What USER and REIN forget."""
        self.directory: Path = ()
        self.is_ascii = True
        self.mode = "S"
        self.restart = 0
        self.source: Path | None = None
        self.is_epsv_only = False
        self.is_prepared = False

    def codes(self) -> list[str]:
        """The codes of what was said."""
        self.replies = self.peer.receive_lines()
        return [line[:3] for line in self.replies if line[3:4] == " " and line[0] > " "]

    def say(self, verb: str, argument: str | None = None) -> str:
        """Send a command; the code of its one reply, 530 checked."""
        octets = verb.encode()
        if argument is not None:
            octets += b" " + UTF8.encode(argument).replace(b"\xff", b"\xff\xff")
        line = self.telnet + octets + b"\r\n"
        for at in range(0, len(line), self.chunk):
            self.peer.send(line[at : at + self.chunk])
        codes = self.codes()
        self.last = codes[-1]
        assert len(codes) == 1 + (codes[0] in ("125", "150")), codes
        return self.last

    def command(self, verb: str, argument: str | None = None) -> str:
        """As ``say``, for a command that needs a login and may not come between RNFR
        and RNTO; empty where it was refused."""
        code = self.say(verb, argument)
        self.source = None
        if self.login != "in":
            assert code == "530", (verb, code)
            return ""
        return code

    def parent_is_directory(self, path: Path) -> bool:
        """Whether something can be made there."""
        return path[:-1] in self.tree and self.tree[path[:-1]] is None

    # --- rules ----------------------------------------------------------------------

    @rule(chunk=st.sampled_from([1, 2, 7, 1000]))
    def cut(self, chunk: int) -> None:
        """From now on, octets arrive in pieces of that size."""
        self.chunk = chunk

    @rule(
        telnet=st.sampled_from([b"", b"\xff\xf1", b"\xff\xf4\xff\xf2", b"\xff\xfd\x06"])
    )
    def begin_with(self, telnet: bytes) -> None:
        """From now on, commands come behind a Telnet sequence."""
        self.telnet = telnet

    @rule()
    def log_in(self) -> None:
        """USER and PASS."""
        assert self.say("USER", "alice") == "331"
        self.forget()
        assert self.say("PASS", "secret") == "230"
        self.login = "in"

    @rule()
    def user(self) -> None:
        """USER alone."""
        assert self.say("USER", "alice") == "331"
        self.forget()
        self.login = "named"

    @rule()
    def password(self) -> None:
        """PASS, whenever."""
        code = self.say("PASS", "secret")
        assert code == ("230" if self.login == "named" else "503")
        self.source = None
        if code == "230":
            self.login = "in"

    @rule()
    def reinitialize(self) -> None:
        """REIN."""
        if self.command("REIN"):
            assert self.last == "220"
            self.forget()
            self.login = "none"

    @rule(verb=st.sampled_from(["NOOP", "SYST", "FEAT", "HELP", "STAT"]))
    def always(self, verb: str) -> None:
        """What may come at any time."""
        assert self.say(verb) in ("200", "215", "211", "214")
        self.source = None

    @rule(verb=st.sampled_from(["NOOP", "PASV", "CDUP", "REIN", "PWD"]))
    def superfluous(self, verb: str) -> None:
        """An argument where there is none."""
        code = self.say(verb, "x")
        needs_login = verb != "NOOP" and self.login != "in"
        assert code == ("530" if needs_login else "501")
        self.source = None

    @rule(line=st.sampled_from(["", "XYZZY", "LPSV", "1", "RETRA a"]))
    def nonsense(self, line: str) -> None:
        """What is no command changes nothing, not even that RNTO comes next."""
        assert self.say(line) == ("502" if line == "LPSV" else "500")

    @rule(word=st.sampled_from(["A", "A N", "I", "L 8", "L 9", "X"]))
    def type(self, word: str) -> None:
        """TYPE."""
        if self.command("TYPE", word):
            assert self.last == {"L 9": "504", "X": "501"}.get(word, "200")
            if self.last == "200":
                self.is_ascii = word.startswith("A")

    @rule(word=st.sampled_from(["S", "B", "Z"]))
    def choose_mode(self, word: str) -> None:
        """MODE."""
        if self.command("MODE", word):
            assert self.last == ("501" if word == "Z" else "200")
            if self.last == "200":
                self.mode = word

    @rule(offset=st.integers(0, 12))
    def restart_at(self, offset: int) -> None:
        """REST."""
        if self.command("REST", str(offset)):
            is_refused = self.is_ascii and offset > 0 and self.mode == "S"
            assert self.last == ("501" if is_refused else "350")
            if not is_refused:
                self.restart = offset

    @rule(way=st.sampled_from(["PASV", "EPSV", "PORT 127,0,0,1,200,1"]))
    def prepare(self, way: str) -> None:
        """PASV, EPSV, PORT."""
        if self.command(*way.split()):
            if self.is_epsv_only and way != "EPSV":
                assert self.last == "501"
                return
            assert self.last in ("200", "227", "229")
            self.is_prepared = True

    @rule()
    def epsv_all(self) -> None:
        """EPSV ALL (RFC 2428 4)."""
        if self.command("EPSV", "ALL"):
            assert self.last == "200"
            self.is_epsv_only = True

    @rule(place=st.sampled_from(["8,8,8,8,200,1", "127,0,0,1,0,80", "256,0,0,1,9,9"]))
    def bounce(self, place: str) -> None:
        """PORT to somebody else (RFC 2577 3)."""
        if self.command("PORT", place):
            assert self.last == "501"

    @rule()
    def abort(self) -> None:
        """ABOR without a transfer gives up what was prepared."""
        if self.command("ABOR"):
            assert self.last == "225"
            self.is_prepared = False

    @rule(written=written_paths)
    def change_directory(self, written: str) -> None:
        """CWD."""
        if self.command("CWD", written):
            path = resolve(self.directory, written)
            is_directory = path in self.tree and self.tree[path] is None
            assert self.last == ("250" if is_directory else "550"), (written, path)
            if is_directory:
                self.directory = path

    @rule()
    def where(self) -> None:
        """PWD."""
        if self.command("PWD"):
            assert self.last == "257"
            shown = "/" + "/".join(self.directory)
            assert f'"{shown}"'.replace("\udcff", r"\xff\xff") in self.replies[0]

    @rule(written=written_paths)
    def make(self, written: str) -> None:
        """MKD."""
        if self.command("MKD", written):
            path = resolve(self.directory, written)
            may = path not in self.tree and self.parent_is_directory(path)
            assert self.last == ("257" if may else "550")
            if may:
                self.tree[path] = None

    @rule(written=written_paths, verb=st.sampled_from(["RMD", "DELE"]))
    def remove(self, written: str, verb: str) -> None:
        """RMD and DELE."""
        if self.command(verb, written):
            path = resolve(self.directory, written)
            is_it = path in self.tree and (self.tree[path] is None) == (verb == "RMD")
            is_empty = not any(p[:-1] == path for p in self.tree if p)
            may = bool(path) and is_it and is_empty
            assert self.last == ("250" if may else "550")
            if may:
                del self.tree[path]

    @rule(written=written_paths)
    def rename_from(self, written: str) -> None:
        """RNFR."""
        if self.command("RNFR", written):
            path = resolve(self.directory, written)
            may = bool(path) and path in self.tree
            assert self.last == ("350" if may else "550")
            self.source = path if may else None

    @rule(written=written_paths)
    def rename_to(self, written: str) -> None:
        """RNTO."""
        source, self.source = self.source, None
        code = self.say("RNTO", written)
        target = resolve(self.directory, written)
        if self.login != "in" or source is None:
            assert code == ("503" if self.login == "in" else "530")
            return
        expected = self.outcome_of_rename(source, target)
        assert code == expected, (source, target, code)
        if code == "250":
            moved = {p: v for p, v in self.tree.items() if p[: len(source)] == source}
            self.tree = {p: v for p, v in self.tree.items() if p not in moved}
            for path, value in moved.items():
                self.tree[target + path[len(source) :]] = value

    def outcome_of_rename(self, source: Path, target: Path) -> str:
        """The code for a source that exists."""
        if source == target:
            return "250"
        if target in self.tree and self.tree[target] is None:
            return "553"
        if not self.parent_is_directory(target):
            return "550"
        is_directory = self.tree[source] is None
        if is_directory and (target in self.tree or target[: len(source)] == source):
            return "550"
        return "250"

    @rule(written=written_paths)
    def size(self, written: str) -> None:
        """SIZE, exact in both types (RFC 3659 4)."""
        if self.command("SIZE", written):
            if self.mode == "B":
                assert self.last == "550"
                return
            content = self.tree.get(resolve(self.directory, written))
            if content is None:
                assert self.last == "550"
                return
            octets = len(to_wire(content)) if self.is_ascii else len(content)
            assert self.replies[0] == f"213 {octets}"

    @rule(written=written_paths)
    def retrieve(self, written: str) -> None:
        """RETR."""
        if not self.command("RETR", written):
            return
        offset, self.restart = self.restart, 0
        content = self.tree.get(resolve(self.directory, written))
        if offset and self.is_ascii and self.mode == "S":
            assert self.last == "501"
        elif content is None:
            assert self.last == "550"
        elif offset > len(content):
            assert self.last == "554"
        elif self.transferred():
            sent = content[offset:]
            if self.is_ascii:
                is_in_line_end = content[:offset][-1:] == b"\r" and sent[:1] == b"\n"
                sent = to_wire(sent)[is_in_line_end:]
            assert self.sent() == sent

    def transferred(self) -> bool:
        """Whether the data connection was used: 226, or 425 without one."""
        was_prepared, self.is_prepared = self.is_prepared, False
        if was_prepared and self.mode == "B":
            assert self.last == "250"
            self.is_prepared = True
        else:
            assert self.last == ("226" if was_prepared else "425")
        return was_prepared

    def sent(self) -> bytes:
        """What came over the data connection."""
        assert self.port.channel is not None
        return out_of_mode(self.mode, b"".join(self.port.channel.sent))

    @rule(written=written_paths, data=contents, verb=st.sampled_from(["STOR", "APPE"]))
    def store(self, written: str, data: bytes, verb: str) -> None:
        """STOR, from the place that REST gave, and APPE."""
        self.port.upload = in_mode(self.mode, data)
        if self.port.is_kept and self.port.channel is not None:
            self.port.channel.upload[:] = self.port.upload
        if not self.command(verb, written):
            return
        offset, self.restart = self.restart, 0
        path = resolve(self.directory, written)
        old = self.tree.get(path)
        is_writable = path in self.tree and old is not None
        if path not in self.tree:
            is_writable = self.parent_is_directory(path)
        is_text_stream = self.is_ascii and self.mode == "S"
        if offset and (is_text_stream or verb == "APPE"):
            assert self.last == ("450" if verb == "APPE" else "501")
        elif not is_writable:
            assert self.last == "550"
        elif offset > len(old or b""):
            assert self.last == "554"
        elif self.transferred():
            new = to_file(data) if self.is_ascii else data
            if verb == "APPE":
                offset = len(old or b"")
            rest = (old or b"")[offset + len(new) :] if offset else b""
            self.tree[path] = (old or b"")[:offset] + new + rest

    @rule(written=written_paths)
    def names(self, written: str) -> None:
        """NLST."""
        if not self.command("NLST", written):
            return
        self.restart = 0
        path = resolve(self.directory, written)
        if path not in self.tree:
            assert self.last == "550"
        elif self.transferred():
            below = {p[-1] for p in self.tree if p and p[:-1] == path}
            shown = below if self.tree[path] is None else {path[-1]}
            sent = self.sent().split(b"\r\n")[:-1]
            assert {line.rpartition(b"/")[2] for line in sent} == set(
                map(UTF8.encode, shown)
            )


class ModelTests(SynchronousTestCase):
    """The machine."""

    def test_session(self) -> None:
        """Every reply and every file is what the model expects."""
        run_state_machine_as_test(
            SessionMachine,
            settings=settings(
                max_examples=150,
                stateful_step_count=40,
                deadline=None,
                derandomize=True,
                report_multiple_bugs=False,
            ),
        )
