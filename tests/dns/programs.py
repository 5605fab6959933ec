"""Client programs of other people, as judges."""

from __future__ import annotations

import os
import shutil
from unittest import SkipTest


def need(program: str) -> str:
    """The path of a program; where it is absent the test is skipped, but not in CI."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if path is None:
        if os.environ.get("CI"):
            raise AssertionError(f"{program} is not installed")
        raise SkipTest(f"{program} is not installed")
    return path
