"""The lines of the setting ``mounts``: which application of somebody else is where.

``/blog wsgi:mysite.wsgi:application`` has a place and what is there.  The place is a
path, or a host and a path; what is there is a kind, a module, and a name in it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from difflib import get_close_matches
from importlib import import_module
from typing import Any

from attrs import frozen

from netservices.core.errors import ConfigurationError

KINDS = ("wsgi", "asgi", "resource", "handler", "maker")
"""What may be mounted: applications of PEP 3333 and of ASGI 3, resources of Twisted,
handlers of ours, and what makes such a handler of the services."""

_LINE = re.compile(
    rf"""(?P<host>[A-Za-z0-9.\-]*)(?P<path>/\S*)
    \s+(?P<kind>{"|".join(KINDS)})
    :(?P<module>[A-Za-z_][\w.]*):(?P<name>[A-Za-z_][\w.]*)""",
    re.VERBOSE | re.ASCII,
)


@frozen
class Mount:
    """One line."""

    line: str
    host: str
    """Empty: every host."""
    path: str
    kind: str
    module: str
    name: str
    """An attribute of the module; with dots, an attribute of an attribute."""


def parse_mount(line: str) -> Mount:
    """The mount that a line says.  ValueError."""
    match = _LINE.fullmatch(line.strip())
    if match is None:
        raise ValueError(
            f"{line!r} is no line such as '/blog wsgi:mysite.wsgi:application': "
            f"[HOST]/PATH, and KIND:MODULE:NAME with a kind of {', '.join(KINDS)}"
        )
    host = match["host"].lower().removesuffix(".")
    return Mount(
        line.strip(), host, match["path"], match["kind"], match["module"], match["name"]
    )


def extend_path(directories: Iterable[str]) -> None:
    """Look for modules in these directories, too, and there first."""
    for directory in reversed(list(directories)):
        if directory not in sys.path:
            sys.path.insert(0, directory)


def load(mount: Mount) -> Any:
    """What the line names.  ConfigurationError."""
    try:
        found = import_module(mount.module)
    except ModuleNotFoundError as error:
        raise _problem(mount, _missing(mount, error)) from error
    except Exception as error:
        text = f"importing {mount.module} fails: {type(error).__name__}: {error}"
        raise _problem(mount, text) from error
    held = f"the module {mount.module}"
    for word in mount.name.split("."):
        try:
            found = getattr(found, word)
        except AttributeError:
            likely = get_close_matches(word, dir(found), 1)
            hint = f"; is it {likely[0]}?" if likely else ""
            raise _problem(mount, f"{held} has no {word}{hint}") from None
        held = word
    return found


def refuse(mount: Mount, text: str) -> ConfigurationError:
    """What is wrong with what was found."""
    return _problem(mount, f"{mount.module}:{mount.name} {text}")


def _missing(mount: Mount, error: ModuleNotFoundError) -> str:
    missing = error.name or mount.module
    if mount.module == missing or mount.module.startswith(f"{missing}."):
        return (
            f"there is no module {missing}; http.python_path says where modules are "
            "looked for beside those that are installed"
        )
    return f"{mount.module} imports {missing}, which is not installed"


def _problem(mount: Mount, text: str) -> ConfigurationError:
    return ConfigurationError(f"[http]: mounts: {mount.line!r}: {text}")
