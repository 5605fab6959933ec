"""What all transfers have in common, and ABOR.

Every transfer is one coroutine: open the file, say 125 or 150, open the data
connection, move the octets, end with one final reply.  The rules that all share:

* 226 for an upload is said only after ``IUpload.commit()`` has fired, so what the
  client was told is complete, synced and under its name;
* whatever goes wrong before that leaves the file that had the name untouched, and what
  arrived is kept for REST and APPE to continue where the peer or the network was at
  fault;
* a data connection that breaks (a reset, a stall, ABOR) is 426, never an end of file.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import attrs
from attrs import define

from netservices.core.dialogue import Answer, Then
from netservices.core.dialogue import Reply as AnyReply
from netservices.core.errors import ProtocolError
from netservices.ftp.backend import path_text
from netservices.ftp.dialogue import security
from netservices.ftp.dialogue.channels import DataChannel
from netservices.ftp.dialogue.problems import reply_for
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.options import Limit
from netservices.ftp.wire import Replies, Reply, Representation
from netservices.interfaces import FileProblem, StoreError
from netservices.values import Path

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation
    from netservices.ftp.policy import User

COMMANDS = Commands()

NOT_PREPARED = Reply(425, "Say PASV, EPSV, PORT or EPRT first")
ABORTED = Reply(426, "Transfer aborted")
ABOR_DONE = Reply(226, "Abort complete")
NOTHING_TO_ABORT = Reply(225, "No transfer is in progress")
BEYOND_END = Reply(554, "Restart position > file size")
RESTART_PENDING = Reply(450, "Not after REST")

DONE = 226
DONE_AND_OPEN = 250
"""The data connection serves the next transfer as well."""

Move: TypeAlias = Callable[[DataChannel], Awaitable[None]]


@define(eq=False)
class Transfer:
    """A transfer under way."""

    verb: str
    path: Path
    started: float
    offset: int = 0
    opening: str = ""
    """Text of the 125 or 150."""
    is_announced: bool = False
    """Whether the 150 was said already."""
    representation: Representation = Representation()
    """How it travels."""
    is_suspect: bool = False
    """Whether the client has marked some of its data as suspect (RFC 959 3.4.2)."""
    total: int | None = None
    """How many octets will move, where that is known."""
    channel: DataChannel | None = None
    is_given_up: bool = False
    aborts: int = 0
    """How many ABORs came; each is answered after the transfer."""
    is_last: bool = False
    """Whether the session ends with it: QUIT came, or the server stops."""
    farewell: Reply | None = None
    """What the session ends with after it, where somebody has ended the session."""
    is_committing: bool = False
    has_preliminary: ClassVar[bool] = True
    """Whether 125 or 150 is said, so that other replies may come before its last."""
    report: Callable[[int], None] | None = None
    """Takes the code of a commit that outlives the session."""

    @property
    def octets(self) -> int:
        """How many octets have moved."""
        return 0 if self.channel is None else self.channel.octets

    @property
    def rate(self) -> int:
        """Octets a second, over the last seconds."""
        return 0 if self.channel is None else round(self.channel.rate)

    def status(self, now: float) -> dict[str, object]:
        """What ``netservices session list`` shows of it."""
        octets, total = self.octets, self.total
        return {
            "verb": self.verb,
            "path": path_text(self.path),
            "octets": octets,
            "total_octets": total,
            "percent": min(100, octets * 100 // total) if total else None,
            "rate": self.rate,
            "seconds": round(now - self.started, 1),
        }

    @property
    def success(self) -> int:
        """The code of its success (RFC 959 3.2: 250 where the connection stays)."""
        return DONE_AND_OPEN if self.representation.keeps_connection else DONE

    @property
    def is_upload(self) -> bool:
        """Whether the client sends."""
        return self.verb in ("STOR", "APPE", "STOU")

    @property
    def is_listing(self) -> bool:
        """Whether it is LIST, NLST or MLSD."""
        return self.verb in ("LIST", "NLST", "MLSD")

    def abort(self) -> None:
        """The client wants no more of it, or has gone."""
        self.is_given_up = True
        self.break_channel()

    def break_channel(self) -> None:
        """Reset the data connection, where there is one."""
        if self.channel is not None:
            self.channel.abort()


async def carry(
    talk: Conversation,
    transfer: Transfer,
    move: Move,
    representation: Representation | None = None,
) -> AnyReply:
    """Open the data connection, let ``move`` use it, and say how that ended; in the
    representation that the session has, unless another is given."""
    security.check_protection(talk)
    if not talk.data.is_prepared:
        return NOT_PREPARED
    talk.transfer = transfer
    transfer.representation = representation or talk.representation
    user = talk.user
    reply = ABORTED
    try:
        reply = await _attempt(talk, transfer, move)
    finally:
        if reply.code == DONE_AND_OPEN and not transfer.is_given_up:
            talk.data.keep()
        else:
            talk.data.close()
        talk.transfer_ended()
        if transfer.is_committing:
            # The client has left, but the file comes: how that ends is the truth.
            transfer.report = partial(_report, talk, user, transfer)
        else:
            _report(talk, user, transfer, reply.code)
    return last_words(transfer, reply)


def _report(
    talk: Conversation, user: User | None, transfer: Transfer, code: int
) -> None:
    if user is None or transfer.is_listing:
        return
    origin, now = talk.origin, talk.policy.seconds()
    seconds = now - transfer.started
    channel = transfer.channel
    protection = None if channel is None else channel.protection
    talk.policy.events.emit(
        "transfer",
        **origin.event_fields,
        account=user.login,
        email=user.email,
        client=talk.client_name,
        verb=transfer.verb,
        direction="up" if transfer.is_upload else "down",
        path=path_text(transfer.path),
        disk_path=user.view.tree.disk_path(transfer.path),
        type=transfer.representation.type.value,
        size_octets=transfer.octets,
        offset=transfer.offset,
        seconds=round(seconds, 6),
        rate=round(transfer.octets / seconds) if seconds > 0 else None,
        tls=protection[0] if protection else None,
        tls_resumed=protection[1] if protection else None,
        outcome="complete" if code in (DONE, DONE_AND_OPEN) else str(code),
    )


async def _attempt(talk: Conversation, transfer: Transfer, move: Move) -> Reply:
    code = 125 if talk.data.is_connected else 150
    if not transfer.is_announced:
        talk.announce(Reply(code, transfer.opening or "Here comes the transfer"))
    try:
        talk.data.accepts_truncation = talk.options.lenient_tls_end
        talk.data.is_upload = transfer.is_upload
        talk.data.limits = _limits(talk, transfer)
        transfer.channel = await talk.data.open()
        security.check_session(talk, transfer.channel)
        await move(transfer.channel)
    except (ProtocolError, FileProblem, StoreError) as error:
        transfer.break_channel()
        return ABORTED if transfer.is_given_up else reply_for(error)
    except BaseException:
        transfer.break_channel()
        raise
    text = f"Transfer complete, {transfer.octets} octets"
    if transfer.is_suspect:
        text += ", of which the sender suspects some"
    return Reply(transfer.success, text)


def _limits(talk: Conversation, transfer: Transfer) -> list[Limit]:
    """How fast it may be; listings as fast as they can."""
    if transfer.is_listing or talk.user is None:
        return []
    return talk.policy.limits_of(talk.user, talk.options, transfer.is_upload)


def last_words(transfer: Transfer, reply: Reply) -> AnyReply:
    """The transfer's reply, those to ABOR, and the end of the session if it is due."""
    replies = [reply, *(ABOR_DONE for _ in range(transfer.aborts))]
    if transfer.farewell is not None:
        replies.append(transfer.farewell)
    elif transfer.is_last:
        replies[-1] = attrs.evolve(replies[-1], then=Then.CLOSE)
    return replies[0] if len(replies) == 1 else Replies(tuple(replies))


@COMMANDS.verb("ABOR", argument=Argument.NONE, help=": stop a transfer", overtakes=True)
def abor(talk: Conversation, argument: bytes) -> Answer:
    """426 for the transfer, then 226; 225 where there is none (RFC 959 5.4)."""
    if talk.transfer is None:
        talk.data.close()
        return NOTHING_TO_ABORT
    talk.transfer.aborts += 1
    talk.transfer.abort()
    talk.data.close()
    return None
