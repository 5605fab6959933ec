"""The manual and the source, as tests of the manual read them."""

from __future__ import annotations

import ast
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import click

from netservices.cli import main
from netservices.ftp.dialogue.registry import Verb
from tests.house.twistd import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
RUN_AS_SESSIONS = (
    "command.md",
    "accounts.md",
    "dns.md",
    "dns-answers.md",
    "dns-servers.md",
    "dns-updates.md",
    "hierarchy.md",
    "storage.md",
    "events.md",
    "http.md",
)
"""Pages whose console sessions are run; the README's have a test of their own."""

_BLOCK = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)


@cache
def text_of(page: Path) -> str:
    """A page."""
    return page.read_text(encoding="utf-8")


def page_named(name: str) -> str:
    """A page of the manual."""
    return text_of(DOCS / name)


def pages_about(protocol: str) -> str:
    """The pages of a protocol, ``dns.md`` and ``dns-updates.md``; none: empty."""
    pages = [DOCS / f"{protocol}.md", *sorted(DOCS.glob(f"{protocol}-*.md"))]
    return "\n".join(text_of(page) for page in pages if page.exists())


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of that language."""
    return [body for kind, body in _BLOCK.findall(text_of(page)) if kind == language]


def prose_of(page: Path) -> str:
    """The page without its fenced blocks."""
    return _BLOCK.sub("", text_of(page))


def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in _HEADING.findall(prose_of(page)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        found.add(re.sub(r"[^\w\- ]", "", words).replace(" ", "-"))
    return found


def command_table(verbs: Mapping[str, Verb]) -> str:
    """The table of FTP commands as the manual has it."""
    rows = ["| Command | What it does |", "|---|---|"]
    for name in sorted(verbs):
        syntax = verbs[name].syntax.replace("|", "\\|")
        rows.append(f"| `{syntax}` | {verbs[name].purpose} |")
    return "\n".join(rows)


def leaf_commands(
    group: click.Group = main, path: tuple[str, ...] = ("netservices",)
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every subcommand of ``netservices`` that does something, with its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaf_commands(command, (*path, name))
        else:
            yield (*path, name), command


def quoted_messages() -> list[str]:
    """The messages in the tables that tell what to do about them."""
    found = []
    for name in ("running.md", "storage.md"):
        for table in page_named(name).split("| Message | What you do |\n")[1:]:
            for row in table.partition("\n\n")[0].splitlines()[1:]:
                found += re.findall(r"`([^`]+)`", row.split(" | ")[0])
    return found


@cache
def strings_of_the_source() -> tuple[tuple[str, str], ...]:
    """Each text in the source, and the name of what is called with it; ``{}`` stands
    for what is filled in."""
    found = []
    for path in (ROOT / "netservices").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                found.append((name, _text_in(node.args[0])))
            elif isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp):
                found.append(("", _text_in(node)))
    return tuple(found)


def _text_in(node: ast.AST) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(map(_text_in, values))
        case ast.BinOp(left=left, right=right):
            return _text_in(left) + _text_in(right)
        case _:
            return "{}"


def own_commands(line: str) -> Iterator[list[str]]:
    """The words behind ``netservices`` for each such command in a line of shell."""
    words = shlex.split(line, comments=True)
    while words:
        end = words.index("|") if "|" in words else len(words)
        part, words = words[:end], words[end + 1 :]
        while part and "=" in part[0]:
            del part[0]
        if part and os.path.basename(part[0]) == "netservices":
            stop = next((i for i, w in enumerate(part) if w in (">", "&&", ";")), None)
            yield part[1:stop]


def parse(arguments: list[str], command: click.Command = main) -> None:
    """Parse as the command would, without looking at files.  UsageError."""
    context = click.Context(command)
    if isinstance(command, click.Group):
        context.allow_interspersed_args = False
    _, rest, _ = command.make_parser(context).parse_args(list(arguments))
    if isinstance(command, click.Group) and rest:
        found = command.get_command(context, rest[0])
        if found is None:
            raise click.UsageError(f"no such command: {rest[0]}")
        parse(rest[1:], found)
