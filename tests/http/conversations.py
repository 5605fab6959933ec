"""Exchanges as textbooks print them, played on a connection in memory.

``C:`` lines are what the client sends, a line each; ``S:`` lines what it must get::

    C: GET /a HTTP/1.1
    C: Host: h
    C:
    S: HTTP/1.1 200 OK
    S: ...
    S:
    S: hello

``...`` stands for any text, and alone in a line for any number of lines.
``S: <closes>`` says that the server closes the connection.  A content whose last line
has no end is followed by ``S: <no end>``.
"""

from __future__ import annotations

import re
from itertools import groupby

from netservices.testing.transcripts import Step, parse_transcript
from netservices.web.handler import Handler
from tests.http.talk import Talk

CLOSES, NO_END = "<closes>", "<no end>"


def assert_conversation(transcript: str, handler: Handler) -> None:
    """Play ``transcript``, the client's lines at once and octet by octet."""
    steps = parse_transcript(transcript)
    for is_whole in (True, False):
        talk = Talk(handler)
        for who, lines in groupby(steps, lambda step: step.who):
            if who == "C":
                talk.wire.clear()
                _send(talk, "".join(f"{line.text}\r\n" for line in lines), is_whole)
            else:
                _compare(list(lines), talk)


def _send(talk: Talk, text: str, is_whole: bool) -> None:
    data = text.encode("latin-1")
    if is_whole:
        talk.connection.dataReceived(data)
        return
    for octet in data:
        talk.connection.dataReceived(bytes([octet]))


def _compare(expected: list[Step], talk: Talk) -> None:
    """AssertionError where something else was said."""
    pattern = ""
    ends = {step.text for step in expected[-2:]} & {CLOSES, NO_END}
    for step in expected:
        if step.text == "...":
            pattern += r"(?:[^\n]*\n)*?"
        elif step.text not in ends:
            words = map(re.escape, step.text.split("..."))
            pattern += "[^\n]*?".join(words) + r"\r?\n"
    if NO_END in ends:
        pattern = pattern.removesuffix(r"\r?\n")
    said = talk.wire.value().decode("latin-1")
    if not re.fullmatch(pattern, said):
        wanted = "\n".join(str(step) for step in expected)
        raise AssertionError(f"wanted:\n{wanted}\ngot:\n{said}")
    if talk.is_closed != (CLOSES in ends):
        raise AssertionError(f"closed: {talk.is_closed}\n{said}")
