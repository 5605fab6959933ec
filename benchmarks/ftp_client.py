"""A client for benchmarks: plain sockets, and as little work as possible."""

from __future__ import annotations

import socket
import ssl

from attrs import define

from benchmarks.ftp_peers import Peer


@define
class Client:
    """Just enough of FTP."""

    control: socket.socket
    context: ssl.SSLContext | None = None
    """Of protected sessions."""
    _unread: bytes = b""

    @classmethod
    def connect(cls, peer: Peer, is_protected: bool = False) -> Client:
        """Connected, logged in, in image type, where it may do everything."""
        client = cls.log_in(peer, is_protected)
        if peer.directory != "/":
            client.say(f"CWD {peer.directory}", "2")
        return client

    @classmethod
    def log_in(cls, peer: Peer, is_protected: bool = False) -> Client:
        """Connected, logged in, in image type."""
        client = cls(socket.create_connection((peer.host, peer.port), 60))
        client.control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.expect("2")
        if is_protected:
            client.protect()
        client.say(f"USER {peer.login}", "3")
        client.say(f"PASS {peer.password}", "2")
        client.say("TYPE I", "2")
        if is_protected:
            client.say("PBSZ 0", "2")
            client.say("PROT P", "2")
        return client

    def protect(self) -> None:
        """TLS, whatever the certificate says."""
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.say("AUTH TLS", "2")
        self.control = self.context.wrap_socket(self.control)

    def expect(self, first: str) -> str:
        """The next reply, which begins with ``first``."""
        while True:
            line, end, rest = self._unread.partition(b"\r\n")
            if not end:
                received = self.control.recv(65536)
                if not received:
                    raise ConnectionError("the server has hung up")
                self._unread += received
                continue
            self._unread = rest
            if line[:3].isdigit() and line[3:4] == b" ":
                text = line.decode("utf-8", "replace")
                if not text.startswith(first):
                    raise ConnectionError(text)
                return text

    def say(self, line: str, first: str) -> str:
        """A command and its reply."""
        self.control.sendall(line.encode() + b"\r\n")
        return self.expect(first)

    def open_data(self, command: str) -> socket.socket:
        """The data connection of a command."""
        port = int(self.say("EPSV", "2").split("|")[3])
        data = socket.create_connection(self.control.getpeername()[:1] + (port,), 60)
        self.say(command, "1")
        if self.context is not None:
            return self.context.wrap_socket(data)
        return data

    def retrieve(self, command: str, buffer: bytearray) -> int:
        """How many octets came."""
        total = 0
        with self.open_data(command) as data:
            while count := data.recv_into(buffer):
                total += count
        self.expect("2")
        return total

    def store(self, name: str, piece: bytes, count: int) -> None:
        """Upload ``piece`` so many times."""
        with self.open_data(f"STOR {name}") as data:
            for _ in range(count):
                data.sendall(piece)
            if isinstance(data, ssl.SSLSocket):
                # Without close_notify the upload is one that broke off.
                data = data.unwrap()
        self.expect("2")

    def quit(self) -> None:
        """Goodbye."""
        self.say("QUIT", "2")
        self.control.close()
