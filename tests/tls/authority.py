"""A throw-away authority that signs certificates for tests."""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = datetime.now(UTC)


def _pem(thing: x509.Certificate | ec.EllipticCurvePrivateKey) -> bytes:
    if isinstance(thing, x509.Certificate):
        return thing.public_bytes(serialization.Encoding.PEM)
    return thing.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


_SIGNS = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
"""What an authority's key is for; Python 3.13 and later insist on it."""


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """Signs P-256 certificates; ``certificate`` is its own, in PEM."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._serial = 1000
        self.certificate = self._sign(
            self._key.public_key(), "Test Authority", [], is_authority=True
        )

    def issue(
        self, *names: str, before: timedelta = timedelta(days=90)
    ) -> tuple[bytes, bytes]:
        """Chain and key in PEM for ``names``, expiring after ``before`` from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        chain = self._sign(key.public_key(), names[0], list(names), before)
        return chain + self.certificate, _pem(key)

    def _sign(
        self,
        public_key: ec.EllipticCurvePublicKey,
        subject: str,
        names: list[str],
        before: timedelta = timedelta(days=90),
        is_authority: bool = False,
    ) -> bytes:
        self._serial += 1
        builder = (
            x509.CertificateBuilder()
            .subject_name(_name(subject))
            .issuer_name(_name("Test Authority"))
            .public_key(public_key)
            .serial_number(self._serial)
            .not_valid_before(NOW - timedelta(days=365))
            .not_valid_after(NOW + before)
            .add_extension(
                x509.BasicConstraints(ca=is_authority, path_length=None), critical=True
            )
            # RFC 5280 4.2.1.1 and 4.2.1.2; Python 3.13 and later insist on both.
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    self._key.public_key()
                ),
                critical=False,
            )
        )
        if is_authority:
            builder = builder.add_extension(_SIGNS, critical=True)
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name) for name in names]),
                critical=False,
            )
        return _pem(builder.sign(self._key, hashes.SHA256()))

    def client_context(self, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
        """A client's context that trusts this authority, for one version of TLS."""
        context = ssl.create_default_context(cadata=self.certificate.decode())
        if version is not None:
            context.minimum_version = context.maximum_version = version
        return context

    def server_context(self, directory: str, *names: str) -> ssl.SSLContext:
        """A plain server's context for ``names``; its files go to ``directory``."""
        os.makedirs(directory, exist_ok=True)
        path = os.path.join(directory, f"{names[0]}.pem")
        chain, key = self.issue(*names)
        with open(path, "wb") as file:
            file.write(key + chain)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context
