"""COPY, MOVE, and deletions that succeed in part."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netservices.core.deferreds import value_of
from tests.http.dav_kit import DAVHouse, statuses
from tests.http.test_dav_locks import LOCK, token_of


class CopyTests(DAVHouse, SynchronousTestCase):
    """COPY and MOVE."""

    content = {"a": b"words", "b": b"other", "d/e/f": b"x", "d/g": b"y", "t/old": b"z"}

    def assert_status(
        self, status: int, method: str, path: str, to: str, **more: str
    ) -> None:
        """A request with a destination has that status."""
        said = self.ask(method, path, Destination=to, **more)
        self.assertEqual(status, said.status, said.body)

    def texts_of(self, *names: str) -> list[bytes | None]:
        """The content of each file; None where there is none."""
        said = [self.ask("GET", f"/dav/{name}") for name in names]
        return [one.body if one.status == 200 else None for one in said]

    def test_copy(self) -> None:
        """201 where the name was free, 204 where it was not.  RFC 4918 9.8.5."""
        self.assert_status(201, "COPY", "/dav/a", "/dav/new")
        self.assert_status(204, "COPY", "/dav/a", "http://h/dav/b")
        self.assertEqual([b"words"] * 3, self.texts_of("a", "b", "new"))

    def test_move(self) -> None:
        """So for MOVE, and what was moved is there no more.  RFC 4918 9.9."""
        self.assert_status(201, "MOVE", "/dav/a", "/dav/new")
        self.assert_status(204, "MOVE", "/dav/new", "/dav/b")
        self.assertEqual(
            [None, b"words", None],
            self.texts_of("a", "b", "new"),
        )

    def test_overwrite(self) -> None:
        """412 where Overwrite is F, and something is there.  RFC 4918 10.6."""
        for method in ("COPY", "MOVE"):
            self.assert_status(412, method, "/dav/a", "/dav/b", Overwrite="F")
            self.assert_status(400, method, "/dav/a", "/dav/b", Overwrite="maybe")
        self.assertEqual([b"other"], self.texts_of("b"))
        self.assert_status(201, "COPY", "/dav/a", "/dav/c", Overwrite="F")

    def test_destination(self) -> None:
        """What Destination may not be.  RFC 4918 9.8.5, 10.3."""
        for method in ("COPY", "MOVE"):
            for status, to in (
                (400, ""),
                (400, "relative"),
                (400, "http://[bad/x"),
                (400, "/dav/x?y"),
                (400, "/../x"),
                (502, "http://elsewhere/dav/x"),
                (502, "http://h:81/dav/x"),
                (502, "ftp://h/dav/x"),
                (502, "/elsewhere/x"),
                (403, "/dav/a"),
                (403, "/dav/"),
                (409, "/dav/none/x"),
                (409, "/dav/b/x"),
                (403, "/dav/.ns-uploads/x"),
            ):
                self.assert_status(status, method, "/dav/a", to)
            self.assert_status(404, method, "/dav/none", "/dav/x")
            self.assert_status(403, method, "/dav/d/", "/dav/d/e/x")
            self.assert_status(403, method, "/dav/d/e/", "/dav/d/")

    def test_directory(self) -> None:
        """A directory is copied with all that is in it, or (depth 0) alone; what was
        there is replaced, not merged.  RFC 4918 9.8.3, 9.8.4."""
        self.assert_status(204, "COPY", "/dav/d/", "/dav/t/")
        self.assertEqual(
            [b"x", b"y", None, b"x"],
            self.texts_of("t/e/f", "t/g", "t/old", "d/e/f"),
        )
        self.assert_status(201, "COPY", "/dav/d/", "/dav/u/", Depth="0")
        self.assertEqual([None], self.texts_of("u/g"))
        self.assert_status(400, "COPY", "/dav/d/", "/dav/v/", Depth="1")

    def test_many(self) -> None:
        """A directory of more files than are worked on at once."""
        for number in range(70):
            self.put(f"many/{number}", b"x")
        self.assert_status(201, "COPY", "/dav/many/", "/dav/more/")
        self.assertEqual(70, len(value_of(self.tree.list(("more",)))))
        self.assertEqual(204, self.ask("DELETE", "/dav/many/").status)
        self.assertEqual([None], self.texts_of("many/1"))

    def test_move_directory(self) -> None:
        """So is it moved.  RFC 4918 9.9.2."""
        self.assert_status(204, "MOVE", "/dav/d/", "/dav/t/")
        self.assertEqual([b"x", None], self.texts_of("t/e/f", "t/old"))
        self.assert_status(400, "MOVE", "/dav/t/", "/dav/v/", Depth="0")
        self.assert_status(204, "MOVE", "/dav/t/", "/dav/a")
        self.assertEqual([b"y"], self.texts_of("a/g"))
        self.assert_status(204, "MOVE", "/dav/b", "/dav/a")
        self.assertEqual([b"other"], self.texts_of("a"))

    def test_partly(self) -> None:
        """What cannot be removed is told, and the rest goes.  RFC 4918 9.6.1."""
        self.ask("LOCK", "/dav/d/e/f", LOCK)
        said = self.ask("DELETE", "/dav/d/")

        self.assertEqual(207, said.status)
        self.assertEqual({"/dav/d/e/f": 423}, statuses(said))
        self.assertEqual([b"x", None], self.texts_of("d/e/f", "d/g"))

    def test_locked_above(self) -> None:
        """Where the whole is locked, nothing goes."""
        token = token_of(self.ask("LOCK", "/dav/d/", LOCK))
        for method in ("DELETE", "MOVE"):
            said = self.ask(method, "/dav/d/", Destination="/dav/new")
            self.assertEqual(423, said.status)
            self.assertIn(b"<D:lock-token-submitted>", said.body)
        self.assertEqual([b"y"], self.texts_of("d/g"))
        said = self.ask("DELETE", "/dav/d/", If=f"</dav/d/> (<{token}>)")
        self.assertEqual(204, said.status)

    def test_copied_locks(self) -> None:
        """Locks are not copied, nor do they move.  RFC 4918 7.6."""
        token = token_of(self.ask("LOCK", "/dav/a", LOCK))
        self.assert_status(201, "COPY", "/dav/a", "/dav/new")
        self.assertEqual(204, self.ask("PUT", "/dav/new", b"").status)
        self.assert_status(423, "MOVE", "/dav/a", "/dav/other")
        self.assert_status(201, "MOVE", "/dav/a", "/dav/other", If=f"(<{token}>)")
        self.assertEqual(204, self.ask("PUT", "/dav/other", b"").status)
        self.assertEqual(201, self.ask("PUT", "/dav/a", b"").status)

    def test_conditions(self) -> None:
        """Conditions of HTTP count here, too."""
        self.assert_status(412, "COPY", "/dav/a", "/dav/new", If_Match='"x"')
        self.assert_status(412, "MOVE", "/dav/a", "/dav/new", If_None_Match="*")


class QuotaTests(DAVHouse, SynchronousTestCase):
    """Copies of a directory, and a quota."""

    content = {f"d/{number}": b"x" * 10 for number in range(10)}
    quota_octets = 205

    def test_just_enough(self) -> None:
        """What fits is copied, though all of it is copied together."""
        self.assertEqual(201, self.ask("COPY", "/dav/d/", Destination="/dav/e").status)
        self.assertEqual(10, len(value_of(self.tree.list(("e",)))))

    def test_too_much(self) -> None:
        """Of what does not fit all is told.  RFC 4918 9.8.5."""
        self.put("d/more", b"x" * 10)
        said = self.ask("COPY", "/dav/d/", Destination="/dav/e")

        self.assertEqual(207, said.status)
        self.assertEqual({507}, set(statuses(said).values()))
