"""The control connection: a line session that knows its addresses and its transfer."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from netservices.core.dialogue import Then
from netservices.core.errors import StartupError, Trouble
from netservices.core.session import LineSession
from netservices.core.wheel import Deadline
from netservices.ftp.backend import path_text
from netservices.ftp.dialogue.conversation import Conversation
from netservices.ftp.server.dataport import SessionPort
from netservices.ftp.wire import Reply, normal_address

if TYPE_CHECKING:
    from netservices.ftp.server.service import FTPServer

# RFC 4217 4, RFC 2228 3: something that security needs is not there.
NO_CERTIFICATE = Reply(431, "The server has no certificate at the moment")
ENDED = Reply(421, "The administrator has ended your session", Then.CLOSE)


class ControlSession(LineSession):
    """One client's control connection."""

    __slots__ = ("_login_deadline", "_make_context", "_since", "port")

    dialogue: Conversation

    def __init__(self, server: FTPServer, peer: str) -> None:
        self.port = SessionPort("", peer, server.connections)
        conversation = Conversation(server.policy, self.port, self.say)
        super().__init__(
            conversation,
            wheel=server.wheel,
            max_line_octets=server.settings.longest_command,
            idle_seconds=server.settings.idle_timeout,
            handshake_seconds=server.handshake_seconds,
            trace=server.trace,
        )
        self._make_context = server.tls_context
        conversation.prepare_tls = self._prepare_tls
        self._since = 0.0
        conversation.session_id = self.session_id
        conversation.server_name = self._server_name
        conversation.let_idle = self._let_idle
        if server.trace is not None:
            self.port.show = self._show
        self._login_deadline: Deadline | None = Deadline(
            server.wheel, server.settings.login_timeout, self._look_for_login
        )

    def connectionMade(self) -> None:
        """Learn the local address; take urgent octets as ordinary ones."""
        self._since = round(self.dialogue.policy.seconds(), 3)
        host = self.transport.getHost()
        self.port.local = address_of(host)
        self.port.control_port = getattr(host, "port", 0)
        self.port.scope = getattr(host, "scopeID", 0)
        with suppress(AttributeError, OSError):
            # RFC 959 4.1.3: ABOR may come as Telnet Synch, whose last octet is urgent;
            # without this option it would be missing from the stream.
            handle = self.transport.getHandle()
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
            self.port.control = handle
        if self.is_secure:
            self.dialogue.secured()
            self.dialogue.is_implicit = True
            self.port.kinship.begin(self.transport.context)
            # Not RFC 4217: on the implicit port, data is protected from the beginning.
            self.port.is_protected = True
        super().connectionMade()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget the login deadline, too."""
        self._forget_login_deadline()
        super().connectionLost(reason)

    def _prepare_tls(self) -> None:
        """Make the context of the next handshake.  Trouble where there is no
        certificate, and none can be made."""
        try:
            self._tls_context = self._make_context()
        except (StartupError, OSError) as error:
            self._log.error(
                "{session}: no TLS: {why}", session=self.session_id, why=error
            )
            raise Trouble(f"no TLS: {error}", NO_CERTIFICATE) from error

    def _secured(self, layer: Any) -> None:
        """Data connections resume TLS sessions of this connection."""
        self.port.kinship.begin(layer.context)
        super()._secured(layer)

    def _let_idle(self, seconds: float) -> None:
        """The client may be silent for so long."""
        self.idle_seconds = seconds

    def _server_name(self) -> str | None:
        """The name of the TLS handshake; None without one."""
        name: str | None = getattr(self.transport, "server_name", None)
        return name

    def _look_for_login(self) -> None:
        """The time for the login is over."""
        self._forget_login_deadline()
        if self.dialogue.user is None:
            self.say(self.dialogue.login_timed_out())

    def _forget_login_deadline(self) -> None:
        deadline, self._login_deadline = self._login_deadline, None
        if deadline is not None:
            deadline.cancel()

    def status(self) -> dict[str, Any]:
        """The session as ``netservices session list`` shows it."""
        talk = self.dialogue
        transfer = talk.transfer
        return {
            "session": self.session_id,
            "account": "" if talk.user is None else talk.user.login,
            "address": self.port.peer,
            "since": self._since,
            "idle_seconds": 0 if transfer is not None else self._silence(),
            "tls": getattr(self.transport, "version", None) or "",
            "client": talk.client_name,
            "directory": "" if talk.user is None else path_text(talk.view.directory),
            "transfer": None
            if transfer is None
            else transfer.status(talk.policy.seconds()),
        }

    def _silence(self) -> int:
        """For how many seconds the client has said nothing."""
        since_line = self._wheel.seconds() - (self.deadline - self._idle_seconds)
        return max(0, round(since_line))

    def end(self) -> None:
        """An administrator ends it."""
        self.dialogue.end(ENDED)


def address_of(address: IAddress | None) -> str:
    """The IP address in canonical form; empty for what has none, a UNIX socket."""
    try:
        return normal_address(getattr(address, "host", ""))
    except ValueError:
        return ""
