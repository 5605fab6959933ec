"""The server's side of SASL mechanisms, without I/O; RFC 4422.

An exchange takes the octets that the client sent (base64 already undone where the
protocol wraps it) and answers with one step:

* ``Challenge``: send these octets and call ``step`` with the response;
* ``NeedPassword``: log in with this login and password; the exchange is over;
* ``NeedKeys``: find the SCRAM keys of this login and call ``keys_found``;
* ``NeedAccount``: the proof is complete; find the account; the exchange is over once
  ``data`` has reached the client.

``authorization`` is the identity as which the client wishes to act (RFC 4422 3.4.1),
empty for its own; whoever drives the exchange compares it with the account.

``SyntaxProblem`` means that the client wrote nonsense, ``Refused`` that its proof or
wish was not accepted; garbage raises nothing else.  ``accounts.exchange`` drives an
exchange over the accounts service.
"""

from __future__ import annotations

import hmac
import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Protocol, TypeAlias

from attrs import define, field, frozen

from netservices.accounts.scram import (
    ScramKeys,
    is_proof,
    server_signature,
    strict_base64,
)
from netservices.core.errors import Refused, SyntaxProblem

LONGEST_MESSAGE = 8192
"""Octets of one client message; a password has at most 1024."""
LONGEST_NONCE = 512


@frozen
class Challenge:
    """Octets for the client, which answers them."""

    data: bytes


@frozen
class NeedPassword:
    """The client sent a login and a password."""

    login: str
    password: bytes = field(repr=False)
    authorization: str = ""


@frozen
class NeedKeys:
    """The client named a login; its SCRAM keys are needed."""

    login: str


@frozen
class NeedAccount:
    """The client has proved to be ``login``; ``data`` goes out with the success."""

    login: str
    data: bytes | None = None
    authorization: str = ""


Step: TypeAlias = Challenge | NeedPassword | NeedKeys | NeedAccount


class Mechanism(Protocol):
    """One exchange of one mechanism."""

    def start(self, initial_response: bytes | None) -> Step:
        """The first step; an absent initial response is not an empty one."""

    def step(self, response: bytes) -> Step:
        """The step after the client answered a challenge."""


def _checked(message: bytes) -> bytes:
    if len(message) > LONGEST_MESSAGE:
        raise SyntaxProblem("a SASL message is too long")
    return message


def _text(octets: bytes) -> str:
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise SyntaxProblem("a SASL message is not UTF-8") from None


@define
class Plain:
    """PLAIN; RFC 4616."""

    def start(self, initial_response: bytes | None) -> Step:
        """Ask for the message, or take it."""
        if initial_response is None:
            return Challenge(b"")
        return self.step(initial_response)

    def step(self, response: bytes) -> Step:
        """Take the message."""
        # RFC 4616 2: message = [authzid] UTF8NUL authcid UTF8NUL passwd
        parts = _checked(response).split(b"\0")
        if len(parts) != 3 or not parts[1] or not parts[2]:
            raise SyntaxProblem("a PLAIN message has three parts")
        wished, login = _text(parts[0]), _text(parts[1])
        _text(parts[2])
        return NeedPassword(login, parts[2], wished)


@define
class Login:
    """LOGIN, which no RFC defines: login and password, one after the other."""

    _login: str | None = None

    def start(self, initial_response: bytes | None) -> Step:
        """Ask for the login, or take it."""
        if initial_response is None:
            return Challenge(b"Username:")
        return self.step(initial_response)

    def step(self, response: bytes) -> Step:
        """Take the login, then the password."""
        if not _checked(response) or b"\0" in response:
            raise SyntaxProblem("a LOGIN answer is empty or holds a NUL")
        if self._login is None:
            self._login = _text(response)
            return Challenge(b"Password:")
        _text(response)
        return NeedPassword(self._login, response)


@define
class External:
    """EXTERNAL; RFC 4422 appendix A.  ``identity`` was proved below SASL, by a client
    certificate; it is empty where nothing was."""

    identity: str

    def start(self, initial_response: bytes | None) -> Step:
        """Ask for the authorization identity, or take it."""
        if initial_response is None:
            return Challenge(b"")
        return self.step(initial_response)

    def step(self, response: bytes) -> Step:
        """Take the authorization identity."""
        wished = _text(_checked(response))
        if "\0" in wished:
            raise SyntaxProblem("an authorization identity holds a NUL")
        if not self.identity:
            raise Refused("EXTERNAL without a client certificate")
        return NeedAccount(self.identity, authorization=wished)


# RFC 5802 7.
_CLIENT_FIRST = re.compile(
    rb"(?P<gs2>(?P<flag>p=(?P<binding>[A-Za-z0-9.-]+)|n|y),(?:a=(?P<wished>[^,\0]+))?,)"
    rb"(?P<bare>(?P<mandatory>m=[^,\0]+,)?n=(?P<name>[^,\0]+),r=(?P<nonce>[!-+\--~]+)"
    rb"(?:,[A-Za-z]=[^,\0]+)*)"
)
_CLIENT_FINAL = re.compile(
    rb"(?P<unproved>c=(?P<binding>[A-Za-z0-9/+=]+),r=(?P<nonce>[!-+\--~]+)"
    rb"(?:,[A-Za-z]=[^,\0]+)*),p=(?P<proof>[A-Za-z0-9/+=]+)"
)


def decode_saslname(octets: bytes) -> str:
    """RFC 5802 5.1: ``=2C`` is a comma and ``=3D`` an equals sign.  SyntaxProblem."""
    text = _text(octets)
    if re.search(r"=(?!2C|3D)", text):
        raise SyntaxProblem("a SCRAM name holds a bare '='")
    return text.replace("=2C", ",").replace("=3D", "=")


def new_nonce() -> bytes:
    """A fresh nonce of 18 random octets, printable."""
    return b64encode(secrets.token_bytes(18))


@define
class Scram:
    """SCRAM-SHA-256 and SCRAM-SHA-256-PLUS; RFC 5802 and RFC 7677.

    ``bindings`` are the channel binding data of this connection by type
    (``tls-server-end-point`` of RFC 5929 4, ``tls-exporter`` of RFC 9266 2); empty
    without TLS.
    """

    is_plus: bool = False
    bindings: Mapping[str, bytes] = field(factory=dict, repr=False)
    make_nonce: Callable[[], bytes] = new_nonce
    algorithm: str = "sha256"
    _first: re.Match[bytes] | None = field(default=None, init=False, repr=False)
    _keys: ScramKeys | None = field(default=None, init=False, repr=False)
    _nonce: bytes = field(default=b"", init=False, repr=False)
    _server_first: bytes = field(default=b"", init=False, repr=False)
    _login: str = field(default="", init=False)
    _authorization: str = field(default="", init=False)

    def start(self, initial_response: bytes | None) -> Step:
        """Ask for the client-first-message, or take it."""
        if initial_response is None:
            return Challenge(b"")
        return self.step(initial_response)

    def step(self, response: bytes) -> Step:
        """Take the client-first-message, then the client-final-message."""
        if self._first is None:
            return self._take_first(_checked(response))
        if self._keys is None:
            raise SyntaxProblem("a SCRAM message before the keys were found")
        return self._take_final(self._first, self._keys, _checked(response))

    def keys_found(self, keys: ScramKeys) -> Challenge:
        """The keys of the login, invented ones where it does not exist."""
        assert self._first is not None, "keys_found answers NeedKeys"
        self._keys = keys
        self._nonce = self._first["nonce"] + self.make_nonce()
        self._server_first = b"r=%s,s=%s,i=%d" % (
            self._nonce,
            b64encode(keys.salt),
            keys.iterations,
        )
        return Challenge(self._server_first)

    def _take_first(self, message: bytes) -> Step:
        first = _CLIENT_FIRST.fullmatch(message)
        if first is None or len(first["nonce"]) > LONGEST_NONCE:
            raise SyntaxProblem("not a SCRAM client-first-message")
        if first["mandatory"]:
            # RFC 5802 5.1: the "m" attribute is for extensions nobody has defined.
            raise Refused("a mandatory SCRAM extension")
        self._check_binding_flag(first["flag"], first["binding"])
        self._login = decode_saslname(first["name"])
        self._authorization = decode_saslname(first["wished"] or b"")
        self._first = first
        return NeedKeys(self._login)

    def _check_binding_flag(self, flag: bytes, binding: bytes | None) -> None:
        """RFC 5802 6: what the client thinks of channel binding must agree with us."""
        if binding is not None:
            if not self.is_plus:
                raise SyntaxProblem("channel binding without a -PLUS mechanism")
            if binding.decode("ascii") not in self.bindings:
                raise Refused(f"unsupported channel binding {binding!r}")
        elif self.is_plus:
            raise SyntaxProblem("a -PLUS mechanism without channel binding")
        elif flag == b"y" and self.bindings:
            # Somebody took -PLUS out of the list that the client saw.
            raise Refused("SCRAM downgrade: we do support channel binding")

    def _take_final(
        self, first: re.Match[bytes], keys: ScramKeys, message: bytes
    ) -> Step:
        final = _CLIENT_FINAL.fullmatch(message)
        if final is None:
            raise SyntaxProblem("not a SCRAM client-final-message")
        try:
            binding = strict_base64(final["binding"])
            proof = strict_base64(final["proof"])
        except ValueError:
            raise SyntaxProblem("bad base64 in a SCRAM message") from None
        expected = bytes(first["gs2"])
        if first["binding"] is not None:
            expected += self.bindings[first["binding"].decode("ascii")]
        if not hmac.compare_digest(binding, expected):
            raise Refused("SCRAM channel binding does not match")
        if not hmac.compare_digest(final["nonce"], self._nonce):
            raise Refused("SCRAM nonce does not match")
        parts = (first["bare"], self._server_first, final["unproved"])
        auth_message = b",".join(parts)
        if not is_proof(keys, auth_message, proof, self.algorithm):
            raise Refused("wrong proof")
        signature = server_signature(keys, auth_message, self.algorithm)
        data = b"v=" + b64encode(signature)
        return NeedAccount(self._login, data, self._authorization)


def server_mechanism(
    name: str, bindings: Mapping[str, bytes], identity: str, offers_plus: bool
) -> Mechanism:
    """A fresh exchange of the mechanism called ``name``.  LookupError."""
    # Where -PLUS is not on offer, a client that says "y" is right.
    known = bindings if offers_plus else {}
    made: dict[str, Callable[[], Mechanism]] = {
        "PLAIN": Plain,
        "LOGIN": Login,
        "EXTERNAL": lambda: External(identity),
        "SCRAM-SHA-256": lambda: Scram(False, known),
        "SCRAM-SHA-256-PLUS": lambda: Scram(True, known),
    }
    return made[name]()
