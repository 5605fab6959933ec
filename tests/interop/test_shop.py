"""The shop of ``examples/``: a browser is recognised, by whichever process."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile

import requests
from twisted.trial.unittest import SynchronousTestCase

from netservices.testing import running_process
from tests.house.twistd import ROOT, environment

EXAMPLE = ROOT / "examples" / "shop"
SETTINGS = {
    "http.mounts": "/shop handler:shop:shop",
    "http.python_path": str(EXAMPLE),
}


class ShopTests(SynchronousTestCase):
    """The textbook's cookies, in one browser."""

    def visit(self, port: int, path: str = "/shop/", **form: str) -> str:
        """What the browser shows."""
        url = f"http://127.0.0.1:{port}{path}"
        if form:
            response = self.browser.post(url, form, timeout=30)
        else:
            response = self.browser.get(url, timeout=30)
        self.assertEqual(200, response.status_code, response.text)
        return response.text

    def in_cart(self, page: str) -> dict[str, int]:
        """The cart that a page shows."""
        row = r"<th scope='row'>(\w+)</th><td>[0-9.]+</td><td>(\d+)</td>"
        found = {name: int(count) for name, count in re.findall(row, page)}
        return {name: count for name, count in found.items() if count}

    def token(self, page: str) -> str:
        """The token of a page's forms."""
        found = re.search(r"name='form_token' value='([^']+)'", page)
        assert found is not None
        return found[1]

    def worker(self, state: str, *words: str) -> str:
        """What a second process on the same state answers."""
        (cookie,) = [f"{one.name}={one.value}" for one in self.browser.cookies]
        method, path, *form = words
        command = [sys.executable, "-m", "tests.http.worker"]
        paths = environment().get("PYTHONPATH", "")
        surroundings = {
            **environment(),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(EXAMPLE), paths]),
        }
        done = subprocess.run(
            [*command, state, method, path, cookie, *form],
            env=surroundings,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
        )
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout

    def test_textbook(self) -> None:
        """The first visit makes an id and an entry; later ones are recognised, after a
        restart and by a second process, too; a stranger is not."""
        self.browser = requests.Session()
        self.browser.headers["Host"] = "shop.example"
        self.addCleanup(self.browser.close)
        with tempfile.TemporaryDirectory() as scratch:
            state = os.path.join(scratch, "state")
            with running_process(http=True, settings=SETTINGS, state=state) as server:
                port = server.port("http")
                page = self.visit(port)
                self.assertIn("Welcome!", page)
                [cookie] = self.browser.cookies
                self.assertEqual("plain-session", cookie.name)

                bought = {
                    "thing": "ketchup",
                    "form_token": self.token(self.visit(port)),
                }
                self.assertIn("visit 3", self.visit(port, "/shop/put", **bought))
                refused = self.browser.post(
                    f"http://127.0.0.1:{port}/shop/put", {"thing": "tea"}, timeout=30
                )
                self.assertEqual(403, refused.status_code)
                stranger = requests.get(f"http://127.0.0.1:{port}/shop/", timeout=30)
                self.assertIn("Welcome!", stranger.text)
                self.assertEqual({}, self.in_cart(stranger.text))

                shown = self.worker(state, "GET", "/shop/")
                self.assertTrue(shown.startswith("200 "))
                self.assertEqual({"ketchup": 1}, self.in_cart(shown))
                put = self.worker(state, "POST", "/shop/put", "thing=pickles")
                self.assertTrue(put.startswith("303 "))
                cart = {"ketchup": 1, "pickles": 1}
                self.assertEqual(cart, self.in_cart(self.visit(port)))

            with running_process(http=True, settings=SETTINGS, state=state) as server:
                page = self.visit(server.port("http"))
                self.assertIn("This is visit 6.", page)
                self.assertEqual(cart, self.in_cart(page))
                self.assertEqual(
                    [cookie.value], [c.value for c in self.browser.cookies]
                )
