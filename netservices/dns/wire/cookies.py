"""DNS cookies (RFC 7873) as servers of all makers compute them (RFC 9018 4).

A server cookie says when it was made and for which address and client cookie; only who
knows the secret can make one.  So a server keeps nothing for its clients, and servers
that share a secret accept each other's cookies.
"""

from __future__ import annotations

from hmac import compare_digest

from siphash24 import siphash24

CLIENT_OCTETS = 8
SECRET_OCTETS = 16

# RFC 9018 4.4: 8 octets of the client's, 16 of the server's.
_FULL_OCTETS = 24
_VERSION = b"\1"
_HEAD = b"\1\0\0\0"

# RFC 7873 5.2.2: 8 octets from the client, or with 8 to 32 of the server's.
VALID_LENGTHS = frozenset((CLIENT_OCTETS, *range(16, 41)))


def make_cookie(client: bytes, address: bytes, seconds: int, secret: bytes) -> bytes:
    """The whole option for a client: its own cookie, and the server's made at
    ``seconds`` since 1970.  ``address`` has 4 or 16 octets."""
    head = client + _HEAD + (seconds & 0xFFFFFFFF).to_bytes(4, "big")
    return head + _hash(head + address, secret)


def made_at(option: bytes) -> int:
    """When the server's cookie in a whole option was made, as it says itself."""
    return int.from_bytes(option[12:16], "big")


def is_ours(option: bytes, address: bytes, secret: bytes) -> bool:
    """Whether the server's cookie in an option was made with that secret, for that
    address and client cookie; how old it is, is another question."""
    # RFC 9018 4.4: another length would leave open what was hashed.
    if len(option) != _FULL_OCTETS or option[8:9] != _VERSION:
        return False
    # RFC 9018 4.2: reserved octets count as they came.
    return compare_digest(_hash(option[:16] + address, secret), option[16:])


def _hash(data: bytes, secret: bytes) -> bytes:
    digest: bytes = siphash24(data, key=secret).digest()
    return digest


def parse_secret(text: str) -> bytes:
    """The secret that 32 hexadecimal digits are.  ValueError."""
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        secret = b""
    if len(secret) != SECRET_OCTETS:
        # What was written is not repeated: it may be a secret all the same.
        raise ValueError("a secret is written as 32 hexadecimal digits")
    return secret
