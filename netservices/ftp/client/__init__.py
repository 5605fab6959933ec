"""An FTP client: the same wire as the server's, from the other side.

::

    client = await connect(reactor, "ftp.example.org", tls="explicit")
    await client.login("alice", b"secret")
    content = await client.retrieve("a.txt")
    for entry in (await client.list("/papers")).entries: ...

Data connections are passive (EPSV, PASV) or, with ``client.data.is_active``, active
(EPRT, PORT).  A server that refuses raises ``Unexpected`` with its reply; one that
sends more than ``ClientLimits`` allow, or nothing at all, ``TooMuch`` or ``TooLate``.
"""

from netservices.ftp.client.commands import DIGESTS, Commands, Digest
from netservices.ftp.client.control import Control
from netservices.ftp.client.limits import ClientLimits
from netservices.ftp.client.opening import connect, open_client
from netservices.ftp.client.problems import (
    Aborted,
    TLSRefused,
    TooLate,
    TooMuch,
    Unexpected,
    has_lost_connection,
    in_words,
    is_temporary,
)
from netservices.ftp.client.session import FTPClient, Listing

__all__ = [
    "DIGESTS",
    "Aborted",
    "ClientLimits",
    "Commands",
    "Control",
    "Digest",
    "FTPClient",
    "Listing",
    "TLSRefused",
    "TooLate",
    "TooMuch",
    "Unexpected",
    "connect",
    "has_lost_connection",
    "in_words",
    "is_temporary",
    "open_client",
]
