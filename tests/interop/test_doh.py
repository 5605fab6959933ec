"""DNS over HTTPS, asked by curl, and by dig and kdig through a proxy: they speak HTTP/2
only."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from netservices.testing import running_process
from netservices.testing.servers import RunningProcess
from tests.interop.dns_programs import free_port, wait_until
from tests.programs import located, run

ZONE = (
    "$TTL 3600\n@ SOA ns1 hostmaster 1 7200 1800 1209600 300\n@ NS ns1\n"
    "ns1 A 192.0.2.1\nwww 60 A 127.0.0.1\n"
    + "".join(f"big TXT {'x' * 200}{i:02}\n" for i in range(20))
)

FRONT = """
daemon off; pid {place}/pid; error_log {place}/error.log; worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {place}/body; proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
  upstream names {{ server 127.0.0.1:{behind}; keepalive 4; }}
  server {{
    listen 127.0.0.1:{port} ssl http2;
    ssl_certificate {pem}; ssl_certificate_key {pem};
    location / {{
      proxy_pass http://names; proxy_http_version 1.1;
      proxy_set_header Connection ""; proxy_set_header Host $host;
    }}
  }}
}}
"""


@contextmanager
def http2_front(server: RunningProcess) -> Iterator[int]:
    """The port of a proxy that speaks HTTP/2 and TLS."""
    port = free_port()
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        pem = Path(server.state_directory) / "tls" / "self-signed.pem"
        conf = FRONT.format(
            place=place, port=port, behind=server.port("http", "tcp"), pem=pem
        )
        (place / "conf").write_text(conf)
        errors = str(place / "error.log")
        process = subprocess.Popen(
            [
                located("nginx"),
                "-e",
                errors,
                "-p",
                directory,
                "-c",
                str(place / "conf"),
            ],
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until((place / "pid").exists, "the proxy runs")
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


class HTTPSTests(SynchronousTestCase):
    """One server for names and the web."""

    def setUp(self) -> None:
        self.stack = ExitStack()
        self.addCleanup(self.stack.close)
        self.server = self.stack.enter_context(
            running_process(
                dns=True,
                http=True,
                zones={"example.com": ZONE},
                settings={"http.dns_plaintext": "loopback"},
            )
        )
        self.tls = self.server.port("http", "tls")

    def curl(self, *words: str) -> str:
        return run(located("curl"), "--silent", "--show-error", "--insecure", *words)

    def test_curl_finds_names(self) -> None:
        """curl --doh-url asks us where a site is, over TLS, and finds it."""
        port = self.server.port("http", "tcp")
        doh = f"https://127.0.0.1:{self.tls}/dns-query"
        out = self.curl(
            "--doh-insecure",
            *("--doh-url", doh, "--write-out", " %{remote_ip} %{http_code}"),
            *("--output", "/dev/null", f"http://www.example.com:{port}/nothing"),
        )

        self.assertEqual(" 127.0.0.1 404", out)

    def test_get_and_caching(self) -> None:
        """A question in the target gets an answer that says how long it holds."""
        dns = "AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB"
        url = f"https://127.0.0.1:{self.tls}/dns-query?dns={dns}"

        head = self.curl("--head", url)

        self.assertIn(" 200 OK\r\n", head)
        self.assertIn("Content-Type: application/dns-message\r\n", head)
        self.assertIn("Cache-Control: max-age=60\r\n", head)

    def test_errors(self) -> None:
        """What is no question gets a status of HTTP."""
        url = f"https://127.0.0.1:{self.tls}/dns-query"
        code = ("--output", "/dev/null", "--write-out", "%{http_code}")

        self.assertEqual("400", self.curl(*code, url))
        self.assertEqual("415", self.curl(*code, "--data", "x=1", url))
        self.assertEqual("405", self.curl(*code, "--request", "PUT", url))

    def test_dig_and_kdig(self) -> None:
        """dig and kdig take the answers to GET and POST, padded and longer than a
        datagram."""
        # The first connection makes the certificate that the proxy shares.
        self.curl(f"https://127.0.0.1:{self.tls}/")
        front = self.stack.enter_context(http2_front(self.server))
        where = ("@127.0.0.1", "-p", str(front))
        for program, ways in (
            (located("dig"), ("+https", "+https-get")),
            (located("kdig"), ("+https", "+https-get")),
        ):
            for way in ways:
                out = run(program, *where, way, "www.example.com", "A")
                self.assertRegex(out, r"status: NOERROR")
                self.assertRegex(
                    out, r"www\.example\.com\.\s+60\s+IN\s+A\s+127\.0\.0\.1"
                )
                out = run(program, *where, way, "no.example.com", "A")
                self.assertRegex(out, r"status: NXDOMAIN")
                out = run(program, *where, way, "big.example.com", "TXT")
                self.assertRegex(out, r"ANSWER: 20")
        out = run(located("kdig"), *where, "+https", "+padding", "example.com", "SOA")
        self.assertIn("PADDING", out)
        transfer = (located("kdig"), *where, "+https", "example.com", "AXFR")
        refusal = self.assertRaises(AssertionError, run, *transfer)
        self.assertIn("NOTIMPL", str(refusal))


class InTheClearTests(SynchronousTestCase):
    """Without TLS, and without DNS."""

    def test_refused(self) -> None:
        """By default nobody asks in the clear."""
        with running_process(dns=True, http=True) as server:
            url = f"http://127.0.0.1:{server.port('http', 'tcp')}/dns-query?dns=AAAA"
            self.assertIn("403", run(located("curl"), "-s", "-i", url))

    def test_no_dns(self) -> None:
        """Where no name server runs, there is nothing."""
        with running_process(http=True) as server:
            url = f"http://127.0.0.1:{server.port('http', 'tcp')}/dns-query?dns=AAAA"
            self.assertIn("404", run(located("curl"), "-s", "-i", url))
