"""Files as curl, wget and Python's own client get them."""

from __future__ import annotations

import gzip
import http.client
import os
import socket
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from netservices.testing import running_process
from tests.programs import located, run

PAGE = b"<!DOCTYPE html><title>Monkeys</title><p>and bananas</p>\n" * 40
LONG_OCTETS = 3_000_000


class ClientTests(SynchronousTestCase):
    """One server, and what programs make of it."""

    def setUp(self) -> None:
        self.scratch = Path(self.enterContext(tempfile.TemporaryDirectory()))
        site = self.scratch / "state" / "sites" / "default"
        site.mkdir(parents=True)
        self.long = os.urandom(LONG_OCTETS)
        (site / "page.html").write_bytes(PAGE)
        (site / "long.bin").write_bytes(self.long)
        (site / "directory").mkdir()
        (site / "directory" / "index.html").write_bytes(b"index")
        for path in site.rglob("*"):
            os.utime(path, (1_700_000_000, 1_700_000_000))
        self.server = self.enterContext(
            running_process(http=True, state=str(self.scratch / "state"))
        )
        self.port = self.server.port("http", "tcp")
        self.url = f"http://127.0.0.1:{self.port}"

    def curl(self, *arguments: str, path: str = "/page.html") -> str:
        """What curl writes."""
        return run(located("curl"), "-sS", *arguments, self.url + path)

    def code(self, *arguments: str, path: str = "/page.html") -> str:
        """The status that curl sees."""
        null = ("-o", "/dev/null", "-w", "%{http_code}")
        return self.curl(*null, *arguments, path=path)

    def test_curl(self) -> None:
        """Whole, compressed, by date, by entity tag, parts, and where a slash is
        missing."""
        self.assertEqual(PAGE.decode(), self.curl())
        self.assertEqual(PAGE.decode(), self.curl("--compressed"))
        self.assertEqual("304", self.code("-z", "15 Nov 2023"))
        self.assertEqual("200", self.code("-z", "13 Nov 2023"))
        self.assertEqual("412", self.code("-z", "-13 Nov 2023"))

        tag = str(self.scratch / "tag")
        self.assertEqual("200", self.code("--etag-save", tag))
        self.assertEqual("304", self.code("--etag-compare", tag))

        self.assertEqual("<!DOCTYPE", self.curl("-r", "0-8"))
        parts = self.curl("-r", "0-8,-6")
        self.assertEqual(2, parts.count("Content-Range: bytes "))
        self.assertEqual("416", self.code("-r", "99999-"))
        self.assertEqual("index", self.curl("-L", path="/directory"))
        self.assertEqual("404", self.code("--path-as-is", path="/..%2f..%2fetc/passwd"))

    def test_curl_resumes(self) -> None:
        """``curl -C -`` fetches the rest of what broke off."""
        target = self.scratch / "long.bin"
        target.write_bytes(self.long[:1_234_567])

        self.curl("-C", "-", "-o", str(target), path="/long.bin")

        self.assertEqual(self.long, target.read_bytes())

    def test_wget(self) -> None:
        """``wget -c`` fetches the rest, ``wget -N`` only what is newer."""
        target = self.scratch / "long.bin"
        target.write_bytes(self.long[:765_432])
        wget = (located("wget"), "-nv", "-P", str(self.scratch))

        run(*wget, "-c", f"{self.url}/long.bin")
        self.assertEqual(self.long, target.read_bytes())

        run(*wget, "-N", f"{self.url}/page.html")
        page = self.scratch / "page.html"
        self.assertEqual(PAGE, page.read_bytes())
        self.assertEqual(1_700_000_000, page.stat().st_mtime)
        page.write_bytes(b"x" * len(PAGE))
        os.utime(page, (1_700_000_001, 1_700_000_001))
        run(*wget, "-N", f"{self.url}/page.html")
        self.assertEqual(b"x" * len(PAGE), page.read_bytes())

    def test_python(self) -> None:
        """Requests on one connection, with and without content."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        self.addCleanup(connection.close)
        connection.request("GET", "/page.html", headers={"Accept-Encoding": "gzip"})
        response = connection.getresponse()
        self.assertEqual(PAGE, gzip.decompress(response.read()))
        tag = response.headers["ETag"]
        for method, fields, status, length in (
            ("HEAD", {}, 200, 0),
            ("GET", {"If-None-Match": tag, "Accept-Encoding": "gzip"}, 304, 0),
            ("GET", {"Range": "bytes=1-2"}, 206, 2),
            ("GET", {}, 200, len(PAGE)),
            ("OPTIONS", {}, 204, 0),
        ):
            connection.request(method, "/page.html", headers=fields)
            response = connection.getresponse()
            self.assertEqual((status, length), (response.status, len(response.read())))

    def test_client_goes(self) -> None:
        """A client that goes in the middle of a download is no trouble."""
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", self.port)) as client:
                client.sendall(b"GET /long.bin HTTP/1.1\r\nHost: h\r\n\r\n")
                client.recv(1000)
        # The server has met each of these ends before it answers this.
        self.assertEqual("200", self.code())
        self.assertEqual(0, self.server.stop())

        self.assertNotIn("Traceback", self.server.log)

    def test_replaced_during_a_download(self) -> None:
        """A download goes on with what the file was when it began."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        self.addCleanup(connection.close)
        connection.request("GET", "/long.bin")
        response = connection.getresponse()
        first = response.read(1000)
        new = self.scratch / "state" / "new"
        new.write_bytes(b"another")
        new.replace(self.scratch / "state/sites/default/long.bin")

        self.assertEqual(self.long, first + response.read())
        connection.request("GET", "/long.bin")
        self.assertEqual(b"another", connection.getresponse().read())
