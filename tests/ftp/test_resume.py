"""Uploads that break off and go on, as clients do it: they ask SIZE where to begin."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread, deferToThread

from tests.ftp.sockets import ServerCase, Wire
from tests.programs import located, run

reactor: Any = _reactor
WHOLE = 3_000_000
CUT_AT = 300_000


def kept(home: str) -> list[str]:
    """The uploads that broke off."""
    area = os.path.join(home, ".ns-uploads")
    names = os.listdir(area) if os.path.isdir(area) else []
    return [name for name in names if name.startswith("p-")]


class ResumeCase(ServerCase):
    """A server whose uploads the test cuts, and whose events it keeps."""

    def cut_upload(self, *command: str) -> None:
        """Run a client that uploads slowly, and kill it in the middle."""
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as client:
            while blockingCallFromThread(reactor, self.arrived) < CUT_AT:
                self.assertIsNone(client.poll(), "the upload ended too early")
            client.kill()
        while not kept(self.home) or blockingCallFromThread(reactor, self.sessions):
            pass
        asking = Wire(self.port)
        asking.log_in()
        asking.say("TYPE I")
        while asking.say("SIZE big")[:3] == "550":
            pass  # the record of what arrived follows the file
        asking.close()

    def arrived(self) -> int:
        """Octets of the upload that runs."""
        running = [one["transfer"] for one in self.sessions()]
        return max((one["octets"] for one in running if one), default=0)

    def sessions(self) -> list[Mapping[str, Any]]:
        """Those that are open."""
        sessions = self.server.house.servers["ftp"].sessions
        assert sessions is not None
        return [one.status() for one in sessions()]

    def watch_transfers(self) -> list[Mapping[str, Any]]:
        """The transfer events from now on."""
        transfers: list[Mapping[str, Any]] = []
        services = self.server.house.services
        assert services is not None

        def keep(record: Mapping[str, Any]) -> None:
            if record["event"] == "transfer":
                transfers.append(record)

        services.events.subscribe(keep)
        return transfers

    def cut_and_resume(self, first: tuple[str, ...], again: tuple[str, ...]) -> None:
        """In a thread: the upload of ``big`` is cut, and then sends only the rest."""
        transfers = self.watch_transfers()
        with tempfile.TemporaryDirectory() as directory:
            local = os.path.join(directory, "big")
            content = os.urandom(WHOLE)
            with open(local, "wb") as file:
                file.write(content)
            self.cut_upload(*(word.replace("LOCAL", local) for word in first))
            self.assertFalse(os.path.exists(os.path.join(self.home, "big")))
            run(*(word.replace("LOCAL", local) for word in again))
        self.assertEqual(content, self.content_of("big"))
        cut, rest = transfers
        self.assertEqual("426", cut["outcome"])
        self.assertEqual("complete", rest["outcome"])
        self.assertGreaterEqual(rest["offset"], CUT_AT)
        self.assertEqual(WHOLE - rest["offset"], rest["size_octets"])


class ClientTests(ResumeCase):
    """curl and lftp, killed in the middle of an upload."""

    def test_curl(self) -> Deferred[None]:
        """``curl -C -`` goes on where the upload broke off (SIZE, APPE)."""
        curl = (located("curl"), "-sS", "-u", "alice:secret", "-T", "LOCAL")
        address = f"ftp://127.0.0.1:{self.port}/big"
        slowly = (*curl, "--limit-rate", "1M", address)
        return deferToThread(self.cut_and_resume, slowly, (*curl, "-C", "-", address))

    def test_lftp(self) -> Deferred[None]:
        """``put -c`` of lftp goes on where the upload broke off (SIZE, REST, STOR)."""
        address = f"ftp://alice:secret@127.0.0.1:{self.port}"
        script = f"set ftp:ssl-allow no; %s; open {address}; put %s LOCAL -o big"
        slowly = script % ("set net:limit-rate 0:1000000", "")
        lftp = (located("lftp"), "-c")
        return deferToThread(
            self.cut_and_resume,
            (*lftp, slowly),
            (*lftp, script % ("set net:max-retries 1", "-c")),
        )


class SizeTests(ResumeCase):
    """What SIZE and MLST tell of an upload that broke off."""

    def break_off(self, wire: Wire, name: str) -> None:
        """Upload a thousand octets, and leave like a client that is killed."""
        leaving = Wire(self.port)
        leaving.log_in()
        data = leaving.data(f"STOR {name}")
        data.sendall(bytes(1000))
        while blockingCallFromThread(reactor, self.arrived) < 1000:
            pass
        leaving.close()
        data.close()
        while not kept(self.home):
            self.assertEqual("200", wire.say("NOOP")[:3])

    def test_new_name(self) -> Deferred[None]:
        """A name that is free has the size of this account's upload that broke off; in
        TYPE A, and for MDTM, there is nothing."""

        def conversation(wire: Wire) -> None:
            self.break_off(wire, "new")
            while (size := wire.say("SIZE new"))[:3] == "550":
                pass  # its record follows
            self.assertEqual("213 1000", size)
            wire.socket.sendall(b"MLST new\r\n")
            self.assertEqual(b"250-", wire.file.readline()[:4])
            facts = wire.file.readline()
            self.assertIn(b"type=file;perm=adfrw;size=1000; /new", facts)
            self.assertEqual("250 End", wire.reply())
            self.assertEqual("550", wire.say("MDTM new")[:3])
            self.assertEqual("550", wire.say("SIZE other")[:3])
            wire.say("TYPE A")
            self.assertEqual("550", wire.say("SIZE new")[:3])

        return self.talk(conversation)

    def test_old_file(self) -> Deferred[None]:
        """An older file of the name keeps its content and its size."""
        self.put("old", b"old")

        def conversation(wire: Wire) -> None:
            self.break_off(wire, "old")
            self.assertEqual("213 3", wire.say("SIZE old"))
            self.assertEqual(b"old", self.content_of("old"))

        return self.talk(conversation)


class InvisibleTests(SizeTests):
    """The same with ``ftp.resume_visible = false``."""

    settings = {"ftp.resume_visible": False}

    def test_new_name(self) -> Deferred[None]:
        """A name that is free has no size."""

        def conversation(wire: Wire) -> None:
            self.break_off(wire, "new")
            self.assertEqual("550", wire.say("SIZE new")[:3])
            self.assertEqual("550", wire.say("MLST new")[:3])

        return self.talk(conversation)
