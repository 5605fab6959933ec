"""Finished answers with records that depend on the moment or the client.

Such an answer is what the zone says and what each ``Dynamic`` said that was asked for
it.  While the zone stays as it is, the same words give the same answer: so it is enough
to ask them again, and to find the answer that belongs to what they say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from netservices.values import RRset

if TYPE_CHECKING:
    from netservices.dns.policy import Client
    from netservices.dns.zone.prepare import Prepared
    from netservices.dns.zone.tree import Dynamic

MAX_QUESTIONS = 1000
MAX_VARIANTS = 256
"""Answers to one question; more come where a TTL runs down."""

Call: TypeAlias = "tuple[Dynamic, int]"
"""Who is asked, and for which type."""
Said: TypeAlias = "dict[Call, RRset | None]"
"""What they said, in the order of asking."""


class _Question:
    """One question: who is to be asked for it, and answers by what they say."""

    __slots__ = ("calls", "variants")

    def __init__(self, calls: tuple[Call, ...]) -> None:
        self.calls = calls
        self.variants: dict[tuple[RRset | None, ...], Prepared] = {}


class Fleeting:
    """The answers of one zone."""

    __slots__ = ("_questions",)

    def __init__(self) -> None:
        self._questions: dict[bytes, _Question] = {}

    def __len__(self) -> int:
        return sum(len(found.variants) for found in self._questions.values())

    def find(
        self, key: bytes, client: Client, now: float
    ) -> tuple[Prepared | None, Said]:
        """The answer to a folded question for this client, now, if it was given before;
        what was said, so that it need not be asked again.  ``Trouble`` comes
        through."""
        question = self._questions.get(key)
        if question is None:
            return None, {}
        said = {call: call[0].rrset(call[1], client, now) for call in question.calls}
        return question.variants.get(tuple(said.values())), said

    def keep(self, key: bytes, said: Said, prepared: Prepared) -> None:
        """Keep an answer that came of this."""
        calls = tuple(said)
        question = self._questions.get(key)
        if question is None or question.calls != calls:
            if len(self._questions) >= MAX_QUESTIONS:
                self._questions.clear()
            question = self._questions[key] = _Question(calls)
        if len(question.variants) >= MAX_VARIANTS:
            question.variants.clear()
        question.variants[tuple(said.values())] = prepared

    def clear(self) -> None:
        """The zone has changed."""
        self._questions.clear()
