"""Which certificate is shown to whom, and what happens when files change."""

from __future__ import annotations

import os
import shutil
import ssl
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from netservices.core.errors import ConfigurationError, StartupError
from netservices.core.settings import Duration
from netservices.interfaces import ICertificates
from netservices.tls.certificates import SELF_SIGNED, Certificates
from netservices.tls.engine import Engine
from netservices.tls.settings import TLSSettings
from tests.tls.authority import Authority

AUTHORITY = Authority()


def conversation(
    server_context: ssl.SSLContext,
    client_context: ssl.SSLContext,
    name: str | None = None,
    session: Any = None,
) -> tuple[Engine, Engine]:
    """Client and server after a handshake and one block from the server."""
    client_context.check_hostname = False
    client = Engine(client_context, False, name, session)
    server = Engine(server_context, True)
    client.shake()
    for _ in range(4):
        server.feed(client.take())
        client.feed(server.take())
    client.feed(b"".join(server.encrypt(b"x")))
    return client, server


def trusting() -> ssl.SSLContext:
    """A client that trusts everybody, so as to look at what it is shown."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def shown(certificates: Certificates, name: str | None) -> x509.Certificate:
    """The certificate that a client is shown who asks for ``name``."""
    client, _ = conversation(certificates.server_context(), trusting(), name)
    der = client.object.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der)


def names_shown(certificates: Certificates, name: str | None) -> list[str]:
    """The names in what is shown."""
    extension = shown(certificates, name).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    return list(extension.value.get_values_for_type(x509.DNSName))


class CertificatesCase(SynchronousTestCase):
    """A directory of certificates and a clock."""

    def setUp(self) -> None:
        self.directory = self.mktemp()
        self.state = self.mktemp()
        os.makedirs(self.directory)
        os.makedirs(self.state)
        self.seconds = 1000.0
        self.now = datetime.now(UTC)
        self.logged: list[str] = []
        globalLogPublisher.addObserver(self._note)
        self.addCleanup(globalLogPublisher.removeObserver, self._note)

    def _note(self, event: Any) -> None:
        if str(event.get("log_namespace", "")).startswith("netservices.tls"):
            from twisted.logger import formatEvent

            self.logged.append(formatEvent(event))

    def put(self, file: str, *parts: bytes) -> str:
        """Write a file of the directory."""
        path = os.path.join(self.directory, file)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as stream:
            stream.write(b"".join(parts))
        return path

    def certificates(
        self, hostname: str = "mail.example", **options: Any
    ) -> Certificates:
        """The object under test."""
        options.setdefault("certificates", self.directory)
        return Certificates(
            TLSSettings(**options),
            self.state,
            hostname,
            lambda: self.seconds,
            lambda: self.now,
        )


class ChoiceTests(CertificatesCase):
    """SNI and defaults."""

    def test_layouts(self) -> None:
        """All four layouts of files are found."""
        chain, key = AUTHORITY.issue("one.example")
        self.put("one.pem", chain, key)
        chain, key = AUTHORITY.issue("two.example")
        self.put("two.pem", chain)
        self.put("two.key", key)
        chain, key = AUTHORITY.issue("three.example")
        self.put("three.example/fullchain.pem", chain)
        self.put("three.example/privkey.pem", key)
        self.put("three.example/chain.pem", AUTHORITY.certificate)
        chain, key = AUTHORITY.issue("four.example")
        self.put("four.crt", chain)
        self.put("four.key", key)
        self.put("README", b"not a certificate")
        self.put(".hidden.pem", b"nor this")
        certificates = self.certificates()

        verifyObject(ICertificates, certificates)
        self.assertEqual(
            ("four.example", "one.example", "three.example", "two.example"),
            certificates.names(),
        )
        for name in certificates.names():
            self.assertEqual([name], names_shown(certificates, name))

    def test_certbot_directory_itself(self) -> None:
        """The setting may name one of certbot's own directories."""
        chain, key = AUTHORITY.issue("a.example")
        self.put("fullchain.pem", chain)
        self.put("privkey.pem", key)
        self.put("cert.pem", chain)
        self.put("chain.pem", AUTHORITY.certificate)
        self.assertEqual(("a.example",), self.certificates().names())

    def test_choice(self) -> None:
        """The exact name comes first, then a wildcard for one label (RFC 6125 6.4.3),
        then the default: the one that names the host."""
        for file, names in (
            ("a", ["a.example"]),
            ("m", ["mail.example", "smtp.example"]),
            ("w", ["*.example"]),
        ):
            chain, key = AUTHORITY.issue(*names)
            self.put(f"{file}.pem", chain, key)
        certificates = self.certificates()
        for asked, wanted in (
            ("a.example", "a.example"),
            ("A.EXAMPLE", "a.example"),
            ("smtp.example", "mail.example"),
            ("b.example", "*.example"),
            ("b.c.example", "mail.example"),
            ("unknown.test", "mail.example"),
            (None, "mail.example"),
        ):
            self.assertEqual(wanted, names_shown(certificates, asked)[0], asked)

    def test_default_by_file_name(self) -> None:
        """Where none names the host, the first by file name is the default."""
        for file in ("c", "a", "b"):
            chain, key = AUTHORITY.issue(f"{file}.example")
            self.put(f"{file}.pem", chain, key)
        certificates = self.certificates("elsewhere.test")
        self.assertEqual(["a.example"], names_shown(certificates, None))

    def test_longest_valid_wins(self) -> None:
        """Of two for one name the one that is valid longest is shown."""
        chain, key = AUTHORITY.issue("mail.example", before=timedelta(days=60))
        self.put("a.pem", chain, key)
        chain, key = AUTHORITY.issue("mail.example", before=timedelta(days=10))
        self.put("b.pem", chain, key)
        certificate = shown(self.certificates(), "mail.example")
        self.assertGreater(
            certificate.not_valid_after_utc, self.now + timedelta(days=30)
        )

    def test_server_name_is_kept(self) -> None:
        """The name asked for is left on the SSL object for the layer."""
        chain, key = AUTHORITY.issue("mail.example")
        self.put("a.pem", chain, key)
        _, server = conversation(
            self.certificates().server_context(), trusting(), "other.example"
        )
        self.assertEqual("other.example", server.attribute("server_name"))

    def test_alpn(self) -> None:
        """The protocols of the context are offered whichever identity is chosen.  RFC
        7301."""
        chain, key = AUTHORITY.issue("mail.example")
        self.put("a.pem", chain, key)
        client_context = trusting()
        client_context.set_alpn_protocols(["h2", "http/1.1"])
        certificates = self.certificates()
        client, _ = conversation(
            certificates.server_context(("http/1.1",)), client_context, "x.example"
        )
        self.assertEqual("http/1.1", client.object.selected_alpn_protocol())


class ReloadTests(CertificatesCase):
    """Files change under a running server."""

    def replace(self, *names: str) -> None:
        """Put a certificate for ``names`` in place of a.pem."""
        chain, key = AUTHORITY.issue(*names)
        self.put("new", chain, key)
        os.replace(
            os.path.join(self.directory, "new"), os.path.join(self.directory, "a.pem")
        )

    def test_renewed(self) -> None:
        """A renewed certificate is shown at the next handshake after the interval; the
        context that listeners hold stays the same."""
        self.replace("mail.example")
        certificates = self.certificates()
        first = shown(certificates, None).serial_number
        context = certificates.server_context()
        self.replace("mail.example")
        self.seconds += 9
        self.assertEqual(first, shown(certificates, None).serial_number)
        self.seconds += 1
        self.assertNotEqual(first, shown(certificates, None).serial_number)
        self.assertIs(context, certificates.server_context())

    def test_added_and_removed(self) -> None:
        """New files are found by reload, and names of removed ones go; the last one
        stays."""
        self.replace("mail.example")
        certificates = self.certificates()
        chain, key = AUTHORITY.issue("new.example")
        self.put("b.pem", chain, key)
        certificates.reload()
        self.assertEqual(("mail.example", "new.example"), certificates.names())
        os.remove(os.path.join(self.directory, "a.pem"))
        certificates.reload()
        self.assertEqual(("new.example",), certificates.names())
        os.remove(os.path.join(self.directory, "b.pem"))
        certificates.reload()
        self.assertEqual(["new.example"], names_shown(certificates, None))

    def test_broken_replacement(self) -> None:
        """A broken new file keeps the old certificate serving and logs one line, not
        one a look."""
        self.replace("mail.example")
        certificates = self.certificates()
        first = shown(certificates, None).serial_number
        self.put("a.pem", b"half a certifi")
        self.logged.clear()
        for _ in range(3):
            certificates.reload()
            self.assertEqual(first, shown(certificates, None).serial_number)
        self.assertEqual(1, len(self.logged), self.logged)
        self.assertIn("a.pem: holds no PEM certificate", self.logged[0])
        self.replace("mail.example")
        certificates.reload()
        self.assertNotEqual(first, shown(certificates, None).serial_number)

    def test_directory_is_gone(self) -> None:
        """Where the whole directory is gone the server serves on."""
        self.replace("mail.example")
        certificates = self.certificates()
        shutil.rmtree(self.directory)
        certificates.reload()
        self.assertEqual(["mail.example"], names_shown(certificates, None))

    def test_expiry_is_warned_of(self) -> None:
        """The log warns before and after the end of a certificate, once each."""
        chain, key = AUTHORITY.issue("mail.example", before=timedelta(days=20))
        self.put("a.pem", chain, key)
        certificates = self.certificates()
        self.assertEqual([], self.logged)
        for days, word in ((7, "expires on"), (21, "expired on")):
            self.now = datetime.now(UTC) + timedelta(days=days)
            self.logged.clear()
            certificates.reload()
            certificates.reload()
            self.assertEqual(1, len(self.logged), self.logged)
            self.assertIn(word, self.logged[0])


class BrokenFilesTests(CertificatesCase):
    """What is wrong at the start stops the program with one clear line."""

    def refused(self, **options: Any) -> str:
        """The message of the ConfigurationError."""
        return str(self.assertRaises(ConfigurationError, self.certificates, **options))

    def test_not_pem(self) -> None:
        """A file without certificate is named."""
        path = self.put("a.pem", b"rubbish")
        self.assertEqual(
            f"tls.certificates: {path}: holds no PEM certificate", self.refused()
        )

    def test_no_key(self) -> None:
        """A certificate without key is named."""
        chain, _ = AUTHORITY.issue("a.example")
        path = self.put("a.pem", chain)
        self.assertIn(f"{path}: holds no PEM private key", self.refused())

    def test_foreign_key(self) -> None:
        """A key of another certificate is named."""
        chain, _ = AUTHORITY.issue("a.example")
        _, key = AUTHORITY.issue("a.example")
        self.put("a.pem", chain)
        path = self.put("a.key", key)
        self.assertIn(f"{path}: the key does not belong", self.refused())

    def test_encrypted_key(self) -> None:
        """An encrypted key is named; nobody is asked for a passphrase."""
        chain, key = AUTHORITY.issue("a.example")
        loaded = serialization.load_pem_private_key(key, None)
        locked = loaded.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
        path = self.put("a.pem", chain, locked)
        self.assertIn(f"{path}: the key is encrypted", self.refused())

    def test_damaged_certificate(self) -> None:
        """PEM with nonsense inside is named."""
        chain, key = AUTHORITY.issue("a.example")
        self.put("a.pem", key, chain.replace(b"MII", b"AAA"))
        self.assertIn("not a certificate", self.refused())

    def test_missing_directory(self) -> None:
        """A directory that is not there is named, with the way out."""
        message = self.refused(certificates="/nonexistent/tls")
        self.assertIn("/nonexistent/tls: No such file or directory", message)
        self.assertIn("self-signed", message)

    def test_missing_half(self) -> None:
        """certbot's layout with its key missing is named."""
        chain, _ = AUTHORITY.issue("a.example")
        self.put("a/fullchain.pem", chain)
        self.assertIn("privkey.pem: No such file or directory", self.refused())

    def test_unknown_ciphers(self) -> None:
        """A cipher list that OpenSSL does not know is named."""
        self.assertIn("tls.ciphers", self.refused(ciphers="NONSENSE"))

    def test_client_authorities(self) -> None:
        """A file of authorities that cannot be read is named."""
        message = self.refused(client_authorities="/nonexistent.pem")
        self.assertIn("tls.client_authorities: /nonexistent.pem", message)


class ContextTests(CertificatesCase):
    """What contexts allow."""

    def setUp(self) -> None:
        super().setUp()
        chain, key = AUTHORITY.issue("mail.example")
        self.put("a.pem", chain, key)

    def test_versions(self) -> None:
        """TLS 1.2 and 1.3 by default, 1.3 alone on demand; renegotiation never."""
        context = self.certificates().server_context()
        self.assertEqual(ssl.TLSVersion.TLSv1_2, context.minimum_version)
        self.assertTrue(context.options & ssl.OP_NO_RENEGOTIATION)
        only = self.certificates(minimum_version="1.3").server_context()
        old = AUTHORITY.client_context(ssl.TLSVersion.TLSv1_2)
        self.assertRaises(ssl.SSLError, conversation, only, old, "mail.example")

    def resumes(self, first: ssl.SSLContext, second: ssl.SSLContext) -> list[bool]:
        """Whether a session begun with ``first`` resumes with ``second``, for each
        version."""
        results = []
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = AUTHORITY.client_context(version)
            client, _ = conversation(first, context, "mail.example")
            session = client.object.session
            _, server = conversation(second, context, "mail.example", session)
            results.append(bool(server.object.session_reused))
        return results

    def test_resumption(self) -> None:
        """Sessions resume in both versions, over a renewal of the certificate too."""
        certificates = self.certificates()
        front = certificates.server_context()
        self.assertEqual([True, True], self.resumes(front, front))
        chain, key = AUTHORITY.issue("mail.example")
        self.put("a.pem", chain, key)
        certificates.reload()
        self.assertEqual([True, True], self.resumes(front, front))

    def test_private_contexts(self) -> None:
        """A session of one private context resumes with it, not with another one."""
        certificates = self.certificates()
        one, other = certificates.private_context(), certificates.private_context()
        self.assertEqual([True, True], self.resumes(one, one))
        self.assertEqual([False, False], self.resumes(one, other))

    def test_ticket_keys_are_replaced(self) -> None:
        """After ticket_key_lifetime there is a new context, with new keys."""
        certificates = self.certificates(ticket_key_lifetime=Duration(3600))
        old = certificates.server_context()
        self.seconds += 3599
        self.assertIs(old, certificates.server_context())
        self.seconds += 1
        new = certificates.server_context()
        self.assertEqual([False, False], self.resumes(old, new))

    def test_no_tickets(self) -> None:
        """Without tickets TLS 1.3 does not resume."""
        certificates = self.certificates(session_tickets=0)
        front = certificates.server_context()
        self.assertFalse(self.resumes(front, front)[1])

    def test_client_certificates(self) -> None:
        """With authorities set, a client's certificate is asked for and verified."""
        path = os.path.join(self.state, "authority.pem")
        with open(path, "wb") as file:
            file.write(AUTHORITY.certificate)
        chain, key = AUTHORITY.issue("somebody")
        identity = os.path.join(self.state, "client.pem")
        with open(identity, "wb") as file:
            file.write(key + chain)
        front = self.certificates(client_authorities=path).server_context()
        context = AUTHORITY.client_context()
        context.load_cert_chain(identity)
        _, server = conversation(front, context, "mail.example")
        self.assertIn(b"somebody", server.object.getpeercert(binary_form=True) or b"")
        _, server = conversation(front, AUTHORITY.client_context(), "mail.example")
        self.assertIsNone(server.object.getpeercert(binary_form=True))


class SelfSignedTests(CertificatesCase):
    """The certificate of last resort."""

    def path(self) -> str:
        return os.path.join(self.state, SELF_SIGNED)

    def test_made_once(self) -> None:
        """With no certificate one is made, for host, localhost and loopback, readable
        for its owner only; a second start takes it again, and both warn."""
        first = shown(self.certificates(certificates=""), None)
        names = first.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        self.assertEqual(
            ["mail.example", "localhost"],
            names.value.get_values_for_type(x509.DNSName),
        )
        addresses = names.value.get_values_for_type(x509.IPAddress)
        self.assertEqual(["127.0.0.1", "::1"], [str(one) for one in addresses])
        self.assertEqual(0o600, os.stat(self.path()).st_mode & 0o777)
        self.assertEqual(
            [self.path()[len(self.state) + 5 :]],
            os.listdir(os.path.dirname(self.path())),
        )
        self.assertTrue(any("self-signed" in line for line in self.logged))
        self.logged.clear()
        again = shown(self.certificates(certificates=""), None)
        self.assertEqual(first.serial_number, again.serial_number)
        self.assertEqual(1, len([x for x in self.logged if "will warn" in x]))

    def test_clients_can_trust_it(self) -> None:
        """A client that is given the file trusts the server, by name and address."""
        certificates = self.certificates(certificates="")
        front = certificates.server_context()
        for name in ("mail.example", "localhost", "127.0.0.1"):
            context = ssl.create_default_context(cafile=self.path())
            client = Engine(context, False, name)
            server = Engine(front, True)
            client.shake()
            for _ in range(3):
                server.feed(client.take())
                client.feed(server.take())
            self.assertTrue(client.is_open, name)

    def test_renewed(self) -> None:
        """It is renewed a month before it expires, and for another host name."""
        first = shown(self.certificates(certificates=""), None).serial_number
        self.now += timedelta(days=330)
        self.assertEqual(
            first, shown(self.certificates(certificates=""), None).serial_number
        )
        certificates = self.certificates(certificates="")
        certificates.server_context()
        self.now += timedelta(days=10)
        certificates.reload()
        second = shown(certificates, None).serial_number
        self.assertNotEqual(first, second)
        other = self.certificates("other.example", certificates="")
        self.assertEqual(["other.example", "localhost"], names_shown(other, None))

    def test_broken_file(self) -> None:
        """A broken one is made anew."""
        self.certificates(certificates="").server_context()
        with open(self.path(), "wb") as file:
            file.write(b"rubbish")
        self.assertEqual(
            ["mail.example", "localhost"],
            names_shown(self.certificates(certificates=""), None),
        )

    def test_state_cannot_be_written(self) -> None:
        """Where it cannot be stored the start stops with one line."""
        self.state = os.path.join(self.put("file", b""), "state")
        certificates = self.certificates(certificates="")
        error = self.assertRaises(StartupError, certificates.server_context)
        self.assertIn("no certificate can be made", str(error))

    def test_empty_directory(self) -> None:
        """An empty directory falls back to a self-signed one until there is a real
        one."""
        certificates = self.certificates()
        self.assertIn("localhost", names_shown(certificates, None))
        chain, key = AUTHORITY.issue("real.example")
        self.put("a.pem", chain, key)
        certificates.reload()
        self.assertEqual(["real.example"], names_shown(certificates, None))
