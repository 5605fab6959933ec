"""Nothing secret prints: not in logs, tracebacks, or the output of a failed test."""

from __future__ import annotations

import re
from typing import Any

import attrs
from twisted.trial.unittest import SynchronousTestCase

from netservices.accounts.passwords import random_password
from netservices.accounts.sasl_client import ScramClient
from netservices.units import AssertValue, CreateAccount, PutCredential, PutValue
from netservices.values import Credential, CredentialKind
from tests.test_interfaces import classes

TELLING = re.compile(
    r"passw|secret|_key$|^key$|token|proof|seed|binding|^value$|^if_value$|private"
)
HARMLESS = {
    # names and versions of things that are no secret
    "AddToValue.key",
    "AssertValue.key",
    "Asker.key",
    "DNSSettings.cookie_secret_lifetime",
    "DeleteValue.key",
    "Digest.value",
    "MendSerial.key",
    "Peer.key",
    "Placed.key",
    "PutFileDigest.stat_key",
    "PutFileRecord.stat_key",
    "PutValue.key",
    "RekeyFileRecord.new_key",
    "RekeyFileRecord.old_key",
    "Setting.key",
    "Target.key",
    # TSIG keys, whose secrets do not print
    "Believed.key",
    "Client.key",
    "WantedLogin.key",
    # where a secret is, how long it lives, whether there is one, or what a person set
    "AccountsSettings.shortest_password",
    "Pair.key",
    "Setting.secret",
    "StoreSettings.token_retention",
    "Written.value",
    # counts for the account that holds the lock only
    "Condition.token",
    "FileLock.token",
    "Holder.tokens",
    "RemoveLock.token",
    "RenewLock.token",
    # makes a retry safe; worthless to anybody else
    "Unit.token",
}


class SecretsTests(SynchronousTestCase):
    """``repr`` of every class."""

    def test_fields(self) -> None:
        """A field whose name tells of a secret does not print, or is known to be
        harmless."""
        printed = {
            f"{one.__name__}.{field.name}"
            for one in classes()
            if attrs.has(one)
            for field in attrs.fields(one)
            if field.repr and TELLING.search(field.name)
        }
        self.assertEqual(set(), printed - HARMLESS)
        self.assertEqual(set(), HARMLESS - printed)

    def test_values(self) -> None:
        """What passwords become on their way to the store does not print."""
        secret = random_password()
        octets = secret.encode()
        kind = CredentialKind.PASSWORD
        shown: list[Any] = [
            PutCredential(1, kind, octets),
            CreateAccount("joe", "example.org", secrets=((kind, octets),)),
            Credential(1, 1, kind, octets),
            PutValue("n", b"k", octets, if_value=octets),
            AssertValue("n", b"k", octets),
            ScramClient("joe", secret, ("tls-exporter", octets)),
        ]
        for one in shown:
            self.assertNotIn(secret, repr(one))
