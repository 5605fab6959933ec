"""The standards that the source cites: ``python -m tests.rfc`` prints them as a table.

A citation is ``RFC 959 4.1.3`` in a comment or docstring; ``Not RFC`` marks a deviation
and ``(todo)`` behind the section a gap.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "netservices"

_CITATION = re.compile(
    r"(?P<deviation>Not )?RFC[  ](?P<number>\d{2,5})"
    r"(?:,? (?:section )?(?P<section>\d+(?:\.\d+)*|[A-Z]\.\d+)(?!\d*[-:/]))?"
    r"(?P<todo> \(todo\))?"
)
_ROW = re.compile(r"^(?:RFC )?(\d{3,5})(?=\s)(.*)$", re.MULTILINE)


@frozen
class Citation:
    """One place in the source that cites a standard."""

    number: int
    section: str
    place: str
    is_deviation: bool
    is_todo: bool


def citations(root: Path = PACKAGE) -> Iterator[Citation]:
    """Every citation in the comments and strings below ``root``, by file and line; the
    tables of the packages (``__init__.py``) are not counted."""
    for path in sorted(root.rglob("*.py")):
        if path.name == "__init__.py":
            continue
        for line, text in _words(path):
            for match in _CITATION.finditer(" ".join(text.split())):
                yield Citation(
                    number=int(match["number"]),
                    section=match["section"] or "",
                    place=f"{path.relative_to(ROOT)}:{line}",
                    is_deviation=bool(match["deviation"]),
                    is_todo=bool(match["todo"]),
                )


def _words(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of each string, and of each run of comment lines."""
    run: list[str] = []
    start = last = 0
    source = io.StringIO(path.read_text(encoding="utf-8"))
    for token in tokenize.generate_tokens(source.readline):
        line = token.start[0]
        if token.type == tokenize.COMMENT:
            if run and line != last + 1:
                yield start, " ".join(run)
                run = []
            start = start if run else line
            run.append(token.string.lstrip("# "))
            last = line
        elif token.type == tokenize.STRING:
            yield line, token.string
    if run:
        yield start, " ".join(run)


def declared(package: Path) -> dict[int, bool]:
    """The RFCs in the table of a package's docstring: number to whether it is done at
    all (``done`` or ``partial``, not ``not``)."""
    text = (package / "__init__.py").read_text(encoding="utf-8")
    rows = {}
    for match in _ROW.finditer(text):
        words = set(re.findall(r"[a-z]+", match[2]))
        if words & {"done", "partial", "not"}:
            rows[int(match[1])] = bool(words & {"done", "partial"})
    return rows


def packages() -> list[Path]:
    """The packages whose docstring has such a table."""
    return sorted(
        path.parent for path in PACKAGE.glob("*/__init__.py") if declared(path.parent)
    )


def table() -> str:
    """The citations as a page of the manual."""
    found: dict[int, list[Citation]] = {}
    for citation in citations():
        found.setdefault(citation.number, []).append(citation)
    lines = [
        "# Standards",
        "",
        "What the source cites, and where it departs or falls short.",
        "This page is made from the source by `make docs`.",
        "",
        "| RFC | sections | places | deviations | gaps |",
        "|---|---|---|---|---|",
    ]
    for number, cited in sorted(found.items()):
        sections = sorted({c.section for c in cited if c.section}, key=_natural)
        lines.append(
            f"| [{number}](https://www.rfc-editor.org/rfc/rfc{number})"
            f" | {', '.join(sections)} | {len(cited)}"
            f" | {sum(c.is_deviation for c in cited) or ''}"
            f" | {sum(c.is_todo for c in cited) or ''} |"
        )
    return "\n".join(lines)


def _natural(section: str) -> list[tuple[int, str]]:
    return [(int(p) if p.isdigit() else 0, p) for p in section.split(".")]


if __name__ == "__main__":
    print(table())
