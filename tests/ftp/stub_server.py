"""A small FTP server whose answers the test chooses: contents in a dictionary, listings
with any lines, connections that break off."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor as imported_reactor
from twisted.internet.protocol import Factory, Protocol, ServerFactory
from twisted.protocols.basic import LineReceiver

from netservices.ftp.wire import format_time, parse_time

MTIME_NS = 1_600_000_000 * 10**9
reactor: Any = imported_reactor


class StubServer(ServerFactory):
    """What all sessions share."""

    noisy = False

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = dict(files or {})
        self.directories = {"/"}
        self.times: dict[str, int] = {}
        self.lines: dict[str, list[bytes]] = {}
        """More lines of MLSD, by directory."""
        self.listed_sizes: dict[str, int] = {}
        """What MLSD says in place of the size."""
        self.cuts: dict[str, deque[int]] = {}
        """How many octets of a file are sent before the connection is reset."""
        self.refusals: dict[str, deque[str]] = {}
        """Replies in place of what a command would do, by its text or verb."""
        self.features = ["MLST type*;size*;modify*;UNIX.mode*;", "MDTM", "MFMT"]
        self.most_sessions = 100
        self.sessions: list[Session] = []
        self.said: list[str] = []
        """All commands of all sessions."""
        for path in self.files:
            self.add_parents(path)

    def add_parents(self, path: str) -> None:
        """Make the directories above a path."""
        while path:
            path = path.rpartition("/")[0]
            self.directories.add(path or "/")

    def buildProtocol(self, addr: Any) -> Any:
        """One session."""
        session = Session()
        session.factory = self
        return session

    def start(self) -> Any:
        """A listening port on the loopback interface."""
        return reactor.listenTCP(0, self, interface="127.0.0.1")

    def names_in(self, path: str) -> list[str]:
        """The names in a directory."""
        prefix = path.rstrip("/") + "/"
        known = [*self.files, *self.directories]
        found = {
            one[len(prefix) :].partition("/")[0]
            for one in known
            if one.startswith(prefix)
        }
        return sorted(found - {""})

    def listing(self, path: str) -> bytes:
        """What MLSD says."""
        lines = list(self.lines.get(path, ()))
        for name in self.names_in(path):
            whole = f"{path.rstrip('/')}/{name}"
            kind = "dir" if whole in self.directories else "file"
            size = self.listed_sizes.get(whole, len(self.files.get(whole, b"")))
            time = format_time(self.times.get(whole, MTIME_NS))
            facts = f"type={kind};size={size};modify={time}; {name}"
            lines.append(facts.encode("utf-8", "surrogateescape"))
        return b"".join(line + b"\r\n" for line in lines)


class Session(LineReceiver):
    """One control connection."""

    factory: StubServer
    offset = 0
    source = ""
    port: Any = None
    is_upload = False

    def connectionMade(self) -> None:
        """Greet, or send away."""
        self.data: Protocol | None = None
        self.when_data: Callable[[Any], None] | None = None
        if len(self.factory.sessions) >= self.factory.most_sessions:
            self.say("421 too many")
            self.transport.loseConnection()
            return
        self.factory.sessions.append(self)
        self.say("220 stub")

    def connectionLost(self, reason: Any = None) -> None:
        """Forget the session."""
        if self in self.factory.sessions:
            self.factory.sessions.remove(self)
        if self.port is not None:
            self.port.stopListening()

    def say(self, text: str) -> None:
        """A reply."""
        self.transport.write(text.encode("utf-8", "surrogateescape") + b"\r\n")

    def lineReceived(self, line: bytes) -> None:
        """A command."""
        text = line.decode("utf-8", "surrogateescape")
        self.factory.said.append(text)
        verb, _, argument = text.partition(" ")
        waiting = self.factory.refusals.get(text) or self.factory.refusals.get(verb)
        if waiting:
            reply = waiting.popleft()
            if reply == "<closes>":
                self.transport.abortConnection()
            else:
                self.say(reply)
            return
        getattr(self, f"do_{verb}", self.unknown)(argument)

    def unknown(self, argument: str) -> None:
        """The answer to the rest."""
        self.say("502 x")

    def do_USER(self, argument: str) -> None:
        self.say("331 x")

    def do_PASS(self, argument: str) -> None:
        self.say("230 x" if argument == "secret" else "530 x")

    def do_TYPE(self, argument: str) -> None:
        self.say("200 x")

    do_NOOP = do_OPTS = do_TYPE

    def do_FEAT(self, argument: str) -> None:
        self.say("\r\n ".join(["211-x", *self.factory.features]) + "\r\n211 x")

    def do_PWD(self, argument: str) -> None:
        self.say('257 "/"')

    def do_QUIT(self, argument: str) -> None:
        self.say("221 x")
        self.transport.loseConnection()

    def do_REST(self, argument: str) -> None:
        self.offset = int(argument)
        self.say("350 x")

    def do_SIZE(self, path: str) -> None:
        content = self.factory.files.get(path)
        self.say("550 x" if content is None else f"213 {len(content)}")

    def do_MDTM(self, path: str) -> None:
        self.say(f"213 {format_time(self.factory.times.get(path, MTIME_NS))}")

    def do_MFMT(self, argument: str) -> None:
        time, _, path = argument.partition(" ")
        self.factory.times[path] = parse_time(time)
        self.say("213 x")

    def do_MLST(self, path: str) -> None:
        parent, _, name = path.rpartition("/")
        for line in self.factory.listing(parent or "/").decode().splitlines():
            if line.endswith(f"; {name}"):
                self.say(f"250-x\r\n {line}\r\n250 x")
                return
        self.say("550 x")

    def do_MKD(self, path: str) -> None:
        self.factory.directories.add(path)
        self.say(f'257 "{path}"')

    def do_RMD(self, path: str) -> None:
        self.factory.directories.discard(path)
        self.say("250 x")

    def do_DELE(self, path: str) -> None:
        self.factory.files.pop(path, None)
        self.say("250 x")

    def do_RNFR(self, path: str) -> None:
        self.source = path
        self.say("350 x")

    def do_RNTO(self, path: str) -> None:
        factory = self.factory
        factory.files[path] = factory.files.pop(self.source)
        factory.times[path] = factory.times.pop(self.source, MTIME_NS)
        self.say("250 x")

    # --- data -----------------------------------------------------------------------

    def do_EPSV(self, argument: str) -> None:
        if self.port is not None:
            self.port.stopListening()
        self.data = None
        factory = Factory.forProtocol(lambda: Receiver(self))
        factory.noisy = False
        self.port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.say(f"229 x (|||{self.port.getHost().port}|)")

    def with_data(self, use: Callable[[Any], None]) -> None:
        """Say 150, and use the data connection once it is there."""
        self.say("150 x")
        if self.data is not None:
            use(self.data.transport)
        else:
            self.when_data = use

    def data_is_there(self, receiver: Receiver) -> None:
        """The data connection is there."""
        self.data = receiver
        if self.when_data is not None:
            use, self.when_data = self.when_data, None
            use(receiver.transport)

    def do_MLSD(self, path: str) -> None:
        if path not in self.factory.directories:
            self.say("550 x")
            return
        self.with_data(lambda end: self.finish(end, self.factory.listing(path)))

    def finish(self, end: Any, octets: bytes) -> None:
        """Send, close, 226."""
        end.write(octets)
        end.loseConnection()
        self.say("226 x")

    def do_RETR(self, path: str) -> None:
        content = self.factory.files.get(path)
        offset, self.offset = self.offset, 0
        if content is None:
            self.say("550 x")
            return
        cuts = self.factory.cuts.get(path)
        if cuts:
            self.with_data(lambda end: self.cut(end, content[offset : cuts.popleft()]))
        else:
            self.with_data(lambda end: self.finish(end, content[offset:]))

    def cut(self, end: Any, octets: bytes) -> None:
        """Send, and hang up on both connections once the octets have arrived."""
        end.write(octets)
        end.loseConnection()
        self.transport.loseConnection()

    def do_STOR(self, path: str) -> None:
        kept = self.factory.files.get(path, b"")[: self.offset]
        self.offset = 0
        self.upload_path = path
        self.factory.files[path] = kept
        self.is_upload = True
        self.with_data(lambda end: None)

    def received(self, octets: bytes) -> None:
        """Octets of an upload."""
        self.factory.files[self.upload_path] += octets
        cuts = self.factory.cuts.get(self.upload_path)
        if cuts:
            del cuts[0]
            self.transport.loseConnection()


class Receiver(Protocol):
    """One data connection."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def connectionMade(self) -> None:
        """Tell the session."""
        self.session.data_is_there(self)

    def dataReceived(self, data: bytes) -> None:
        """Part of an upload."""
        self.session.received(data)

    def connectionLost(self, reason: Any = None) -> None:
        """The end of an upload, or of a download."""
        if self.session.is_upload:
            self.session.is_upload = False
            self.session.say("226 x")
