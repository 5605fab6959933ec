"""The client's side of SASL mechanisms, without I/O; RFC 4422.

``start()`` gives the initial response (None where the server speaks first), ``step``
answers a challenge, and ``finish(data)`` checks what came with the success.  A server
that breaks the rules or cannot prove itself raises ``SyntaxProblem`` or ``Refused``.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Collection, Mapping
from typing import Protocol

from attrs import define, field

from netservices.accounts.passwords import scram_form
from netservices.accounts.precis import BadString
from netservices.accounts.sasl import LONGEST_MESSAGE, new_nonce
from netservices.accounts.scram import client_proof, strict_base64
from netservices.core.errors import Refused, SyntaxProblem

FEWEST_ITERATIONS = 4096
"""RFC 7677 4: fewer would let a false server try passwords too fast."""
MOST_ITERATIONS = 1_000_000
"""Half a second; more is a server that wants to keep its clients busy."""


class ClientMechanism(Protocol):
    """One exchange of one mechanism."""

    @property
    def name(self) -> str:
        """What it is called in the protocol."""

    def start(self) -> bytes | None:
        """The initial response; None where the server speaks first."""

    def step(self, challenge: bytes) -> bytes:
        """The answer to a challenge."""

    def finish(self, data: bytes | None) -> None:
        """The server reports success, with ``data`` if it has any."""


@define
class PlainClient:
    """PLAIN; RFC 4616."""

    login: str
    password: str = field(repr=False)
    authorization: str = ""
    name: str = "PLAIN"

    def start(self) -> bytes | None:
        """The whole message."""
        parts = (self.authorization, self.login, self.password)
        return "\0".join(parts).encode()

    def step(self, challenge: bytes) -> bytes:
        """There is nothing to answer."""
        raise SyntaxProblem("a challenge in PLAIN")

    def finish(self, data: bytes | None) -> None:
        """Nothing is proved by the server."""


@define
class LoginClient:
    """LOGIN: the first challenge asks for the login, the second for the password."""

    login: str
    password: str = field(repr=False)
    name: str = "LOGIN"
    _asked: int = field(default=0, init=False)

    def start(self) -> bytes | None:
        """The server asks first."""
        return None

    def step(self, challenge: bytes) -> bytes:
        """The login, then the password, whatever the challenges are called."""
        self._asked += 1
        if self._asked > 2:
            raise SyntaxProblem("a third challenge in LOGIN")
        return (self.login if self._asked == 1 else self.password).encode()

    def finish(self, data: bytes | None) -> None:
        """Nothing is proved by the server."""


@define
class ExternalClient:
    """EXTERNAL; RFC 4422 appendix A."""

    authorization: str = ""
    name: str = "EXTERNAL"

    def start(self) -> bytes | None:
        """The authorization identity, empty for one's own."""
        return self.authorization.encode()

    def step(self, challenge: bytes) -> bytes:
        """There is nothing to answer."""
        raise SyntaxProblem("a challenge in EXTERNAL")

    def finish(self, data: bytes | None) -> None:
        """Nothing is proved by the server."""


# RFC 5802 7.
_SERVER_FIRST = re.compile(
    rb"r=(?P<nonce>[!-+\--~]+),s=(?P<salt>[A-Za-z0-9/+=]+),i=(?P<i>[1-9][0-9]{0,9})"
    rb"(?:,[A-Za-z]=[^,\0]+)*"
)
_SERVER_FINAL = re.compile(
    rb"(?:v=(?P<signature>[A-Za-z0-9/+=]+)|e=(?P<error>[^,\0]+))(?:,[A-Za-z]=[^,\0]+)*"
)


def encode_saslname(text: str) -> bytes:
    """RFC 5802 5.1: a comma is ``=2C`` and an equals sign ``=3D``."""
    return text.replace("=", "=3D").replace(",", "=2C").encode()


@define
class ScramClient:
    """SCRAM-SHA-256 and, with ``binding``, SCRAM-SHA-256-PLUS; RFC 5802, RFC 7677.

    ``flag`` is the gs2 flag without binding data: ``y`` where this client could bind
    but the server does not offer it, else ``n``.
    """

    login: str
    password: str = field(repr=False)
    binding: tuple[str, bytes] | None = field(default=None, repr=False)
    flag: str = "n"
    authorization: str = ""
    make_nonce: Callable[[], bytes] = new_nonce
    algorithm: str = "sha256"
    most_iterations: int = MOST_ITERATIONS
    _bare: bytes = field(default=b"", init=False)
    _nonce: bytes = field(default=b"", init=False)
    _expected: bytes | None = field(default=None, init=False, repr=False)
    _is_proved: bool = field(default=False, init=False)

    @property
    def name(self) -> str:
        """The mechanism's name, by whether the channel is bound."""
        return "SCRAM-SHA-256" + ("-PLUS" if self.binding else "")

    @property
    def _gs2(self) -> bytes:
        flag = f"p={self.binding[0]}" if self.binding else self.flag
        wish = (
            b"a=" + encode_saslname(self.authorization) if self.authorization else b""
        )
        return flag.encode("ascii") + b"," + wish + b","

    def start(self) -> bytes | None:
        """The client-first-message."""
        self._nonce = self.make_nonce()
        self._bare = b"n=" + encode_saslname(self.login) + b",r=" + self._nonce
        return self._gs2 + self._bare

    def step(self, challenge: bytes) -> bytes:
        """The client-final-message; then, where the protocol has no room for data with
        its success, the empty answer to the server's proof."""
        if self._expected is None:
            return self._answer(challenge)
        self._check_signature(challenge)
        return b""

    def finish(self, data: bytes | None) -> None:
        """The server must have proved that it knows the password."""
        if data:
            self._check_signature(data)
        if not self._is_proved:
            raise Refused("the server did not prove that it knows the password")

    def _answer(self, message: bytes) -> bytes:
        first = _SERVER_FIRST.fullmatch(message)
        if first is None or len(message) > LONGEST_MESSAGE:
            raise SyntaxProblem("not a SCRAM server-first-message")
        if not first["nonce"].startswith(self._nonce) or first["nonce"] == self._nonce:
            raise Refused("the server's nonce does not continue ours")
        iterations = int(first["i"])
        if not FEWEST_ITERATIONS <= iterations <= self.most_iterations:
            raise Refused(f"{iterations} SCRAM iterations")
        bound = self._gs2 + (self.binding[1] if self.binding else b"")
        unproved = b"c=%s,r=%s" % (b64encode(bound), first["nonce"])
        auth_message = b",".join((self._bare, message, unproved))
        proof, self._expected = client_proof(
            self._prepared_password(),
            _base64(first["salt"]),
            iterations,
            auth_message,
            self.algorithm,
        )
        return unproved + b",p=" + b64encode(proof)

    def _prepared_password(self) -> str:
        try:
            return scram_form(self.password)
        except BadString as problem:
            raise Refused(f"the password cannot be used: {problem}") from None

    def _check_signature(self, message: bytes) -> None:
        final = _SERVER_FINAL.fullmatch(message)
        if final is None or self._expected is None:
            raise SyntaxProblem("not a SCRAM server-final-message")
        if final["error"]:
            raise Refused(f"the server says {final['error']!r}")
        if not hmac.compare_digest(_base64(final["signature"]), self._expected):
            raise Refused("the server does not know the password")
        self._is_proved = True


def _base64(text: bytes) -> bytes:
    try:
        return strict_base64(text)
    except ValueError:
        raise SyntaxProblem("bad base64 in a SCRAM message") from None


def client_mechanism(
    offered: Collection[str],
    login: str,
    password: str,
    bindings: Mapping[str, bytes],
    may_send_password: bool,
) -> ClientMechanism:
    """The strongest exchange that both sides know.  Refused where there is none.

    ``may_send_password`` says whether the password itself may travel (TLS, loopback).
    """
    names = {name.upper() for name in offered}
    if "SCRAM-SHA-256-PLUS" in names and bindings:
        kind = "tls-exporter" if "tls-exporter" in bindings else min(bindings)
        return ScramClient(login, password, (kind, bindings[kind]))
    if "SCRAM-SHA-256" in names:
        # RFC 5802 6: "y" only where -PLUS was not on the server's list.
        could_bind = bindings and "SCRAM-SHA-256-PLUS" not in names
        return ScramClient(login, password, flag="y" if could_bind else "n")
    if may_send_password and "PLAIN" in names:
        return PlainClient(login, password)
    if may_send_password and "LOGIN" in names:
        return LoginClient(login, password)
    raise Refused(f"no mechanism in common with {sorted(names)}")
