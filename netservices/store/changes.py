"""The change feed: what was committed, here or by another process.

Notices are rows written by the commit that they tell of. Each process keeps a cursor,
the last notice that it has handed on; after its own commits, and every poll interval
when the database says that somebody committed, it hands on what lies behind the cursor,
in order. A subscriber hears of each change once while its process lives; what it missed
before, ``since`` tells.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from sqlite3 import Connection
from typing import TypeAlias

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from netservices.interfaces import IChangeFeed, NotFound
from netservices.store.connections import pragma
from netservices.store.readers import Readers
from netservices.values import Notice, Topic

Subscriber: TypeAlias = Callable[[tuple[Notice, ...]], None]

_PAGE = 1000


def write_notices(
    connection: Connection, changed: Sequence[tuple[Topic, str]], now: float
) -> tuple[Notice, ...]:
    """Put the notices of a group of units, each object once."""
    found = []
    for topic, name in dict.fromkeys(changed):
        row = connection.execute(
            "INSERT INTO change(topic, object, at) VALUES(?, ?, ?) RETURNING seq",
            (topic.value, name.encode("utf-8", "surrogateescape"), now),
        ).fetchone()
        found.append(Notice(row[0], topic, name))
    return tuple(found)


def read_notices(connection: Connection, seq: int, limit: int) -> tuple[Notice, ...]:
    """Notices after ``seq``, oldest first."""
    return tuple(
        Notice(number, Topic(topic), name.decode("utf-8", "surrogateescape"))
        for number, topic, name in connection.execute(
            "SELECT seq, topic, object FROM change WHERE seq>? ORDER BY seq LIMIT ?",
            (seq, limit),
        )
    )


def newest(connection: Connection) -> int:
    """The newest sequence number ever used."""
    row = connection.execute("SELECT ifnull(max(seq), 0) FROM change").fetchone()
    return int(row[0])


@implementer(IChangeFeed)
class ChangeFeed:
    """Hints that something changed, in this process or another one."""

    _log = Logger()

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._subscribers: dict[int, Subscriber] = {}
        self._next_key = 0
        self._cursor = 0
        self._data_version = 0
        self._unpublished: deque[tuple[Notice, ...]] = deque()

    def start(self) -> None:
        """What is there already is not news."""
        self._readers.near(self._begin).addErrback(self._could_not_read)

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """Call back in the reactor thread after each commit, at least once a
        change."""
        key = self._next_key
        self._next_key += 1
        self._subscribers[key] = callback

        def unsubscribe() -> None:
            self._subscribers.pop(key, None)

        return unsubscribe

    def since(self, seq: int, limit: int = 1000) -> Deferred[tuple[Notice, ...]]:
        """Notices after ``seq``, oldest first.  NotFound where some of them are no
        longer kept: the caller reads everything anew."""

        def read(connection: Connection) -> tuple[Notice, ...]:
            last = newest(connection)
            found = read_notices(connection, seq, limit)
            if seq < last and (not found or found[0].seq > seq + 1):
                raise NotFound(f"the notices after {seq} are no longer kept")
            return found

        return self._readers.far(read)

    def cursor(self) -> Deferred[int]:
        """The newest sequence number."""
        return self._readers.near(newest)

    def poll(self) -> Deferred[int]:
        """Look now for what other processes committed; how many notices that gave."""
        return self._readers.near(self._look)

    def committed(self, notices: tuple[Notice, ...]) -> None:
        """Hand on the notices of a commit of this process."""
        if not notices or notices[-1].seq <= self._cursor:
            return
        if notices[0].seq == self._cursor + 1:
            self._publish(notices)
        else:
            # Others committed in between; their notices come first.
            self._readers.near(self._catch_up).addErrback(self._could_not_read)

    def _begin(self, connection: Connection) -> None:
        self._data_version = pragma(connection, "data_version")
        self._cursor = newest(connection)

    def _look(self, connection: Connection) -> int:
        version = pragma(connection, "data_version")
        if version == self._data_version:
            return 0
        count = self._catch_up(connection)
        # Not before: what could not be read is looked for again.
        self._data_version = version
        return count

    def _catch_up(self, connection: Connection) -> int:
        count = 0
        while notices := read_notices(connection, self._cursor, _PAGE):
            self._publish(notices)
            count += len(notices)
        return count

    def _could_not_read(self, failure: object) -> None:
        self._log.error("notices of changes wait: {failure}", failure=failure)

    def _publish(self, notices: tuple[Notice, ...]) -> None:
        self._cursor = notices[-1].seq
        self._unpublished.append(notices)
        if len(self._unpublished) > 1:
            # A subscriber has written something; the others hear of it afterwards.
            return
        while self._unpublished:
            for callback in tuple(self._subscribers.values()):
                try:
                    callback(self._unpublished[0])
                except Exception:
                    self._log.failure("a subscriber to changes failed")
            self._unpublished.popleft()
