"""What every ``IStore`` promises of units, change notices and leases."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from netservices.interfaces import (
    Conflict,
    IAccountRecords,
    IBlobs,
    IBlobSink,
    IChangeFeed,
    IFileRecords,
    IKeyValue,
    ILeases,
    ILockRecords,
    IPropertyRecords,
    IStore,
    IStoreAdmin,
    IZones,
    LeaseLost,
    NotFound,
    StoreUnavailable,
)
from netservices.units import (
    AddToValue,
    AssertValue,
    CreateAccount,
    CreateDomain,
    DeleteDomain,
    DeleteValue,
    Operation,
    PutValue,
    RenewLease,
    Unit,
)
from netservices.values import Notice, Topic


class UnitContract:
    """Mix into a test case that has ``make_store()`` and ``self.time``."""

    make_store: Any
    time: Any
    assertEqual: Any
    assertIs: Any
    assertIsNone: Any
    assertTrue: Any
    assertFalse: Any
    assertIn: Any

    async def refused(self, error: type[Exception], deferred: Deferred[Any]) -> None:
        """The Deferred fails with exactly that error."""
        try:
            result = await deferred
        except Exception as problem:
            self.assertIs(type(problem), error, repr(problem))
        else:
            raise AssertionError(f"{result!r} in place of {error.__name__}")

    async def test_interfaces(self) -> None:
        """Each part provides its interface, with every method and signature."""
        store = await self.make_store()
        verifyObject(IStore, store)
        verifyObject(IAccountRecords, store.records)
        verifyObject(IBlobs, store.blobs)
        verifyObject(IBlobSink, store.blobs.create())
        verifyObject(IFileRecords, store.file_records)
        verifyObject(ILockRecords, store.file_locks)
        verifyObject(IPropertyRecords, store.file_properties)
        verifyObject(IZones, store.zones)
        verifyObject(IKeyValue, store.values)
        verifyObject(IChangeFeed, store.changes)
        verifyObject(ILeases, store.leases)
        verifyObject(IStoreAdmin, store.admin)
        self.assertEqual("ready", store.state)

    async def test_results_in_order(self) -> None:
        """A unit answers with one result an operation, in their order."""
        store = await self.make_store()
        results = await store.apply(
            Unit(
                (
                    PutValue("n", b"k", b"v"),
                    AddToValue("n", b"c", 5),
                    DeleteValue("n", b"absent"),
                    AssertValue("n", b"k", b"v"),
                )
            )
        )
        self.assertEqual((True, 5, False, None), results)

    async def test_all_or_nothing(self) -> None:
        """When the last operation of a unit fails, none of them has happened, and no
        notice tells of them."""
        store = await self.make_store()
        heard: list[Notice] = []
        store.changes.subscribe(heard.extend)
        unit = Unit(
            (
                CreateDomain("example.com"),
                PutValue("n", b"k", b"v"),
                AssertValue("n", b"k", b"something else"),
            )
        )
        await self.refused(Conflict, store.apply(unit))
        self.assertEqual((), await store.records.domains())
        self.assertIsNone(await store.values.get("n", b"k"))
        self.assertEqual([], heard)

    async def test_stranger_unharmed(self) -> None:
        """A failing unit does not harm those that are committed together with it."""
        store = await self.make_store()
        first = store.apply(Unit((PutValue("n", b"1", b"a"),)))
        failing = store.apply(
            Unit((PutValue("n", b"2", b"b"), DeleteDomain("nowhere.example")))
        )
        last = store.apply(Unit((PutValue("n", b"3", b"c"),)))
        await first
        await self.refused(NotFound, failing)
        await last
        self.assertEqual(((b"1", b"a"), (b"3", b"c")), await store.values.scan("n"))

    async def test_order(self) -> None:
        """Units take effect in the order in which they were applied."""
        store = await self.make_store()
        waiting = [store.apply(Unit((AddToValue("n", b"c", 1),))) for _ in range(200)]
        self.assertEqual(
            [(number,) for number in range(1, 201)], [await each for each in waiting]
        )

    async def test_token(self) -> None:
        """A unit whose token was applied is not applied again, and answers with the
        first time's results."""
        store = await self.make_store()
        unit = Unit((AddToValue("n", b"c", 1), CreateDomain("a.example")), b"t" * 16)
        first = await store.apply(unit)
        self.assertEqual(first, await store.apply(unit))
        self.assertEqual(b"1", await store.values.get("n", b"c"))

    async def test_token_of_failure(self) -> None:
        """A unit that failed has not used its token up."""
        store = await self.make_store()
        unit = Unit((CreateAccount("joe", "example.com"),), b"t" * 16)
        await self.refused(NotFound, store.apply(unit))
        await store.apply(Unit((CreateDomain("example.com"),)))
        await store.apply(unit)
        self.assertEqual(1, len(await store.records.accounts()))

    async def test_unknown_operation(self) -> None:
        """An operation that the store has no handler for is refused, with its unit."""

        class Unheard(Operation):
            """Nobody handles it."""

        store = await self.make_store()
        await self.refused(
            StoreUnavailable,
            store.apply(Unit((PutValue("n", b"k", b"v"), Unheard()))),
        )
        self.assertIsNone(await store.values.get("n", b"k"))
        self.flushLoggedErrors()  # type: ignore[attr-defined]

    async def test_bad_value(self) -> None:
        """What the engine cannot hold is refused with the store's own error."""
        store = await self.make_store()
        await self.refused(
            StoreUnavailable, store.apply(Unit((PutValue("n", b"k", b"v", 10**400),)))
        )
        await self.refused(
            StoreUnavailable, store.apply(Unit((CreateDomain("\ud800"),)))
        )
        self.assertEqual("ready", store.state)
        self.flushLoggedErrors()  # type: ignore[attr-defined]

    async def test_bad_key(self) -> None:
        """Asking for what the engine could never hold fails with the store's own
        error, and in a Deferred."""
        store = await self.make_store()
        for asked in (
            store.records.account_by_id(10**30),
            store.records.account("joe", "\ud800"),
            store.records.accounts("\ud800"),
            store.file_records.usage("\udcff"),
        ):
            await self.refused(StoreUnavailable, asked)

    async def test_closed(self) -> None:
        """A closed store refuses reads and writes; closing it twice is fine."""
        store = await self.make_store()
        await store.close()
        await store.close()
        self.assertEqual("closed", store.state)
        await self.refused(StoreUnavailable, store.values.get("n", b"k"))
        await self.refused(StoreUnavailable, store.zones.zones())
        await self.refused(StoreUnavailable, store.values.put("n", b"k", b"v"))

    async def test_statistics(self) -> None:
        """Statistics count what there is."""
        store = await self.make_store()
        await store.apply(Unit((CreateDomain("a.example"), CreateDomain("b.example"))))
        self.assertEqual(2, (await store.admin.statistics())["domain"])

    async def test_check_is_clean(self) -> None:
        """A store in use has no findings, at any level."""
        store = await self.make_store()
        await store.values.put("n", b"k", b"v")
        for level in ("quick", "full", "deep"):
            self.assertEqual((), (await store.admin.check(level)).findings)


class ChangeContract(UnitContract):
    """What every ``IChangeFeed`` promises."""

    async def test_notice(self) -> None:
        """A subscriber hears of a change by the time its unit is acknowledged."""
        store = await self.make_store()
        heard: list[Notice] = []
        store.changes.subscribe(heard.extend)
        await store.apply(Unit((CreateDomain("Example.COM"),)))
        self.assertEqual([Notice(1, Topic.DOMAIN, "example.com")], heard)
        self.assertEqual(tuple(heard), await store.changes.since(0))
        self.assertEqual(1, await store.changes.cursor())

    async def test_order_of_notices(self) -> None:
        """Notices come in the order of their numbers, each once."""
        store = await self.make_store()
        heard: list[Notice] = []
        store.changes.subscribe(heard.extend)
        waiting = [store.values.put(f"n{i}", b"k", b"v") for i in range(300)]
        for each in waiting:
            await each
        self.assertEqual(list(range(1, 301)), [notice.seq for notice in heard])
        self.assertEqual(0, await store.changes.poll())
        self.assertEqual(300, len(heard))

    async def test_unsubscribe(self) -> None:
        """Whoever has unsubscribed hears no more."""
        store = await self.make_store()
        heard: list[Notice] = []
        store.changes.subscribe(heard.extend)()
        await store.values.put("n", b"k", b"v")
        self.assertEqual([], heard)

    async def test_bad_subscriber(self) -> None:
        """A callback that raises is logged, stays, and keeps nothing from others."""
        store = await self.make_store()
        heard: list[Notice] = []
        calls: list[int] = []

        def bad(notices: tuple[Notice, ...]) -> None:
            calls.append(len(notices))
            raise ValueError("as the test wants")

        store.changes.subscribe(bad)
        store.changes.subscribe(heard.extend)
        await store.values.put("n", b"k", b"v")
        await store.values.put("n", b"k", b"w")
        self.assertEqual(2, len(heard))
        self.assertEqual([1, 1], calls)
        logged = self.flushLoggedErrors(ValueError)  # type: ignore[attr-defined]
        self.assertEqual(2, len(logged))

    async def test_writing_subscriber(self) -> None:
        """A subscriber that writes is heard of afterwards, in order, by all."""
        store = await self.make_store()
        heard: list[int] = []
        written: list[Deferred[None]] = []

        def answer(notices: tuple[Notice, ...]) -> None:
            if not written:
                written.append(store.values.put("answer", b"k", b"v"))

        store.changes.subscribe(answer)
        store.changes.subscribe(lambda notices: heard.extend(n.seq for n in notices))
        await store.values.put("n", b"k", b"v")
        await written[0]
        self.assertEqual([1, 2], heard)

    async def test_notices_expire(self) -> None:
        """Notices past their time go, and a reader whose place is gone is told; numbers
        are not given again."""
        store = await self.make_store()
        await store.values.put("n", b"k", b"v")
        await store.values.put("n", b"k", b"w")
        self.time.now += 2 * 86400
        await store.keep_house()
        await store.values.put("m", b"k", b"v")
        await self.refused(NotFound, store.changes.since(0))
        self.assertEqual(
            (Notice(3, Topic.KEY_VALUE, "m"),), await store.changes.since(2)
        )


class LeaseContract(UnitContract):
    """What every ``ILeases`` promises."""

    async def test_one_holder(self) -> None:
        """While one holds a lease, another gets none; after its time, he does, with a
        higher fence."""
        store = await self.make_store()
        first = await store.leases.acquire("runner", "a", 60)
        self.assertIsNone(await store.leases.acquire("runner", "b", 60))
        self.time.now += 60
        second = await store.leases.acquire("runner", "b", 60)
        self.assertTrue(second.fence > first.fence)
        await self.refused(LeaseLost, store.leases.renew(first, 60))

    async def test_renew(self) -> None:
        """A renewed lease lasts from now on."""
        store = await self.make_store()
        lease = await store.leases.acquire("runner", "a", 60)
        self.time.now += 50
        renewed = await store.leases.renew(lease, 60)
        self.assertEqual(self.time.now + 60, renewed.until)
        self.assertEqual(lease.fence, renewed.fence)
        self.time.now += 50
        self.assertIsNone(await store.leases.acquire("runner", "b", 60))

    async def test_release(self) -> None:
        """A released lease is anybody's, and its last holder cannot renew it."""
        store = await self.make_store()
        lease = await store.leases.acquire("runner", "a", 60)
        await store.leases.release(lease)
        await self.refused(LeaseLost, store.leases.renew(lease, 60))
        self.assertEqual(2, (await store.leases.acquire("runner", "b", 60)).fence)

    async def test_stale_release(self) -> None:
        """A stale holder's release does not take the lease from the present one."""
        store = await self.make_store()
        stale = await store.leases.acquire("runner", "a", 60)
        self.time.now += 61
        await store.leases.acquire("runner", "b", 60)
        await store.leases.release(stale)
        self.assertIsNone(await store.leases.acquire("runner", "c", 60))

    async def test_fenced_unit(self) -> None:
        """A unit that renews a lost lease does nothing else either."""
        store = await self.make_store()
        stale = await store.leases.acquire("runner", "a", 60)
        self.time.now += 61
        await store.leases.acquire("runner", "b", 60)
        unit = Unit((PutValue("n", b"k", b"v"), RenewLease("runner", stale.fence, 60)))
        await self.refused(LeaseLost, store.apply(unit))
        self.assertIsNone(await store.values.get("n", b"k"))

    async def test_lease_token(self) -> None:
        """The result of a retried acquisition is the lease of the first."""
        from netservices.units import AcquireLease

        store = await self.make_store()
        unit = Unit((AcquireLease("runner", "a", 60),), b"l" * 16)
        self.assertEqual(await store.apply(unit), await store.apply(unit))
