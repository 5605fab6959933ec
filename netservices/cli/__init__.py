"""The ``netservices`` command: accounts, domains, zones and the care of the store.

It works on the state directory itself, with the server running or not.  A running
server is told about each change over its control socket and answers when it is in
force.
"""

from __future__ import annotations

import errno
from typing import Any

import click

from netservices import __version__
from netservices.cli.lazy import LazyGroup

_COMMANDS = {
    "account": "netservices.cli.account.account",
    "backup": "netservices.cli.care.backup",
    "check": "netservices.cli.care.check",
    "completion": "netservices.cli.completion.completion",
    "domain": "netservices.cli.domain.domain",
    "http": "netservices.cli.http.http",
    "key": "netservices.cli.key.key",
    "lock": "netservices.cli.lock.lock",
    "mirror": "netservices.cli.mirror.mirror",
    "restore": "netservices.cli.care.restore",
    "session": "netservices.cli.session.session",
    "status": "netservices.cli.status.status",
    "zone": "netservices.cli.zone.zone",
}


class WholeCommand(LazyGroup):
    """The command itself: what befalls its output is one line, too."""

    def main(self, *args: Any, **keywords: Any) -> Any:
        """Run; standard streams that the caller has closed are stood in for."""
        from netservices.cli.output import stand_in_for_closed_streams

        stand_in_for_closed_streams()
        return super().main(*args, **keywords)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except OSError as problem:
            if problem.errno == errno.EPIPE or problem.filename is not None:
                raise  # whoever read has seen enough; click ends quietly
            from netservices.cli.output import discard_output

            discard_output()
            raise click.ClickException(
                f"the answer cannot be printed: {problem.strerror}; what the command"
                " was to do is done"
            ) from None


@click.group(
    cls=WholeCommand,
    places=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--state",
    metavar="DIR",
    envvar="NETSERVICES_STATE",
    help="The state directory of the server.",
)
@click.option(
    "--config",
    metavar="FILE",
    envvar="NETSERVICES_CONFIG",
    type=click.Path(exists=True, dir_okay=False),
    help="The server's configuration file.",
)
@click.version_option(__version__, prog_name="netservices")
@click.pass_context
def main(ctx: click.Context, state: str | None, config: str | None) -> None:
    """Look after a netservices server: accounts, domains, zones, backups."""
    from netservices.cli.workplace import Workplace

    ctx.obj = Workplace(state, config)
