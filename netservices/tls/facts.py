"""What a TLS connection tells about itself: addresses, versions, names, sessions."""

from __future__ import annotations

import ssl
from typing import Any

from netservices.tls.engine import Engine


class Facts:
    """The part of a TLS layer that only answers questions."""

    lower: Any
    disconnected: bool
    _engine: Engine

    def getPeer(self) -> Any:
        """Address of the peer."""
        return self.lower.getPeer()

    def getHost(self) -> Any:
        """Our address."""
        return self.lower.getHost()

    def getHandle(self) -> Any:  # noqa: N802
        """The socket below, where there is one."""
        return self.lower.getHandle()

    def getPeerCertificate(self) -> bytes | None:  # noqa: N802
        """The peer's certificate in DER, verified as the context demands."""
        return self._engine.object.getpeercert(binary_form=True)

    def getTcpNoDelay(self) -> Any:
        """TCP_NODELAY of the socket below."""
        return self.lower.getTcpNoDelay()

    def setTcpNoDelay(self, enabled: Any) -> None:
        """Set TCP_NODELAY of the socket below."""
        self.lower.setTcpNoDelay(enabled)

    def getTcpKeepAlive(self) -> Any:
        """SO_KEEPALIVE of the socket below."""
        return self.lower.getTcpKeepAlive()

    def setTcpKeepAlive(self, enabled: Any) -> None:
        """Set SO_KEEPALIVE of the socket below."""
        self.lower.setTcpKeepAlive(enabled)

    @property
    def reactor(self) -> Any:
        """The reactor of the transport below, where it has one."""
        return getattr(self.lower, "reactor", None)

    @property
    def transport(self) -> Any:
        """The transport below, under the name that protocols have for it."""
        return self.lower

    @property
    def connected(self) -> bool:
        """Whether the transport below is there."""
        return self.lower is not None and not self.disconnected

    @property
    def version(self) -> str | None:
        """``TLSv1.2`` or ``TLSv1.3``, once negotiated."""
        return self._engine.object.version()

    @property
    def cipher(self) -> str | None:
        """OpenSSL's name of the cipher suite, once negotiated."""
        found = self._engine.object.cipher()
        return found[0] if found else None

    @property
    def alpn(self) -> str | None:
        """The application protocol agreed on, RFC 7301."""
        return self._engine.object.selected_alpn_protocol()

    @property
    def server_name(self) -> str | None:
        """The name that the client asked for (SNI, RFC 6066 3)."""
        name: str | None = self._engine.attribute("server_name")
        return name

    @property
    def session(self) -> ssl.SSLSession | None:
        """What a client resumes with; in TLS 1.3 it comes with the first data."""
        return self._engine.object.session

    @property
    def session_reused(self) -> bool:
        """Whether this connection resumes an earlier session."""
        return bool(self._engine.object.session_reused)

    def channel_binding(self, kind: str = "tls-unique") -> bytes | None:
        """Octets that name this connection, RFC 5929."""
        return self._engine.object.get_channel_binding(kind)
