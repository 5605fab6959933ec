"""The functional tests of pyftpdlib 2.2.0: fetched, and run against a server.

Its source distribution has them; the installed package has not.  ``python -m
tests.conformance.pyftpdlib_suite`` puts them into the virtual environment, and the
tests do so themselves where that has not been done.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

REQUIREMENT = "pyftpdlib==2.2.0"
NAME = "pyftpdlib-2.2.0"
SHA256 = "4ba0642078792df63dd3b2e9c8f838f2a3ecf428c7518d5921c0530d53512acf"
RUN_SECONDS = 300.0

_PLACE = Path(sys.prefix, "share", "netservices-tests")
_PLUGINS = Path(__file__).parent / "plugins"


def sources() -> Path:
    """The directory of the distribution, fetched where it is not there yet.

    AssertionError says what to do where it cannot be had.
    """
    _PLACE.mkdir(parents=True, exist_ok=True)
    with open(_PLACE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _PLACE / NAME
        if not found.is_dir():
            _fetch(found)
        return found


def _fetch(target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=_PLACE) as scratch:
        archive = Path(scratch, f"{NAME}.tar.gz")
        given = os.environ.get("NETSERVICES_PYFTPDLIB_SDIST")
        if given:
            shutil.copyfile(given, archive)
        else:
            _download(scratch)
        if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
            raise AssertionError(f"{archive.name} is not the file that was released")
        with tarfile.open(archive) as opened:
            # The first releases of Python 3.11 know no filters; the digest is known.
            has_filters = hasattr(tarfile, "data_filter")
            opened.extractall(scratch, **({"filter": "data"} if has_filters else {}))
        os.rename(Path(scratch, NAME), target)


def _download(directory: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--no-binary", ":all:"]
    done = subprocess.run(
        [*command, "--dest", directory, REQUIREMENT], capture_output=True, text=True
    )
    if done.returncode:
        raise AssertionError(
            f"the tests of {REQUIREMENT} cannot be fetched; give the path of its source"
            f" distribution in NETSERVICES_PYFTPDLIB_SDIST:\n{done.stderr}"
        )


def run(tests: tuple[str, ...], home: str, ports: dict[str, int]) -> dict[str, str]:
    """How each test ended: ``passed``, ``failed``, ``skipped``, by class and name.

    ``home`` is what the server shows to its users as ``/``; ``ports`` are those of
    127.0.0.1 and of ::1.
    """
    distribution = sources()
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST", "GITHUB_ACTIONS", "CIBUILDWHEEL"))
    }
    environment["PYTHONPATH"] = os.pathsep.join([str(distribution), str(_PLUGINS)])
    with tempfile.TemporaryDirectory() as scratch:
        outcomes = Path(scratch, "outcomes")
        environment["SERVER_PORTS"] = json.dumps(ports)
        environment["OUTCOMES"] = str(outcomes)
        command = [sys.executable, "-m", "pytest", "-q", "-c", os.devnull]
        command += [f"--rootdir={distribution}", "-p", "no:cacheprovider"]
        command += ["-p", "another_server", "-p", "no:randomly"]
        command += [str(distribution / "tests" / test) for test in tests]
        done = subprocess.run(
            command,
            cwd=home,
            env=environment,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
        )
        if not outcomes.exists():
            raise AssertionError(f"the tests did not run:\n{done.stdout}{done.stderr}")
        found = dict(json.loads(line) for line in outcomes.read_text().splitlines())
    if not found:
        raise AssertionError(f"no test ran:\n{done.stdout}{done.stderr}")
    return found


if __name__ == "__main__":
    sources()
