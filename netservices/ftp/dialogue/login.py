"""USER, PASS, ACCT, REIN, QUIT (RFC 959 4.1.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from netservices.core.dialogue import Answer, Then
from netservices.core.errors import Refused, SyntaxProblem
from netservices.ftp.dialogue import security
from netservices.ftp.dialogue.hosts import forget_host, full_login
from netservices.ftp.dialogue.problems import reply_for
from netservices.ftp.dialogue.registry import Argument, Commands
from netservices.ftp.dialogue.states import State
from netservices.ftp.wire import Reply

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation

COMMANDS = Commands()
GOODBYE = Reply(221, "Goodbye", Then.CLOSE)


@COMMANDS.verb(
    "USER", argument=Argument.REQUIRED, help="<login>: who logs in", overtakes=True
)
def user(talk: Conversation, argument: bytes) -> Answer:
    """Note the login; a session that was logged in starts anew."""
    try:
        login = argument.strip().decode("utf-8")
    except UnicodeDecodeError:
        raise SyntaxProblem("a login that is not UTF-8") from None
    # RFC 959 4.1.1: a new USER flushes what an earlier one gave.
    talk.forget_user()
    security.check_login(talk)
    talk.policy.may_name(login, talk.origin)
    talk.login = login
    talk.state = State.NAMED
    if talk.policy.is_anonymous(login):
        return Reply(331, "Anonymous access; give your e-mail address as password")
    return Reply(331, "Password, please")


@COMMANDS.verb("PASS", argument=Argument.OPTIONAL, help="<password>: log in")
async def password(talk: Conversation, argument: bytes) -> Reply:
    """Log in; the reply comes when the accounts service has decided."""
    policy = talk.policy
    talk.state = State.CONNECTED
    try:
        login = talk.login
        if not policy.is_anonymous(login):
            login = full_login(login, talk.host_domain)
        talk.user = await policy.login(login, argument, talk.origin, talk.slot)
    except Refused as error:
        talk.failed_logins += 1
        if talk.failed_logins >= policy.settings.failed_logins:
            # RFC 959 5.4: the answer to PASS is 530; the session ends with it.
            return attrs.evolve(reply_for(error), then=Then.CLOSE)
        return reply_for(error)
    talk.state = State.LOGGED_IN
    talk.data.belongs_to(talk.user.login)
    talk.learn_options()
    talk.logged_in_at = policy.seconds()
    policy.logged_in(talk.user, talk.origin)
    return Reply(230, f"Logged in as {talk.user.login}")


@COMMANDS.verb("ACCT", argument=Argument.REQUIRED, help="<account>: not needed here")
def acct(talk: Conversation, argument: bytes) -> Answer:
    """Superfluous, and said so (RFC 959 5.4)."""
    return Reply(202, "No account is needed")


@COMMANDS.verb(
    "SMNT", argument=Argument.REQUIRED, help="<path>: mount another file system"
)
def smnt(talk: Conversation, argument: bytes) -> Answer:
    """There is one tree for each account (RFC 959 5.4: 502)."""
    return Reply(502, "There is nothing to mount")


@COMMANDS.verb(
    "REIN", argument=Argument.NONE, help=": log out, stay connected", overtakes=True
)
def rein(talk: Conversation, argument: bytes) -> Answer:
    """Back to the beginning; a transfer that runs is completed."""
    # RFC 959 4.1.1: "all parameters are reset to the default settings".
    talk.has_chosen_utf8 = False
    talk.forget_user()
    # RFC 7151 3.2.1: REIN resets HOST, too.
    forget_host(talk)
    return Reply(220, talk.policy.banner, security.begin_anew(talk))


@COMMANDS.verb("QUIT", argument=Argument.NONE, help=": end the session", overtakes=True)
def quit_(talk: Conversation, argument: bytes) -> Answer:
    """Close; during a transfer, after its own reply (RFC 959 4.1.1)."""
    if talk.transfer is None:
        return GOODBYE
    talk.transfer.is_last = True
    return Reply(221, "Goodbye, when the transfer is complete")
