"""Wheel, sdist and editable install: each finds the plugins, cold and warm."""

from __future__ import annotations

import atexit
import os
import shutil
import site
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from functools import cache
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 300
_TWISTD = "from twisted.scripts.twistd import run; run()"
_BUILD = (
    "import sys; from setuptools import build_meta as b; b.build_sdist(sys.argv[1])"
)


def run(*command: str | Path, cwd: Path | None = None) -> str:
    """Run a command without this checkout on its path; its output.  AssertionError."""
    env = {name: os.environ[name] for name in os.environ if name[:6] != "PYTHON"}
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd or workshop(),
        env={**env, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}:\n{done.stdout}"
    return done.stdout


@cache
def workshop() -> Path:
    """A directory for everything that this file makes."""
    directory = Path(tempfile.mkdtemp(prefix="netservices-packaging-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return directory


@cache
def builder() -> Path:
    """The Python of an environment that has pip and the setuptools we build with."""
    run(sys.executable, "-m", "venv", workshop() / "builder")
    python = workshop() / "builder" / "bin" / "python"
    run(python, "-m", "pip", "install", "--quiet", "setuptools>=77")
    return python


def checkout(name: str) -> Path:
    """A copy of the source, so that building leaves nothing in the real one."""
    copy = workshop() / name
    ignored = shutil.ignore_patterns("__pycache__", "dropin.cache")
    for part in ("netservices", "twisted"):
        shutil.copytree(ROOT / part, copy / part, ignore=ignored)
    for part in ("setup.cfg", "pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(ROOT / part, copy)
    return copy


@cache
def distributions() -> tuple[Path, Path]:
    """The wheel and the sdist."""
    source, target = checkout("source"), workshop() / "dist"
    pip = (builder(), "-m", "pip", "wheel", "--quiet")
    run(*pip, "--no-deps", "--no-build-isolation", "-w", target, source)
    run(builder(), "-c", _BUILD, target, cwd=source)
    (wheel,) = target.glob("*.whl")
    (sdist,) = target.glob("*.tar.gz")
    return wheel, sdist


def environment(name: str) -> Path:
    """The Python of a fresh environment, with Twisted and the rest on its path."""
    place = workshop() / name
    run(sys.executable, "-m", "venv", "--without-pip", place)
    (packages,) = place.glob("lib/python*/site-packages")
    (tools,) = (builder().parent.parent).glob("lib/python*/site-packages")
    # The builder's setuptools first.  Plain paths: .pth files in them (an editable
    # install of this very checkout) are not followed.
    ours = [path for path in site.getsitepackages() if os.path.isdir(path)]
    (packages / "others.pth").write_text("\n".join([str(tools), *ours]) + "\n")
    return place / "bin" / "python"


def install(python: Path, *arguments: str | Path) -> None:
    """Install into an environment, without dependencies."""
    pip = (builder(), "-m", "pip", "--python", python, "install", "--quiet")
    run(*pip, "--no-deps", "--no-build-isolation", *arguments)


class PackagingTests(SynchronousTestCase):
    """What a user installs."""

    def assert_works(self, python: Path, *protocols: str) -> None:
        """twistd finds the plugins with a cold and with a warm cache."""
        for _ in ("cold", "warm"):
            shown = run(python, "-c", _TWISTD, "-n", "netservices", "--check")
            for protocol in ("ftp", "dns", *protocols):
                self.assertIn(f"\n  {protocol}", shown)
        where = run(python, "-c", "import netservices; print(netservices.__file__)")
        self.assertNotIn(str(ROOT), where)

    def test_wheel_contents(self) -> None:
        """The wheel has the package, its marker and the two plugin files; it has
        nothing that would hide Twisted's, and no tests."""
        with zipfile.ZipFile(distributions()[0]) as archive:
            names = set(archive.namelist())

        for name in (
            "netservices/__init__.py",
            "netservices/py.typed",
            "netservices/core/settings.py",
            "netservices/dns/wire/__init__.py",
            "twisted/plugins/netservices_plugin.py",
            "twisted/plugins/netservices_protocols.py",
        ):
            self.assertIn(name, names)
        self.assertEqual(
            {"netservices", "twisted", "dist-info"},
            {name.split("/")[0].rpartition(".")[2] for name in names},
        )
        self.assertEqual(2, sum(name.startswith("twisted/") for name in names))

    def test_every_module_is_packed(self) -> None:
        """No module of the package is left out of the wheel."""
        with zipfile.ZipFile(distributions()[0]) as archive:
            packed = {name for name in archive.namelist() if name.endswith(".py")}
        ours = {
            str(path.relative_to(ROOT)) for path in (ROOT / "netservices").rglob("*.py")
        }

        self.assertEqual(set(), ours - packed)

    def test_sdist_contents(self) -> None:
        """The sdist has what building needs, the plugins and the licence."""
        with tarfile.open(distributions()[1]) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}

        for name in (
            *("setup.cfg", "pyproject.toml", "LICENSE", "README.md"),
            "netservices/service/house.py",
            "twisted/plugins/netservices_plugin.py",
            "twisted/plugins/netservices_protocols.py",
        ):
            self.assertIn(name, names)

    def test_wheel(self) -> None:
        """An installed wheel works; so does the example installed beside it."""
        python = environment("from-wheel")
        install(python, distributions()[0])
        self.assert_works(python)
        command = python.parent / "netservices"
        self.assertIn("netservices", run(command, "--help"))

        example = workshop() / "shout"
        shutil.copytree(ROOT / "examples" / "shout", example)
        install(python, example)

        shown = run(python, "-c", _TWISTD, "-n", "netservices", "--shout", "--check")
        self.assertIn("udp:12000", shown)

    def test_sdist(self) -> None:
        """An installed sdist works."""
        python = environment("from-sdist")
        install(python, distributions()[1])
        self.assert_works(python)

    def test_editable(self) -> None:
        """An editable install works, and so do new files without a reinstall."""
        source = checkout("editable")
        python = environment("from-editable")
        install(python, "--editable", source)
        self.assert_works(python)

        text = (ROOT / "examples/shout/twisted/plugins/shout_plugin.py").read_text()
        (source / "twisted" / "plugins" / "late_plugin.py").write_text(text)

        self.assertIn("--shout", run(python, "-c", _TWISTD, "netservices", "--help"))
