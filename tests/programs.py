"""Programs of other people, as clients and as judges."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from unittest import SkipTest

SECONDS = 60
"""How long a program may take."""


def located(name: str) -> str:
    """The path of a program.  SkipTest where it is missing, but never in CI."""
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if path is None:
        if os.environ.get("CI"):
            raise AssertionError(f"{name} is not installed")
        raise SkipTest(f"{name} is not installed")
    return path


def run(*command: str, script: str = "", home: Path | None = None) -> str:
    """What a program that ends well has written; ``script`` is what it reads, ``home``
    where it looks for its configuration.  AssertionError with what it said."""
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    if home is not None:
        environment.update(HOME=str(home), XDG_CONFIG_HOME=str(home))
    done = subprocess.run(
        command,
        input=script.encode(),
        capture_output=True,
        timeout=SECONDS,
        check=False,
        env=environment,
    )
    output = done.stdout.decode("utf-8", "surrogateescape")
    if done.returncode:
        errors = done.stderr.decode("utf-8", "replace")
        raise AssertionError(f"{command} {script}: {output}\n{errors}")
    return output
