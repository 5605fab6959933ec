"""A certificate with its key, read from files and checked before it is shown to
anybody."""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Callable
from datetime import datetime
from typing import TypeAlias

from attrs import define, field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import serialization

Stamp: TypeAlias = tuple[tuple[int, int, int], ...]
"""Modification time, size and inode of each file: equal while nothing changed."""


class CertificateProblem(Exception):
    """A certificate cannot be used; the text names the file and the reason."""


@frozen
class Pair:
    """Where a certificate (with its chain) and its key lie; often one file."""

    certificate: str
    key: str

    def stamp(self) -> Stamp:
        """Their present state.  CertificateProblem where one cannot be looked at."""
        found = []
        for path in dict.fromkeys((self.certificate, self.key)):
            try:
                status = os.stat(path)
            except OSError as error:
                raise CertificateProblem(f"{path}: {error.strerror}") from None
            found.append((status.st_mtime_ns, status.st_size, status.st_ino))
        return tuple(found)


def find_pairs(directory: str) -> list[Pair]:
    """Every certificate in ``directory``, ordered by file name.

    ``NAME.pem`` with both parts, ``NAME.pem`` or ``NAME.crt`` beside ``NAME.key``, and
    ``fullchain.pem`` beside ``privkey.pem``, here or one directory below (certbot's
    ``live/NAME/``).  OSError where the directory cannot be read.
    """
    names = sorted(name for name in os.listdir(directory) if not name.startswith("."))
    if "fullchain.pem" in names and "privkey.pem" in names:
        return [_certbot_pair(directory)]
    pairs = []
    for name in names:
        path = os.path.join(directory, name)
        stem, extension = os.path.splitext(path)
        if os.path.isdir(path):
            pair = _certbot_pair(path)
            if os.path.exists(pair.certificate):
                pairs.append(pair)
        elif extension in (".pem", ".crt") and os.path.exists(stem + ".key"):
            pairs.append(Pair(path, stem + ".key"))
        elif extension == ".pem":
            pairs.append(Pair(path, path))
    return pairs


def _certbot_pair(directory: str) -> Pair:
    return Pair(
        os.path.join(directory, "fullchain.pem"), os.path.join(directory, "privkey.pem")
    )


@define(eq=False)
class Identity:
    """A certificate that can be served."""

    pair: Pair
    stamp: Stamp
    names: tuple[str, ...]
    """DNS names of subjectAltName in lower case, wildcards as ``*.a.example``."""
    not_after: datetime
    pem: bytes = field(repr=False)
    """Key and chain."""
    contexts: dict[tuple[str, ...], ssl.SSLContext] = field(factory=dict, repr=False)
    warned_of: str = ""
    """The last warning about its expiry, so that each is logged once."""

    def context(
        self,
        alpn: tuple[str, ...],
        make: Callable[[tuple[str, ...]], ssl.SSLContext],
    ) -> ssl.SSLContext:
        """A context that shows this certificate; ``make(alpn)`` prepares a new one."""
        context = self.contexts.get(alpn)
        if context is None:
            context = make(alpn)
            try:
                load_pem(context, self.pem)
            except ssl.SSLError as error:
                raise CertificateProblem(
                    f"{self.pair.certificate}: {_reason(error)}"
                ) from None
            self.contexts[alpn] = context
        return context


def read_identity(pair: Pair) -> Identity:
    """The identity in those files.  CertificateProblem."""
    stamp = pair.stamp()
    text = _read(pair.certificate)
    chain = _parse_chain(pair.certificate, text)
    key_text = text if pair.key == pair.certificate else _read(pair.key)
    key = _parse_key(pair.key, key_text)
    leaf = chain[0]
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    der = serialization.Encoding.DER
    if leaf.public_key().public_bytes(der, public) != key.public_key().public_bytes(
        der, public
    ):
        raise CertificateProblem(
            f"{pair.key}: the key does not belong to the first certificate of"
            f" {pair.certificate}"
        )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    pem += b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain)
    return Identity(pair, stamp, _names(leaf), leaf.not_valid_after_utc, pem)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise CertificateProblem(f"{path}: {error.strerror}") from None


def _parse_chain(path: str, text: bytes) -> list[x509.Certificate]:
    if b"-----BEGIN CERTIFICATE-----" not in text:
        raise CertificateProblem(f"{path}: holds no PEM certificate")
    try:
        return x509.load_pem_x509_certificates(text)
    except ValueError as error:
        raise CertificateProblem(f"{path}: not a certificate: {error}") from None


def _parse_key(path: str, text: bytes) -> serialization.ssh.SSHPrivateKeyTypes:
    if b"PRIVATE KEY-----" not in text:
        raise CertificateProblem(
            f"{path}: holds no PEM private key; a key lies in the file of its"
            " certificate, or beside it as NAME.key"
        )
    try:
        key = serialization.load_pem_private_key(text, None)
    except TypeError:
        raise CertificateProblem(
            f"{path}: the key is encrypted; store it without a passphrase, readable"
            " for this service only"
        ) from None
    except Exception as error:
        # ValueError, UnsupportedAlgorithm, and whatever OpenSSL thinks of next.
        raise CertificateProblem(f"{path}: not a private key: {error}") from None
    return key  # type: ignore[return-value]


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The DNS names that a certificate is for; RFC 6125 6.4.4: the subject's common
    name counts only where there are none."""
    try:
        extension = certificate.extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except x509.ExtensionNotFound:
        subject = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return tuple(str(one.value).lower() for one in subject)
    return tuple(
        name.lower() for name in extension.value.get_values_for_type(x509.DNSName)
    )


def covers(names: tuple[str, ...], host: str) -> bool:
    """Whether one of a certificate's ``names`` is ``host``, or a wildcard for it."""
    # RFC 6125 6.4.3: a wildcard stands for exactly one label, the leftmost.
    _, _, parent = host.partition(".")
    return host in names or (bool(parent) and f"*.{parent}" in names)


def load_pem(context: ssl.SSLContext, pem: bytes) -> None:
    """Give ``context`` the key and chain of ``pem``; never asks for a passphrase.

    The ``ssl`` module reads files only; what is loaded here has been checked and must
    not be read again from a file that may have changed.  ``ssl.SSLError``.
    """
    try:
        descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    except (AttributeError, OSError):
        with tempfile.NamedTemporaryFile() as file:
            file.write(pem)
            file.flush()
            context.load_cert_chain(file.name, password="")
        return
    with open(descriptor, "wb") as memory:
        memory.write(pem)
        memory.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password="")


def _reason(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).lower().replace("_", " ")
