"""What has expired goes: tokens, notices, values, spool files, condemned content."""

from __future__ import annotations

from attrs import frozen

from netservices.store.blobs import BACKUP_LEASE, BACKUP_LEASES_END
from netservices.store.operations import Handlers, Transaction
from netservices.units import Operation

_AT_ONCE = 1000


@frozen(repr=False, eq=False)
class RemoveExpired(Operation):
    """Result: how many rows went.  A bounded number of rows past their time."""


def remove_expired(transaction: Transaction, operation: RemoveExpired) -> int:
    """Rows past their time, at most a thousand of each kind."""
    now, settings = transaction.now, transaction.settings
    count = 0
    for statement, before in (
        (
            "DELETE FROM applied WHERE token IN "
            "(SELECT token FROM applied WHERE at<? LIMIT ?)",
            now - settings.token_retention,
        ),
        (
            # The newest stays, so that its number is not given again.
            "DELETE FROM change WHERE at<? AND seq<(SELECT max(seq) FROM change) "
            "AND seq<(SELECT min(seq) FROM change)+?",
            now - settings.notice_retention,
        ),
        (
            "DELETE FROM kv WHERE (namespace, key) IN "
            "(SELECT namespace, key FROM kv WHERE expires<=? LIMIT ?)",
            now,
        ),
        (
            "DELETE FROM file_lock WHERE token IN "
            "(SELECT token FROM file_lock WHERE expires<=? LIMIT ?)",
            now,
        ),
        (
            # Names that are never used again need no fence.
            f"DELETE FROM lease WHERE name>'{BACKUP_LEASE}' "
            f"AND name<'{BACKUP_LEASES_END}' AND until<=? AND ?>0",
            now,
        ),
    ):
        count += transaction.connection.execute(statement, (before, _AT_ONCE)).rowcount
    return count


HANDLERS: Handlers = {RemoveExpired: remove_expired}
