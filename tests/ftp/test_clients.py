"""Programs that people use: ftplib, curl and lftp against a whole server."""

from __future__ import annotations

import ftplib
import io
import os
import ssl
import tempfile

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from tests.ftp.sockets import SECONDS, ServerCase
from tests.programs import located, run

NAMES = ("with space", "ümläut.txt", "quo'te\"", " leading", "-la", "plus+%41#")


class FtplibTests(ServerCase):
    """Python's own client."""

    def client(self, login: str = "alice", encoding: str = "utf-8") -> ftplib.FTP:
        """Connected and logged in."""
        client = ftplib.FTP(timeout=SECONDS, encoding=encoding)
        client.connect("127.0.0.1", self.port)
        client.login(login, "secret")
        return client

    def test_session(self) -> Deferred[None]:
        """Upload, list, download, resume both ways, rename, delete, directories."""
        return deferToThread(self.session, True)

    def test_active_session(self) -> Deferred[None]:
        """The same with connections that the server opens."""
        return deferToThread(self.session, False)

    def session(self, is_passive: bool) -> None:
        """In a thread."""
        client = self.client()
        client.set_pasv(is_passive)
        self.whole_session(client)

    def whole_session(self, client: ftplib.FTP) -> None:
        """What every client does in its life."""
        content = os.urandom(700_000)
        client.storbinary("STOR a", io.BytesIO(content[:500_000]))
        client.storbinary("STOR a", io.BytesIO(content[400_000:]), rest=400_000)
        self.assertEqual(content, self.content_of("a"))
        self.assertEqual(700_000, client.size("a"))
        pieces: list[bytes] = []
        client.retrbinary("RETR a", pieces.append, rest=600_000)
        self.assertEqual(content[600_000:], b"".join(pieces))
        client.storlines("STOR text", io.BytesIO(b"one\ntwo\n"))
        lines: list[str] = []
        client.retrlines("RETR text", lines.append)
        self.assertEqual(["one", "two"], lines)
        self.assertEqual(b"one\ntwo\n", self.content_of("text"))
        client.mkd("dir")
        client.rename("text", "dir/renamed")
        self.assertEqual(["a", "dir"], client.nlst())
        client.cwd("dir")
        self.assertEqual("/dir", client.pwd())
        facts = dict(client.mlsd())
        self.assertEqual("8", facts["renamed"]["size"])
        listing: list[str] = []
        client.dir(listing.append)
        self.assertEqual(1, len(listing))
        client.delete("renamed")
        client.cwd("/")
        client.rmd("dir")
        client.quit()

    def test_over_tls(self) -> Deferred[None]:
        """The same with TLS on both connections.  RFC 4217"""
        return deferToThread(self.over_tls)

    def over_tls(self) -> None:
        """In a thread."""
        client = ftplib.FTP_TLS(
            context=ssl._create_unverified_context(), timeout=SECONDS
        )
        client.connect("127.0.0.1", self.port)
        client.login("alice", "secret")
        client.prot_p()
        self.whole_session(client)

    def test_names(self) -> Deferred[None]:
        """Spaces, quotes, UTF-8, and octets that are none."""
        return deferToThread(self.names)

    def names(self) -> None:
        """In a thread."""
        client = self.client()
        for name in NAMES:
            client.storbinary(f"STOR {name}", io.BytesIO(name.encode()))
        self.assertEqual(sorted(NAMES), sorted(name for name, _ in client.mlsd()))
        for name in NAMES:
            pieces: list[bytes] = []
            client.retrbinary(f"RETR {name}", pieces.append)
            self.assertEqual(name.encode(), b"".join(pieces))
        client.quit()
        legacy = self.client(encoding="latin-1")
        legacy.storbinary("STOR caf\xe9", io.BytesIO(b""))
        self.assertIn(b"caf\xe9", os.listdir(os.fsencode(self.home)))
        self.assertIn("caf\xe9", legacy.nlst())
        self.assertEqual("/caf\xe9s", legacy.mkd("caf\xe9s"))
        legacy.quit()

    def test_anonymous(self) -> Deferred[None]:
        """pub/ is for reading."""
        return deferToThread(self.anonymous)

    def anonymous(self) -> None:
        """In a thread."""
        public = os.path.join(self.server.state_directory, "pub")
        with open(os.path.join(public, "readme"), "wb") as file:
            file.write(b"hello")
        client = self.client("anonymous")
        self.assertEqual(["readme"], client.nlst())
        pieces: list[bytes] = []
        client.retrbinary("RETR readme", pieces.append)
        self.assertEqual(b"hello", b"".join(pieces))
        for refused in ("DELE readme", "MKD x", "RNFR readme"):
            self.assertRaises(ftplib.error_perm, client.sendcmd, refused)
        upload = io.BytesIO(b"x")
        self.assertRaises(ftplib.error_perm, client.storbinary, "STOR x", upload)
        client.quit()


class CurlTests(ServerCase):
    """curl."""

    def test_session(self) -> Deferred[None]:
        """Up, down, ranges, resume, active, listing, TLS."""
        return deferToThread(self.session, located("curl"))

    def session(self, curl: str) -> None:
        """In a thread."""
        base = f"ftp://127.0.0.1:{self.port}/"
        common = (curl, "-sS", "--max-time", "20", "-u", "alice:secret", "-k")
        content = os.urandom(300_000)
        with tempfile.TemporaryDirectory() as directory:
            local = os.path.join(directory, "local")
            back = os.path.join(directory, "back")
            with open(local, "wb") as file:
                file.write(content)
            for options in ((), ("--ftp-port", "-"), ("--ssl-reqd",), ("--no-epsv",)):
                run(*common, *options, "-T", local, base + "up%20load")
                self.assertEqual(content, self.content_of("up load"))
                run(*common, *options, "-o", back, base + "up%20load")
                with open(back, "rb") as file:
                    self.assertEqual(content, file.read())
            self.put("up load", content[:100_000])
            run(*common, "-C", "-", "-T", local, base + "up%20load")
            self.assertEqual(content, self.content_of("up load"))
            with open(back, "wb") as file:
                file.write(content[:1000])
            run(*common, "-C", "-", "-o", back, base + "up%20load")
            with open(back, "rb") as file:
                self.assertEqual(content, file.read())
            run(*common, "--ftp-create-dirs", "-T", local, base + "x/y/z")
        self.assertEqual("up load\nx\n", run(*common, "-l", base).replace("\r", ""))
        self.assertIn("300000", run(*common, "-I", base + "up%20load"))

    def test_uploads_over_tls(self) -> Deferred[None]:
        """curl never reads on a data connection by which it uploads, and closes it at
        once: every time, the upload is complete."""
        return deferToThread(self.uploads_over_tls, located("curl"))

    def uploads_over_tls(self, curl: str) -> None:
        """In a thread."""
        common = (curl, "-sS", "-k", "--ssl-reqd", "-u", "alice:secret")
        with tempfile.NamedTemporaryFile() as file:
            file.write(bytes(300_000))
            file.flush()
            for _ in range(25):
                target = f"ftp://127.0.0.1:{self.port}/up"
                run(*common, "-T", file.name, target)


class LftpTests(ServerCase):
    """lftp."""

    def test_mirror(self) -> Deferred[None]:
        """A tree goes up and comes back the same, in the clear and over TLS."""
        return deferToThread(self.mirror, located("lftp"))

    def mirror(self, lftp: str) -> None:
        """In a thread."""
        for force in ("false", "true"):
            with tempfile.TemporaryDirectory() as directory:
                source = os.path.join(directory, "source")
                os.makedirs(os.path.join(source, "sub dir"))
                for name in ("a", "sub dir/ö", "sub dir/b c"):
                    with open(os.path.join(source, name), "wb") as file:
                        file.write(os.urandom(50_000))
                script = (
                    "set ssl:verify-certificate no; set net:max-retries 1; "
                    f"set ftp:ssl-force {force}; set ftp:ssl-allow {force}; "
                    "set ftp:ssl-protect-data yes; "
                    f"mirror -R -P 3 {source} up-{force}; "
                    f"mirror -P 3 up-{force} {directory}/back; "
                    f"mv up-{force}/a up-{force}/moved; rm up-{force}/moved; "
                    f"pget -n 3 'up-{force}/sub dir/ö' -o {directory}/ranges"
                )
                address = f"ftp://alice:secret@127.0.0.1:{self.port}"
                run(lftp, "-c", f"open {address}; {script}")
                back = os.path.join(directory, "back")
                self.assertEqual("", run("diff", "-r", source, back))
                same = os.path.join(source, "sub dir/ö")
                run("cmp", os.path.join(directory, "ranges"), same)
