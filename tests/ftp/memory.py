"""FTP sessions in memory: real accounts, files and store, data connections made up."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred

from netservices.accounts.credentials import first_secrets
from netservices.accounts.service import Accounts
from netservices.accounts.settings import AccountsSettings
from netservices.core.deferreds import value_of
from netservices.core.limits import Limits, LimitsSettings
from netservices.core.session import LineSession
from netservices.core.wheel import Wheel
from netservices.files.service import Files
from netservices.files.settings import FilesSettings
from netservices.ftp.dialogue.channels import DataBroken, NoDataConnection
from netservices.ftp.dialogue.conversation import Conversation
from netservices.ftp.policy import Policy
from netservices.ftp.settings import FTPSettings
from netservices.ftp.wire import HostPort
from netservices.interfaces import Exists, IOpenFile
from netservices.testing import DialogueMixin, MemoryStore, Peer
from netservices.units import CreateAccount, CreateDomain, Unit

NOW = 1_800_000_000.0

LOGIN = """
    S: 220 ftp.example.org FTP server ready
    C: USER alice
    S: 331 ...
    C: PASS secret
    S: 230 Logged in as alice@example.org
"""
"""How every transcript of a logged-in client begins."""


class SilentEvents:
    """Keeps events for the test to look at."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, object]]] = []

    def emit(self, event: str, /, **fields: object) -> None:
        """Note an event."""
        self.seen.append((event, fields))

    def subscribe(self, sink: Any) -> Any:
        """Nobody else listens."""
        return lambda: None


@define
class MemoryChannel:
    """A data connection of which one end is the test."""

    upload: list[bytes]
    is_broken: bool = False
    """Whether the upload ends with a reset."""
    hold: Deferred[None] | None = None
    sent: list[bytes] = field(factory=list)
    octets: int = 0
    rate: float = 0.0
    protection: tuple[str, bool] | None = None
    is_stuck: bool = False
    _problem: DataBroken | None = None

    async def send(self, data: bytes) -> None:
        """Note what is sent."""
        await self._wait()
        self.octets += len(data)
        self.sent.append(data)

    async def send_file(
        self, file: IOpenFile, offset: int, end: int | None = None
    ) -> None:
        """Send a file."""
        end = file.node.size if end is None else end
        await self.send(await file.read(offset, end - offset))

    async def finish(self) -> None:
        """Nothing more comes."""

    async def receive(self, take: Callable[[bytes], Awaitable[None] | None]) -> None:
        """What the test uploads."""
        await self._wait()
        for piece in self.upload:
            self.octets += len(piece)
            waiting = take(piece)
            if waiting is not None:
                await waiting
        if self.is_broken:
            raise DataBroken("reset")

    async def read(self) -> bytes:
        """The next piece of what the test uploads."""
        await self._wait()
        if self.upload:
            piece = self.upload.pop(0)
            self.octets += len(piece)
            return piece
        if self.is_stuck:
            self.hold = Deferred()
            await self._wait()
        if self.is_broken:
            raise DataBroken("reset")
        return b""

    def put_back(self, data: bytes) -> None:
        """For the next file."""
        if data:
            self.upload.insert(0, data)

    async def give_way(self) -> None:
        """Nobody else is served."""
        await self._wait()

    async def settle(self) -> None:
        """Everything has arrived."""
        await self._wait()

    async def _wait(self) -> None:
        if self.hold is not None:
            await self.hold
        if self._problem is not None:
            raise self._problem

    def abort(self) -> None:
        """Break it."""
        self._problem = DataBroken("aborted")
        hold, self.hold = self.hold, None
        if hold is not None and not hold.called:
            hold.callback(None)


class MemoryPort:
    """A ``DataPort`` whose connections are there at once."""

    def __init__(self, peer: str = "127.0.0.1") -> None:
        self.local = "127.0.0.1"
        self.peer = peer
        self.is_protected = False
        self.limits: Any = ()
        self.accepts_truncation = False
        self.is_upload = False
        self.has_kin = False
        self.owner = ""
        self.is_prepared = False
        self.is_connected = False
        self.is_client_gone = False
        self.is_missing = False
        """Whether the client never connects."""
        self.holds = False
        """Whether transfers wait until ``abort``, or until the test lets go."""
        self.upload: list[bytes] = []
        self.is_broken = False
        self.channel: MemoryChannel | None = None
        self.is_kept = False
        """Whether the last transfer left its connection open."""
        self.is_stuck = False
        """Whether nothing comes after the upload, not even its end."""
        self.hears = True
        """Whether the client reads replies."""

    def is_client_there(self) -> bool:
        """Whether the test says so."""
        return not self.is_client_gone

    async def keeps_client(self) -> bool:
        """Whether the test says so."""
        return not self.is_client_gone

    def hears_replies(self) -> bool:
        """As long as the test does not say otherwise."""
        return self.hears

    def listen(self, anyone: bool = False) -> HostPort:
        """A port."""
        self.is_kept = False
        self.is_prepared = self.is_connected = True
        return HostPort("::1" if ":" in self.peer else self.local, 50000)

    def belongs_to(self, login: str) -> None:
        """Note whose it is."""
        self.owner = login

    def leave(self) -> None:
        """As at the end of the session."""
        self.close()

    def aim(self, target: HostPort) -> None:
        """Somewhere."""
        self.is_kept = False
        self.is_prepared, self.is_connected = True, False

    async def connect(self, target: HostPort) -> None:
        """At once, unless nobody is there."""
        if self.is_missing:
            raise NoDataConnection("nobody listens")
        self.is_prepared = self.is_connected = True

    def advertise(self, host: str) -> None:
        """Nobody is warned."""

    async def open(self) -> MemoryChannel:
        """The connection."""
        self.is_prepared = self.is_connected = False
        if self.is_missing:
            raise NoDataConnection("nobody came")
        if self.is_kept and self.channel is not None:
            self.is_kept = False
            self.channel.sent, self.channel.octets = [], 0
            return self.channel
        hold: Deferred[None] | None = Deferred() if self.holds else None
        self.channel = MemoryChannel(list(self.upload), self.is_broken, hold)
        self.channel.is_stuck = self.is_stuck
        return self.channel

    def keep(self) -> None:
        """The next transfer has the same one."""
        self.is_prepared = self.is_connected = self.is_kept = True

    def close(self) -> None:
        """Forget it."""
        self.is_prepared = self.is_connected = self.is_kept = False


class MemoryFTP(DialogueMixin):
    """For test cases: each session begins with the account ``alice``, password
    ``secret``, and the files of ``content``."""

    content: dict[str, bytes] = {}
    settings = FTPSettings()
    files_settings = FilesSettings(durability="none")
    peer = "127.0.0.1"
    allow_plaintext = "loopback"
    quota_octets: int | None = None
    """How much alice may hold."""

    def make_port(self) -> MemoryPort:
        """The data connections of the next session."""
        return MemoryPort(self.peer)

    def make_session(self, wheel: Wheel) -> LineSession:
        """A session that shares nothing with the one before."""
        self.make_house()
        self.port = self.make_port()
        said: list[Any] = []
        self.talk = Conversation(self.policy, self.port, said.append)
        session = LineSession(
            self.talk,
            wheel=wheel,
            idle_seconds=self.settings.idle_timeout,
            tls_context=lambda: None,  # type: ignore[arg-type, return-value]
        )
        self.talk.say = session.say
        return session

    def make_house(self) -> None:
        """Store, accounts and files, all inline."""
        self.state = tempfile.mkdtemp()
        case: Any = self
        case.addCleanup(shutil.rmtree, self.state, ignore_errors=True)
        self.store = store = MemoryStore(seconds=lambda: NOW)
        settings = AccountsSettings(
            shortest_password=1, allow_plaintext=self.allow_plaintext
        )
        secrets = known_secrets(settings)
        create = CreateAccount(
            "alice", "example.org", secrets=secrets, quota_octets=self.quota_octets
        )
        value_of(store.apply(Unit((CreateDomain("example.org"), create))))
        limits = Limits(LimitsSettings(), lambda: NOW)
        self.events = SilentEvents()
        accounts = Accounts(store.records, store, settings, limits, self.events, None)
        value_of(accounts.start())
        self.accounts = accounts
        self.files = Files(self.state, store, self.files_settings, None)
        value_of(self.files.start())
        account = value_of(accounts.find("alice"))
        assert account is not None
        self.tree = self.files.home(account)
        for name, content in self.content.items():
            self.put(name, content)
        self.policy = Policy(
            self.settings,
            accounts,
            self.files,
            self.events,
            limits,
            "ftp.example.org",
            lambda: NOW,
        )

    def logged_in(self, *lines: str) -> Peer:
        """A session after its login, and after ``lines``."""
        peer = Peer(self.make_session)
        case: Any = self
        case.addCleanup(peer.leave)
        self.say(peer, "USER alice", "PASS secret", *lines)
        return peer

    def say(self, peer: Peer, *lines: str) -> list[str]:
        """What the server says to the lines."""
        peer.send("".join(line + "\r\n" for line in lines).encode())
        return peer.receive_lines()

    def codes(self, peer: Peer, *lines: str) -> list[str]:
        """The codes of that, where each reply is one line."""
        return [line[:3] for line in self.say(peer, *lines)]

    def sent(self) -> bytes:
        """What the last transfer sent."""
        assert self.port.channel is not None
        return b"".join(self.port.channel.sent)

    def put(self, name: str, content: bytes) -> None:
        """Put a file into alice's tree."""
        path = tuple(name.split("/"))
        for depth in range(1, len(path)):
            with contextlib.suppress(Exists):
                value_of(self.tree.make_directory(path[:depth]))
        upload = value_of(self.tree.begin_write(path))
        upload.write(content)
        value_of(upload.commit())

    def content_of(self, name: str) -> bytes:
        """A file of alice's tree."""
        file = value_of(self.tree.open((name,)))
        try:
            return value_of(file.read(0, file.node.size))
        finally:
            file.close()


_known_secrets: dict[str, Any] = {}


def known_secrets(settings: AccountsSettings | None = None) -> Any:
    """What is kept of the password ``secret``; hashing takes long, once is enough."""
    settings = settings or AccountsSettings(shortest_password=1)
    if "alice" not in _known_secrets:
        _known_secrets["alice"] = first_secrets("secret", settings)
    return _known_secrets["alice"]
