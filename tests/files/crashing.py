"""A process that replaces files as fast as it can until it is killed: it prints the
number of each version once its commit is acknowledged."""

from __future__ import annotations

import os
import sys
from itertools import count

from netservices.core.deferreds import value_of
from netservices.files.service import Files
from netservices.files.settings import FilesSettings
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.values import Account, WriteMode

ACCOUNT = Account(1, "alice", "example.org")
SIZES = (8 * 100, 8 * 40_000)


def version(number: int) -> bytes:
    """The content of a version: its number, again and again."""
    return b"%08d" % number * (SIZES[number % 2] // 8)


def open_files(state: str) -> Files:
    """The service on a store on disk, inline."""
    store = SQLiteStore(os.path.join(state, "store"), StoreSettings(), None)
    value_of(store.open())
    files = Files(state, store, FilesSettings(), None)
    value_of(files.start())
    return files


def main(state: str, first: int) -> None:
    """Never ends."""
    tree = open_files(state).home(ACCOUNT)
    for number in count(first):
        upload = value_of(tree.begin_write(("f",)))
        data = version(number)
        for start in range(0, len(data), 100_000):
            upload.write(data[start : start + 100_000])
        value_of(upload.commit())
        print(number, flush=True)
        broken = value_of(tree.begin_write(("p",), WriteMode.APPEND))
        broken.write(data)
        value_of(broken.abort(keep_partial=number % 8 != 0))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
