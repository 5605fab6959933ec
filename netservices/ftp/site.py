"""What a plugin needs to add a SITE command to the FTP server.

::

    from netservices.ftp.site import Argument, Reply, SITE_COMMANDS

    @SITE_COMMANDS.verb("TWICE", argument=Argument.REQUIRED, help="<text>: say twice")
    def twice(talk, argument):
        text = talk.decode(argument)
        return Reply(200, f"{text} {text}")

The function takes the session (``Conversation``) and the octets behind the verb, and
returns a ``Reply``; an ``async def`` may wait for Deferreds before.  ``talk.path``
makes a path of an argument, ``talk.view.tree`` is the user's file tree
(``IFileTree``), ``talk.carry_out`` waits for a change of it and reports that.  What
the tree refuses, and what is raised as ``SyntaxProblem`` or ``Refused``, becomes the
reply that any command gives.
"""

from netservices.core.errors import Refused, SyntaxProblem
from netservices.ftp.dialogue.conversation import Conversation
from netservices.ftp.dialogue.registry import Argument
from netservices.ftp.dialogue.site import SITE_COMMANDS
from netservices.ftp.wire import Reply
from netservices.values import Permission

__all__ = [
    "SITE_COMMANDS",
    "Argument",
    "Conversation",
    "Permission",
    "Refused",
    "Reply",
    "SyntaxProblem",
]
