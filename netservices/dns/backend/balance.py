"""Rules for load distribution that the store keeps, by the folded name they are for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netservices.dns.backend.shelf import Kind
from netservices.dns.zone.balance import BalanceRule


def _to_json(rule: BalanceRule) -> Mapping[str, Any]:
    return {"rule": str(rule)}


def _from_json(fields: Mapping[str, Any]) -> BalanceRule:
    return BalanceRule.parse(fields["rule"])


BALANCE: Kind[BalanceRule] = Kind(b"balance/", _to_json, _from_json)
