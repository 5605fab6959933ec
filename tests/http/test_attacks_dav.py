"""Questions of WebDAV that are short to ask and long to answer."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from netservices.http.handlers.dav.propfind import TURN
from tests.http.dav_kit import DAVHouse, basic


class LongAnswerTests(DAVHouse, SynchronousTestCase):
    """Others have their turn while one is answered."""

    def test_many_names_of_many_files(self) -> None:
        """What is asked of each of many files leaves in pieces, each of which is soon
        made; together they are the whole answer."""
        names = "".join(f"<x{number}/>" for number in range(900))
        body = f'<propfind xmlns="DAV:"><prop>{names}</prop></propfind>'
        self.make_house()
        for number in range(20):
            self.assertEqual(201, self.ask("PUT", f"/dav/f{number}", b"x").status)
        head = f"PROPFIND /dav/ HTTP/1.1\r\nHost: h\r\nDepth: 1\r\n{basic()}"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        answer = self.talk_http().send((head + body).encode())
        rest = answer.partition(b"\r\n\r\n")[2]
        pieces = []
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            pieces.append(rest[: int(size, 16)])
            rest = rest[int(size, 16) + 2 :]
        told = b"".join(pieces)

        self.assertEqual(21, told.count(b"<D:response>"))
        self.assertEqual(21 * 900, sum(told.count(b"<D:x%d/>" % n) for n in range(900)))
        most = max(piece.count(b"<D:x1/>") for piece in pieces)
        self.assertLessEqual(most, TURN // 900)

    def test_too_many_names(self) -> None:
        """More elements than anybody needs are refused: each costs time."""
        body = '<propfind xmlns="DAV:"><prop>' + "<x/>" * 5000 + "</prop></propfind>"

        self.assertEqual(413, self.ask("PROPFIND", "/dav/", body, Depth="0").status)
