"""One FTP session: takes lines, returns replies; the state of RFC 959 5.4 and 6.

Two lanes.  A command is answered before the next one is looked at, and a transfer is a
command that takes long: its coroutine ends with the 226 or 426.  NOOP, STAT, REIN,
USER, QUIT and ABOR overtake it.  All but the last reply at once; after REIN and USER
the transfer is completed for the old user (RFC 959 4.1.1), and whatever is refused for
want of a login is refused at once, too; after QUIT the session ends with the transfer's
own reply.  ABOR leaves a mark on the transfer, whose last reply brings that to ABOR
along, so that their order is that of RFC 959 5.4 (426 or 226 first) whatever the moment
at which it came.  A client that pipelines RETR, DELE, QUIT means them in this order: as
soon as a line is held back by the transfer, only ABOR overtakes; and what is said after
ABOR waits for its reply.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ClassVar, TypeVar

from attrs import define

from netservices.core.deferreds import begun, shielded
from netservices.core.dialogue import Answer, Then
from netservices.core.dialogue import Reply as AnyReply
from netservices.core.errors import ProtocolError, SyntaxProblem
from netservices.ftp.backend import View
from netservices.ftp.dialogue import (
    attributes,
    download,
    hashes,
    hosts,
    information,
    listings,
    login,
    parameters,
    paths,
    ports,
    representation,
    security,
    site,
    transfer,
    upload,
)
from netservices.ftp.dialogue.channels import DataPort
from netservices.ftp.dialogue.problems import reply_for, reply_to, usage
from netservices.ftp.dialogue.registry import (
    UNIMPLEMENTED,
    Argument,
    Commands,
    Verb,
)
from netservices.ftp.dialogue.representation import BEGINNING, Restart
from netservices.ftp.dialogue.states import LOG_IN_FIRST, State, refusal
from netservices.ftp.options import DEFAULTS, Options
from netservices.ftp.policy import Policy, User
from netservices.ftp.wire import (
    USUAL_FACTS,
    UTF8,
    Command,
    Names,
    Replies,
    Reply,
    Representation,
    Type,
    masked,
    names_in,
    parse_command,
    verb_of,
)
from netservices.interfaces import FileProblem, StoreError
from netservices.values import Origin, Path

T = TypeVar("T")

COMMANDS = Commands()
for _group in (
    login,
    security,
    paths,
    ports,
    representation,
    parameters,
    transfer,
    download,
    upload,
    listings,
    information,
    attributes,
    hashes,
    hosts,
    site,
):
    COMMANDS.include(_group.COMMANDS)

UNKNOWN = Reply(500, "Unknown command")
NOT_HTTP = Reply(421, "This is an FTP server", Then.CLOSE)
NOT_IMPLEMENTED = Reply(502, "Command not implemented")
TAKES_NO_ARGUMENT = Reply(501, "The command takes no argument")
DENIED = Reply(550, "Permission denied")
CLOSING = Reply(421, "The server is stopping; come back later", Then.CLOSE)

_EXPECTED = (ProtocolError, FileProblem, StoreError)

_HTTP = re.compile(rb"\S+ HTTP/\d")
"""What follows the method in the first line of a request."""


def _unheard_of(_seconds: float) -> None:
    """Nobody measures."""


def _prepared() -> None:
    """TLS needs nothing."""


def _unnamed() -> None:
    """No name was asked for."""


@define(eq=False)
class Conversation:
    """The server's side of one control connection; a ``core.dialogue.Dialogue``."""

    commands: ClassVar[Commands] = COMMANDS

    policy: Policy
    data: DataPort
    say: Callable[[AnyReply], None]
    """Sends a reply that is not the answer to a line: 125, 150."""
    session_id: str = ""
    is_secure: bool = False

    state: State = State.CONNECTED
    login: str = ""
    user: User | None = None
    options: Options = DEFAULTS
    """What the rules say of this user and address, since the login."""
    names: Names = UTF8
    """How names travel."""
    has_chosen_utf8: bool = False
    """Whether the client said OPTS UTF8 ON."""
    slot: Any = None
    logged_in_at: float = 0.0
    failed_logins: int = 0
    overlong_lines: int = 0
    host_domain: str = ""
    """The domain whose accounts HOST asked for; empty for the default one."""
    host_name: str = ""
    """What HOST said, in its normal form; empty for an address."""
    client_name: str = ""
    """What CLNT or CSID said."""
    prepare_tls: Callable[[], None] = _prepared
    """Makes what the next TLS handshake needs.  Trouble."""
    server_name: Callable[[], str | None] = _unnamed
    """The name that the client asked for in its TLS handshake."""

    representation: Representation = Representation()
    """RFC 959 5.1: TYPE A N, STRU F and MODE S until the client says otherwise."""
    facts: tuple[str, ...] = USUAL_FACTS
    has_chosen_facts: bool = False
    """Whether OPTS MLST has named them."""
    hash_name: str = hashes.ALGORITHMS[0]
    """The algorithm of HASH."""
    restart: Restart = BEGINNING
    expected_octets: int | None = None
    rename_source: Path = ()
    promised: Path | None = None
    """The upload of which 150 was said before PORT."""
    copy_source: Path | None = None
    """What SITE CPFR named."""
    idle_seconds: float = 0.0
    """How long the session may be silent."""
    let_idle: Callable[[float], None] = _unheard_of
    """Tells the session so."""
    is_epsv_only: bool = False
    has_buffer_size: bool = False
    """Whether PBSZ was said, without which there is no PROT."""
    has_resumed: bool = False
    """Whether a data connection has resumed the TLS session of this one."""
    secured_at: float = 0.0
    is_implicit: bool = False
    """Whether the connection began with TLS."""

    transfer: transfer.Transfer | None = None
    _holds_lines: bool = False

    @property
    def view(self) -> View:
        """The tree of the user who has logged in."""
        assert self.user is not None
        return self.user.view

    @property
    def origin(self) -> Origin:
        """Where the session comes from, for accounts, limits and events."""
        return Origin("ftp", self.data.peer, self.is_secure, self.session_id)

    @property
    def is_ascii(self) -> bool:
        """Whether TYPE is A."""
        return self.representation.type is Type.ASCII

    # --- what a session calls -------------------------------------------------------

    def greet(self) -> Answer:
        """220, or 421 where there are too many sessions."""
        try:
            self.slot = self.policy.enter(self.origin)
        except ProtocolError as error:
            return reply_for(error)
        self.learn_options()
        return Reply(220, self.policy.banner)

    def handle(self, line: bytes) -> Answer:
        """The answer to one command."""
        try:
            command = parse_command(line)
        except SyntaxProblem as problem:
            return Reply(500, f"Syntax error: {problem.log_text}")
        verb = self.commands.verbs.get(command.verb)
        if verb is None:
            return self._unknown(command)
        refused = self._refusal(verb, command.argument)
        if self.state is State.RENAMING and verb.name != "RNTO":
            self.state = State.LOGGED_IN
        if self.promised is not None and verb.name not in ("PORT", "EPRT"):
            # A 150 is followed by how it ended.
            self.promised = None
            self.say(transfer.NOT_PREPARED)
        return refused or self.run(verb, command.argument)

    @staticmethod
    def _unknown(command: Command) -> Reply:
        if _HTTP.match(command.argument):
            # Not RFC 959: a web page makes browsers send requests here, in whose body
            # the commands are its own.
            return NOT_HTTP
        return NOT_IMPLEMENTED if command.verb in UNIMPLEMENTED else UNKNOWN

    def _refusal(self, verb: Verb, argument: bytes) -> Reply | None:
        out_of_order = refusal(self.state, verb.name)
        if out_of_order is LOG_IN_FIRST:
            return out_of_order
        if argument.strip() == b"":
            if verb.argument is Argument.REQUIRED:
                return usage(verb)
        elif verb.argument is Argument.NONE:
            return TAKES_NO_ARGUMENT
        if out_of_order is not None:
            return out_of_order
        if verb.permission is not None and not self.view.may(verb.permission):
            return DENIED
        return None

    def run(self, verb: Verb, argument: bytes) -> Answer:
        """Carry a command out; what is refused on the way becomes a reply."""
        try:
            answer = verb.run(self, argument)
        except _EXPECTED as error:
            return reply_to(verb, error)
        if isinstance(answer, Coroutine):
            return self._guarded(verb, answer)
        return self.spelt(answer)

    async def _guarded(
        self, verb: Verb, answer: Coroutine[Any, Any, AnyReply | None]
    ) -> AnyReply | None:
        try:
            return self.spelt(await answer)
        except _EXPECTED as error:
            return reply_to(verb, error)

    def overtakes(self, line: bytes) -> bool:
        """Whether the line is answered during the transfer that runs."""
        if self.transfer is None:
            return False
        verb = self.commands.verbs.get(verb_of(line))
        if verb is not None and verb.name == "ABOR":
            return True
        transfer = self.transfer
        if verb is None or transfer.aborts or not transfer.has_preliminary:
            is_quick = False
        elif verb.name == "REIN" and security.ends_with_rein(self):
            # The transfer's reply comes in TLS, too.
            is_quick = False
        else:
            is_quick = verb.overtakes or refusal(self.state, verb.name) is not None
        if is_quick and not self._holds_lines:
            return True
        self._holds_lines = True
        return False

    def masked(self, line: bytes) -> bytes:
        """The line as a log may show it."""
        return masked(line, self.commands.verbs)

    def secured(self) -> None:
        """TLS is up: by AUTH, or from the first octet on an implicit port."""
        self.is_secure = True
        self.secured_at = self.policy.seconds()
        hosts.check_host(self)

    def overlong(self) -> Answer:
        """500, and 421 when it happens too often."""
        self.overlong_lines += 1
        if self.overlong_lines >= self.policy.settings.overlong_commands:
            return Reply(421, "Too many overlong lines", Then.CLOSE)
        return Reply(500, "Line too long")

    def idle(self) -> Answer:
        """Nothing was said for too long."""
        return Reply(421, "Idle for too long", Then.CLOSE)

    def login_timed_out(self) -> Reply:
        """The client has stayed too long without a login."""
        return Reply(421, "Log in sooner next time", Then.CLOSE)

    def dismissed(self) -> Reply:
        """The account was disabled or removed."""
        return Reply(421, "Your account may not be used any more", Then.CLOSE)

    def end(self, reply: Reply) -> None:
        """Somebody ends the session: ``reply`` is its last one, after that of the
        transfer that runs, which breaks off."""
        running = self.transfer
        if running is None:
            self.say(reply)
        elif running.farewell is None:
            running.farewell = reply
            running.abort()
            self.data.close()

    def draining(self) -> Answer:
        """The server stops: at once, or after the transfer that runs."""
        if self.transfer is None:
            return CLOSING
        self.transfer.is_last = True
        return None

    def failed(self, error: BaseException) -> Answer:
        """A bug, or trouble that no command expects."""
        return reply_for(error)

    def ended(self) -> None:
        """The control connection is gone, and what it held with it."""
        if self.transfer is not None:
            self.transfer.abort()
        self._log_out()
        self.data.leave()
        if self.slot is not None:
            self.policy.leave(self.slot, self.data.peer)
            self.slot = None
        # Session and dialogue hold each other no longer: both are free at once.
        self.say = _unheard
        self.server_name = _unnamed
        self.prepare_tls = _prepared
        self.let_idle = _unheard_of

    # --- what several commands do ---------------------------------------------------

    def decode(self, argument: bytes) -> str:
        """The path name that the client wrote."""
        return self.names.decode(argument)

    def encode(self, text: str) -> bytes:
        """Names as this client reads them."""
        return self.names.encode(text)

    def announce(self, reply: Reply) -> None:
        """Send a reply that is not the answer to a line, with names in it."""
        self.say(reply if self.names is UTF8 else reply.spelt(self.names))

    def spelt(self, answer: AnyReply | None) -> AnyReply | None:
        """The answer with names as this client reads them."""
        if self.names is not UTF8 and isinstance(answer, Reply | Replies):
            return answer.spelt(self.names)
        return answer

    def path(self, argument: bytes) -> Path:
        """The absolute path that the client wrote."""
        return self.view.path(self.decode(argument))

    def learn_options(self) -> None:
        """See what the rules say now of who has logged in, and from where."""
        self.options = self.policy.options(self.user, self.origin)
        self.learn_names()
        self.set_idle(self.options.idle_timeout or self.policy.settings.idle_timeout)

    def set_idle(self, seconds: float) -> None:
        """From now on the session may be silent for so long."""
        if seconds != self.idle_seconds:
            self.idle_seconds = seconds
            self.let_idle(seconds)

    @property
    def longest_idle(self) -> float:
        """What a client may ask for: what it has anyway, or more."""
        ruled = self.options.idle_timeout or self.policy.settings.idle_timeout
        return max(ruled, self.policy.settings.longest_idle)

    def learn_names(self) -> None:
        """See in which encoding names travel from now on."""
        encoding = "utf-8" if self.has_chosen_utf8 else self.options.encoding
        self.names = UTF8 if encoding == UTF8.encoding else names_in(encoding)

    def forget_user(self) -> None:
        """Back to the state in which the session began (RFC 959 4.1.1, REIN)."""
        self.state = State.CONNECTED
        self._log_out()
        self.learn_options()
        self.login = ""
        self.representation = Representation()
        self.facts = USUAL_FACTS
        self.has_chosen_facts = False
        self.hash_name = hashes.ALGORITHMS[0]
        self.copy_source = None
        self.promised = None
        self.restart = BEGINNING
        self.expected_octets = None
        self.is_epsv_only = False
        if self.transfer is None:
            # RFC 959 4.1.1: a transfer in progress is completed first.
            self.data.close()

    def _log_out(self) -> None:
        user, self.user = self.user, None
        if user is not None:
            self.data.belongs_to("")
            seconds = self.policy.seconds() - self.logged_in_at
            self.policy.logged_out(user, self.origin, round(seconds, 3))

    async def carry_out(
        self, doing: Awaitable[T], change: str, path: Path, target: Path | None = None
    ) -> T:
        """Wait for a change of the tree, and report it; what was begun is done and
        reported also where the client leaves meanwhile.  A number that it comes to is
        that of the octets it is about."""
        user, origin = self.user, self.origin
        assert user is not None

        async def to_the_end() -> T:
            result = await doing
            octets = result if isinstance(result, int) else None
            self.policy.changed(user, origin, change, path, target, octets)
            return result

        return await shielded(begun(to_the_end()))

    def transfer_ended(self) -> None:
        """Lines are held back no longer."""
        self.transfer = None
        self._holds_lines = False


def _unheard(_reply: AnyReply) -> None:
    """Nobody is there any more."""
