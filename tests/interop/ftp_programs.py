"""Client programs of FTP, each with the same few operations.

What a program cannot do is not in its ``can``; how a connection is made is its ``way``:
``passive``, ``active``, ``tls``, ``ipv6``, of which it knows those in ``ways``.
"""

from __future__ import annotations

import asyncio
import ftplib
import shutil
import ssl
import subprocess
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import aioftp
from attrs import define

from tests.programs import SECONDS, located, run

LOGIN = "alice"
PASSWORD = "secret"

EVERYTHING = frozenset(
    ("list", "get", "put", "resume_get", "resume_put", "rename", "delete", "tree")
)


@define
class Program:
    """A client, and the server that it talks to."""

    host: str
    port: int
    way: str
    scratch: Path
    """A directory that is its home."""

    ways: ClassVar[tuple[str, ...]] = ("passive", "active", "tls", "ipv6")
    can: ClassVar[frozenset[str]] = EVERYTHING

    @property
    def address(self) -> str:
        """Host and port, as a URL has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def list(self) -> str:
        """The names in the root."""
        raise NotImplementedError

    def get(self, name: str, local: Path) -> None:
        """Download a file."""
        raise NotImplementedError

    def put(self, local: Path, name: str) -> None:
        """Upload a file."""
        raise NotImplementedError

    def resume_get(self, name: str, local: Path) -> None:
        """Download what is missing at the end of ``local``."""
        raise NotImplementedError

    def resume_put(self, local: Path, name: str) -> None:
        """Upload what is missing at the end of ``name``."""
        raise NotImplementedError

    def rename(self, old: str, new: str) -> None:
        """Give a file another name."""
        raise NotImplementedError

    def delete(self, name: str) -> None:
        """Remove a file."""
        raise NotImplementedError

    def put_tree(self, local: Path, name: str) -> None:
        """Upload a directory with all that is in it."""
        raise NotImplementedError

    def get_tree(self, name: str, local: Path) -> None:
        """Download a directory with all that is in it."""
        raise NotImplementedError


class Curl(Program):
    """curl; it knows no trees."""

    can = EVERYTHING - {"tree"}

    def _run(self, *arguments: str, name: str = "") -> str:
        ways = {"active": ["--ftp-port", "-"], "tls": ["--ssl-reqd", "-k"]}
        command = [located("curl"), "-sS", "-g", "-u", f"{LOGIN}:{PASSWORD}"]
        url = f"ftp://{self.address}/{quote(name)}"
        return run(*command, *ways.get(self.way, []), *arguments, url)

    def list(self) -> str:
        return self._run("-l")

    def get(self, name: str, local: Path) -> None:
        self._run("-o", str(local), name=name)

    def put(self, local: Path, name: str) -> None:
        self._run("-T", str(local), name=name)

    def resume_get(self, name: str, local: Path) -> None:
        self._run("-C", "-", "-o", str(local), name=name)

    def resume_put(self, local: Path, name: str) -> None:
        self._run("-C", "-", "-T", str(local), name=name)

    def rename(self, old: str, new: str) -> None:
        self._run("-l", "-Q", f"RNFR {old}", "-Q", f"RNTO {new}")

    def delete(self, name: str) -> None:
        self._run("-l", "-Q", f"DELE {name}")


class Lftp(Program):
    """lftp, which mirrors trees over several connections."""

    def _run(self, commands: str) -> str:
        is_tls = "yes" if self.way == "tls" else "no"
        settings = (
            "set ssl:verify-certificate no; set net:max-retries 1; set cmd:fail-exit y;"
            f"set ftp:ssl-force {is_tls}; set ftp:ssl-allow {is_tls};"
            f"set ftp:ssl-protect-data {is_tls}; set net:timeout 20;"
            f"set ftp:passive-mode {'no' if self.way == 'active' else 'yes'};"
        )
        start = f"open ftp://{LOGIN}:{PASSWORD}@{self.address};"
        return run(
            located("lftp"), "-c", settings + start + commands, home=self.scratch
        )

    def list(self) -> str:
        return self._run("cls -1")

    def get(self, name: str, local: Path) -> None:
        self._run(f"get '{name}' -o '{local}'")

    def put(self, local: Path, name: str) -> None:
        self._run(f"put '{local}' -o '{name}'")

    def resume_get(self, name: str, local: Path) -> None:
        self._run(f"get -c '{name}' -o '{local}'")

    def resume_put(self, local: Path, name: str) -> None:
        self._run(f"put -c '{local}' -o '{name}'")

    def rename(self, old: str, new: str) -> None:
        self._run(f"mv '{old}' '{new}'")

    def delete(self, name: str) -> None:
        self._run(f"rm '{name}'")

    def put_tree(self, local: Path, name: str) -> None:
        self._run(f"mirror -R -P 3 '{local}' '{name}'")

    def get_tree(self, name: str, local: Path) -> None:
        self._run(f"mirror -P 3 --use-pget-n=2 '{name}' '{local}'")


class Wget(Program):
    """wget, which only downloads, and reads LIST for that."""

    can = frozenset(("get", "resume_get", "get_tree"))

    def _run(self, name: str, *arguments: str) -> None:
        scheme = "ftps" if self.way == "tls" else "ftp"
        ways = {"active": ["--no-passive-ftp"], "tls": ["--no-check-certificate"]}
        command = [located("wget"), "-nv", "--tries=1", *ways.get(self.way, [])]
        login = ["--user", LOGIN, "--password", PASSWORD]
        url = f"{scheme}://{self.address}/{quote(name)}"
        run(*command, *login, *arguments, url, home=self.scratch)

    def get(self, name: str, local: Path) -> None:
        self._run(name, "-O", str(local))

    def resume_get(self, name: str, local: Path) -> None:
        shutil.move(local, local.with_name(name))
        self._run(name, "-c", "-P", str(local.parent))
        shutil.move(local.with_name(name), local)

    def get_tree(self, name: str, local: Path) -> None:
        self._run(name + "/", "-r", "-nH", "--cut-dirs=1", "-P", str(local))


class Interactive(Program):
    """One of the programs called ``ftp``: a script at its standard input."""

    program: ClassVar[str]
    options: ClassVar[dict[str, list[str]]]
    ways = ("passive", "active", "ipv6")
    can = EVERYTHING - {"tree"}
    before: ClassVar[dict[str, str]] = {}
    """Commands that choose the way."""

    def _run(self, *commands: str) -> str:
        command = [located(self.program), "-n", "-v", *self.options.get(self.way, [])]
        script = "\n".join(
            (
                f"user {LOGIN} {PASSWORD}",
                *filter(None, [self.before.get(self.way, "")]),
                "binary",
                *commands,
                "bye\n",
            )
        )
        said = run(
            *command, self.host, str(self.port), script=script, home=self.scratch
        )
        refused = [
            line
            for line in said.splitlines()
            if line[:1] in "45" and line[1:3].isdigit()
        ]
        if refused:
            raise AssertionError(f"{commands}: {said}")
        return said

    def list(self) -> str:
        return self._run("ls")

    def get(self, name: str, local: Path) -> None:
        self._run(f'get "{name}" "{local}"')

    def put(self, local: Path, name: str) -> None:
        self._run(f'put "{local}" "{name}"')

    def resume_get(self, name: str, local: Path) -> None:
        self._run(f'reget "{name}" "{local}"')

    def resume_put(self, local: Path, name: str) -> None:
        """By APPE: these programs have no other way."""
        rest = self.scratch / "rest"
        rest.write_bytes(local.read_bytes()[local.stat().st_size // 3 :])
        self._run(f'append "{rest}" "{name}"')

    def rename(self, old: str, new: str) -> None:
        self._run(f'rename "{old}" "{new}"')

    def delete(self, name: str) -> None:
        self._run(f'delete "{name}"')


class Tnftp(Interactive):
    """tnftp, the one of NetBSD."""

    program = "tnftp"
    options: ClassVar = {"passive": ["-p"], "active": ["-A"], "ipv6": ["-6", "-p"]}


class Inetutils(Interactive):
    """The one of GNU, which begins in active mode."""

    program = "inetutils-ftp"
    options: ClassVar = {"ipv6": ["-6"]}
    before: ClassVar = {"passive": "passive", "ipv6": "passive"}


class Ncftp(Program):
    """ncftpls, ncftpget and ncftpput.

    After REST, ncftpput sends the whole file again; so it does not resume uploads.
    """

    ways = ("passive", "active")
    can = EVERYTHING - {"rename", "resume_put"}

    def _run(self, program: str, *arguments: str) -> str:
        way = "-E" if self.way == "active" else "-F"
        command = [located(program), "-u", LOGIN, "-p", PASSWORD, "-P", str(self.port)]
        return run(*command, way, "-t", "20", *arguments, home=self.scratch)

    def list(self) -> str:
        return self._run("ncftpls", "-1", f"ftp://{self.host}/")

    def get(self, name: str, local: Path) -> None:
        command = [located("ncftpget"), "-u", LOGIN, "-p", PASSWORD]
        way = "-E" if self.way == "active" else "-F"
        done = subprocess.run(
            [*command, "-P", str(self.port), way, "-c", self.host, name],
            capture_output=True,
            timeout=SECONDS,
            check=True,
        )
        local.write_bytes(done.stdout)

    def put(self, local: Path, name: str) -> None:
        self._run("ncftpput", "-V", "-Z", "-C", self.host, str(local), name)

    def resume_get(self, name: str, local: Path) -> None:
        shutil.move(local, local.with_name(name))
        self._run("ncftpget", "-V", "-z", self.host, str(local.parent), name)
        shutil.move(local.with_name(name), local)

    def delete(self, name: str) -> None:
        self._run("ncftpls", "-X", f"DELE {name}", f"ftp://{self.host}/")

    def put_tree(self, local: Path, name: str) -> None:
        """Under its own name, which is ``name``."""
        assert local.name == name
        self._run("ncftpput", "-V", "-R", self.host, "/", str(local))

    def get_tree(self, name: str, local: Path) -> None:
        self._run("ncftpget", "-V", "-R", self.host, str(local), name)


class Rclone(Program):
    """rclone, which knows no active mode and does not resume."""

    ways = ("passive", "tls", "ipv6")
    can = EVERYTHING - {"resume_get", "resume_put"}

    def _run(self, *arguments: str) -> str:
        rclone = located("rclone")
        secret = run(rclone, "obscure", PASSWORD).strip()
        host = self.address.rpartition(":")[0]
        server = ["--ftp-host", host, "--ftp-port", str(self.port)]
        login = ["--ftp-user", LOGIN, "--ftp-pass", secret]
        way = ["--ftp-explicit-tls", "--ftp-no-check-certificate"]
        if self.way != "tls":
            way = []
        patience = ["--retries", "1", "--low-level-retries", "1", "--timeout", "20s"]
        command = [rclone, *server, *login, *way, *patience, *arguments]
        return run(*command, home=self.scratch)

    def list(self) -> str:
        return self._run("lsf", ":ftp:")

    def get(self, name: str, local: Path) -> None:
        self._run("copyto", f":ftp:{name}", str(local))

    def put(self, local: Path, name: str) -> None:
        self._run("copyto", str(local), f":ftp:{name}")

    def rename(self, old: str, new: str) -> None:
        self._run("moveto", f":ftp:{old}", f":ftp:{new}")

    def delete(self, name: str) -> None:
        self._run("deletefile", f":ftp:{name}")

    def put_tree(self, local: Path, name: str) -> None:
        self._run("sync", str(local), f":ftp:{name}")

    def get_tree(self, name: str, local: Path) -> None:
        self._run("sync", f":ftp:{name}", str(local))


class Ftplib(Program):
    """The module of Python."""

    can = EVERYTHING - {"tree"}

    def _client(self) -> ftplib.FTP:
        client = ftplib.FTP(timeout=SECONDS)
        if self.way == "tls":
            context = ssl._create_unverified_context()
            client = ftplib.FTP_TLS(timeout=SECONDS, context=context)
        client.connect(self.host, self.port)
        client.login(LOGIN, PASSWORD)
        if isinstance(client, ftplib.FTP_TLS):
            client.prot_p()
        client.set_pasv(self.way != "active")
        return client

    def list(self) -> str:
        with self._client() as client:
            return "\n".join(client.nlst())

    def get(self, name: str, local: Path) -> None:
        with self._client() as client, local.open("wb") as file:
            client.retrbinary(f"RETR {name}", file.write)

    def put(self, local: Path, name: str) -> None:
        with self._client() as client, local.open("rb") as file:
            client.storbinary(f"STOR {name}", file)

    def resume_get(self, name: str, local: Path) -> None:
        with self._client() as client, local.open("ab") as file:
            client.retrbinary(f"RETR {name}", file.write, rest=file.tell())

    def resume_put(self, local: Path, name: str) -> None:
        with self._client() as client, local.open("rb") as file:
            client.voidcmd("TYPE I")
            there = client.size(name)
            assert there is not None
            file.seek(there)
            client.storbinary(f"STOR {name}", file, rest=there)

    def rename(self, old: str, new: str) -> None:
        with self._client() as client:
            client.rename(old, new)

    def delete(self, name: str) -> None:
        with self._client() as client:
            client.delete(name)


class Aioftp(Program):
    """aioftp, a client for asyncio."""

    ways = ("passive", "tls", "ipv6")

    def _do(self, doing: str, *arguments: object) -> object:
        return asyncio.run(asyncio.wait_for(self._session(doing, *arguments), SECONDS))

    async def _session(self, doing: str, *arguments: object) -> object:
        client = aioftp.Client(socket_timeout=20)
        await client.connect(self.host, self.port)
        if self.way == "tls":
            await client.upgrade_to_tls(ssl._create_unverified_context())
        await client.login(LOGIN, PASSWORD)
        try:
            if doing.startswith("_"):
                return await getattr(self, doing)(client, *arguments)
            return await getattr(client, doing)(*arguments)
        finally:
            await client.quit()

    async def _names(self, client: aioftp.Client) -> str:
        return "\n".join(str(path) for path, _ in await client.list())

    async def _rest_down(self, client: aioftp.Client, name: str, local: Path) -> None:
        with local.open("ab") as file:
            stream = client.download_stream(name, offset=file.tell())
            async with stream as pieces:
                async for piece in pieces.iter_by_block():
                    file.write(piece)

    async def _rest_up(self, client: aioftp.Client, local: Path, name: str) -> None:
        offset = int((await client.stat(name))["size"])
        async with client.upload_stream(name, offset=offset) as stream:
            await stream.write(local.read_bytes()[offset:])

    def list(self) -> str:
        return str(self._do("_names"))

    def get(self, name: str, local: Path) -> None:
        self._do("_download", name, local)

    def put(self, local: Path, name: str) -> None:
        self._do("_upload", local, name)

    def resume_get(self, name: str, local: Path) -> None:
        self._do("_rest_down", name, local)

    def resume_put(self, local: Path, name: str) -> None:
        self._do("_rest_up", local, name)

    def rename(self, old: str, new: str) -> None:
        self._do("rename", old, new)

    def delete(self, name: str) -> None:
        self._do("remove_file", name)

    def put_tree(self, local: Path, name: str) -> None:
        self._do("_upload", local, name)

    def get_tree(self, name: str, local: Path) -> None:
        self._do("_download", name, local)

    async def _upload(self, client: aioftp.Client, local: Path, name: str) -> None:
        await client.upload(local, name, write_into=True)

    async def _download(self, client: aioftp.Client, name: str, local: Path) -> None:
        await client.download(name, local, write_into=True)
