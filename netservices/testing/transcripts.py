"""Conversations as the RFCs print them, played against a session in three ways.

A transcript has a line for each line that is sent::

    S: 220 ...                 the server speaks; ``...`` stands for any text
    C: AUTH TLS                the client speaks
    S: 234 ...
    C & S: <TLS>               the handshake
    C & S: <no TLS>            its end, and the session goes on in the clear
    C: <waits 301 seconds>     the client is silent
    C: <closes>                the client goes away
    S: <closes>                the server has closed the connection

Blank lines, and lines that begin with ``#``, are comments.

The three ways differ only in how the client's octets are cut into segments.  *whole*: a
line each; *bytes*: an octet each; *pipelined*: everything up to the next ``<...>`` at
once.  What the server says must be the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from difflib import ndiff
from typing import Any

from attrs import frozen

from netservices.core.wheel import Wheel
from netservices.testing.peers import Peer

WAYS = ("whole", "bytes", "pipelined")

_LINE = re.compile(r"(C & S|C|S):(?: (.*))?")
_WAITS = re.compile(r"<waits? (\d+(?:\.\d+)?) seconds?>")


@frozen
class Step:
    """One line of a transcript."""

    who: str
    """``C``, ``S`` or ``C & S``."""
    text: str

    @property
    def is_barrier(self) -> bool:
        """Whether it is something that is done, not said."""
        return bool(re.fullmatch(r"<.+>", self.text))

    def __str__(self) -> str:
        return f"{self.who}: {self.text}"


def parse_transcript(transcript: str) -> tuple[Step, ...]:
    """The steps of a transcript.  ValueError names a line that is none."""
    steps = []
    for number, line in enumerate(transcript.splitlines(), 1):
        line = line.lstrip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"line {number}: C: or S: is wanted, not {line!r}")
        steps.append(Step(match[1], match[2] or ""))
    return tuple(steps)


def assert_dialogue(
    transcript: str,
    make_session: Callable[[Wheel], Any],
    ways: Sequence[str] = WAYS,
) -> None:
    """Play ``transcript`` against a new session in each of the ``ways``.

    AssertionError shows what was expected (``-``) and what was said (``+``).
    """
    steps = parse_transcript(transcript)
    for way in ways:
        expected = [step for stretch in _stretches(steps, way) for step in stretch]
        heard = _play(steps, way, Peer(make_session))
        if not _agree(expected, heard):
            raise AssertionError(_difference(way, expected, heard))


def _stretches(steps: Sequence[Step], way: str) -> Iterator[list[Step]]:
    """Steps that belong together: what the client sends, then what it hears."""
    said: list[Step] = []
    heard: list[Step] = []
    for step in steps:
        is_new = step.who != "S" and heard and way != "pipelined"
        if step.who == "C" and not step.is_barrier and way != "pipelined":
            is_new = bool(said or heard)
        if is_new or (step.is_barrier and step.who != "S"):
            yield said + heard
            said, heard = [], []
        if step.who == "S":
            heard.append(step)
        elif step.is_barrier:
            yield [step]
        else:
            said.append(step)
    yield said + heard


def _play(steps: Sequence[Step], way: str, peer: Peer) -> list[Step]:
    """What was said and heard."""
    heard: list[Step] = []
    was_closed = False
    for stretch in _stretches(steps, way):
        said = [step for step in stretch if step.who != "S"]
        for step in said:
            if step.is_barrier:
                _do(peer, step)
        octets = b"".join(_octets(step) for step in said if not step.is_barrier)
        if way == "bytes":
            for octet in octets:
                peer.send(bytes((octet,)))
        elif octets:
            peer.send(octets)
        heard += said
        heard += [Step("S", line) for line in peer.receive_lines()]
        if peer.is_closed and not was_closed:
            was_closed = True
            if not any(step.text == "<closes>" for step in said):
                heard.append(Step("S", "<closes>"))
    return heard


def _octets(step: Step) -> bytes:
    return step.text.encode("utf-8", "surrogateescape") + b"\r\n"


def _do(peer: Peer, step: Step) -> None:
    """Carry out what stands between angle brackets."""
    waits = _WAITS.fullmatch(step.text)
    if step == Step("C & S", "<no TLS>"):
        peer.end_tls()
    elif step.who == "C & S":
        peer.shake_hands()
    elif waits:
        peer.wait(float(waits[1]))
    elif step.text == "<closes>":
        peer.leave()
    else:
        raise ValueError(f"{step}: nobody knows how to do this")


def _agree(expected: Sequence[Step], heard: Sequence[Step]) -> bool:
    pairs = zip(expected, heard, strict=False)
    return len(expected) == len(heard) and all(_matches(e, h) for e, h in pairs)


def _matches(expected: Step, heard: Step) -> bool:
    pattern = ".*".join(map(re.escape, expected.text.split("...")))
    return expected.who == heard.who and bool(
        re.fullmatch(pattern, heard.text, re.DOTALL)
    )


def _difference(way: str, expected: Sequence[Step], heard: Sequence[Step]) -> str:
    """Both conversations, side by side."""
    known = list(expected)
    shown = []
    for step in heard:
        # What a pattern stands for is no difference.
        match = next((one for one in known if _matches(one, step)), None)
        if match is not None:
            known = known[known.index(match) + 1 :]
        shown.append(str(match or step))
    lines = ndiff([str(step) for step in expected], shown)
    kept = [line for line in lines if not line.startswith("?")]
    return f"the dialogue, played {way}, differs:\n" + "\n".join(kept)


class DialogueMixin:
    """For test cases: ``assert_dialogue`` with the sessions of ``make_session``."""

    def make_session(self, wheel: Wheel) -> Any:
        """A new session, not connected yet."""
        raise NotImplementedError("define make_session")

    def assert_dialogue(self, transcript: str, ways: Sequence[str] = WAYS) -> None:
        """Play ``transcript`` in each of the ``ways``; each begins with a new
        session."""
        assert_dialogue(transcript, self.make_session, ways)
