"""What is wrong with octets that a peer sent."""

from __future__ import annotations

from netservices.core.errors import SyntaxProblem


class BadMessage(SyntaxProblem):
    """The peer broke the rules of HTTP/1; ``status`` is the answer, after which the
    connection ends: nobody knows where the next request would begin."""

    def __init__(self, status: int, log_text: str) -> None:
        super().__init__(log_text, status)
        self.status = status
