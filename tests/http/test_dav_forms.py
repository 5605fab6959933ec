"""The forms on the pages of directories, as a browser sends them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from twisted.trial.unittest import SynchronousTestCase

from netservices.http.handlers.dav.handler import DAV
from netservices.values import Path
from netservices.web.authentication import LoginWanted
from netservices.web.problems import Problem
from netservices.web.request import Request
from tests.http.dav_kit import DAVHouse, Said

HTML = "text/html,*/*;q=0.8"
URLENCODED = "application/x-www-form-urlencoded"


def multipart(*parts: tuple[str, str, str]) -> str:
    """Names, names of files and contents as a form; an empty name of a file: a field
    without one, a dash: a file that nobody chose."""
    lines = []
    for name, filename, content in parts:
        lines.append("--frontier")
        disposition = f'Content-Disposition: form-data; name="{name}"'
        if filename:
            disposition += f'; filename="{filename.strip("-")}"'
        lines += [disposition, "", content]
    return "\r\n".join([*lines, "--frontier--", ""])


class FormCase(DAVHouse, SynchronousTestCase):
    """Alice at her pages."""

    def send(self, path: str = "/dav/", **values: str) -> Said:
        """A plain form."""
        body = urlencode(values)
        return self.ask("POST", path, body, content_type=URLENCODED, accept=HTML)

    def upload(self, *parts: tuple[str, str, str], path: str = "/dav/") -> Said:
        """A form with files."""
        kind = "multipart/form-data; boundary=frontier"
        content = multipart(*parts).encode()
        return self.ask("POST", path, content, content_type=kind, accept=HTML)

    def kept(self, path: str) -> bytes:
        """What a file holds."""
        said = self.ask("GET", path)
        self.assertEqual(200, said.status, path)
        return said.body

    def assert_told(self, words: str, said: Said, status: int) -> None:
        """The page of the directory says what is wrong."""
        self.assertEqual(status, said.status)
        self.assertIn('role="alert"', said.body.decode())
        self.assertIn(words, said.body.decode())


class UploadTests(FormCase):
    """Files."""

    def test_files(self) -> None:
        """All files of a form are stored, and the browser is led to the page."""
        said = self.upload(("file", "a.txt", "A"), ("file", "b.txt", "B"))

        self.assertEqual(303, said.status)
        self.assertEqual("/dav/?done=stored", said.fields["location"])
        self.assertEqual(b"A", self.kept("/dav/a.txt"))
        self.assertEqual(b"B", self.kept("/dav/b.txt"))

    def test_events(self) -> None:
        """Machines hear of it as of a PUT."""
        self.upload(("file", "a.txt", "A"))
        (event,) = (one for name, one in self.events.seen if name == "transfer")

        self.assertEqual(
            ("POST", "/a.txt", 1, "complete"),
            tuple(event[one] for one in ("verb", "path", "size_octets", "outcome")),
        )

    def test_name_with_path(self) -> None:
        """Of a path that a browser tells, the name is what counts."""
        self.upload(("file", r"C:\\home\\a.txt", "A"), ("file", "../../b.txt", "B"))

        self.assertEqual(b"A", self.kept("/dav/a.txt"))
        self.assertEqual(b"B", self.kept("/dav/b.txt"))

    def test_taken(self) -> None:
        """A file that is there is replaced only if the form says so."""
        self.upload(("file", "a.txt", "A"))
        said = self.upload(("file", "a.txt", "B"))
        self.assert_told("a.txt", said, 409)
        self.assertEqual(b"A", self.kept("/dav/a.txt"))
        self.upload(("replace", "", "yes"), ("file", "a.txt", "C"))

        self.assertEqual(b"C", self.kept("/dav/a.txt"))

    def test_no_file(self) -> None:
        """A form for which nobody has chosen a file does nothing."""
        self.assert_told("Choose a file", self.upload(("file", "-", "")), 400)

    def test_cut_short(self) -> None:
        """What breaks off leaves no file."""
        kind = "multipart/form-data; boundary=frontier"
        body = multipart(("file", "a.txt", "A" * 100))[:-30]
        said = self.ask("POST", "/dav/", body, content_type=kind, accept=HTML)

        self.assert_told("cut short", said, 400)
        self.assertEqual(404, self.ask("GET", "/dav/a.txt").status)

    def test_nowhere(self) -> None:
        """A directory that is not there takes no file, and a file none either."""
        self.assertEqual(404, self.upload(("file", "a", "A"), path="/dav/x/").status)
        self.upload(("file", "a", "A"))
        self.assertEqual(405, self.upload(("file", "b", "B"), path="/dav/a").status)


class LimitTests(FormCase):
    """Bounds of uploads."""

    http = {"largest_upload": 10}

    def test_large(self) -> None:
        """A file beyond ``http.largest_upload`` is refused, and none is left."""
        said = self.upload(("file", "a", "A" * 11))

        self.assertEqual(413, said.status)
        self.assertEqual(404, self.ask("GET", "/dav/a").status)


class ChangeTests(FormCase):
    """Directories, and other names."""

    def setUp(self) -> None:
        super().setUp()
        self.upload(("file", "a.txt", "A"), ("file", "b.txt", "B"))

    def rename(self, name: str, target: str) -> Said:
        """The form behind "Change"."""
        return self.send(f"/dav/?change={name}", do="rename", to=target)

    def test_make(self) -> None:
        """A directory is made where its name is free."""
        self.assertEqual(303, self.send(do="directory", name="d").status)
        self.assert_told("named d", self.send(do="directory", name="d"), 409)
        self.assert_told("without a slash", self.send(do="directory", name="d/e"), 400)
        self.assert_told("not allowed", self.send(do="directory", name=".."), 403)
        self.assertEqual(200, self.ask("GET", "/dav/d/").status)

    def test_rename(self) -> None:
        """A new name, another directory, a path from the home on."""
        self.send(do="directory", name="d")
        for source, target, place in (
            ("a.txt", "c.txt", "c.txt"),
            ("c.txt", "d/", "d/c.txt"),
            ("b.txt", "/d/e.txt", "d/e.txt"),
        ):
            said = self.rename(source, target)
            self.assertEqual(303, said.status, said.body)
            self.assertEqual(200, self.ask("GET", f"/dav/{place}").status)

    def test_rename_refused(self) -> None:
        """What is in the way stays, and nothing leaves the home."""
        self.assert_told("named b.txt", self.rename("a.txt", "b.txt"), 409)
        self.assert_told("dots", self.rename("a.txt", "../../x"), 400)
        self.assert_told("new name", self.rename("a.txt", " "), 400)
        self.assert_told("not there", self.rename("none", "x"), 404)
        self.send(do="directory", name="d")
        self.assert_told("into itself", self.rename("d", "d/e"), 409)

        self.assertEqual(b"B", self.kept("/dav/b.txt"))
        self.assertEqual(b"A", self.kept("/dav/a.txt"))

    def test_remove(self) -> None:
        """A file, and a directory with all that is in it."""
        self.send(do="directory", name="d")
        self.upload(("file", "x", "X"), path="/dav/d/")
        for name in ("a.txt", "d"):
            said = self.send(f"/dav/?change={name}", do="remove")
            self.assertEqual(303, said.status)
            self.assertEqual(404, self.ask("PROPFIND", f"/dav/{name}").status)

    def test_nothing_said(self) -> None:
        """A form that asks for nothing we know changes nothing."""
        self.assert_told("nothing that", self.send(do="explode"), 400)
        self.assert_told("without a slash", self.send(do="remove"), 400)

    def test_page(self) -> None:
        """The page shows what is there, and what a form is about."""
        page = self.ask("GET", "/dav/?change=a.txt", accept=HTML).body.decode()

        self.assertIn('id="rename"', page)
        self.assertIn('action="/dav/?change=a.txt"', page)
        gone = self.ask("GET", "/dav/?change=none", accept=HTML).body.decode()
        self.assertIn('id="upload"', gone)

    def test_programs(self) -> None:
        """Programs that ask for JSON get the listing as such."""
        said = self.ask("GET", "/dav/", accept="application/json")

        self.assertEqual("application/json", said.fields["content-type"])


class RightsTests(FormCase):
    """Rules about a path hold for what forms do at it."""

    def make_house(self) -> None:
        """Nothing may be changed below ``/dav/fixed/``."""
        super().make_house()

        def check(request: Request, path: Path, method: str, is_deep: bool) -> None:
            if path[:2] == ("dav", "fixed"):
                raise Problem(403)
            if path[:2] == ("dav", "closed"):
                raise LoginWanted

        parts: Any = self.dav
        self.dav = DAV(
            parts._settings,
            parts._services,
            parts._now,
            check,  # noqa: SLF001
        )

    def test_all_ways(self) -> None:
        """Neither storing, making, removing nor renaming gets past them."""
        self.assert_told("may not", self.upload(("file", "fixed", "A")), 403)
        self.assert_told("may not", self.send(do="directory", name="fixed"), 403)
        for values in ({"do": "remove"}, {"do": "rename", "to": "x"}):
            said = self.send("/dav/?change=fixed", **values)
            self.assert_told("may not", said, 403)
        self.upload(("file", "a", "A"))
        said = self.send("/dav/?change=a", do="rename", to="fixed")
        self.assert_told("may not", said, 403)

    def test_login(self) -> None:
        """Where another login could help, one is asked for it."""
        self.assertEqual(401, self.send(do="directory", name="closed").status)
