"""``netservices completion``: the shell's part of tab completion."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    For bash, put this line in ~/.bashrc:

        eval "$(netservices completion bash)"
    """
    from netservices.cli import main

    found = get_completion_class(shell)
    if found is None:
        raise click.ClickException(f"no completion for {shell}")
    script = found(main, {}, "netservices", "_NETSERVICES_COMPLETE")
    click.echo(script.source())
