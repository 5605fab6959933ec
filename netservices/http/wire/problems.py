"""What is wrong with octets that a peer sent."""

from __future__ import annotations

from netservices.core.errors import SyntaxProblem


class BadMessage(SyntaxProblem):
    """The peer broke the rules of HTTP/1; ``status`` is the answer, after which the
    connection ends: nobody knows where the next request would begin.

    The reason is told to the peer, too: it says nothing that the peer has not sent.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason, status)
        self.status = status
        self.is_head: bool | None = None
        """Whether the method is HEAD; None: nobody has looked."""

    @property
    def detail(self) -> str:
        """The reason, as a sentence."""
        reason = str(self)
        return f"{reason[:1].upper()}{reason[1:]}."
