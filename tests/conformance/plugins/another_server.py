"""A pytest plugin: pyftpdlib's tests talk to a server that runs already.

The server's ports are in ``SERVER_PORTS``, by address; outcomes go to the file
``OUTCOMES``, a line of JSON for each test.  Replies are compared by their codes: the
words are each server's own.
"""

from __future__ import annotations

import ftplib
import json
import os
import re
from typing import Any

import pytest
from pyftpdlib.handlers import FTPHandler

import tests

PORTS = json.loads(os.environ["SERVER_PORTS"])
_CODE = re.compile(r"\d{3}")


class AnotherServer:
    """In place of a thread with a server in it."""

    handler = FTPHandler

    def __init__(self, address: tuple[str, int] | None = None) -> None:
        wanted = "127.0.0.1" if address is None else address[0]
        # "::" is meant to be reached over IPv4.
        self.host = "127.0.0.1" if wanted == "::" else wanted
        self.port = PORTS[self.host]

    def start(self) -> None:
        """It runs."""

    def stop(self) -> None:
        """It goes on."""


class Loose(str):
    """A reply that is equal to any other with its code."""

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str) and _CODE.match(other):
            return self[:3] == other[:3]
        return str.__eq__(self, other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __str__(self) -> str:
        # What str() makes of an error that holds the reply.
        return self

    __hash__ = str.__hash__


def _raises(*arguments: Any, match: str | None = None, **keywords: Any) -> Any:
    """``pytest.raises`` that looks for the code only."""
    code = _CODE.match(match or "")
    if code is not None:
        keywords["match"] = code[0]
    return _original_raises(*arguments, **keywords)


def _get_multiline(client: ftplib.FTP) -> str:
    return Loose(_original_get_multiline(client))


_original_raises = pytest.raises
_original_get_multiline = ftplib.FTP.getmultiline

pytest.raises = _raises
ftplib.FTP.getmultiline = _get_multiline  # type: ignore[method-assign]
tests.FtpdThreadWrapper = AnotherServer  # type: ignore[attr-defined]
# A busy machine is no reason to fail.
tests.GLOBAL_TIMEOUT = 6  # type: ignore[attr-defined]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note how a test ended: by its call, or by what went wrong around it."""
    if report.when == "call" or report.outcome != "passed":
        name = "::".join(report.nodeid.split("::")[1:])
        with open(os.environ["OUTCOMES"], "a") as file:
            file.write(json.dumps([name, report.outcome]) + "\n")
