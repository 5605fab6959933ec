"""A group of subcommands that are imported when they are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """A group that imports a subcommand when it is wanted: ``--help`` stays quick."""

    def __init__(
        self, *args: Any, places: Mapping[str, str] | None = None, **keywords: Any
    ) -> None:
        super().__init__(*args, **keywords)
        self._places = places or {}
        """The dotted name of each subcommand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of all subcommands, in the order of ``places``."""
        return list(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand of that name."""
        dotted_name = self._places.get(cmd_name)
        if dotted_name is None:
            return None
        module_name, _, attribute = dotted_name.rpartition(".")
        command: click.Command = getattr(import_module(module_name), attribute)
        return command
