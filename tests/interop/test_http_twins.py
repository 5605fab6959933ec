"""nginx and this server, asked with the same octets about the same files.

Where they differ, ``http_differences`` names the section of the RFC that allows what we
do.  Requests that chance has changed are judged by the grammar.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import ExitStack
from pathlib import Path
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.interop.http_differences import DIFFERENCES
from tests.interop.http_questions import QUESTIONS
from tests.interop.http_twins import Reply, essence, start_twins

SEED = int(os.environ.get("NETSERVICES_SEED", "20261121"))
MUTANTS = int(os.environ.get("NETSERVICES_MUTANTS", "400"))

_SEEDS = (
    ("GET", "HEAD", "chunks", "extensions", "trailers", "Content-Length")
    + ("three requests", "content, then a request", "Expect, POST", "/page.txt?a=b")
    + ("http://h.test/page.txt", "Host: h.test:80", "('Connection: a, close',)")
    + ("Range: bytes=0-1,95-", 'If-None-Match: "x" , {etag}', "keep-alive, 1.0")
)
_PIECES = (
    (b"\r", b"\n", b"\r\n", b" ", b"\t", b"\0", b":", b",", b";", b"/", b"?", b"#")
    + (b"%", b"=", b'"', b"\\", b"[", b"@", b"*", b"\x7f", b"\x80", b"\xff", b"0")
    + (b"9", b"-", b"x", b"..", b"HTTP/1.1", b"chunked", b"close", b"Host: x\r\n")
)

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_LINE = re.compile(rb"%b ((?i:https?)://[^/?#]+|/)[!-~]* HTTP/1\.[0-9]" % _TOKEN)
_FIELD = re.compile(rb"%b:[\t -~\x80-\xff]*" % _TOKEN)
_HOST = re.compile(
    rb"[ \t]*(\[[0-9A-Fa-f:.]+\]|([A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*)"
    rb"(:[0-9]{0,5})?[ \t]*"
)

_EXTENSIONS = rb'(?:[ \t]*;[ \t]*%b(?:[ \t]*=[ \t]*(?:%b|"[^"\\]*"))?)*' % (
    _TOKEN,
    _TOKEN,
)
_CHUNKS = re.compile(
    rb"(?:0*2%b\r\n..\r\n)?0+%b\r\n(?:%b\r\n)*\r\n"
    % (_EXTENSIONS, _EXTENSIONS, _FIELD.pattern)
)


def is_bad(question: bytes) -> bool:
    """Whether some line breaks a grammar: RFC 9112 2.2, 3, 5, 7.1; RFC 3986 3.2.2."""
    if re.search(rb"(?<!\r)\n|\r(?!\n)", question) or b"\0" in question:
        return True
    head, _, content = question.lstrip(b"\r\n").partition(b"\r\n\r\n")
    if b"chunked" in head and not _CHUNKS.match(content):
        return True
    first, *lines = head.split(b"\r\n")
    if not _LINE.fullmatch(first) or b"#" in first.split(b" ")[1]:
        return True
    if re.search(rb"%(?![0-9A-Fa-f]{2})", first.partition(b"?")[0]):
        return True
    if not all(_FIELD.fullmatch(line) for line in lines):
        return True
    hosts = [line[5:] for line in lines if line.lower().startswith(b"host:")]
    target = re.match(rb"(?i)https?://([^/?]*)", first.split(b" ")[1])
    hosts += [target[1]] if target else []
    return not all(_HOST.fullmatch(host) for host in hosts)


def is_fine(question: bytes) -> bool:
    """Whether it is known that nginx refuses more: lists in several lines (RFC 9110
    5.3), a tab around the host (5.6.3), hosts that no name service has (RFC 3986
    3.2.2)."""
    head = question.lstrip(b"\r\n").partition(b"\r\n\r\n")[0].lower()
    names = re.findall(rb"(?m)^(if-[a-z-]+|range|expect|te):", head)
    hosts = re.findall(rb"(?m)^(?:host:[^\r]*|[^\r]*?//[^/\r]*)", head)
    return len(names) > len(set(names)) or any(
        not re.fullmatch(rb"host: *\w[\w.-]*(:\d*)? *|.*?//\w[\w.-]*(:\d*)?", host)
        or b".." in host
        for host in hosts
    )


def changed(question: bytes, chance: Random) -> bytes:
    """A request with some octets, or a line, added, lost or replaced."""
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        at = chance.randrange(len(question))
        before, behind = question[:at], question[at:]
        match chance.randrange(5):
            case 0:
                question = before + chance.choice(_PIECES) + behind
            case 1:
                question = before + behind[1:]
            case 2:
                question = before + chance.choice(_PIECES) + behind[1:]
            case 3:
                question = before + bytes([chance.randrange(256)]) + behind[1:]
            case _:
                lines = question.split(b"\r\n")
                lines.insert(chance.randrange(len(lines)), chance.choice(lines))
                question = b"\r\n".join(lines)
    return question


class TwinTests(SynchronousTestCase):
    """Both servers, for each test."""

    def setUp(self) -> None:
        scratch = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.ours, self.nginx = start_twins(scratch, self.enterContext(ExitStack()))

    def test_questions(self) -> None:
        """Both answer alike, but where the RFC allows us to do otherwise."""
        allowed = {
            name: answers
            for group in DIFFERENCES.values()
            for name, answers in group.items()
        }
        self.assertEqual(set(), set(allowed) - set(QUESTIONS))

        for name, (methods, data) in QUESTIONS.items():
            ours = self.ours.ask(data, methods)
            theirs = self.nginx.ask(data, methods)
            told = essence(ours), essence(theirs)
            if name in allowed:
                self.assertEqual(allowed[name], told, name)
            else:
                self.assertEqual(told[1], told[0], name)
                self._check_alike(name, ours[0], theirs[0])

    def _check_alike(self, name: str, ours: Reply, theirs: Reply) -> None:
        """Content, and what is told of it, are the same."""
        self.assertEqual(self._told(theirs), self._told(ours), name)
        if ours.status == 200:
            self.assertEqual(theirs.content, ours.content, name)

    def _told(self, reply: Reply) -> list[str | None]:
        names = ["date", "etag"] if reply.status == 304 else []
        if reply.status == 200:
            names = ["content-length", "last-modified"]
        found = [reply.fields.get(name) for name in names]
        return found if reply.status == 200 else [str(bool(value)) for value in found]

    def test_mutants(self) -> None:
        """What only one of the two takes is judged by the grammar."""
        chance = Random(SEED)
        for _ in range(MUTANTS):
            question = changed(QUESTIONS[chance.choice(_SEEDS)][1], chance)
            ours = self.ours.status(question)
            if ours == 400:
                if not is_bad(question):
                    theirs = self.nginx.status(question)
                    self.assertGreaterEqual(theirs, 400, question)
            elif ours < 400 and not is_fine(question):
                theirs = self.nginx.status(question)
                self.assertNotEqual(400, theirs, question)
