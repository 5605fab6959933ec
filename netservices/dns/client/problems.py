"""What a question to another server can end in, where it is not an answer."""

from __future__ import annotations


class NoAnswer(Exception):
    """The server did not answer in time, or closed the connection."""
