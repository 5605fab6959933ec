"""Sites of a running server: what other parts of it change is seen at once."""

from __future__ import annotations

import ftplib
import io
import os
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from netservices.core.deferreds import as_deferred
from netservices.testing import running
from netservices.units import Unit, UpdateAccount
from tests.http.live import LiveCase


def upload(port: int, content: bytes) -> None:
    """Put a page into Alice's ``www/`` by FTP."""
    with ftplib.FTP() as client:
        client.connect("127.0.0.1", port, timeout=30)
        client.login("alice", "secret")
        if "www" not in client.nlst():
            client.mkd("www")
        client.storbinary("STOR www/page.html", io.BytesIO(content))


class SiteTests(LiveCase):
    """FTP, accounts and settings beside the web."""

    async def begin(self) -> None:
        """Start the server."""
        self.server = await running(ftp=True, http=True, accounts=[("alice", "secret")])
        self.addCleanup(self.server.stop)

    def upload(self, content: bytes) -> Deferred[Any]:
        """``upload``, in a thread."""
        return deferToThread(upload, self.server.port("ftp", "tcp"), content)

    @as_deferred
    async def test_uploaded(self) -> None:
        """What comes by FTP is on the web before the upload is acknowledged."""
        await self.begin()
        for number in range(5):
            content = f"<p>version {number}".encode()
            await self.upload(content)
            for _ in range(2):
                reply = await self.ask("/~alice/page.html")
                self.assertEqual((200, content), (reply.status, reply.content))

    @as_deferred
    async def test_disabled(self) -> None:
        """The pages of an account that is disabled are gone."""
        await self.begin()
        await self.upload(b"page")
        self.assertEqual(200, (await self.ask("/~alice/page.html")).status)
        services = self.server.house.services
        assert services is not None
        account = await services.accounts.find("alice")
        assert account is not None
        change = UpdateAccount(account.id, is_enabled=False)
        await services.store.apply(Unit((change,)))

        self.assertEqual(404, (await self.ask("/~alice/page.html")).status)

    @as_deferred
    async def test_reload(self) -> None:
        """Settings of sites change without a restart."""
        await self.begin()
        site = os.path.join(self.server.state_directory, "sites", "default")
        os.makedirs(os.path.join(site, "directory"))
        self.assertEqual(404, (await self.ask("/directory/")).status)
        house = self.server.house
        protocols = dict(house.configuration.protocols)
        http = protocols["http"]
        settings = attrs.evolve(http.settings, listings=True)
        protocols["http"] = attrs.evolve(http, settings=settings)
        await house.reload(attrs.evolve(house.configuration, protocols=protocols))

        self.assertEqual(200, (await self.ask("/directory/")).status)
