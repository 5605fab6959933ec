"""The lines of ``http.mounts``, and what is said of those that cannot be."""

from __future__ import annotations

import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from netservices.core.errors import ConfigurationError
from netservices.http.mounting import load, parse_mount
from tests.http.live import LiveCase

APPS = "tests.http.guests"


class LineTests(SynchronousTestCase):
    """``parse_mount``."""

    def test_lines(self) -> None:
        """Host, path, kind, module and name."""
        for line, host, path, kind, module, name in (
            ("/blog wsgi:mysite.wsgi:application",)
            + ("", "/blog", "wsgi", "mysite.wsgi", "application"),
            (" www.Example.org./  asgi:app:app ",)
            + ("www.example.org", "/", "asgi", "app", "app"),
            ("/a/b/ resource:m:app.resource",)
            + ("", "/a/b/", "resource", "m", "app.resource"),
            ("h/x maker:a_b.c1:_make", "h", "/x", "maker", "a_b.c1", "_make"),
        ):
            mount = parse_mount(line)
            self.assertEqual(
                (host, path, kind, module, name),
                (mount.host, mount.path, mount.kind, mount.module, mount.name),
            )

    def test_bad_lines(self) -> None:
        """Anything else is refused with an example of what is right."""
        for line in (
            "",
            "/blog",
            "/blog mysite:app",
            "/blog php:mysite:app",
            "blog wsgi:mysite:app",
            "/blog wsgi:mysite",
            "/blog wsgi:my-site:app",
            "/blog wsgi:mysite:app extra",
            "ho_st/ wsgi:mysite:app",
            "/blog wsgi:.mysite:app",
        ):
            error = self.assertRaises(ValueError, parse_mount, line)
            self.assertIn("/blog wsgi:mysite.wsgi:application", str(error))

    def complaint(self, target: str) -> str:
        """What is said of a target that cannot be loaded."""
        mount = parse_mount(f"/x {target}")
        error = self.assertRaises(ConfigurationError, load, mount)
        self.assertIn(f"mounts: '/x {target}'", str(error))
        return str(error)

    def test_what_is_missing(self) -> None:
        """The operator reads which module or name is missing, and what may be
        meant."""
        self.assertIn(
            "there is no module nothing_like_it; http.python_path says",
            self.complaint("wsgi:nothing_like_it.wsgi:app"),
        )
        self.assertIn(
            f"there is no module {APPS}.nothing",
            self.complaint(f"wsgi:{APPS}.nothing:app"),
        )
        self.assertIn(
            f"{APPS}.broken imports there_is_no_such_module, which is not installed",
            self.complaint(f"wsgi:{APPS}.broken:app"),
        )
        self.assertIn(
            f"importing {APPS}.failing fails: ValueError: no settings",
            self.complaint(f"wsgi:{APPS}.failing:app"),
        )
        self.assertIn(
            f"the module {APPS}.handlers has no handles; is it handle?",
            self.complaint(f"handler:{APPS}.handlers:handles"),
        )
        self.assertIn(
            "handle has no x", self.complaint(f"handler:{APPS}.handlers:handle.x")
        )


class StartTests(LiveCase):
    """What a start does with the lines."""

    async def test_handlers(self) -> None:
        """Handlers of ours, for a host or for all, and one that knows the services."""
        await self.serve(
            f"/a handler:{APPS}.handlers:handle",
            f"one.example/ handler:{APPS}.handlers:handle",
            f"/m maker:{APPS}.handlers:make",
        )
        reply = await self.ask("/a/b", fields={"Host": "two.example"})
        self.assertEqual(b"two.example ('a',) ('b',)", reply.content)
        reply = await self.ask("/x/y", fields={"Host": "one.example"})
        self.assertEqual(b"one.example () ('x', 'y')", reply.content)
        self.assertEqual(b"somebody", (await self.ask("/m")).content)

    async def test_refused(self) -> None:
        """What is not of its kind, or in the place of another, stops the start."""
        for lines, complaint in (
            ([f"/a handler:{APPS}.handlers:seven"], "cannot be called"),
            ([f"/a wsgi:{APPS}.handlers:seven"], "is no WSGI application"),
            ([f"/a asgi:{APPS}.handlers:seven"], "is no ASGI application"),
            ([f"/a resource:{APPS}.handlers:seven"], "is no IResource"),
            ([f"/a maker:{APPS}.handlers:make_nothing"], "cannot be called"),
            (
                [f"{path} handler:{APPS}.handlers:handle" for path in ("/a", "/a/")],
                "mounted twice",
            ),
        ):
            with self.assertRaises(ConfigurationError) as caught:
                await self.serve(*lines)
            self.assertIn(complaint, str(caught.exception))

    async def test_python_path(self) -> None:
        """Modules are found where the setting says."""
        place = Path(self.mktemp())
        place.mkdir()
        (place / "a_page_of_mine.py").write_text(
            "from netservices.web.response import text\n"
            "def handle(request):\n    return text('mine')\n"
        )
        self.addCleanup(sys.path.remove, str(place))
        self.addCleanup(sys.modules.pop, "a_page_of_mine", None)
        await self.serve("/mine handler:a_page_of_mine:handle", python_path=str(place))
        self.assertEqual(b"mine", (await self.ask("/mine")).content)
