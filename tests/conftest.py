"""pytest only: scratch directories of trial's ``mktemp`` get a place of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def _scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The tests run in a directory of their own, as they do under trial."""
    before = os.getcwd()
    scratch = tmp_path_factory.mktemp("trial")
    os.chdir(scratch)
    yield scratch
    os.chdir(before)
