"""A process that uploads with a checkpoint behind each piece until it is killed: it
prints the size that each one has made durable."""

from __future__ import annotations

import sys

from netservices.core.deferreds import value_of
from netservices.values import WriteMode
from tests.files.crashing import ACCOUNT, open_files

PIECE = bytes(range(256)) * 40


def content(octets: int) -> bytes:
    """The first octets of what is uploaded."""
    return (PIECE * (octets // len(PIECE) + 1))[:octets]


def main(state: str, offset: int) -> None:
    """Never ends; begins at a multiple of ``PIECE``."""
    tree = open_files(state).home(ACCOUNT)
    mode = WriteMode.RESUME if offset else WriteMode.REPLACE
    upload = value_of(tree.begin_write(("f",), mode, offset))
    while True:
        upload.write(PIECE)
        assert value_of(upload.checkpoint())
        print(upload.offset + upload.received_octets, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
