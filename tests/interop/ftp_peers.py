"""FTP servers of others, as partners of tests: each on a free port of the loopback
interface, with a throw-away configuration and a certificate for ``localhost``.

They have to run as root: each takes on the rights of its user for a session.
"""

from __future__ import annotations

import ftplib
import os
import pwd
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from attrs import frozen

from benchmarks.ftp_peers import UNPACKED, Missing, free_port, program, spawned
from tests.tls.authority import Authority

LOGIN, PASSWORD = "alice", "secret"
NOBODY = 65534
_ATTEMPTS = 3


@frozen
class Place:
    """Where a server works: its files, and what clients see."""

    directory: Path
    host: str
    authority: Authority

    @property
    def root(self) -> Path:
        """The directory that a client sees as ``/``."""
        return self.directory / "root"

    @property
    def open_directory(self) -> Path:
        """The one below it in which clients may do everything."""
        return self.root / "up"

    @property
    def is_v6(self) -> bool:
        """Whether clients come by IPv6."""
        return ":" in self.host

    def certificate(self) -> tuple[Path, Path]:
        """Files of chain and key."""
        chain, key = self.authority.issue("localhost")
        paths = self.directory / "chain.pem", self.directory / "key.pem"
        for path, octets in zip(paths, (chain, key), strict=True):
            path.write_bytes(octets)
            path.chmod(0o600)
        return paths

    def secret_file(self, name: str, text: str) -> Path:
        """A file that only root reads."""
        path = self.directory / name
        path.write_text(text)
        path.chmod(0o600)
        return path


@frozen
class Running:
    """A server that runs."""

    host: str
    port: int
    directory: Path
    """Where clients may do everything; they see it as ``/up``."""
    login: str = LOGIN
    password: str = PASSWORD


def made_place(directory: Path, host: str, authority: Authority) -> Place:
    """A place whose files belong to nobody."""
    place = Place(directory, host, authority)
    place.open_directory.mkdir(parents=True)
    for path in (directory, *directory.parents):
        if path.stat().st_uid == os.geteuid() and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o111)
    if os.geteuid() == 0:
        os.chown(place.open_directory, NOBODY, NOBODY)
    return place


def _hashed(password: str) -> str:
    done = subprocess.run(
        ["openssl", "passwd", "-6", password], capture_output=True, check=True
    )
    return done.stdout.decode().strip()


@contextmanager
def vsftpd(place: Place) -> Iterator[Running]:
    """vsftpd, whose users are the system's: so it serves anonymous ones, who may do
    everything.  Data connections have to resume the TLS session."""
    path, port = program("vsftpd"), free_port()
    chain, key = place.certificate()
    empty = place.directory / "empty"
    empty.mkdir(exist_ok=True)
    # It changes to the user's own directory before it changes to the root.
    user = next(
        entry
        for entry in map(pwd.getpwnam, ("nobody", "daemon", "bin"))
        if os.path.isdir(entry.pw_dir)
    )
    os.chown(place.open_directory, user.pw_uid, user.pw_gid)
    options = {
        "listen": "NO" if place.is_v6 else "YES",
        "listen_ipv6": "YES" if place.is_v6 else "NO",
        "listen_address6" if place.is_v6 else "listen_address": place.host,
        "listen_port": port,
        "background": "NO",
        "anonymous_enable": "YES",
        "local_enable": "NO",
        "write_enable": "YES",
        "anon_upload_enable": "YES",
        "anon_mkdir_write_enable": "YES",
        "anon_other_write_enable": "YES",
        "anon_world_readable_only": "NO",
        "anon_umask": "022",
        "anon_root": place.root,
        "ftp_username": user.pw_name,
        "nopriv_user": "nobody",
        "secure_chroot_dir": empty,
        "seccomp_sandbox": "NO",
        "xferlog_enable": "NO",
        "max_per_ip": 0,
        "connect_from_port_20": "NO",
        "ssl_enable": "YES",
        "allow_anon_ssl": "YES",
        "force_anon_logins_ssl": "NO",
        "force_anon_data_ssl": "NO",
        "require_ssl_reuse": "YES",
        "ssl_ciphers": "HIGH",
        "rsa_cert_file": chain,
        "rsa_private_key_file": key,
    }
    text = "".join(f"{name}={value}\n" for name, value in options.items())
    configuration = place.secret_file("vsftpd.conf", text)
    with spawned([path, str(configuration)], port, place.host):
        yield Running(
            place.host, port, place.open_directory, "anonymous", "x@example.org"
        )


@contextmanager
def proftpd(place: Place) -> Iterator[Running]:
    """ProFTPD; data connections have to resume the TLS session."""
    path, port = program("proftpd"), free_port()
    chain, key = place.certificate()
    users = place.secret_file(
        "users",
        f"{LOGIN}:{_hashed(PASSWORD)}:{NOBODY}:{NOBODY}::{place.root}:/bin/false\n",
    )
    unpacked = os.path.join(UNPACKED, "usr/lib/proftpd")
    modules = unpacked if path.startswith(UNPACKED) else "/usr/lib/proftpd"
    configuration = place.secret_file(
        "proftpd.conf",
        f"ServerType standalone\nDefaultAddress {place.host}\nPort {port}\n"
        f"ModulePath {modules}\nLoadModule mod_tls.c\n"
        f"UseIPv6 {'on' if place.is_v6 else 'off'}\nUser nobody\nGroup nogroup\n"
        f"AuthOrder mod_auth_file.c\nAuthUserFile {users}\nUmask 022\n"
        f"RequireValidShell off\nDefaultRoot {place.root}\nAllowOverwrite on\n"
        "AllowStoreRestart on\nAllowRetrieveRestart on\n"
        f"ScoreboardFile {place.directory}/scoreboard\nPidFile {place.directory}/pid\n"
        "WtmpLog off\nTransferLog none\nSystemLog none\nUseReverseDNS off\n"
        "TLSEngine on\nTLSRequired off\n"
        f"TLSECCertificateFile {chain}\nTLSECCertificateKeyFile {key}\n",
    )
    with spawned([path, "-n", "-q", "-c", str(configuration)], port, place.host):
        yield Running(place.host, port, place.open_directory)


@contextmanager
def pure_ftpd(place: Place) -> Iterator[Running]:
    """Pure-FTPd, which does not ask for the TLS session to be resumed."""
    path, port = program("pure-ftpd"), free_port()
    chain, key = place.certificate()
    both = place.secret_file("both.pem", key.read_text() + chain.read_text())
    users = place.secret_file(
        "users",
        f"{LOGIN}:{_hashed(PASSWORD)}:{NOBODY}:{NOBODY}::{place.root}/./::::::::::::\n",
    )
    database = str(place.directory / "users.pdb")
    subprocess.run([program("pure-pw"), "mkdb", database, "-f", str(users)], check=True)
    command = [path, "-S", f"{place.host},{port}", "-l", f"puredb:{database}"]
    command += ["-u", "1", "-H", "-E", "-6" if place.is_v6 else "-4", "-A"]
    command += ["-g", str(place.directory / "pid"), "-Y", "1", "-2", str(both)]
    with spawned(command, port, place.host):
        yield Running(place.host, port, place.open_directory)


@contextmanager
def started(name: str, place: Place) -> Iterator[Running]:
    """The server of that name, which shows nothing but its root.  Missing."""
    with ExitStack() as stack:
        for attempts_left in range(_ATTEMPTS - 1, -1, -1):
            try:
                running = stack.enter_context(PEERS[name](place))
                break
            except Missing:
                # Somebody else may have taken the port that was free.
                if not attempts_left:
                    raise
        _check_root(running)
        yield running


def _check_root(running: Running) -> None:
    """Fail where ``/`` of the server is not its root but, perhaps, ours."""
    marker = running.directory / f"marker-{os.urandom(8).hex()}"
    marker.touch()
    with ftplib.FTP(timeout=20) as ftp:
        ftp.connect(running.host, running.port)
        ftp.login(running.login, running.password)
        for path, name in (("/", "up"), ("/up", marker.name)):
            found = {os.path.basename(one) for one in ftp.nlst(path)} - {".", ".."}
            if found != {name}:
                raise AssertionError(f"the server shows {found} in {path}")
    marker.unlink()


Starting = Callable[[Place], AbstractContextManager[Running]]
PEERS: dict[str, Starting] = {
    "vsftpd": vsftpd,
    "proftpd": proftpd,
    "pure-ftpd": pure_ftpd,
}

__all__ = [
    "LOGIN",
    "PASSWORD",
    "PEERS",
    "Missing",
    "Place",
    "Running",
    "made_place",
    "started",
]
