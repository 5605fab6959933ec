"""A second worker: ``python -m tests.http.worker STATE METHOD PATH COOKIE [FORM]``.

It opens the store of a running server, lets the shop of ``examples/shop`` answer one
request, and prints status and content.
"""

from __future__ import annotations

import sys
import time

from netservices.core.deferreds import value_of
from netservices.store.settings import StoreSettings
from netservices.store.sqlite import SQLiteStore
from netservices.values import Origin
from netservices.web.handler import layered
from netservices.web.sessions import SessionLayer, SessionLimits, Sessions
from tests.http.requests import ask


def main(state: str, method: str, path: str, cookie: str, form: str = "") -> None:
    """Answer one request."""
    from shop import shop

    store = SQLiteStore(state, StoreSettings(), None)
    value_of(store.open())
    layer = SessionLayer(
        Sessions(store, SessionLimits(), time.time),
        None,  # type: ignore[arg-type]
        store.records,
        lambda address: 0.0,
    )
    response = ask(
        layered([layer], shop),
        path,
        method=method,
        content=form.encode(),
        fields={"cookie": cookie},
        origin=Origin("http", "127.0.0.1", False),
        host="shop.example",
        mount=("shop",),
    )
    value_of(store.close())
    print(response.status, bytes(response.body).decode())  # type: ignore[arg-type]


if __name__ == "__main__":
    main(*sys.argv[1:])
