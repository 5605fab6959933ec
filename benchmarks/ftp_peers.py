"""The servers that ``benchmarks.ftp`` compares, each started on a free port."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import frozen

UNPACKED = str(Path(__file__).resolve().parent.parent / ".peers")
"""Where ``.ci/peers`` unpacks servers whose packages exclude each other."""
_PROFTPD_MODULES = (
    f"{UNPACKED}/usr/lib/proftpd",
    "/usr/lib/proftpd",
)
LOGIN, PASSWORD = "bench", "bench-secret"
START_SECONDS = 20.0
_SETTINGS = {
    "limits.exempt": "127.0.0.0/8",
    "limits.sessions_per_account": 100_000,
    "ftp.sessions_per_address": 100_000,
}


class Missing(Exception):
    """The program is not there, or does not start."""


@frozen
class Peer:
    """A server that runs."""

    port: int
    pid: int
    root: str
    """The directory in which the client may do everything."""
    login: str = LOGIN
    password: str = PASSWORD
    is_forking: bool = True
    has_tls: bool = False
    host: str = "127.0.0.1"
    directory: str = "/"
    """What the client calls that directory."""


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def program(name: str) -> str:
    """Its path.  Missing."""
    places = os.pathsep.join(
        (
            f"{UNPACKED}/usr/sbin",
            f"{UNPACKED}/usr/bin",
            "/usr/sbin",
            "/usr/local/sbin",
            "/usr/bin",
        )
    )
    path = shutil.which(name, path=places) or shutil.which(name)
    if path is None:
        raise Missing(f"{name} is not installed")
    if os.geteuid() != 0:
        raise Missing(f"{name} wants root")
    return path


@contextmanager
def spawned(command: list[str], port: int, host: str = "127.0.0.1") -> Iterator[int]:
    """The id of a process that listens on the port."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection((host, port), 1).close()
                break
            except OSError:
                ended = process.poll() is not None
                if ended or time.monotonic() > deadline:
                    raise Missing(f"{command[0]} does not start") from None
                time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def certificate(directory: str) -> str:
    """A key and a self-signed certificate, in one file.  Missing."""
    path = os.path.join(directory, "server.pem")
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-keyout", path, "-out", f"{path}.crt"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise Missing("openssl, which makes the certificate, is not installed")
    with open(path, "a") as file:
        file.write(Path(f"{path}.crt").read_text())
    return path


@contextmanager
def slow_disk(directory: str) -> Iterator[None]:
    """Servers started meanwhile find everything below ``directory`` slow, but for
    databases.  Missing, where there is no C compiler."""
    shim = os.path.join(directory, "slow.so")
    source = str(Path(__file__).with_name("slow.c"))
    compiler = shutil.which("cc")
    if compiler is None:
        raise Missing("cc, which compiles the slow disk, is not installed")
    flags = ["-O1", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", shim, source, "-ldl"], check=True)
    os.environ.update(LD_PRELOAD=shim, SLOW_BELOW=directory)
    try:
        yield
    finally:
        del os.environ["LD_PRELOAD"], os.environ["SLOW_BELOW"]


def _root(directory: str) -> str:
    root = os.path.join(directory, "root")
    os.makedirs(root)
    if os.geteuid() == 0:
        os.chmod(directory, 0o755)
        os.chown(root, 65534, 65534)
    return root


@contextmanager
def netservices(directory: str, durability: str = "full") -> Iterator[Peer]:
    """This server."""
    from netservices.testing import running_process

    state = os.path.join(directory, "state")
    settings = {**_SETTINGS, "files.durability": durability}
    with running_process(
        ftp=True, accounts=[(LOGIN, PASSWORD)], settings=settings, state=state
    ) as server:
        root = os.path.join(state, "files", f"{LOGIN}@localhost")
        os.makedirs(root, exist_ok=True)
        port = server.port("ftp", "tcp")
        yield Peer(port, server.process.pid, root, is_forking=False, has_tls=True)


@contextmanager
def netservices_none(directory: str) -> Iterator[Peer]:
    """This server, syncing nothing."""
    with netservices(directory, "none") as peer:
        yield peer


_PYFTPDLIB = """
import logging, sys
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import TLS_FTPHandler as FTPHandler
from pyftpdlib.servers import FTPServer
logging.disable(logging.CRITICAL)
authorizer = DummyAuthorizer()
authorizer.add_user(sys.argv[2], sys.argv[3], sys.argv[4], perm="elradfmwMT")
FTPHandler.authorizer = authorizer
FTPHandler.certfile = sys.argv[5]
server = FTPServer(("127.0.0.1", int(sys.argv[1])), FTPHandler)
server.max_cons = 100000
server.serve_forever()
"""


@contextmanager
def pyftpdlib(directory: str) -> Iterator[Peer]:
    """The event loop in Python."""
    python = os.environ.get("PYFTPDLIB_PYTHON", sys.executable)
    if python == sys.executable and importlib.util.find_spec("pyftpdlib") is None:
        raise Missing("pyftpdlib is not installed")
    root, port = _root(directory), free_port()
    pem = certificate(directory)
    command = [python, "-c", _PYFTPDLIB, str(port), LOGIN, PASSWORD, root, pem]
    with spawned(command, port) as pid:
        yield Peer(port, pid, root, is_forking=False, has_tls=True)


@contextmanager
def vsftpd(directory: str) -> Iterator[Peer]:
    """The fast one; anonymous, because its users are the system's."""
    path, root, port = program("vsftpd"), _root(directory), free_port()
    # It changes to the user's own directory before it changes to the root.
    users = map(pwd.getpwnam, ("nobody", "daemon", "bin"))
    user = next(one for one in users if os.path.isdir(one.pw_dir))
    configuration = os.path.join(directory, "vsftpd.conf")
    empty = os.path.join(directory, "empty")
    os.makedirs(empty)
    options = {
        "listen": "YES",
        "listen_address": "127.0.0.1",
        "listen_port": port,
        "background": "NO",
        "anonymous_enable": "YES",
        "local_enable": "NO",
        "write_enable": "YES",
        "anon_upload_enable": "YES",
        "anon_mkdir_write_enable": "YES",
        "anon_other_write_enable": "YES",
        "anon_world_readable_only": "NO",
        "anon_root": root,
        "no_anon_password": "NO",
        "ftp_username": user.pw_name,
        "nopriv_user": "nobody",
        "secure_chroot_dir": empty,
        "seccomp_sandbox": "NO",
        "xferlog_enable": "NO",
        "max_per_ip": 0,
        "max_clients": 0,
        "ssl_enable": "YES",
        "allow_anon_ssl": "YES",
        "force_local_logins_ssl": "NO",
        "force_local_data_ssl": "NO",
        "require_ssl_reuse": "NO",
        "ssl_ciphers": "HIGH",
        "rsa_cert_file": certificate(directory),
    }
    with open(configuration, "w") as file:
        file.writelines(f"{key}={value}\n" for key, value in options.items())
    os.chmod(configuration, 0o600)
    # It refuses a root that its users may write to.
    os.chown(root, 0, 0)
    works_in = os.path.join(root, "up")
    os.mkdir(works_in)
    os.chown(works_in, user.pw_uid, user.pw_gid)
    login, password = "anonymous", "x@example.org"
    with spawned([path, configuration], port) as pid:
        yield Peer(port, pid, works_in, login, password, has_tls=True, directory="/up")


def _hash() -> str:
    done = subprocess.run(
        ["openssl", "passwd", "-6", PASSWORD], capture_output=True, check=False
    )
    if done.returncode:
        raise Missing("openssl, which hashes the password, is not installed")
    return done.stdout.decode().strip()


@contextmanager
def proftpd(directory: str) -> Iterator[Peer]:
    """The configurable one."""
    path, root, port = program("proftpd"), _root(directory), free_port()
    users = os.path.join(directory, "users")
    with open(users, "w") as file:
        file.write(f"{LOGIN}:{_hash()}:65534:65534::{root}:/bin/false\n")
    os.chmod(users, 0o600)
    configuration = os.path.join(directory, "proftpd.conf")
    with open(configuration, "w") as file:
        file.write(
            f"ServerType standalone\nDefaultAddress 127.0.0.1\nPort {port}\n"
            "UseIPv6 off\nUser nobody\nGroup nogroup\nMaxInstances none\n"
            f"AuthOrder mod_auth_file.c\nAuthUserFile {users}\n"
            f"RequireValidShell off\nDefaultRoot {root}\nAllowOverwrite on\n"
            f"ScoreboardFile {directory}/scoreboard\nPidFile {directory}/pid\n"
            "WtmpLog off\nTransferLog none\nSystemLog none\nUseReverseDNS off\n"
        )
        modules = next((m for m in _PROFTPD_MODULES if os.path.isdir(m)), None)
        if modules is not None:
            pem = certificate(directory)
            file.write(
                f"ModulePath {modules}\nLoadModule mod_tls.c\nTLSEngine on\n"
                f"TLSRSACertificateFile {pem}\nTLSRSACertificateKeyFile {pem}\n"
                "TLSRequired off\nTLSOptions NoSessionReuseRequired\n"
            )
    with spawned([path, "-n", "-q", "-c", configuration], port) as pid:
        yield Peer(port, pid, root, has_tls=modules is not None)


@contextmanager
def pure_ftpd(directory: str) -> Iterator[Peer]:
    """The simple one."""
    path, root, port = program("pure-ftpd"), _root(directory), free_port()
    users, database = (os.path.join(directory, name) for name in ("users", "users.pdb"))
    with open(users, "w") as file:
        file.write(f"{LOGIN}:{_hash()}:65534:65534::{root}/./::::::::::::\n")
    subprocess.run([program("pure-pw"), "mkdb", database, "-f", users], check=True)
    command = [path, "-S", f"127.0.0.1,{port}", "-l", f"puredb:{database}", "-u", "1"]
    command += ["-c", "5000", "-C", "5000", "-H", "-E", "-4", "-g", f"{directory}/pid"]
    command += ["-L", "10000:8", "-Y", "1", "-2", certificate(directory)]
    with spawned(command, port) as pid:
        yield Peer(port, pid, root, has_tls=True)


PEERS: dict[str, Callable[[str], object]] = {
    "netservices": netservices,
    "netservices-none": netservices_none,
    "vsftpd": vsftpd,
    "proftpd": proftpd,
    "pure-ftpd": pure_ftpd,
    "pyftpdlib": pyftpdlib,
}


@contextmanager
def started(name: str, directory: str) -> Iterator[Peer]:
    """The server of that name.  Missing."""
    with PEERS[name](directory) as peer:  # type: ignore[attr-defined]
        yield peer
