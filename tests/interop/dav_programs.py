"""Client programs of WebDAV, each with the same few operations."""

from __future__ import annotations

import subprocess
from pathlib import Path
from urllib.parse import quote

from attrs import define
from webdav3.client import Client

from tests.programs import located, run

LOGIN = "alice"
PASSWORD = "secret"


@define
class Program:
    """A client, and the address that it talks to."""

    url: str
    """It ends in a slash."""
    scratch: Path
    """A directory that is its home."""

    def list(self) -> str:
        """The names in the root."""
        raise NotImplementedError

    def get(self, name: str, local: Path) -> None:
        """Download a file."""
        raise NotImplementedError

    def put(self, local: Path, name: str) -> None:
        """Upload a file."""
        raise NotImplementedError

    def make_directory(self, name: str) -> None:
        """Make a directory."""
        raise NotImplementedError

    def move(self, old: str, new: str) -> None:
        """Give a file another name."""
        raise NotImplementedError

    def copy(self, old: str, new: str) -> None:
        """Have a file under another name, too."""
        raise NotImplementedError

    def delete(self, name: str) -> None:
        """Remove a file, or a directory with all that is in it."""
        raise NotImplementedError


class Curl(Program):
    """curl, with the methods of WebDAV by name."""

    def _run(self, name: str, *arguments: str) -> str:
        command = [located("curl"), "-sS", "--fail-with-body", "-g"]
        login = ["-u", f"{LOGIN}:{PASSWORD}"]
        return run(*command, *login, *arguments, self.url + quote(name))

    def list(self) -> str:
        return self._run("", "-H", "Accept: application/json")

    def get(self, name: str, local: Path) -> None:
        self._run(name, "-o", str(local))

    def put(self, local: Path, name: str) -> None:
        self._run(name, "-T", str(local))

    def make_directory(self, name: str) -> None:
        self._run(f"{name}/", "-X", "MKCOL")

    def move(self, old: str, new: str) -> None:
        self._run(old, "-X", "MOVE", "-H", f"Destination: {self.url}{quote(new)}")

    def copy(self, old: str, new: str) -> None:
        self._run(old, "-X", "COPY", "-H", f"Destination: {self.url}{quote(new)}")

    def delete(self, name: str) -> None:
        self._run(name, "-X", "DELETE")


class Cadaver(Program):
    """cadaver, at its prompt."""

    def _run(self, *lines: str) -> str:
        home = self.scratch / "cadaver"
        home.mkdir(exist_ok=True)
        host = self.url.split("/")[2].partition(":")[0]
        netrc = home / ".netrc"
        netrc.write_text(f"machine {host} login {LOGIN} password {PASSWORD}\n")
        netrc.chmod(0o600)
        script = "".join(f"{line}\n" for line in (*lines, "quit"))
        said = run(located("cadaver"), self.url, script=script, home=home)
        if "failed" in said.lower() or "could not" in said.lower():
            raise AssertionError(said)
        return said

    def list(self) -> str:
        return self._run("ls")

    def get(self, name: str, local: Path) -> None:
        self._run(f'get "{name}" "{local}"')

    def put(self, local: Path, name: str) -> None:
        self._run(f'put "{local}" "{name}"')

    def make_directory(self, name: str) -> None:
        self._run(f'mkcol "{name}"')

    def move(self, old: str, new: str) -> None:
        self._run(f'move "{old}" "{new}"')

    def copy(self, old: str, new: str) -> None:
        self._run(f'copy "{old}" "{new}"')

    def delete(self, name: str) -> None:
        self._run(f'delete "{name}"' if "." in name else f'rmcol "{name}"')

    def edit(self, name: str, command: str) -> str:
        """Lock a file, have an editor change it, store it, unlock it."""
        return self._run(
            f"set editor {command}", f'edit "{name}"', f'discover "{name}"'
        )


class Rclone(Program):
    """rclone."""

    def _run(self, *arguments: str) -> str:
        return run(
            located("rclone"),
            "--webdav-url",
            self.url,
            "--webdav-user",
            LOGIN,
            "--webdav-pass",
            self._obscured(),
            *arguments,
            home=self.scratch,
        )

    def _obscured(self) -> str:
        return run(located("rclone"), "obscure", PASSWORD, home=self.scratch).strip()

    def list(self) -> str:
        return self._run("lsf", ":webdav:")

    def get(self, name: str, local: Path) -> None:
        self._run("copyto", f":webdav:{name}", str(local))

    def put(self, local: Path, name: str) -> None:
        self._run("copyto", str(local), f":webdav:{name}")

    def make_directory(self, name: str) -> None:
        self._run("mkdir", f":webdav:{name}")

    def move(self, old: str, new: str) -> None:
        self._run("moveto", f":webdav:{old}", f":webdav:{new}")

    def copy(self, old: str, new: str) -> None:
        self._run("copyto", f":webdav:{old}", f":webdav:{new}")

    def delete(self, name: str) -> None:
        self._run("deletefile" if "." in name else "purge", f":webdav:{name}")

    def sync(self, source: str, target: str) -> None:
        """Make a directory like another one; one of them is remote."""
        self._run("sync", source, target)

    def differs(self, local: Path, name: str) -> bool:
        """Whether a directory there is not the one here, read octet by octet."""
        try:
            self._run("check", "--download", str(local), f":webdav:{name}")
        except AssertionError:
            return True
        return False


class WebDAVClient(Program):
    """webdavclient3, a library of Python."""

    @property
    def _client(self) -> Client:
        return Client(
            {
                "webdav_hostname": self.url.rstrip("/"),
                "webdav_login": LOGIN,
                "webdav_password": PASSWORD,
            }
        )

    def list(self) -> str:
        return "\n".join(self._client.list())

    def get(self, name: str, local: Path) -> None:
        self._client.download_sync(remote_path=name, local_path=str(local))

    def put(self, local: Path, name: str) -> None:
        self._client.upload_sync(remote_path=name, local_path=str(local))

    def make_directory(self, name: str) -> None:
        self._client.mkdir(name)

    def move(self, old: str, new: str) -> None:
        self._client.move(remote_path_from=old, remote_path_to=new)

    def copy(self, old: str, new: str) -> None:
        self._client.copy(remote_path_from=old, remote_path_to=new)

    def delete(self, name: str) -> None:
        self._client.clean(name)


def litmus(url: str, scratch: Path) -> str:
    """What litmus, a suite of tests for servers, says of this one."""
    done = subprocess.run(
        [located("litmus"), "-k", url, LOGIN, PASSWORD],
        cwd=scratch,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout
