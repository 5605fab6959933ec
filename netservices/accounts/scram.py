"""The keys and proofs of SCRAM; RFC 5802 3, with SHA-256 by RFC 7677."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error

from attrs import field, frozen

SALT_OCTETS = 16


@frozen
class ScramKeys:
    """What a server keeps for SCRAM: enough to check a proof, too little to make
    one."""

    iterations: int
    salt: bytes
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    def encode(self) -> bytes:
        """One line: iterations, salt, StoredKey, ServerKey."""
        parts = (self.salt, self.stored_key, self.server_key)
        return b",".join((b"%d" % self.iterations, *map(b64encode, parts)))

    @classmethod
    def decode(cls, secret: bytes) -> ScramKeys:
        """The keys that ``encode`` wrote.  ValueError."""
        iterations, salt, stored_key, server_key = secret.split(b",")
        return cls(int(iterations), *map(strict_base64, (salt, stored_key, server_key)))


def strict_base64(text: bytes) -> bytes:
    """Decoded base64 without anything between or after.  ValueError."""
    try:
        return b64decode(text, validate=True)
    except Base64Error as problem:
        raise ValueError(str(problem)) from None


def derive_keys(
    password: str, salt: bytes, iterations: int, algorithm: str = "sha256"
) -> ScramKeys:
    """The keys of a prepared password; takes about 0.5 us an iteration."""
    salted = hashlib.pbkdf2_hmac(algorithm, password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", algorithm)
    return ScramKeys(
        iterations,
        salt,
        stored_key=hashlib.new(algorithm, client_key).digest(),
        server_key=hmac.digest(salted, b"Server Key", algorithm),
    )


def client_proof(
    password: str,
    salt: bytes,
    iterations: int,
    auth_message: bytes,
    algorithm: str = "sha256",
) -> tuple[bytes, bytes]:
    """``(ClientProof, ServerSignature)``: what a client sends, and what it expects."""
    salted = hashlib.pbkdf2_hmac(algorithm, password.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", algorithm)
    stored_key = hashlib.new(algorithm, client_key).digest()
    signature = hmac.digest(stored_key, auth_message, algorithm)
    server_key = hmac.digest(salted, b"Server Key", algorithm)
    return _xor(client_key, signature), hmac.digest(server_key, auth_message, algorithm)


def is_proof(
    keys: ScramKeys, auth_message: bytes, proof: bytes, algorithm: str = "sha256"
) -> bool:
    """Whether ``proof`` was made by somebody who knows the password."""
    signature = hmac.digest(keys.stored_key, auth_message, algorithm)
    if len(proof) != len(signature):
        return False
    client_key = _xor(proof, signature)
    stored_key = hashlib.new(algorithm, client_key).digest()
    return hmac.compare_digest(stored_key, keys.stored_key)


def server_signature(
    keys: ScramKeys, auth_message: bytes, algorithm: str = "sha256"
) -> bytes:
    """What tells the client that this server knows its keys."""
    return hmac.digest(keys.server_key, auth_message, algorithm)


def invented_keys(seed: bytes, login: str, iterations: int) -> ScramKeys:
    """Keys for a login that does not exist: always the same salt, and no password.

    RFC 5802 5.1 lets anybody ask for a salt; a fresh one each time, or a missing one,
    would tell which logins exist.
    """
    name = login.encode("utf-8", "surrogatepass")
    salt = hmac.digest(seed, b"salt\0" + name, "sha256")[:SALT_OCTETS]
    stored_key = hmac.digest(seed, b"stored\0" + name, "sha256")
    server_key = hmac.digest(seed, b"server\0" + name, "sha256")
    return ScramKeys(iterations, salt, stored_key, server_key)


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
