"""A certificate of our own making, for a server that was given none."""

from __future__ import annotations

import os
import tempfile
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOOPBACK = ("127.0.0.1", "::1")


def make_self_signed(hostname: str, now: datetime, lifetime: timedelta) -> bytes:
    """Key (P-256) and certificate in PEM for ``hostname``, ``localhost`` and the
    loopback addresses."""
    key = ec.generate_private_key(ec.SECP256R1())
    # RFC 5280 A.1: a common name has at most 64 characters.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, hostname[:64])])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A clock that is a little late must not make it invalid.
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectAlternativeName(_names(hostname)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
        )
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
    )
    certificate = builder.sign(key, hashes.SHA256())
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + certificate.public_bytes(serialization.Encoding.PEM)


def _names(hostname: str) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [
        x509.DNSName(name) for name in dict.fromkeys((hostname.lower(), "localhost"))
    ]
    return names + [x509.IPAddress(ip_address(address)) for address in LOOPBACK]


def _key_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def store_private(path: str, content: bytes) -> None:
    """Put ``content`` at ``path``, all or nothing, readable for its owner only.

    Made as root in another user's directory (before privileges are dropped), it is
    given to that user.  OSError.
    """
    directory = os.path.dirname(path)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=directory, prefix=".new-")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
            _give_to_owner(descriptor, os.path.dirname(directory))
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    _give_to_owner(directory, os.path.dirname(directory))
    parent = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(parent)
    finally:
        os.close(parent)


def _give_to_owner(target: int | str, directory: str) -> None:
    if os.geteuid() == 0:
        status = os.stat(directory)
        os.chown(target, status.st_uid, status.st_gid)
