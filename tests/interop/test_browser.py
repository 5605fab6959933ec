"""What people do with the pages of the server, done by Chromium."""

from __future__ import annotations

import io
import json
import wave
from pathlib import Path

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from twisted.trial.unittest import SynchronousTestCase

from tests.interop.browsers import Visit, lines_of, visit

NARROW = {"width": 320, "height": 700, "deviceScaleFactor": 1, "mobile": False}


class BrowserCase(SynchronousTestCase):
    """A browser that has forgotten what it did before."""

    visit: Visit

    def setUp(self) -> None:
        self.visit = visit()
        self.visit.begin()
        self.driver = self.visit.driver

    def open(self, path: str, kind: str = "tcp") -> None:
        """Go to a page."""
        self.driver.get(self.visit.url(path, kind=kind))


class ListingTests(BrowserCase):
    """The listing of a directory."""

    def setUp(self) -> None:
        super().setUp()
        for name, size in (("b.txt", 30), ("a.txt", 2000), ("c.txt", 100)):
            self.visit.put(f"sites/default/files/{name}", b"x" * size)
        self.open("/files/")

    def names(self) -> list[str]:
        """The entries, in the order in which they are shown."""
        return self.visit.texts("tbody tr:not(.above) td.name")

    def press(self, heading: str) -> None:
        """Click a heading, and wait for the page that it leads to."""
        link = self.driver.find_element(By.PARTIAL_LINK_TEXT, heading)
        before = self.driver.current_url
        link.click()
        self.visit.wait_for(lambda driver: driver.current_url != before)

    def test_headings_sort(self) -> None:
        """A click on a heading sorts by it, a second one the other way round."""
        self.assertEqual(["a.txt", "b.txt", "c.txt"], self.names())
        self.press("Size")
        self.assertEqual(["b.txt", "c.txt", "a.txt"], self.names())
        self.press("Size")
        self.assertEqual(["a.txt", "c.txt", "b.txt"], self.names())
        heading = self.visit.one("th.size")

        self.assertEqual("descending", heading.get_attribute("aria-sort"))
        self.assertEqual([], self.visit.complaints())

    def test_link(self) -> None:
        """An entry leads to its file, whatever its name."""
        name = "50% #1? <b>&amp; ü.txt"
        self.visit.put(f"sites/default/odd/{name}", "Here I am.")
        self.open("/odd/")
        self.driver.find_element(By.LINK_TEXT, name).click()

        self.assertEqual("Here I am.", self.visit.one("body").text)

    def test_names_run_nothing(self) -> None:
        """A name that is HTML is shown as it is, and even markup that slips into a page
        does nothing: the policy of the page keeps scripts from running."""
        self.visit.put("sites/default/traps/<img src=x onerror=alert(1)>.txt", "")
        self.open("/traps/")
        names = self.visit.texts("tbody tr:not(.above) td.name")
        self.assertEqual(["<img src=x onerror=alert(1)>.txt"], names)
        self.assertEqual([], self.visit.complaints())
        self.driver.execute_script(
            "const trap = document.createElement('img');"
            "trap.setAttribute('onerror', 'document.title = \"run\"');"
            "trap.src = 'data:,';"
            "document.body.append(trap);"
        )
        self.visit.wait_for(lambda driver: self.visit.complaints())

        self.assertNotEqual("run", self.driver.title)

    def test_dark(self) -> None:
        """Who likes it dark gets light letters on a dark page."""
        script = "return getComputedStyle(document.body).backgroundColor"
        self.assertEqual("rgb(255, 255, 255)", self.driver.execute_script(script))
        features = [{"name": "prefers-color-scheme", "value": "dark"}]
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": features}
        )

        self.assertEqual("rgb(20, 23, 27)", self.driver.execute_script(script))

    def test_narrow(self) -> None:
        """At 320 pixels, which is also 400 % in a window of 1280, nothing has to be
        scrolled sideways (WCAG 2.2 1.4.10)."""
        long = "n" * 90
        self.visit.put(f"sites/default/files/{long}/{long}.txt", "")
        self.addCleanup(
            self.driver.execute_cdp_cmd, "Emulation.clearDeviceMetricsOverride", {}
        )
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", NARROW)
        for path in ("/files/", f"/files/{long}/", "/nothing", "/-/login"):
            self.open(path)
            root = "document.documentElement"
            width = self.driver.execute_script(f"return {root}.scrollWidth")

            self.assertLessEqual(width, 320, path)

    def test_keyboard(self) -> None:
        """Everything is reached with the keyboard, and one sees where one is."""
        seen = []
        for _ in range(7):
            self.driver.switch_to.active_element.send_keys(Keys.TAB)
            element = self.driver.switch_to.active_element
            seen.append(element.text.rstrip(" ↑"))
            self.assertEqual("solid", element.value_of_css_property("outline-style"))

        self.assertEqual(["Name", "Size", "Changed", "The directory above"], seen[1:5])
        self.assertEqual(["a.txt", "b.txt"], seen[5:])


class LoginTests(BrowserCase):
    """Logging in and out."""

    def test_login(self) -> None:
        """A page for accounts leads to the login, and that back to it; after the logout
        it is closed again."""
        self.visit.put("files/alice@localhost/paper.txt", "for Alice only")
        self.open("/dav/paper.txt")
        self.assertIn("/-/login", self.driver.current_url)
        self.visit.submit("form", login="alice", password="wrong")
        self.assertEqual(1, len(self.visit.all("[role=alert]")))
        self.assertEqual("alice", self.visit.one("[name=login]").get_attribute("value"))
        self.visit.submit("form", password="secret")
        self.assertEqual(self.visit.url("/dav/paper.txt"), self.driver.current_url)
        self.assertEqual("for Alice only", self.visit.one("body").text)
        self.open("/-/logout")
        self.visit.submit("form")
        self.open("/dav/paper.txt")

        self.assertIn("/-/login", self.driver.current_url)

    def test_cookie(self) -> None:
        """Over TLS the cookie is for this host and for TLS only; no script reads it,
        and no other site sends it along."""
        self.visit.log_in("bob", kind="tls")
        (cookie,) = self.driver.get_cookies()

        self.assertRegex(cookie["name"], "^__Host-session-[0-9]+$")
        self.assertEqual("/", cookie["path"])
        self.assertEqual("Lax", cookie["sameSite"])
        self.assertTrue(cookie["secure"])
        self.assertTrue(cookie["httpOnly"])
        self.assertEqual("", self.driver.execute_script("return document.cookie"))


class FilesTests(BrowserCase):
    """One's own files, looked after with forms."""

    def setUp(self) -> None:
        super().setUp()
        self.home = self.visit.state / "files" / "carol@localhost"
        self.visit.log_in("carol", "/dav/")

    def upload(self, name: str, content: str, *ticks: str) -> None:
        """Choose a file, and send it."""
        place = Path(self.mktemp()).absolute() / name
        place.parent.mkdir(parents=True)
        place.write_text(content)
        for tick in ticks:
            self.visit.one(f"#upload [name={tick}]").click()
        self.visit.submit("#upload", file=str(place))

    def press_change(self, name: str) -> None:
        """Go to where an entry is renamed and removed."""
        rows = self.visit.all("tbody tr:not(.above)")
        row = next(one for one in rows if one.text.startswith(name))
        row.find_element(By.CSS_SELECTOR, ".change a").click()
        self.visit.wait_for(lambda driver: self.visit.all("#rename"))

    def names(self) -> list[str]:
        """What is there."""
        return self.visit.texts("tbody tr:not(.above) td.name")

    def test_without_scripts(self) -> None:
        """Files are uploaded, moved, renamed and removed, directories made and removed
        with all that is in them, in a browser that runs no scripts."""
        self.visit.run_scripts(False)
        self.upload("letter ü.txt", "Dear all")
        self.assertEqual("Dear all", (self.home / "letter ü.txt").read_text())
        self.assertEqual(["Stored."], self.visit.texts("[role=status]"))
        self.visit.submit("#directory", name="post")
        self.press_change("letter ü.txt")
        self.visit.submit("#rename", to="post/")
        self.assertTrue((self.home / "post" / "letter ü.txt").exists())
        self.driver.find_element(By.LINK_TEXT, "post/").click()
        self.press_change("letter ü.txt")
        self.visit.submit("#rename", to="old.txt")
        self.assertEqual(["old.txt"], self.names())
        self.driver.find_element(By.LINK_TEXT, "The directory above").click()
        self.press_change("post/")
        self.visit.submit("#remove")

        self.assertNotIn("post/", self.names())
        self.assertFalse((self.home / "post").exists())

    def test_replace(self) -> None:
        """A file that is there is left as it is, unless one says that it may go."""
        self.upload("plan.txt", "first")
        self.upload("plan.txt", "second")
        self.assertIn("plan.txt", self.visit.one("[role=alert]").text)
        self.assertEqual("first", (self.home / "plan.txt").read_text())
        self.upload("plan.txt", "third", "replace")

        self.assertEqual("third", (self.home / "plan.txt").read_text())

    def test_old_page(self) -> None:
        """A form with the token of another session does nothing."""
        self.driver.execute_script(
            "document.querySelector('#directory [name=form_token]').value = 'x'"
        )
        self.visit.submit("#directory", name="stray")

        self.assertEqual(1, len(self.visit.all("[role=alert]")))
        self.assertFalse((self.home / "stray").exists())


FAULTS = """
const found = [], all = selector => [...document.querySelectorAll(selector)];
if (!document.documentElement.lang) found.push("no language");
if (!document.title.trim()) found.push("no title");
if (all("main").length != 1 || all("h1").length != 1) found.push("main, h1");
for (const one of all("input:not([type=hidden])"))
    if (!one.labels.length || !one.labels[0].textContent.trim())
        found.push("no label: " + one.name);
for (const one of all("a, button")) {
    if (!one.textContent.trim()) found.push("says nothing: " + one.outerHTML);
    if (!one.closest("p, h1") && one.getBoundingClientRect().height < 24)
        found.push("smaller than 24 pixels: " + one.textContent);
}
for (const one of all("th")) if (!one.scope) found.push("no scope: " + one.textContent);
const ids = all("[id]").map(one => one.id);
if (new Set(ids).size != ids.length) found.push("an id twice");
if (all("script, [onclick], [style]").length) found.push("scripts or styles");
return found;
"""
"""What keeps people from using a page, as far as a script sees it (WCAG 2.2: 1.3.1,
2.4.2, 2.4.4, 2.5.8, 3.1.1, 4.1.2)."""


class AccessibilityTests(BrowserCase):
    """Pages for everybody."""

    def test_all_pages(self) -> None:
        """All that our pages have says what it is, and is large enough."""
        self.visit.put("sites/default/shown/a.txt", "x")
        self.visit.put("files/bob@localhost/a.txt", "x")
        for path in ("/shown/", "/nothing", "/-/login"):
            self.open(path)
            self.assertEqual([], self.driver.execute_script(FAULTS), path)
        self.visit.log_in("bob", "/dav/")
        for path in ("/dav/", "/dav/?change=a.txt", "/dav/?done=made", "/-/logout"):
            self.open(path)
            self.assertEqual([], self.driver.execute_script(FAULTS), path)


class MediaTests(BrowserCase):
    """Music and films."""

    def test_seek(self) -> None:
        """Who jumps to the end of a long recording fetches its end, not all of it."""
        self.visit.put("sites/default/media/noise.wav", recording(minutes=10))
        self.visit.put(
            "sites/default/media/index.html",
            "<!DOCTYPE html><title>Noise</title>"
            "<audio src=noise.wav preload=metadata controls></audio>",
        )
        self.open("/media/")
        ready = "return document.querySelector('audio').readyState"
        self.visit.wait_for(lambda driver: driver.execute_script(ready) >= 1)
        sought = self.driver.execute_async_script(
            "const done = arguments[0], it = document.querySelector('audio');"
            "it.onseeked = () => done(it.currentTime);"
            "it.onerror = () => done(String(it.error));"
            "it.currentTime = it.duration - 5;"
        )
        self.assertEqual(595.0, sought)
        log = self.visit.state / "log" / "access.log"
        self.visit.wait_for(
            lambda driver: len(lines_of(log, ["/media/noise.wav"])) >= 2
        )
        told = map(json.loads, lines_of(log, ["/media/noise.wav"]))

        self.assertEqual({206}, {one["status"] for one in told})


class ApartTests(BrowserCase):
    """Scripts in pages of accounts."""

    TRAP = """<!DOCTYPE html><title>Look at this</title>
        <form method=post action=/dav/ enctype=multipart/form-data></form>
        <script>
        Promise.allSettled([
            fetch("/dav/diary.txt"),
            fetch("/dav/diary.txt", {method: "DELETE"}),
            fetch("/-/logout", {method: "POST", mode: "no-cors"}),
        ]).then(all => { document.title = all.map(one => one.status).join(" "); });
        </script>"""

    def test_no_rights(self) -> None:
        """A script in the page of one account does nothing with the login of another
        one who looks at it."""
        diary = self.visit.put("files/alice@localhost/diary.txt", "Dear diary")
        self.visit.put("files/mallory@localhost/www/look.html", self.TRAP)
        self.visit.log_in("alice")
        self.open("/~mallory/look.html")
        self.visit.wait_for(lambda driver: driver.title != "Look at this")

        self.assertEqual("rejected rejected fulfilled", self.driver.title)
        self.assertTrue(diary.exists())
        self.open("/dav/diary.txt")
        self.assertEqual("Dear diary", self.visit.one("body").text)

    def test_no_forms(self) -> None:
        """Nor does a form that it sends."""
        self.visit.put("files/mallory@localhost/www/form.html", self.TRAP)
        self.visit.log_in("alice")
        self.open("/~mallory/form.html")
        self.driver.execute_script(
            "const form = document.forms[0]; form.action = '/-/logout'; form.submit()"
        )
        self.visit.wait_for(lambda driver: driver.title.startswith("403"))
        self.open("/-/logout")

        self.assertIn("alice@localhost", self.visit.one("main").text)


def recording(minutes: int) -> bytes:
    """Silence, as a WAV file with 8,000 samples of one octet a second."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(b"\x80" * (8000 * 60 * minutes))
    return file.getvalue()
