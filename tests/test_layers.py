"""The architecture, read from the imports: see docs/decisions/0001-shape.md."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "netservices"
LONGEST_FILE = 600

PROTOCOLS = {"ftp", "http", "dns", "smtp", "pop3", "imap"}
"""Packages that know no other one of them."""

SHARED = {"store", "accounts", "files", "tls", "mail", "web"}
"""Packages that know no protocol."""

BUILDS_ON = {"http": {"web"}}
"""Protocol packages to the shared packages that all their parts may know."""

SANS_IO = {
    "wire",
    "dialogue",
    "policy",
    "backend",
    "options",
    "grants",
    "rules",
    "zone",
    "zonefile",
}
"""Parts of a protocol package that never see Twisted."""

MAY_IMPORT = {
    "wire": {"wire"},
    "dialogue": {
        "wire",
        "dialogue",
        "policy",
        "backend",
        "options",
        "grants",
        "rules",
        "settings",
        "zone",
    },
    "policy": {"wire", "policy", "backend", "options", "rules", "settings", "zone"},
    "options": {"options", "settings"},
    "rules": {"wire", "options", "rules", "policy", "backend", "settings"},
    "grants": {"wire", "grants"},
    "backend": {"wire", "policy", "backend", "options", "grants", "settings", "zone"},
}
"""Part of a protocol package to the parts of the same package that it may know."""

SEAMS = {"interfaces", "values", "units"}
OUTWARD = {
    "wire": {"core", "values"},
    "dialogue": {"core", "values", "interfaces"},
    "policy": {"core", *SEAMS},
    "options": {"core", "values"},
    "rules": {"core", *SEAMS},
    "grants": {"core", "values"},
    "backend": {"core", *SEAMS},
}
"""Part of a protocol package to what it may know beside its own package."""

UPWARD = {("session", ("tls", "layer")), ("session", ("tls", "plain"))}
"""The one arrow out of core: a session puts TLS under itself for STARTTLS."""

TWISTED_IN_CORE = {
    "deferreds",
    "exchange",
    "logfile",
    "poll",
    "sendfile",
    "session",
    "threads",
    "trace",
    "wheel",
    "write",
}
"""The modules of core/ that are about Twisted; all others do without."""

WITHOUT_TWISTED = {
    ("values",),
    ("units",),
    ("config", "conversion"),
    ("config", "endpoint"),
    ("control", "client"),
}


class Module:
    """One source file and what it imports."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.words = path.relative_to(PACKAGE).with_suffix("").parts
        self.tree = ast.parse(path.read_text(encoding="utf-8"))
        self.area = self.words[0]
        self.part = self.words[1] if len(self.words) > 1 else ""

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    def imports(self) -> Iterator[str]:
        """Dotted names of all that is imported anywhere, but for type checkers."""
        for node in _statements(self.tree, into_functions=True):
            yield from _imported(node)

    def imports_at_module_level(self) -> Iterator[str]:
        """The same, for what importing the module itself imports."""
        for node in _statements(self.tree, into_functions=False):
            yield from _imported(node)

    def own_imports(self) -> Iterator[tuple[str, ...]]:
        """The words after ``netservices`` of what it imports of ours."""
        for name in self.imports():
            words = tuple(name.split("."))
            if words[0] == "netservices" and len(words) > 1:
                yield words[1:]


def _statements(tree: ast.AST, into_functions: bool) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        yield node
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if into_functions or not is_function:
            yield from _statements(node, into_functions)


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


MODULES = [Module(path) for path in sorted(PACKAGE.rglob("*.py"))]


class LayerTests(SynchronousTestCase):
    """Arrows point down and inward."""

    def assert_none(self, wrong: list[str]) -> None:
        """Fail with one line for each thing that is wrong."""
        self.assertEqual([], sorted(set(wrong)), "\n" + "\n".join(sorted(set(wrong))))

    def test_modules_are_read(self) -> None:
        """The tests below look at something, and see what is imported in it."""
        names = {str(module) for module in MODULES}
        self.assertIn("netservices/service/house.py", names)
        service = next(m for m in MODULES if m.words == ("service", "house"))
        self.assertIn(("core", "deferreds", "as_deferred"), set(service.own_imports()))

    def test_length(self) -> None:
        """No file has more than 600 lines, tests included."""
        files = [*PACKAGE.rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
        self.assert_none(
            [
                f"{path.relative_to(ROOT)} has more than {LONGEST_FILE} lines"
                for path in files
                if len(path.read_text(encoding="utf-8").splitlines()) > LONGEST_FILE
            ]
        )

    def test_no_reactor_at_import(self) -> None:
        """Importing a module never installs a reactor."""
        plugins = sorted((ROOT / "twisted" / "plugins").glob("*.py"))
        names = [
            (str(module), name)
            for module in MODULES
            for name in module.imports_at_module_level()
        ]
        for path in plugins:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            names += [
                (path.name, name)
                for node in _statements(tree, into_functions=True)
                for name in _imported(node)
            ]
        self.assert_none(
            [
                f"{module} imports {name}"
                for module, name in names
                if name == "twisted.internet.reactor"
            ]
        )

    def test_sans_io(self) -> None:
        """wire, dialogue, policy and backend know nothing of Twisted."""
        self.assert_none(
            [
                f"{module} imports {name}"
                for module in MODULES
                for name in module.imports()
                if module.area in PROTOCOLS
                and module.part in SANS_IO
                and name.split(".")[0] in ("twisted", "zope")
            ]
        )

    def test_pure_modules(self) -> None:
        """Values, units, and the modules of core that are not about Twisted do without
        it."""
        pure = [
            module
            for module in MODULES
            if module.words in WITHOUT_TWISTED
            or (module.area == "core" and module.part not in TWISTED_IN_CORE)
        ]
        self.assert_none(
            [
                f"{module} imports {name}"
                for module in pure
                for name in module.imports()
                if name.split(".")[0] == "twisted"
            ]
        )

    def test_protocols_are_strangers(self) -> None:
        """Protocol packages never import each other, and what they share knows none of
        them."""
        self.assert_none(
            [
                f"{module} imports netservices.{'.'.join(words)}"
                for module in MODULES
                for words in module.own_imports()
                if words[0] in PROTOCOLS - {module.area}
                and module.area in PROTOCOLS | SHARED | {"core"}
            ]
        )

    def test_parts_of_a_protocol(self) -> None:
        """Within a protocol package arrows point from server to dialogue to wire."""
        wrong = []
        for module in MODULES:
            if module.area not in PROTOCOLS or module.part not in MAY_IMPORT:
                continue
            for words in module.own_imports():
                inward = words[0] == module.area
                part = words[1] if len(words) > 1 else ""
                allowed = (
                    part in MAY_IMPORT[module.part]
                    if inward
                    else words[0]
                    in OUTWARD[module.part] | BUILDS_ON.get(module.area, set())
                )
                if not allowed:
                    wrong.append(f"{module} imports netservices.{'.'.join(words)}")
        self.assert_none(wrong)

    def test_core_is_the_bottom(self) -> None:
        """core imports core and the seams, nothing above."""
        self.assert_none(
            [
                f"{module} imports netservices.{'.'.join(words)}"
                for module in MODULES
                if module.area == "core"
                for words in module.own_imports()
                if words[0] not in {"core", *SEAMS}
                and (module.part, words[:2]) not in UPWARD
            ]
        )

    def test_no_vague_names(self) -> None:
        """A module is named after what is in it."""
        vague = {"utils", "util", "helpers", "common", "misc", "base"}
        self.assert_none([str(module) for module in MODULES if vague & {*module.words}])
