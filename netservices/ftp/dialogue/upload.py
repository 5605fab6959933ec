"""STOR, APPE and STOU: a file on its way from the client (RFC 959 4.1.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define

from netservices.core.deferreds import begun, shielded
from netservices.core.dialogue import Reply as AnyReply
from netservices.ftp.backend import Permission
from netservices.ftp.dialogue.channels import DataBroken, DataChannel
from netservices.ftp.dialogue.moving import DataNonsense, Receiving
from netservices.ftp.dialogue.problems import reply_for
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.dialogue.representation import (
    BEGINNING,
    Restart,
    drop_restart,
    take_restart,
)
from netservices.ftp.dialogue.transfer import (
    BEYOND_END,
    RESTART_PENDING,
    Transfer,
    carry,
)
from netservices.ftp.wire import Reply
from netservices.interfaces import (
    Conflict,
    Exists,
    FileProblem,
    IsADirectory,
    IUpload,
    StoreError,
    Withdrawn,
)
from netservices.values import Path, WriteMode

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

_UNIQUE_TRIES = 5
NO_RANGE = Reply(504, "RANG is for downloads")

COMMANDS = Commands()


@COMMANDS.verb(
    "STOR",
    argument=Argument.REQUIRED,
    help="<path>: upload a file",
    permission=Permission.WRITE,
)
async def stor(talk: Conversation, argument: bytes) -> AnyReply:
    """A new file takes the name at the end; after REST, the old one is continued."""
    restart = take_restart(talk)
    if restart.end is not None:
        return NO_RANGE
    path = talk.path(argument)
    mode = WriteMode.RESUME if restart.offset else WriteMode.REPLACE
    transfer = Transfer("STOR", path, talk.policy.seconds())
    return await _store(talk, transfer, mode, restart)


@COMMANDS.verb(
    "APPE",
    argument=Argument.REQUIRED,
    help="<path>: append to a file",
    permission=Permission.WRITE,
)
async def appe(talk: Conversation, argument: bytes) -> AnyReply:
    """Continue a file, or an upload of it that broke off."""
    if drop_restart(talk):
        return RESTART_PENDING
    path = talk.path(argument)
    transfer = Transfer("APPE", path, talk.policy.seconds())
    return await _store(talk, transfer, WriteMode.APPEND)


@COMMANDS.verb(
    "STOU",
    argument=Argument.OPTIONAL,
    help="[<prefix>]: upload under a new name",
    permission=Permission.WRITE,
)
async def stou(talk: Conversation, argument: bytes) -> AnyReply:
    """The name is in the 125 or 150 (RFC 1123 4.1.2.9)."""
    if drop_restart(talk):
        return RESTART_PENDING
    prefix = talk.decode(argument) or "upload"
    if not talk.data.is_prepared and talk.policy.settings.active_connect == "early":
        return _promise(talk, prefix)
    for _ in range(_UNIQUE_TRIES):
        path = talk.view.path(talk.policy.unique_name(prefix))
        text = f"FILE: {path[-1]}"
        transfer = Transfer("STOU", path, talk.policy.seconds(), 0, text)
        try:
            return await _store(talk, transfer, WriteMode.CREATE)
        except Exists:
            continue
    return Reply(451, "No free name was found")


def _promise(talk: Conversation, prefix: str) -> Reply:
    # Not RFC 959 5.4: the old clients that want early connections say PORT after the
    # 150, which has the name.
    talk.promised = talk.view.path(talk.policy.unique_name(prefix))
    return Reply(150, f"FILE: {talk.promised[-1]}")


async def keep_promise(talk: Conversation, path: Path) -> AnyReply:
    """The upload of which 150 was said before its data connection was prepared."""
    transfer = Transfer("STOU", path, talk.policy.seconds(), is_announced=True)
    return await _store(talk, transfer, WriteMode.CREATE)


async def _store(
    talk: Conversation,
    transfer: Transfer,
    mode: WriteMode,
    restart: Restart = BEGINNING,
) -> AnyReply:
    expected, talk.expected_octets = talk.expected_octets, None
    if not transfer.path:
        raise IsADirectory("/")
    tree = talk.view.tree
    try:
        upload = await tree.begin_write(transfer.path, mode, restart.offset, expected)
    except Conflict:
        return BEYOND_END
    taking = _Upload(upload, talk, transfer, restart, expected)
    transfer.offset, transfer.total = upload.offset, expected
    try:
        if mode is WriteMode.RESUME and upload.offset != restart.offset:
            return BEYOND_END
        return await carry(talk, transfer, taking.move)
    finally:
        await taking.settle()


@define
class _Upload:
    """An upload and what has become of it."""

    upload: IUpload
    talk: Conversation
    transfer: Transfer
    restart: Restart
    announced_octets: int | None = None
    """What ALLO said."""
    is_committing: bool = False
    may_be_resumed: bool = True
    has_promised: bool = False
    """Whether a restart marker was answered."""

    async def move(self, channel: DataChannel) -> None:
        """Receive everything, then commit."""
        try:
            await self._receive(channel)
        except (FileProblem, StoreError, DataNonsense):
            # A full disk or quota is no reason to hold on to what came, nor is what
            # nobody can read; but what a 110 has promised is kept.
            self.may_be_resumed = self.has_promised
            raise
        # Once begun, a commit goes on even if the client leaves meanwhile.
        self.is_committing = True
        await shielded(begun(self._commit()))

    async def _receive(self, channel: DataChannel) -> None:
        upload, chosen = self.upload, self.transfer.representation
        if not chosen.is_stream:
            await self._receive_marked(channel)
            return
        if chosen.is_exact:
            await channel.receive(upload.write)
        else:
            receiver = chosen.receiver()
            await channel.receive(lambda data: upload.write(receiver.feed([data])))
            waiting = upload.write(receiver.finish())
            if waiting is not None:
                await waiting
        self._check_size()
        if not await self.talk.data.keeps_client():
            # Not RFC 959 3.4.1: the end of the stream is that of the file, but a client
            # that was killed ends all its streams, in the middle of the file too.
            raise DataBroken("the client has left")

    def _check_size(self) -> None:
        """DataBroken where less came than ALLO announced, and it is known exactly."""
        # Not RFC 959 4.1.3: ALLO may say more than comes, but clients say the size.
        settings, announced = self.talk.policy.settings, self.announced_octets
        is_exact = self.transfer.representation.is_exact
        if announced is None or not is_exact or not settings.allo_is_size:
            return
        if self.upload.offset + self.upload.received_octets < announced:
            raise DataBroken("fewer octets came than ALLO announced")

    async def _receive_marked(self, channel: DataChannel) -> None:
        """Up to the mark at the end of the file, which a client that was killed does
        not send."""
        receiving = Receiving(
            channel, self.transfer.representation, self.upload, self._marked
        )
        receiving.resume(self.restart)
        await receiving.receive()
        self.transfer.is_suspect = receiving.is_suspect

    def _marked(self, text: str) -> None:
        """A restart marker that the client may count on, unless it does not listen."""
        if self.talk.data.hears_replies():
            self.has_promised = True
            self.talk.say(Reply(110, text))

    async def _commit(self) -> None:
        transfer = self.transfer
        transfer.is_committing = True
        code = 451
        try:
            await self.upload.commit(self._is_wanted)
            code = transfer.success
        except Withdrawn as withdrawn:
            code = 426
            await self._give_up()
            raise DataBroken("the client has left") from withdrawn
        except Exception as error:
            code = reply_for(error).code
            # Here, for the client may have left, and nobody waits any more.
            await self._give_up()
            raise
        finally:
            transfer.is_committing = False
            if transfer.report is not None:
                transfer.report(code)

    def _is_wanted(self) -> bool:
        """Whether the stream ended because the file did, as far as that is known when
        everything is synced.  Not the reactor's thread."""
        transfer = self.transfer
        if not transfer.representation.is_stream or transfer.is_last:
            return True
        return self.talk.data.is_client_there()

    async def settle(self) -> None:
        """Give up what was not committed; keep what the client may continue."""
        if not self.is_committing:
            await self._give_up()

    async def _give_up(self) -> None:
        has_octets = self.upload.offset + self.upload.received_octets > 0
        await self.upload.abort(keep_partial=self.may_be_resumed and has_octets)
