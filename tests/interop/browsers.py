"""Chromium without a screen, and a server that it looks at.

Both are started when the first test of a process wants them, serve all of its tests,
and end with it.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import (
    StaleElementReferenceException,
    WebDriverException,
)
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from netservices.testing import running_process
from netservices.testing.servers import RunningProcess
from tests.programs import located

SECONDS = 30
"""How long something may take to show."""

SETTINGS = {"http.listings": True, "http.access_log_format": "json"}
ACCOUNTS = [(name, "secret") for name in ("alice", "bob", "carol", "mallory")]

_OPTIONS = (
    "--headless=new",
    "--no-sandbox",  # root has no use for the one of Chromium
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-background-networking",
    "--no-first-run",
    "--window-size=1200,800",
)


def _start() -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = located("chromium")
    options.accept_insecure_certs = True
    for option in _OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(located("chromedriver")))
    _at_the_end().callback(driver.quit)
    return driver


class Visit:
    """A browser at a server."""

    def __init__(self, server: RunningProcess, driver: webdriver.Chrome) -> None:
        self.server = server
        self.driver = driver
        self.state = Path(server.state_directory)

    def url(self, path: str, host: str = "127.0.0.1", kind: str = "tcp") -> str:
        """An address of the server."""
        scheme = "https" if kind == "tls" else "http"
        return f"{scheme}://{host}:{self.server.port('http', kind)}{path}"

    def put(self, path: str, content: bytes | str) -> Path:
        """A file below the state directory."""
        place = self.state / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
        return place

    def begin(self) -> None:
        """A browser that knows nothing, with a window as usual."""
        driver = self.driver
        driver.get("about:blank")
        driver.execute_cdp_cmd("Network.clearBrowserCookies", {})
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
        self.run_scripts(True)
        driver.set_window_size(1200, 800)
        driver.get_log("browser")

    def run_scripts(self, are_run: bool) -> None:
        """Whether the browser runs the scripts of pages."""
        command = "Emulation.setScriptExecutionDisabled"
        self.driver.execute_cdp_cmd(command, {"value": not are_run})

    def wait_for(self, condition: Any) -> Any:
        """What ``condition(driver)`` gives when that is true; it may fail as long as
        one page makes room for another."""
        patience = WebDriverWait(
            self.driver, SECONDS, 0.02, ignored_exceptions=(WebDriverException,)
        )
        return patience.until(condition)

    def all(self, selector: str) -> list[Any]:
        """The elements that a selector of CSS finds."""
        return list(self.driver.find_elements(By.CSS_SELECTOR, selector))

    def one(self, selector: str) -> Any:
        """The first of them, once it is there."""
        return self.wait_for(
            lambda driver: driver.find_element(By.CSS_SELECTOR, selector)
        )

    def texts(self, selector: str) -> list[str]:
        """What people read in them."""
        (found,) = self.wait_for(
            lambda _driver: [[element.text for element in self.all(selector)]]
        )
        return list(found)

    def submit(self, selector: str, **values: str) -> None:
        """Fill in a form, press its button, and wait for the next page."""
        form = self.one(selector)
        for name, value in values.items():
            field = form.find_element(By.NAME, name)
            if field.get_attribute("type") != "file":
                field.clear()
            field.send_keys(value)
        form.find_element(By.TAG_NAME, "button").click()
        self.wait_for(lambda driver: is_gone(form))

    def log_in(self, login: str, path: str = "/-/login", kind: str = "tcp") -> None:
        """Come to ``path``, and log in there."""
        self.driver.get(self.url(path, kind=kind))
        self.submit("form", login=login, password="secret")

    def complaints(self, *harmless: str) -> list[str]:
        """What the console of the browser has shown since it was asked last, but for
        what ``harmless`` words tell."""
        told = [entry["message"] for entry in self.driver.get_log("browser")]
        return [one for one in told if not any(word in one for word in harmless)]


def is_gone(element: Any) -> bool:
    """Whether the page of an element has made room for another."""
    try:
        element.is_enabled()
    except StaleElementReferenceException:
        return True
    return False


@cache
def visit() -> Visit:
    """The browser of this process, and its server."""
    return Visit(_server(), _start())


@cache
def _at_the_end() -> ExitStack:
    stack = ExitStack()
    atexit.register(stack.close)
    return stack


@cache
def _server() -> RunningProcess:
    return _at_the_end().enter_context(
        running_process(http=True, accounts=ACCOUNTS, settings=SETTINGS)
    )


def lines_of(path: Path, words: Iterable[str]) -> list[str]:
    """The lines of a file that hold all words; none where there is no file yet."""
    if not os.path.exists(path):
        return []
    found = path.read_text().splitlines()
    return [line for line in found if all(word in line for word in words)]
