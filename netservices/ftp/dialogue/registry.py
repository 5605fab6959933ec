"""The command registry: for each verb what it takes, needs, does and says of itself.

FEAT, HELP and SITE HELP are written from it; a plugin adds a SITE command by
registering one (``netservices.ftp.site``).
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import TYPE_CHECKING, TypeAlias

from attrs import define, field, frozen

from netservices.core.dialogue import Answer
from netservices.ftp.backend import Permission
from netservices.ftp.dialogue.states import ALLOWED, State

if TYPE_CHECKING:
    from netservices.ftp.dialogue.conversation import Conversation


class Argument(Enum):
    """Whether something follows the verb."""

    NONE = auto()
    OPTIONAL = auto()
    REQUIRED = auto()


Run: TypeAlias = "Callable[[Conversation, bytes], Answer]"


Feature: TypeAlias = "str | Callable[[Conversation], str]"


@frozen
class Verb:
    """One command of the server."""

    name: str
    run: Run
    argument: Argument
    help: str
    """Syntax of the argument, a colon, and what the command does."""
    permission: Permission | None = None
    feature: Feature = ""
    """Its line in the reply to FEAT, or what writes it for a session; lines of several
    verbs are written once."""
    overtakes: bool = False
    """Whether it is answered during a transfer."""

    @property
    def needs_login(self) -> bool:
        """Whether it is refused before the login."""
        return self.name not in ALLOWED[State.CONNECTED]

    @property
    def syntax(self) -> str:
        """The verb and its argument, for HELP."""
        return f"{self.name} {self.help.partition(':')[0]}".strip()

    @property
    def purpose(self) -> str:
        """What it does, for HELP."""
        return self.help.partition(":")[2].strip()


@define
class Commands:
    """Verbs by name, filled by decorated functions."""

    verbs: dict[str, Verb] = field(factory=dict)

    def verb(
        self,
        *names: str,
        argument: Argument,
        help: str,  # noqa: A002
        permission: Permission | None = None,
        feature: Feature = "",
        overtakes: bool = False,
    ) -> Callable[[Run], Run]:
        """Register the decorated function under a verb and its older spellings."""

        def register(run: Run) -> Run:
            for name in names:
                if name in self.verbs:
                    raise ValueError(f"the command {name} is registered twice")
                self.verbs[name] = Verb(
                    name, run, argument, help, permission, feature, overtakes
                )
            return run

        return register

    def include(self, other: Commands) -> None:
        """Take over another group's verbs.  ValueError for one that is there."""
        for name, verb in other.verbs.items():
            if name in self.verbs:
                raise ValueError(f"the command {name} is registered twice")
            self.verbs[name] = verb


UNIMPLEMENTED = frozenset({"MFCT", "LPRT", "LPSV"})
"""Verbs of RFC 1639 and draft-somers-ftp-mfxx that get 502, not 500."""
