"""What one view of a tree may do; rules for each directory come with step 2."""

from __future__ import annotations

from collections.abc import Callable
from enum import Flag, auto
from typing import TypeAlias

from attrs import frozen

from netservices.interfaces import NotAllowed
from netservices.values import Path


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

Guard: TypeAlias = Callable[[Action, Path], None]
"""Raises where a change of that path is refused just now: WebDAV's locks hook in
here."""


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
