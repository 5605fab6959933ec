"""Commands that take long without a data connection: a digest, a copy.

They hold the place of a transfer: ``netservices session list`` shows them, ABOR stops
them, the end of the session gives them up, and the session does not count as idle.
Nothing but ABOR overtakes them, because they have said no 1xx reply: what a client
sends behind them is answered after them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from attrs import define

from netservices.core.dialogue import Reply as AnyReply
from netservices.core.errors import ProtocolError, Refused
from netservices.ftp.dialogue.problems import reply_for
from netservices.ftp.dialogue.transfer import Transfer, last_words
from netservices.ftp.wire import Reply
from netservices.interfaces import FileProblem, StoreError

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

T = TypeVar("T")

GIVEN_UP = Reply(426, "Given up")


@define(eq=False)
class Labour(Transfer):
    """Work under way."""

    has_preliminary = False
    done_octets: int = 0
    stop: Callable[[], None] | None = None

    @property
    def octets(self) -> int:
        """How many octets have been dealt with."""
        return self.done_octets

    def break_channel(self) -> None:
        """Stop the work."""
        if self.stop is not None:
            self.stop()

    def advance(self, octets: int) -> None:
        """Note how far the work has come.  Refused where it is not wanted any more."""
        self.done_octets = octets
        if self.is_given_up:
            raise Refused("given up", GIVEN_UP)


async def labour(
    talk: Conversation,
    work: Labour,
    doing: Awaitable[T],
    finish: Callable[[T], Reply],
) -> AnyReply:
    """The reply to what ``doing`` brings, and those to ABORs that came meanwhile."""
    talk.transfer = work
    try:
        reply = finish(await doing)
    except (ProtocolError, FileProblem, StoreError) as error:
        reply = reply_for(error)
    except Exception:
        # What is cancelled ends with an error of its own; so does the wait of a session
        # that has ended, and what goes on without it is told.
        if not work.is_given_up:
            work.abort()
            raise
        reply = GIVEN_UP
    finally:
        talk.transfer_ended()
    return last_words(work, reply)
