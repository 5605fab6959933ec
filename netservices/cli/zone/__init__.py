"""``netservices zone``: the names that this server answers for.

One module for each subject; ``netservices.cli.zones`` is what they share.
"""

from __future__ import annotations

import click

from netservices.cli.lazy import LazyGroup
from netservices.core.garbage import without_full_collections

_COMMANDS = {
    "list": "netservices.cli.zone.manage.list_zones",
    "create": "netservices.cli.zone.manage.create_zone",
    "import": "netservices.cli.zone.files.import_zone",
    "import-dir": "netservices.cli.zone.files.import_directory",
    "export": "netservices.cli.zone.files.export_zone",
    "remove": "netservices.cli.zone.manage.remove_zone",
    "record": "netservices.cli.zone.record.record",
    "reverse": "netservices.cli.zone.reverse.make_reverse",
    "check": "netservices.cli.zone.check.check_zone",
    "diff": "netservices.cli.zone.history.show_differences",
    "history": "netservices.cli.zone.history.show_history",
    "undo": "netservices.cli.zone.history.undo_change",
    "explain": "netservices.cli.zone.explain.explain",
    "top": "netservices.cli.zone.top.show_top",
    "set": "netservices.cli.zone.options.set_options",
    "options": "netservices.cli.zone.options.show_options",
    "secondary": "netservices.cli.zone.secondary.make_secondary",
    "refresh": "netservices.cli.zone.secondary.refresh_zone",
    "retransfer": "netservices.cli.zone.secondary.retransfer_zone",
    "catalog": "netservices.cli.zone.catalog.catalog",
    "register": "netservices.cli.zone.register.register_zone",
    "balance": "netservices.cli.zone.balance.balance",
}
"""By subject: zones, records, what is wrong or has changed, answers, other servers."""


@click.group(cls=LazyGroup, places=_COMMANDS)
@click.pass_context
def zone(ctx: click.Context) -> None:
    """DNS zones, their records, history and options."""
    ctx.with_resource(without_full_collections())
