"""``netservices zone``: the names that this server answers for.

One module for each subject; ``netservices.cli.zones`` is what they share.
"""

from __future__ import annotations

import click

from netservices.cli.lazy import LazyGroup
from netservices.core.garbage import without_full_collections

_COMMANDS = {
    "balance": "netservices.cli.zone.balance.balance",
    "catalog": "netservices.cli.zone.catalog.catalog",
    "check": "netservices.cli.zone.check.check_zone",
    "create": "netservices.cli.zone.manage.create_zone",
    "diff": "netservices.cli.zone.history.show_differences",
    "explain": "netservices.cli.zone.explain.explain",
    "export": "netservices.cli.zone.files.export_zone",
    "history": "netservices.cli.zone.history.show_history",
    "import": "netservices.cli.zone.files.import_zone",
    "import-dir": "netservices.cli.zone.files.import_directory",
    "list": "netservices.cli.zone.manage.list_zones",
    "options": "netservices.cli.zone.options.show_options",
    "record": "netservices.cli.zone.record.record",
    "refresh": "netservices.cli.zone.secondary.refresh_zone",
    "register": "netservices.cli.zone.register.register_zone",
    "remove": "netservices.cli.zone.manage.remove_zone",
    "retransfer": "netservices.cli.zone.secondary.retransfer_zone",
    "reverse": "netservices.cli.zone.reverse.make_reverse",
    "set": "netservices.cli.zone.options.set_options",
    "secondary": "netservices.cli.zone.secondary.make_secondary",
    "top": "netservices.cli.zone.top.show_top",
    "undo": "netservices.cli.zone.history.undo_change",
}


@click.group(cls=LazyGroup, places=_COMMANDS)
@click.pass_context
def zone(ctx: click.Context) -> None:
    """DNS zones: import, export, check, and change single records."""
    ctx.with_resource(without_full_collections())
