"""How a client's session begins: the connection, TLS, and the greeting."""

from __future__ import annotations

import ssl
from typing import Any

from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory

from netservices.core.deferreds import as_deferred
from netservices.ftp.client.control import Control
from netservices.ftp.client.limits import ClientLimits
from netservices.ftp.client.problems import Unexpected
from netservices.ftp.client.session import FTPClient
from netservices.ftp.wire import is_preliminary

PORT, IMPLICIT_TLS_PORT = 21, 990
TLS_KINDS = ("", "explicit", "implicit")


@as_deferred
async def connect(
    reactor: Any,
    host: str,
    port: int = 0,
    limits: ClientLimits | None = None,
    *,
    tls: str = "",
    context: ssl.SSLContext | None = None,
) -> FTPClient:
    """A client that has been greeted.

    ``tls`` is ``"explicit"`` (AUTH TLS), ``"implicit"`` or empty; ``context`` defaults
    to one that verifies certificate and host name.  Unexpected, TLSRefused, TooLate,
    and what Twisted raises for a host that is not there.
    """
    limits = limits or ClientLimits()
    port = port or (IMPLICIT_TLS_PORT if tls == "implicit" else PORT)
    endpoint = HostnameEndpoint(reactor, host, port, limits.connect_seconds)
    return await open_client(
        reactor, endpoint, limits, tls=tls, context=context, hostname=host
    )


async def open_client(
    reactor: Any,
    endpoint: IStreamClientEndpoint,
    limits: ClientLimits,
    *,
    tls: str = "",
    context: ssl.SSLContext | None = None,
    hostname: str = "",
) -> FTPClient:
    """A client that has been greeted, over any stream endpoint.

    ``hostname`` is what the certificate has to name.
    """
    if tls not in TLS_KINDS:
        raise ValueError(f"tls is one of {TLS_KINDS}")
    if tls and context is None:
        context = ssl.create_default_context()
    control = Control(reactor, limits)
    await endpoint.connect(Factory.forProtocol(lambda: control))
    client = FTPClient(control, reactor, hostname)
    try:
        control.transport.setTcpKeepAlive(1)
        if tls == "implicit" and context is not None:
            await client.secure(context, is_implicit=True)
        await _greeting(control)
        if tls == "explicit" and context is not None:
            await client.secure(context)
    except BaseException:
        control.transport.abortConnection()
        raise
    return client


async def _greeting(control: Control) -> None:
    """Wait for 220.  Unexpected."""
    reply = await control.reply()
    # RFC 959 5.4: 120 announces a delay.
    if is_preliminary(reply):
        reply = await control.reply()
    if reply.code != 220:
        raise Unexpected("connect", reply)
