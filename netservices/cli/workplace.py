"""Where the commands work: the state directory, its store, and the running server.

A ``Workplace`` knows the options; ``open()`` gives a ``Bench``, the store opened inline
(no threads, no reactor).  When the bench is cleared away, a running server is told and
has answered: what was changed is in force.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import click
from attrs import define

from netservices.cli.bench import Bench
from netservices.cli.owner import acting_as_owner, become_owner
from netservices.config.loading import CommandLine, Configuration, load
from netservices.control.client import NotRunning, ask
from netservices.core.errors import StartupError
from netservices.interfaces import FileProblem, StoreError
from netservices.values import Report

IN_FORCE_SECONDS = 300.0
"""A server may take so long to serve a change; a zone of a million names does."""


@define(slots=False)
class Workplace:
    """The options of the command, and what follows from them."""

    state_option: str | None
    config_option: str | None

    @cached_property
    def configuration(self) -> Configuration:
        """The server's settings, as it would read them."""
        flags = {}
        if self.state_option == "":
            raise _WrongConfiguration("--state: the name of a directory is wanted")
        with _in_words():
            if self.state_option:
                flags["--state"] = ("server.state", os.path.abspath(self.state_option))
            return load(CommandLine(file=self.config_option or "", flags=flags))

    @property
    def directory(self) -> str:
        """The state directory."""
        return self.configuration.state_directory

    @contextmanager
    def open(self, as_owner: bool = True) -> Iterator[Bench]:
        """The store of an existing state directory.

        With ``as_owner``, root becomes the owner of the directory first and for good,
        so that it leaves no file behind that the server cannot write; without, only
        while the store is opened.
        """
        self._require_state()
        if as_owner:
            become_owner(self.directory)
        opening = acting_as_owner(self.directory)
        with _in_words(), Bench.opened(self.configuration, opening) as bench:
            yield bench
        if bench.has_written:
            self.tell_server()

    def _require_state(self) -> None:
        try:
            os.stat(os.path.join(self.directory, "netservices.db"))
        except PermissionError as problem:
            raise click.ClickException(
                f"{self.directory}: {problem.strerror}; run this as root, or as the"
                " user of the server"
            ) from None
        except OSError:
            raise click.ClickException(
                f"{self.directory} holds no netservices state; say which with "
                "--state DIR or --config FILE, or start the server once to make it"
            ) from None

    def tell_server(self) -> None:
        """Have a running server read what changed; silent where none runs."""
        try:
            ask(self.directory, {"verb": "changed"}, IN_FORCE_SECONDS)
        except NotRunning:
            return
        except (OSError, ValueError) as problem:
            click.echo(
                f"The change is stored, but the server did not confirm it: {problem}",
                err=True,
            )

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The running server's answer to ``request``."""
        reply = self.ask_if_running(request)
        if reply is None:
            raise click.ClickException(f"no server is running on {self.directory}")
        return reply

    def ask_if_running(self, request: dict[str, Any]) -> dict[str, Any] | None:
        """The same; None where no server runs."""
        try:
            return ask(self.directory, request)
        except NotRunning:
            return None
        except (OSError, ValueError) as problem:
            message = f"the server on {self.directory} does not answer: {problem}"
            raise click.ClickException(message) from None

    def restore(self, source: str, report: Callable[[int, int], None]) -> Report:
        """Bring ``source`` back into the state directory, which must not exist yet."""
        from netservices.store.restore import restore

        with _in_words():
            return restore(source, self.directory, report)


class _WrongConfiguration(click.ClickException):
    """The configuration is wrong; the exit status is the server's for that."""

    exit_code = 2


pass_workplace = click.make_pass_decorator(Workplace)


@contextmanager
def _in_words() -> Iterator[None]:
    """Errors of store, files and configuration as one line for people."""
    try:
        yield
    except (StoreError, FileProblem) as problem:
        words = str(problem) or type(problem).__name__
        raise click.ClickException(words) from None
    except StartupError as problem:
        if problem.exit_status == _WrongConfiguration.exit_code:
            raise _WrongConfiguration(str(problem)) from None
        raise click.ClickException(str(problem)) from None
    except BrokenPipeError:
        raise  # whoever reads has seen enough
    except OSError as problem:
        raise click.ClickException(
            f"{problem.filename or 'the state directory'}: {problem.strerror}"
        ) from None
