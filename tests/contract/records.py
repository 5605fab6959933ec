"""What every ``IAccountRecords`` and ``IKeyValue`` promises."""

from __future__ import annotations

from netservices.interfaces import Conflict, Exists, NotFound
from netservices.units import (
    AddToValue,
    AssertValue,
    CreateAccount,
    CreateDomain,
    DeleteAccount,
    DeleteDomain,
    DeleteValue,
    PutAlias,
    PutCredential,
    PutValue,
    RemoveAlias,
    RemoveCredential,
    Unit,
    UpdateAccount,
)
from netservices.values import Alias, CredentialKind
from tests.contract.store import UnitContract


class AccountRecordsContract(UnitContract):
    """Domains, accounts, credentials and aliases."""

    async def test_domains(self) -> None:
        """Domains come oldest first, in lower case, and exist once."""
        store = await self.make_store()
        await store.apply(Unit((CreateDomain("Z.example"), CreateDomain("a.example"))))
        names = [domain.name for domain in await store.records.domains()]
        self.assertEqual(["z.example", "a.example"], names)
        await self.refused(Exists, store.apply(Unit((CreateDomain("A.EXAMPLE"),))))

    async def test_delete_domain(self) -> None:
        """A domain goes when no account lives in it."""
        store = await self.make_store()
        await store.apply(
            Unit((CreateDomain("a.example"), CreateAccount("joe", "a.example")))
        )
        gone = Unit((DeleteDomain("A.example"),))
        await self.refused(Conflict, store.apply(gone))
        account = await store.records.account("joe", "a.example")
        await store.apply(Unit((DeleteAccount(account.id),)))
        await store.apply(gone)
        self.assertEqual((), await store.records.domains())
        await self.refused(NotFound, store.apply(gone))

    async def test_account(self) -> None:
        """An account is found by name in any letter case, and by id."""
        store = await self.make_store()
        results = await store.apply(
            Unit(
                (
                    CreateDomain("a.example"),
                    CreateAccount("Joe", "A.example", True, 100, ("staff", "admins")),
                )
            )
        )
        account = await store.records.account("JOE", "a.EXAMPLE")
        self.assertEqual(results[1], account.id)
        self.assertEqual("joe@a.example", account.login)
        self.assertEqual(
            (True, True, 100, ("admins", "staff"), 1),
            (
                account.is_admin,
                account.is_enabled,
                account.quota_octets,
                account.groups,
                account.revision,
            ),
        )
        self.assertEqual(account, await store.records.account_by_id(account.id))
        self.assertIsNone(await store.records.account("jane", "a.example"))
        self.assertIsNone(await store.records.account_by_id(account.id + 1))

    async def test_account_exists(self) -> None:
        """A login exists once; an account needs its domain."""
        store = await self.make_store()
        create = Unit((CreateAccount("joe", "a.example"),))
        await self.refused(NotFound, store.apply(create))
        await store.apply(Unit((CreateDomain("a.example"),)))
        await store.apply(create)
        await self.refused(Exists, store.apply(create))

    async def test_ids_are_not_reused(self) -> None:
        """The id of a deleted account is never given to another."""
        store = await self.make_store()
        await store.apply(Unit((CreateDomain("a.example"),)))
        (first,) = await store.apply(Unit((CreateAccount("a", "a.example"),)))
        await store.apply(Unit((DeleteAccount(first),)))
        (second,) = await store.apply(Unit((CreateAccount("b", "a.example"),)))
        self.assertTrue(second > first)

    async def test_update_account(self) -> None:
        """Fields left at None stay; the revision grows; a quota of -1 means none."""
        store = await self.make_store()
        _, number = await store.apply(
            Unit(
                (
                    CreateDomain("a.example"),
                    CreateAccount("joe", "a.example", True, 100, ("staff",)),
                )
            )
        )
        change = UpdateAccount(number, is_enabled=False, quota_octets=-1)
        self.assertEqual((2,), await store.apply(Unit((change,))))
        account = await store.records.account_by_id(number)
        self.assertEqual(
            (True, False, None, ("staff",), 2),
            (
                account.is_admin,
                account.is_enabled,
                account.quota_octets,
                account.groups,
                account.revision,
            ),
        )
        await store.apply(Unit((UpdateAccount(number, groups=()),)))
        self.assertEqual((), (await store.records.account_by_id(number)).groups)

    async def test_update_if_revision(self) -> None:
        """An update for a revision that has passed is refused."""
        store = await self.make_store()
        _, number = await store.apply(
            Unit((CreateDomain("a.example"), CreateAccount("joe", "a.example")))
        )
        change = Unit((UpdateAccount(number, is_admin=True, if_revision=1),))
        await store.apply(change)
        await self.refused(Conflict, store.apply(change))
        await self.refused(NotFound, store.apply(Unit((UpdateAccount(number + 1),))))

    async def test_account_pages(self) -> None:
        """Accounts come in pages ordered by login."""
        store = await self.make_store()
        await store.apply(
            Unit(
                (
                    CreateDomain("a.example"),
                    *(CreateAccount(f"u{i:02}", "a.example") for i in range(25)),
                )
            )
        )
        found: list[str] = []
        after = ""
        while page := await store.records.accounts(after, 10):
            found += [account.name for account in page]
            after = page[-1].login
        self.assertEqual([f"u{i:02}" for i in range(25)], found)

    async def test_credentials(self) -> None:
        """A password replaces the one before it; app passwords add up by label."""
        store = await self.make_store()
        password, app = CredentialKind.PASSWORD, CredentialKind.APP_PASSWORD
        _, number = await store.apply(
            Unit(
                (
                    CreateDomain("a.example"),
                    CreateAccount("joe", "a.example", secrets=((password, b"old"),)),
                )
            )
        )
        await store.apply(
            Unit(
                (
                    PutCredential(number, password, b"new"),
                    PutCredential(number, app, b"1", "phone", ("imap", "smtp"), 9.5),
                    PutCredential(number, app, b"2", "tablet"),
                    PutCredential(number, app, b"3", "phone", ("imap",)),
                )
            )
        )
        self.assertEqual(
            [
                (password, b"new", "", (), None),
                (app, b"2", "tablet", (), None),
                (app, b"3", "phone", ("imap",), None),
            ],
            [
                (each.kind, each.secret, each.label, each.protocols, each.expires)
                for each in await store.records.credentials(number)
            ],
        )

    async def test_remove_credential(self) -> None:
        """A credential goes once; all go with their account."""
        store = await self.make_store()
        _, number = await store.apply(
            Unit((CreateDomain("a.example"), CreateAccount("joe", "a.example")))
        )
        put = PutCredential(number, CredentialKind.PASSWORD, b"hash")
        (first,) = await store.apply(Unit((put,)))
        remove = Unit((RemoveCredential(number, first),))
        await store.apply(remove)
        await self.refused(NotFound, store.apply(remove))
        await store.apply(Unit((put,)))
        await store.apply(Unit((DeleteAccount(number),)))
        self.assertEqual((), await store.records.credentials(number))
        await self.refused(NotFound, store.apply(Unit((put,))))

    async def test_aliases(self) -> None:
        """An alias is found by its address in any letter case; pages are ordered."""
        store = await self.make_store()
        await store.apply(
            Unit(
                (
                    PutAlias("Sales@a.example", ("old@a.example",)),
                    PutAlias("sales@a.example", ("joe@a.example", "x@b.example")),
                    PutAlias("info@a.example", ("joe@a.example",)),
                )
            )
        )
        sales = Alias("sales@a.example", ("joe@a.example", "x@b.example"))
        self.assertEqual(sales, await store.records.alias("SALES@A.example"))
        self.assertIsNone(await store.records.alias("none@a.example"))
        page = await store.records.aliases()
        self.assertEqual(
            ["info@a.example", "sales@a.example"], [a.address for a in page]
        )
        self.assertEqual((sales,), await store.records.aliases("info@a.example"))
        await store.apply(Unit((RemoveAlias("sales@A.example"),)))
        await self.refused(
            NotFound, store.apply(Unit((RemoveAlias("sales@a.example"),)))
        )


class KeyValueContract(UnitContract):
    """Small values by namespace and key."""

    async def test_put_get_delete(self) -> None:
        """A value is what was last put, in its own namespace."""
        store = await self.make_store()
        await store.values.put("n", b"k", b"1")
        await store.values.put("n", b"k", b"2")
        await store.values.put("other", b"k", b"3")
        self.assertEqual(b"2", await store.values.get("n", b"k"))
        self.assertTrue(await store.values.delete("n", b"k"))
        self.assertFalse(await store.values.delete("n", b"k"))
        self.assertIsNone(await store.values.get("n", b"k"))
        self.assertEqual(b"3", await store.values.get("other", b"k"))

    async def test_expiry(self) -> None:
        """A value past its time is absent everywhere."""
        store = await self.make_store()
        await store.values.put("n", b"k", b"v", self.time.now + 10)
        self.assertEqual(b"v", await store.values.get("n", b"k"))
        self.time.now += 10
        self.assertIsNone(await store.values.get("n", b"k"))
        self.assertEqual((), await store.values.scan("n"))
        self.assertFalse(await store.values.delete("n", b"k"))

    async def test_conditions(self) -> None:
        """A conditional put says whether it was put; expired counts as absent."""
        store = await self.make_store()

        async def put(value: bytes, **conditions: object) -> bool:
            unit = Unit((PutValue("n", b"k", value, **conditions),))  # type: ignore[arg-type]
            (was_put,) = await store.apply(unit)
            return bool(was_put)

        self.assertFalse(await put(b"1", if_value=b"0"))
        self.assertTrue(await put(b"1", if_absent=True, expires=self.time.now + 5))
        self.assertFalse(await put(b"2", if_absent=True))
        self.assertTrue(await put(b"2", if_value=b"1", expires=self.time.now + 5))
        self.time.now += 6
        self.assertTrue(await put(b"3", if_absent=True))

    async def test_counter(self) -> None:
        """A counter is decimal text, begins at 0, and keeps its first expiry."""
        store = await self.make_store()
        first = AddToValue("n", b"c", 2, expires=self.time.now + 10)
        self.assertEqual((2,), await store.apply(Unit((first,))))
        later = AddToValue("n", b"c", -5, expires=self.time.now + 99)
        self.assertEqual((-3,), await store.apply(Unit((later,))))
        self.assertEqual(b"-3", await store.values.get("n", b"c"))
        self.time.now += 11
        self.assertEqual((1,), await store.apply(Unit((AddToValue("n", b"c", 1),))))
        await store.values.put("n", b"text", b"abc")
        await self.refused(Conflict, store.apply(Unit((AddToValue("n", b"text", 1),))))

    async def test_assertion(self) -> None:
        """A unit goes on only where a value is as asserted."""
        store = await self.make_store()
        put = PutValue("n", b"k", b"v")
        await store.apply(Unit((AssertValue("n", b"k", None), put)))
        await self.refused(
            Conflict, store.apply(Unit((AssertValue("n", b"k", None), put)))
        )
        await store.apply(Unit((AssertValue("n", b"k", b"v"), DeleteValue("n", b"k"))))
        self.assertIsNone(await store.values.get("n", b"k"))

    async def test_scan(self) -> None:
        """Pages of pairs ordered by key, of those with a prefix, also of 0xFF."""
        store = await self.make_store()
        keys = [
            b"",
            b"a",
            b"a\x00",
            b"ab",
            b"b",
            b"\xfe",
            b"\xff",
            b"\xff\xff",
            b"\xff\xffz",
        ]
        await store.apply(Unit(tuple(PutValue("n", key, key) for key in keys)))
        for prefix in (b"", b"a", b"\xff", b"\xff\xff", b"c"):
            found: list[bytes] = []
            after: bytes | None = None
            while page := await store.values.scan("n", prefix, after, 2):
                found += [key for key, _ in page]
                after = page[-1][0]
            self.assertEqual([k for k in keys if k.startswith(prefix)], found)
        self.assertEqual(
            ((b"b", b"b"),), await store.values.scan("n", b"b", after=b"a")
        )
