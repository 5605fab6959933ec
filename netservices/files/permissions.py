"""What one view of a tree may do: the same everywhere, or by directory."""

from __future__ import annotations

from enum import Flag, auto

from attrs import frozen

from netservices import values
from netservices.files.names import canonical
from netservices.interfaces import NotAllowed
from netservices.values import Path, Permission


class Action(Flag):
    """What is done to a path."""

    LOOK = auto()
    """stat and list."""
    READ = auto()
    WRITE = auto()
    """Create, replace, append to a file."""
    MAKE = auto()
    """Make a directory."""
    REMOVE = auto()
    RENAME = auto()
    CHANGE = auto()
    """Modification time and mode."""


READING = Action.LOOK | Action.READ
EVERYTHING = ~Action(0)


@frozen
class Permissions:
    """Which actions a view of a tree allows."""

    allowed: Action = EVERYTHING

    def check(self, action: Action, path: Path) -> None:
        """NotAllowed."""
        if action not in self.allowed:
            raise NotAllowed(f"{action.name} is not allowed here")


READ_ONLY = Permissions(READING)
READ_WRITE = Permissions()

_NEEDS = {
    Action.LOOK: Permission.ALL,
    Action.READ: Permission.READ,
    Action.WRITE: Permission.WRITE,
    Action.MAKE: Permission.MAKE_DIRECTORY,
    Action.REMOVE: Permission.DELETE,
    Action.RENAME: Permission.RENAME,
    Action.CHANGE: Permission.ATTRIBUTES,
}
"""One of these is needed for the action."""


@frozen
class ByDirectory:
    """The same as ``Permissions``, where it depends on the path."""

    permissions: values.Permissions

    @property
    def allowed(self) -> Action:
        """What is allowed in one place or another."""
        found = Action(0)
        for action, needed in _NEEDS.items():
            if self.permissions.anywhere & needed:
                found |= action
        return found

    def check(self, action: Action, path: Path) -> None:
        """NotAllowed."""
        if not self.permissions.at(canonical(path)) & _NEEDS[action]:
            raise NotAllowed(f"{action.name} is not allowed here")
