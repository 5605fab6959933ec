"""What the store keeps beside the zones, on a command's bench."""

from __future__ import annotations

from typing import TypeVar

import click

from netservices.cli.bench import Bench
from netservices.core.deferreds import begun
from netservices.dns.backend.shelf import Kind, load_shelf

T = TypeVar("T")


def load_all(bench: Bench, kind: Kind[T]) -> dict[bytes, T]:
    """All things of a kind; what cannot be read is named."""
    things, problems = bench.get(begun(load_shelf(bench.store, kind)))
    for problem in problems:
        click.echo(f"Warning: {problem}", err=True)
    return things
