"""DNS over HTTPS (RFC 8484): messages of DNS in requests, answered by whoever knows."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from typing import Any

from twisted.internet.defer import Deferred

from netservices.core.networks import is_loopback
from netservices.interfaces import INameAnswers
from netservices.values import NameReply
from netservices.web.problems import Problem, method_not_allowed
from netservices.web.request import Request
from netservices.web.response import Answer, Response

MEDIA_TYPE = "application/dns-message"
LONGEST_MESSAGE = 65535
"""Octets of a message of DNS."""

_BASE64URL = re.compile(r"[A-Za-z0-9_-]*")
_TAKEN = re.compile(
    r"(?:application/dns-message|application/\*|\*/\*)[ \t]*(;.*)?", re.IGNORECASE
)
_UNWANTED = re.compile(r".*;[ \t]*q=0(\.0*)?[ \t]*", re.IGNORECASE)


class NamesHandler:
    """Answers GET with the parameter ``dns``, and POST."""

    def __init__(self, answers: Any, plaintext: str = "never") -> None:
        """``answers`` is an ``INameAnswers``; ``plaintext`` says who may ask without
        TLS: ``never``, ``loopback`` or ``always``."""
        assert INameAnswers.providedBy(answers)
        self._answers = answers
        self._plaintext = plaintext

    def __call__(self, request: Request) -> Answer:
        """The reply to the message that the request brings."""
        self._check_transport(request)
        if any(request.segments):
            raise Problem(404)
        if request.method not in ("GET", "HEAD", "POST", "OPTIONS"):
            raise method_not_allowed("GET", "HEAD", "POST", "OPTIONS")
        if request.method == "OPTIONS":
            return Response(204, [("Allow", "GET, HEAD, POST, OPTIONS")])
        # RFC 8484 4.2.1: 406 where nothing else is taken.
        if "accept" in request.fields and not _takes_messages(request):
            raise Problem(406, f"The answers here are {MEDIA_TYPE}.")
        if request.method == "POST":
            return self._posted(request)
        return self._answer(_message_of(request.query or ""), request)

    def _check_transport(self, request: Request) -> None:
        if request.is_secure or self._plaintext == "always":
            return
        if self._plaintext == "loopback" and is_loopback(request.origin.address):
            return
        raise Problem(403, "Questions of DNS are answered over TLS only.")

    async def _posted(self, request: Request) -> Response:
        media_type = request.fields.get("content-type").partition(";")[0].strip(" \t")
        if media_type.lower() != MEDIA_TYPE:
            raise Problem(415, f"What is sent here is {MEDIA_TYPE}.")
        if request.fields.words("content-encoding") not in ([], ["identity"]):
            # RFC 9110 15.5.16
            accepted = [("Accept-Encoding", "identity")]
            raise Problem(415, "Messages are not compressed.", accepted)
        message = await request.body.whole(LONGEST_MESSAGE)
        answer = self._answer(message, request)
        return await answer if isinstance(answer, Deferred) else answer

    def _answer(self, message: bytes, request: Request) -> Response | Deferred[Any]:
        if len(message) > LONGEST_MESSAGE:
            raise Problem(413, f"A message has {LONGEST_MESSAGE} octets at most.")
        version = getattr(request.tls, "version", None) or ""
        server, _ = request.server
        reply = self._answers.answer(message, request.origin, server, version)
        if isinstance(reply, Deferred):
            return reply.addCallback(_response)
        return _response(reply)


def _response(reply: NameReply | None) -> Response:
    if reply is None:
        raise Problem(400, "That is no question of DNS.")
    # RFC 8484 5.1: an explicit lifetime, or caches choose one.
    scope = "" if reply.is_for_all else "private, "
    fields = [
        ("Content-Type", MEDIA_TYPE),
        ("Cache-Control", f"{scope}max-age={reply.fresh_seconds}"),
    ]
    return Response(200, fields, reply.message)


def _message_of(query: str) -> bytes:
    """The message in the parameter ``dns``; RFC 8484 4.1, 6.  Problem 400."""
    found = [
        value
        for name, _, value in (part.partition("=") for part in query.split("&"))
        if name == "dns"
    ]
    # RFC 4648 5, without padding; one octet more than a multiple of four is nothing.
    if len(found) != 1 or not _BASE64URL.fullmatch(found[0]) or len(found[0]) % 4 == 1:
        raise Problem(400, "The parameter dns is one message in base64url.")
    return urlsafe_b64decode(found[0] + "=" * (-len(found[0]) % 4))


def _takes_messages(request: Request) -> bool:
    """Whether the field Accept leaves room for a message."""
    ranges = [text.strip(" \t") for text in request.fields.get("accept").split(",")]
    return any(_TAKEN.fullmatch(one) and not _UNWANTED.fullmatch(one) for one in ranges)
