"""Logins over sockets: requests, curl and wget against a server of its own process."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import requests
import urllib3
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from netservices.cli import main
from netservices.testing import running_process
from netservices.testing.servers import RunningProcess
from tests.programs import located

PASSWORD = "correct horse"
SETTINGS = {
    "http.access": "* /in/ login",
    "http.listings": True,
    "accounts.argon2_memory": "8K",
}


class LoginsTestCase(SynchronousTestCase):
    """A server with the account ``joe`` and a page for accounts only."""

    server: RunningProcess

    def run(self, result: Any) -> Any:
        """The test, while the server runs."""
        accounts = [("joe", PASSWORD)]
        urllib3.disable_warnings()
        with running_process(http=True, settings=SETTINGS, accounts=accounts) as server:
            self.server = server
            return super().run(result)

    def url(self, path: str, kind: str = "tls") -> str:
        """An address of the server."""
        scheme = "https" if kind == "tls" else "http"
        return f"{scheme}://127.0.0.1:{self.server.port('http', kind)}{path}"

    def command(self, *words: str, given: str | None = None) -> str:
        """What ``netservices`` prints."""
        state = self.server.state_directory
        done = CliRunner().invoke(main, ["--state", state, *words], input=given)
        self.assertEqual(0, done.exit_code, done.output)
        return done.stdout

    def fresh(self) -> requests.Session:
        """A browser without cookies, which believes every certificate."""
        browser = requests.Session()
        browser.verify, browser.trust_env = False, False
        self.addCleanup(browser.close)
        return browser

    def browser(self, kind: str = "tls", password: str = PASSWORD) -> requests.Session:
        """A browser that has tried to log in."""
        browser = self.fresh()
        form = {"login": "joe", "password": password, "next": "/in/"}
        url = self.url("/-/login", kind)
        browser.post(url, form, timeout=30, allow_redirects=False)
        return browser

    def may_enter(self, browser: Any, kind: str = "tls") -> bool:
        """Whether the page for accounts lets somebody in (where there is nothing)."""
        response = browser.get(self.url("/in/", kind), timeout=30)
        self.assertIn(response.status_code, (401, 404))
        return bool(response.status_code == 404)


class LoginTests(LoginsTestCase):
    """People and programs."""

    def test_ends(self) -> None:
        """Logout, the operator and a new password end sessions at once, for whoever has
        the cookie."""
        for end in (
            lambda browser: browser.post(
                self.url("/-/logout"),
                headers={"Origin": self.url("")},
                timeout=30,
                allow_redirects=False,
            ),
            lambda browser: self.command("http", "end", "--account", "joe"),
            lambda browser: self.command(
                "account", "passwd", "joe", "--password-stdin", given="another one\n"
            ),
        ):
            browser, thief = self.browser(), self.fresh()
            thief.cookies.update(browser.cookies)
            self.assertTrue(self.may_enter(browser) and self.may_enter(thief))
            self.assertIn("joe@localhost", self.command("http", "sessions"))
            end(browser)
            self.assertFalse(self.may_enter(browser) or self.may_enter(thief))
            self.assertEqual("", self.command("http", "sessions"))

    def test_at_once(self) -> None:
        """Logins that come together all get sessions, each its own."""
        with ThreadPoolExecutor(20) as pool:
            browsers = list(pool.map(lambda _: self.browser(), range(20)))
        names = {cookie.value for browser in browsers for cookie in browser.cookies}

        self.assertEqual(20, len(names))
        self.assertTrue(all(self.may_enter(browser) for browser in browsers))
        self.assertEqual(20, len(self.command("http", "sessions").splitlines()))

    def test_plain(self) -> None:
        """On loopback people log in without TLS, too; the two logins are apart."""
        browser = self.browser("tcp")
        self.assertTrue(self.may_enter(browser, "tcp"))
        [cookie] = browser.cookies
        self.assertFalse(cookie.secure)
        headers = {"Cookie": f"__Host-session={cookie.value}"}
        response = requests.get(
            self.url("/in/"), headers=headers, verify=False, timeout=30
        )
        self.assertEqual(401, response.status_code)

    def test_large_cookies(self) -> None:
        """Cookies up to the longest head are read over; more of them is 431."""
        browser = self.browser()
        [cookie] = browser.cookies
        own = f"{cookie.name}={cookie.value}"
        for junk, status in (
            ("; ".join(f"c{n}={'x' * 200}" for n in range(140)), 404),
            ("a=" + "x" * 30_000, 404),
            ("a=" + "x" * 40_000, 431),
        ):
            headers = {"Cookie": f"{own}; {junk}"}
            response = requests.get(
                self.url("/in/"), headers=headers, verify=False, timeout=30
            )
            self.assertEqual(status, response.status_code)

    def test_programs(self) -> None:
        """curl and wget send a password when they are asked; an app password for HTTP
        is one."""
        words = ("account", "app-password", "add", "joe", "curl", "--protocol", "http")
        app = self.command(*words).split()[-1]
        for password, status in ((PASSWORD, "404"), (app, "404"), ("wrong", "401")):
            curl = [located("curl"), "-sk", "-o", "/dev/null", "-w", "%{http_code}"]
            curl += ["-u", f"joe:{password}", self.url("/in/")]
            done = subprocess.run(curl, capture_output=True, text=True, timeout=60)
            self.assertEqual(status, done.stdout)
        wget = [located("wget"), "--no-check-certificate", "--tries=1", "-SO/dev/null"]
        wget += ["--user=joe", f"--password={PASSWORD}", self.url("/in/")]
        done = subprocess.run(wget, capture_output=True, text=True, timeout=60)
        self.assertIn("401 Unauthorized", done.stderr)
        self.assertIn("404 Not Found", done.stderr)
