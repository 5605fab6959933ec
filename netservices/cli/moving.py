"""What people see while files move: a bar on a terminal, and lines for what is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from netservices.ftp.mirror.values import Item, Verb, Watcher, Wishes, shown


@contextmanager
def shown_progress(wishes: Wishes, names_all: bool) -> Iterator[Watcher]:
    """A watcher that shows what it is told: octets, rate, time left and files, in a bar
    on standard error where that is a terminal; with ``names_all`` each action."""
    if not sys.stderr.isatty() or wishes.is_dry_run:
        yield _watcher(click.echo, names_all)
        return
    with _bar() as bar:
        task = bar.add_task("looking", total=None)
        watcher = _watcher(lambda text, **_options: _print(bar, text), names_all)
        files = total_files = 0

        def planned(count: int, octets: int) -> None:
            nonlocal total_files
            total_files = count
            bar.update(task, total=octets, description=f"0 of {count} files")

        def done(verb: Verb, item: Item) -> None:
            nonlocal files
            if verb in (Verb.UPLOAD, Verb.DOWNLOAD):
                files += 1
                bar.update(task, description=f"{files} of {total_files} files")
            told(verb, item)

        told = watcher.done
        watcher.planned, watcher.done = planned, done
        watcher.moved = lambda octets: bar.advance(task, octets)
        yield watcher


def _watcher(say: Callable[..., None], names_all: bool) -> Watcher:
    def done(verb: Verb, item: Item) -> None:
        if names_all:
            say(f"{verb.value} {item.text}")

    def warned(text: str) -> None:
        say(f"Warning: {shown(text)}", err=True)

    return Watcher(done=done, warned=warned)


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def _print(bar: Any, text: str) -> None:
    """A line above the bar."""
    bar.console.print(text, markup=False, highlight=False)
