"""A store as plain dicts: slow, obvious, and the measure of the real ones."""

from __future__ import annotations

import copy
from typing import Any

from netservices.core.deferreds import value_of
from netservices.interfaces import (
    Conflict,
    Exists,
    IStore,
    NotFound,
    QuotaExceeded,
)
from netservices.units import Operation, Unit
from netservices.values import RRset


class State:
    """All that a store holds."""

    def __init__(self) -> None:
        self.accounts: dict[int, dict[str, Any]] = {}
        self.last_account = 0
        self.last_domain = 0
        self.domain_ids: dict[str, int] = {}
        self.aliases: dict[str, tuple[str, ...]] = {}
        self.values: dict[tuple[str, bytes], tuple[bytes, float | None]] = {}
        self.files: dict[tuple[str, ...], bytes] = {}
        self.usage = (0, 0)
        self.zones: dict[bytes, dict[str, Any]] = {}
        self.past_zones: dict[bytes, int] = {}
        self.applied: dict[bytes, tuple[Any, ...]] = {}


class Model:
    """Units applied to a ``State``."""

    def __init__(self) -> None:
        self.state = State()

    def apply(self, unit: Unit, now: float) -> tuple[Any, ...]:
        """The results of the unit, or the error of its first failing operation."""
        if unit.token is not None and unit.token in self.state.applied:
            return self.state.applied[unit.token]
        before = copy.deepcopy(self.state)
        try:
            results = tuple(self.do(each, now) for each in unit.operations)
        except BaseException:
            self.state = before
            raise
        if unit.token is not None:
            self.state.applied[unit.token] = results
        return results

    def do(self, operation: Operation, now: float) -> Any:
        """One operation, by the name of its class."""
        return getattr(self, "do_" + type(operation).__name__)(operation, now)

    # --- domains, accounts, aliases -------------------------------------------------

    def do_CreateDomain(self, operation: Any, now: float) -> int:
        name = operation.name.lower()
        if name in self.state.domain_ids:
            raise Exists
        self.state.last_domain += 1
        self.state.domain_ids[name] = self.state.last_domain
        return self.state.last_domain

    def do_DeleteDomain(self, operation: Any, now: float) -> None:
        name = operation.name.lower()
        if name not in self.state.domain_ids:
            raise NotFound
        if any(a["domain"] == name for a in self.state.accounts.values()):
            raise Conflict
        del self.state.domain_ids[name]

    def do_CreateAccount(self, operation: Any, now: float) -> int:
        name, domain = operation.name.lower(), operation.domain.lower()
        if domain not in self.state.domain_ids:
            raise NotFound
        for each in self.state.accounts.values():
            if (each["name"], each["domain"]) == (name, domain):
                raise Exists
        self.state.last_account += 1
        self.state.accounts[self.state.last_account] = {
            "name": name,
            "domain": domain,
            "is_admin": operation.is_admin,
            "is_enabled": True,
            "quota_octets": operation.quota_octets,
            "groups": tuple(sorted(set(operation.groups))),
            "revision": 1,
        }
        return self.state.last_account

    def do_UpdateAccount(self, operation: Any, now: float) -> int:
        account = self.state.accounts.get(operation.id)
        if account is None:
            raise NotFound
        if operation.if_revision not in (None, account["revision"]):
            raise Conflict
        for name in ("is_admin", "is_enabled", "quota_octets"):
            value = getattr(operation, name)
            if value is not None:
                account[name] = value
        if account["quota_octets"] == -1:
            account["quota_octets"] = None
        if operation.groups is not None:
            account["groups"] = tuple(sorted(set(operation.groups)))
        account["revision"] += 1
        return int(account["revision"])

    def do_DeleteAccount(self, operation: Any, now: float) -> None:
        if self.state.accounts.pop(operation.id, None) is None:
            raise NotFound

    def do_PutAlias(self, operation: Any, now: float) -> None:
        self.state.aliases[operation.address.lower()] = operation.targets

    def do_RemoveAlias(self, operation: Any, now: float) -> None:
        if self.state.aliases.pop(operation.address.lower(), None) is None:
            raise NotFound

    # --- values ---------------------------------------------------------------------

    def value(self, operation: Any, now: float) -> bytes | None:
        """The value under the operation's key, unless it has expired."""
        value, expires = self.state.values.get(
            (operation.namespace, operation.key), (None, None)
        )
        return None if expires is not None and expires <= now else value

    def do_PutValue(self, operation: Any, now: float) -> bool:
        held = self.value(operation, now)
        if operation.if_absent and held is not None:
            return False
        if operation.if_value is not None and held != operation.if_value:
            return False
        key = (operation.namespace, operation.key)
        self.state.values[key] = (operation.value, operation.expires)
        return True

    def do_DeleteValue(self, operation: Any, now: float) -> bool:
        held = self.value(operation, now)
        self.state.values.pop((operation.namespace, operation.key), None)
        return held is not None

    def do_AddToValue(self, operation: Any, now: float) -> int:
        key = (operation.namespace, operation.key)
        held, expires = self.value(operation, now), operation.expires
        if held is not None:
            expires = self.state.values[key][1]
        try:
            number = int(held if held is not None else b"0") + operation.amount
        except ValueError:
            raise Conflict from None
        self.state.values[key] = (str(number).encode("ascii"), expires)
        return int(number)

    def do_AssertValue(self, operation: Any, now: float) -> None:
        if self.value(operation, now) != operation.value:
            raise Conflict

    # --- files ----------------------------------------------------------------------

    def do_PutFileRecord(self, operation: Any, now: float) -> None:
        self.state.files[operation.path] = operation.sha256

    def do_PutFileDigest(self, operation: Any, now: float) -> None:
        """Not looked at."""

    def do_RekeyFileRecord(self, operation: Any, now: float) -> None:
        """The tests know one key only."""

    def at_or_below(self, path: tuple[str, ...]) -> list[tuple[str, ...]]:
        """The paths at and below one."""
        return [each for each in self.state.files if each[: len(path)] == path]

    def do_RemoveFileRecords(self, operation: Any, now: float) -> int:
        doomed = self.at_or_below(operation.path)
        for path in doomed:
            del self.state.files[path]
        return len(doomed)

    def do_RenameFileRecords(self, operation: Any, now: float) -> int:
        if operation.source == operation.target:
            return 0
        moved = {
            operation.target + path[len(operation.source) :]: self.state.files.pop(path)
            for path in self.at_or_below(operation.source)
        }
        for path in self.at_or_below(operation.target):
            del self.state.files[path]
        self.state.files.update(moved)
        return len(moved)

    def do_AddUsage(self, operation: Any, now: float) -> tuple[int, int]:
        octets = max(0, self.state.usage[0] + operation.octets)
        files = max(0, self.state.usage[1] + operation.files)
        quota = operation.quota_octets
        if operation.octets > 0 and quota is not None and octets > quota:
            raise QuotaExceeded
        self.state.usage = (octets, files)
        return self.state.usage

    # --- zones ----------------------------------------------------------------------

    def do_CreateZone(self, operation: Any, now: float) -> int:
        key = operation.name.lower()
        if key in self.state.zones:
            raise Exists
        revision = self.state.past_zones.get(key, 0) + 1
        self.state.zones[key] = {
            "name": operation.name,
            "revision": revision,
            "rrsets": _by_key(operation.rrsets),
        }
        return revision

    def zone(self, operation: Any) -> dict[str, Any]:
        """The zone of an operation, at its revision."""
        zone = self.state.zones.get(operation.name.lower())
        if zone is None:
            raise NotFound
        if operation.if_revision not in (None, zone["revision"]):
            raise Conflict
        return zone

    def do_ReplaceZone(self, operation: Any, now: float) -> int:
        zone = self.zone(operation)
        zone["rrsets"] = _by_key(operation.rrsets)
        zone["revision"] += 1
        return int(zone["revision"])

    def do_UpdateZone(self, operation: Any, now: float) -> int:
        zone = self.zone(operation)
        for owner, type_ in operation.removed:
            zone["rrsets"].pop((owner.lower(), type_), None)
        zone["rrsets"].update(_by_key(operation.added))
        zone["revision"] += 1
        return int(zone["revision"])

    def do_DeleteZone(self, operation: Any, now: float) -> None:
        key = operation.name.lower()
        if key not in self.state.zones:
            raise NotFound
        self.state.past_zones[key] = self.state.zones.pop(key)["revision"]

    # --- comparing ------------------------------------------------------------------

    def compare(self, store: IStore, now: float) -> None:
        """What the store tells is what is here."""
        state = self.state
        domains = {d.name: d.id for d in value_of(store.records.domains())}
        assert domains == state.domain_ids
        accounts = {
            account.id: {
                name: getattr(account, name)
                for name in (
                    "name",
                    "domain",
                    "is_admin",
                    "is_enabled",
                    "quota_octets",
                    "groups",
                    "revision",
                )
            }
            for account in value_of(store.records.accounts())
        }
        assert accounts == state.accounts
        aliases = {a.address: a.targets for a in value_of(store.records.aliases())}
        assert aliases == state.aliases
        for namespace in ("a", "B", "c"):
            expected = sorted(
                (key, value)
                for (held, key), (value, expires) in state.values.items()
                if held == namespace and (expires is None or expires > now)
            )
            assert list(value_of(store.values.scan(namespace))) == expected
        for path, sha256 in state.files.items():
            digests = value_of(store.file_records.digests("home", path, "key"))
            assert digests is not None and digests.sha256 == sha256
        statistics = value_of(store.admin.statistics())
        assert statistics["file_record"] == len(state.files)
        assert value_of(store.file_records.usage("home")) == state.usage
        self.compare_zones(store)

    def compare_zones(self, store: IStore) -> None:
        """Zones, and what undoing the journal makes of them."""
        infos = value_of(store.zones.zones())
        assert [info.name for info in infos] == [
            zone["name"] for _, zone in sorted(self.state.zones.items())
        ]
        for info in infos:
            zone = self.state.zones[info.name.lower()]
            loaded = value_of(store.zones.load(info.name))
            assert loaded is not None and loaded.info.revision == zone["revision"]
            rrsets = _by_key(loaded.rrsets)
            assert rrsets == zone["rrsets"]
            changes = value_of(store.zones.differences(info.name, info.revision - 1))
            for _, _, removed, added in changes or ():
                old, new = _by_key(removed), _by_key(added)
                assert all(rrsets[key] == rrset for key, rrset in new.items())
                assert all(old.get(key) != rrset for key, rrset in new.items())
                assert not (old.keys() - new.keys()) & rrsets.keys()


def _by_key(rrsets: tuple[RRset, ...]) -> dict[tuple[bytes, int], RRset]:
    return {(rrset.owner.lower(), rrset.type): rrset for rrset in rrsets}
