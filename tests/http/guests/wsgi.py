"""WSGI applications, good and bad ones."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from wsgiref.validate import validator

from flask import Flask, request

PLAIN = [("Content-Type", "text/plain")]


def plain(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Says what it was asked."""
    content = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    lines = [
        f"{key}={value}"
        for key, value in sorted(environ.items())
        if isinstance(value, str)
    ]
    start_response("200 OK", list(PLAIN))
    return ["\n".join(lines).encode("latin-1") + b"\n\n" + content]


echo = validator(plain)


class Closing:
    """Content that notes when it is closed."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces = pieces
        self.is_closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces

    def close(self) -> None:
        """The end."""
        self.is_closed.set()


opened: list[Closing] = []


def endless(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Never ends by itself."""

    def pieces() -> Iterator[bytes]:
        while True:
            yield bytes(65536)

    start_response("200 OK", list(PLAIN))
    opened.append(Closing(pieces()))
    return opened[-1]


def streamed(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Comes in pieces."""
    start_response("200 OK", list(PLAIN))
    yield b""
    for number in range(100):
        yield b"%02d" % number * 1000


def written(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Uses the function write."""
    write = start_response("200 OK", list(PLAIN))
    write(b"first ")
    write(b"second ")
    return [b"last"]


def raising(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Fails at once."""
    raise ZeroDivisionError("on purpose")


def breaking(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Fails in the middle."""
    start_response("200 OK", list(PLAIN))
    yield b"the beginning"
    raise ZeroDivisionError("on purpose")


def mended(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Fails before its content, and says so itself."""
    start_response("200 OK", list(PLAIN))
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        import sys

        start_response("500 Oops", list(PLAIN), sys.exc_info())
    return [b"mended"]


def silent(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Never says a status."""
    return []


def twice(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Says two."""
    start_response("200 OK", list(PLAIN))
    start_response("200 OK", list(PLAIN))
    return []


def injecting(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Passes on what it was given."""
    start_response("200 OK", [("X-Name", environ["QUERY_STRING"] + "\r\nX-Evil: 1")])
    return [b"x"]


def longer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Brings more than it said."""
    start_response("200 OK", [*PLAIN, ("Content-Length", "4")])
    yield b"1234567"
    yield b"89"


def shorter(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Brings less than it said."""
    start_response("200 OK", [*PLAIN, ("Content-Length", "40")])
    yield b"1234567"


def hop(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Meddles with the connection."""
    start_response(
        "200 OK",
        [*PLAIN, ("Transfer-Encoding", "chunked"), ("Date", "x"), ("X-Mine", "1")],
    )
    return [b"5\r\nhello\r\n0\r\n\r\n"]


def filed(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Gives a file."""
    start_response("200 OK", list(PLAIN))
    wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](io.BytesIO(b"x" * 100000))
    return wrapped


gate = threading.Event()
inside = threading.Semaphore(0)


def gated(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Waits until ``gate`` is set."""
    inside.release()
    gate.wait(30)
    start_response("200 OK", list(PLAIN))
    return [b"at last"]


def counting(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Reads all of its input, line by line, and says how much that was."""
    octets = sum(len(line) for line in environ["wsgi.input"])
    start_response("200 OK", list(PLAIN))
    return [str(octets).encode()]


def complaining(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Says something for the log."""
    print("what a mess", file=environ["wsgi.errors"])
    start_response("204 No Content", [])
    return []


flask = Flask(__name__)


@flask.route("/hello/<name>")
def hello(name: str) -> str:
    """A page."""
    return f"Hello, {name}!"


@flask.route("/upload", methods=["POST"])
def upload() -> dict[str, Any]:
    """Takes a form."""
    file = request.files["file"]
    return {"name": file.filename, "octets": len(file.read()), **request.form}


Factory = Callable[[], Any]
not_callable = 7
