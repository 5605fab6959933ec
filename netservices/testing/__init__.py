"""The public test kit: sessions in memory, transcripts, stores, real servers.

A conversation as the RFCs print it, played whole, octet by octet and pipelined::

    class ShoutTests(DialogueMixin, SynchronousTestCase):
        def make_session(self, wheel):
            return LineSession(Shout(), wheel=wheel)

        def test_shout(self):
            self.assert_dialogue('''
                S: 220 ...
                C: hello
                S: 200 HELLO
                C: QUIT
                S: 221 ...
                S: <closes>
            ''')

One end of a session, by hand: ``Peer(make_session)`` sends octets, reads replies, lets
time pass, shakes hands, stops reading.  ``MemoryStore()`` is an open store that leaves
nothing behind.  Real servers on free ports of the loopback interface::

    server = yield running(ftp=True, accounts=[("alice", "secret")])   # in this process
    client.connect("127.0.0.1", server.port("ftp"))
    yield server.stop()

    with running_process(ftp=True, accounts=[("alice", "secret")]) as server:
        ftplib.FTP().connect("127.0.0.1", server.port("ftp"))
"""

from netservices.testing.peers import MemoryTransport, Peer
from netservices.testing.servers import (
    RunningProcess,
    RunningServer,
    running,
    running_process,
)
from netservices.testing.stores import MemoryStore
from netservices.testing.transcripts import DialogueMixin, assert_dialogue

__all__ = [
    "DialogueMixin",
    "MemoryStore",
    "MemoryTransport",
    "Peer",
    "RunningProcess",
    "RunningServer",
    "assert_dialogue",
    "running",
    "running_process",
]
