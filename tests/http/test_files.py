"""Files of sites and accounts as a client gets them."""

from __future__ import annotations

import os

import attrs
from hypothesis import given
from hypothesis import strategies as st

from tests.http.sites import SitesCase

INDEX = "sites/default/index.html"

PIECES = (
    *("/", "//", "\\", "%2f", "%5c", "%00", "?", ";", ":", "~", "%"),
    *(".", "..", "%2e", "%2E%2e", "%252e", "%c0%ae", "%e0%80%ae", "..;"),
    *("a", "out", "secret.txt", "index.html", "default", "sites"),
)


class SiteTests(SitesCase):
    """Hosts, directories and files."""

    def test_index(self) -> None:
        """A directory is its index file, with type, length and validators."""
        self.put(INDEX, b"<p>hello")

        status, fields, content = self.ask("/")

        self.assertEqual((200, b"<p>hello"), (status, content))
        self.assertEqual("text/html; charset=utf-8", fields["content-type"])
        self.assertEqual("8", fields["content-length"])
        self.assertEqual("Wed, 18 Nov 2026 10:50:00 GMT", fields["last-modified"])
        self.assertEqual("bytes", fields["accept-ranges"])
        self.assertRegex(fields["etag"], '^"[^"]+"$')

    def test_hosts(self) -> None:
        """``sites/<host>/`` answers for its host, ``sites/default/`` for all others."""
        self.put(INDEX, b"default")
        self.put("sites/example.org/index.html", b"example")

        for host, expected in (
            ("example.org", b"example"),
            ("EXAMPLE.org:8080", b"example"),
            ("example.org.", b"example"),
            ("www.example.org", b"default"),
            ("..", b"default"),
        ):
            self.assertEqual(expected, self.ask("/", host=host)[2], host)

    def test_new_site(self) -> None:
        """A site that is made, or put in the place of another, counts within a
        second."""
        self.put(INDEX, b"default")
        self.assertEqual(b"default", self.ask(host="new.example")[2])
        self.put("sites/new.example/index.html", b"one")
        self.clock.advance(1)
        self.assertEqual(b"one", self.ask(host="new.example")[2])

        site = os.path.join(self.state, "sites", "new.example")
        os.rename(site, site + ".old")
        self.put("sites/new.example/index.html", b"two")
        self.clock.advance(1)
        self.assertEqual(b"two", self.ask(host="new.example")[2])

    def test_no_site(self) -> None:
        """As long as there are no sites a page says what to do, and makes nothing."""
        status, _fields, content = self.ask("/", host="nobody.example")

        self.assertEqual(200, status)
        self.assertIn(b"sites/default", content)
        self.assertEqual(404, self.ask("/x", host="nobody.example")[0])
        self.assertEqual([], os.listdir(os.path.join(self.state, "sites")))

    def test_head(self) -> None:
        """HEAD says what GET would, without the content.  RFC 9110 9.3.2."""
        self.put(INDEX)
        _, fields, _ = self.ask("/")

        self.assertEqual((200, fields, b""), self.ask("/", "HEAD"))

    def test_options(self) -> None:
        """OPTIONS tells what can be done; other methods are refused with it."""
        self.put(INDEX)

        status, fields, _ = self.ask("/", "OPTIONS")
        self.assertEqual((204, "GET, HEAD, OPTIONS"), (status, fields["allow"]))
        self.assertEqual(204, self.status("*", "OPTIONS"))
        status, fields, _ = self.ask("/", "DELETE")
        self.assertEqual((405, "GET, HEAD, OPTIONS"), (status, fields["allow"]))

    def test_missing_slash(self) -> None:
        """A directory without a slash is redirected, with its query, on the same
        host."""
        self.put("sites/default/a b/index.html")
        os.makedirs(os.path.join(self.state, "sites/default/evil.example"))

        for path, location in (
            ("/a%20b", "/a%20b/"),
            ("/a%20b?x=1&y=/", "/a%20b/?x=1&y=/"),
            ("//evil.example", "/evil.example/"),
            ("/x/..//evil.example", "/evil.example/"),
        ):
            status, fields, _ = self.ask(path)
            self.assertEqual((301, location), (status, fields["location"]))

    def test_nothing_there(self) -> None:
        """What is not there is 404, and so is a directory without index, and a file
        with a slash."""
        self.put("sites/default/file.txt")
        os.mkdir(os.path.join(self.state, "sites/default/empty"))

        for path in ("/none", "/none/", "/file.txt/", "/file.txt/x", "/empty/"):
            self.assertEqual(404, self.status(path), path)

    def test_types(self) -> None:
        """Text has its charset, the rest what it is, and the unknown is octets."""
        for name, expected in (
            ("a.css", "text/css; charset=utf-8"),
            ("a.JS", "text/javascript; charset=utf-8"),
            ("a.png", "image/png"),
            ("a.woff2", "font/woff2"),
            ("a.json", "application/json"),
            ("README", "application/octet-stream"),
            ("a.tar.gz", "application/gzip"),
        ):
            self.put(f"sites/default/{name}")
            self.assertEqual(expected, self.ask(f"/{name}")[1]["content-type"])


class ConfinementTests(SitesCase):
    """Nothing leaves the root."""

    def test_above(self) -> None:
        """Neither dots nor their disguises lead out."""
        self.put(INDEX)
        self.put("secret.txt", b"secret")

        for path in (
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/..%2fsecret.txt",
            "/%2e%2e%2fsecret.txt",
            "/..%5csecret.txt",
            "/..\\..\\secret.txt",
            "/%c0%ae%c0%ae/secret.txt",
            "/%252e%252e/secret.txt",
            "/a/../../secret.txt",
            "//../../secret.txt",
            "/%00",
            "/index.html%00.txt",
        ):
            status, _, content = self.ask(path)
            self.assertIn(status, (400, 404), path)
            self.assertNotIn(b"secret", content)

    @given(st.lists(st.sampled_from(PIECES), max_size=12))
    def test_any_path(self, pieces: list[str]) -> None:
        """However a path is put together, nothing of what lies outside is sent, and
        nothing goes wrong."""
        for name in ("index.html", "a/index.html", "secret.txt/x"):
            self.put(f"sites/default/{name}", b"public")
        self.put("secret.txt", b"secret")
        self.put("sites/secret.txt", b"secret")
        link = os.path.join(self.state, "sites/default/out")
        if not os.path.islink(link):
            os.symlink("../..", link)

        status, _, content = self.ask("/" + "".join(pieces))

        self.assertIn(status, (200, 301, 400, 403, 404))
        self.assertNotEqual(b"secret", content)

    def test_tricks_of_other_systems(self) -> None:
        """What means the same file elsewhere is another name here."""
        self.put("sites/default/page.html")

        for path in (
            "/page.html::$DATA",
            "/page.html.",
            "/page.html%20",
            "/PAGE.HTML",
            "/page~1.htm",
            "/page.html;x",
            "/.\\page.html",
        ):
            self.assertEqual(404, self.status(path), path)

    def test_links(self) -> None:
        """A link inside is followed, one that leads out is not."""
        inside = self.put("sites/default/real.txt", b"real")
        self.put("sites/other/private.txt", b"private")
        self.put("secret.txt", b"secret")
        root = os.path.dirname(inside)
        os.symlink("real.txt", os.path.join(root, "inside"))
        os.symlink("../../secret.txt", os.path.join(root, "out"))
        os.symlink("../other", os.path.join(root, "other"))
        os.symlink("/etc", os.path.join(root, "etc"))

        self.assertEqual(b"real", self.ask("/inside")[2])
        for path in ("/out", "/other/private.txt", "/etc/passwd", "/etc/"):
            self.assertEqual(403, self.status(path), path)

    def test_no_files(self) -> None:
        """Pipes and devices are not opened for anybody."""
        self.put(INDEX)
        os.mkfifo(os.path.join(self.state, "sites/default/pipe"))

        self.assertEqual(403, self.status("/pipe"))

    def test_hidden(self) -> None:
        """Names with a dot and copies of editors are not there, but for what is
        well known."""
        for name in (".git/config", ".htaccess", "a/.env", "page.html~", "#page.html#"):
            self.put(f"sites/default/{name}")
            path = name.replace("#", "%23")
            self.assertEqual(404, self.status(f"/{path}"), name)
        self.put("sites/default/.well-known/acme-challenge/token", b"token")
        self.put("sites/default/a/.well-known/x")

        self.assertEqual(b"token", self.ask("/.well-known/acme-challenge/token")[2])
        self.assertEqual(404, self.status("/a/.well-known/x"))

    def test_upload_area(self) -> None:
        """The server's own names are not there."""
        self.handler = self.make_handler(hidden=())
        self.put("sites/default/.ns-uploads/x")

        self.assertEqual(404, self.status("/.ns-uploads/x"))

    def test_odd_names(self) -> None:
        """Names that are no UTF-8, and ones that are too long."""
        place = os.fsencode(os.path.join(self.state, "sites/default"))
        os.makedirs(place)
        with open(os.path.join(place, b"caf\xe9"), "wb") as file:
            file.write(b"odd")

        self.assertEqual(b"odd", self.ask("/caf%e9")[2])
        self.assertEqual(404, self.status("/" + "a" * 300))
        self.assertEqual(404, self.status("/" + "a/" * 2500))


class AccountTests(SitesCase):
    """Pages of accounts."""

    def setUp(self) -> None:
        super().setUp()
        self.alice = self.people.add("alice")
        self.put("files/alice@example.org/www/index.html", b"alice")
        self.put("files/alice@example.org/private.txt", b"private")

    def test_pages(self) -> None:
        """``/~name/`` is the directory www of the home, and nothing beside it."""
        home = os.path.join(self.state, "files/alice@example.org")
        os.symlink("../private.txt", os.path.join(home, "www/out"))

        self.assertEqual(b"alice", self.ask("/~alice/")[2])
        self.assertEqual(b"alice", self.ask("/~alice@example.org/index.html")[2])
        self.assertEqual("/~alice/", self.ask("/~alice")[1]["location"])
        self.assertEqual(404, self.status("/~alice/private.txt"))
        self.assertEqual(404, self.status("/~alice/../private.txt"))
        self.assertEqual(403, self.status("/~alice/out"))

    def test_nobody(self) -> None:
        """Accounts without pages, unknown and disabled ones are alike."""
        self.people.add("bob")
        self.people.add("carl")
        self.put("files/carl@example.org/other.txt")
        disabled = self.people.add("dora")
        self.people.accounts["dora"] = attrs.evolve(disabled, is_enabled=False)
        self.put("files/dora@example.org/www/index.html")

        for name in ("bob", "carl", "dora", "nobody", "", "%2e%2e", "a%2fb"):
            self.assertEqual(404, self.status(f"/~{name}/"), name)
            self.assertEqual(404, self.status(f"/~{name}"), name)
        self.assertFalse(os.path.exists(os.path.join(self.state, "files/bob")))

    def test_disabled(self) -> None:
        """Once the server has heard of it, a disabled account shows nothing."""
        self.assertEqual(200, self.status("/~alice/"))
        account = attrs.evolve(self.alice, is_enabled=False)
        self.people.accounts["alice"] = account
        self.sites.forget()

        self.assertEqual(404, self.status("/~alice/"))

    def test_off(self) -> None:
        """Without ``http.account_pages`` a tilde is a letter."""
        self.handler = self.make_handler(account_pages=False)
        self.put("sites/default/~alice/index.html", b"a directory")

        self.assertEqual(b"a directory", self.ask("/~alice/")[2])

    def test_www_is_a_link(self) -> None:
        """A link does not make another directory of the disk public."""
        home = os.path.join(self.state, "files/alice@example.org")
        self.put("files/bob@example.org/x.txt", b"bob's")
        os.rename(os.path.join(home, "www"), os.path.join(home, "pages"))
        os.symlink("../bob@example.org", os.path.join(home, "www"))

        self.assertEqual(403, self.status("/~alice/x.txt"))
