"""The commands of a client that need no data connection."""

from __future__ import annotations

import re
from typing import Any

from attrs import evolve, frozen

from netservices.core.errors import SyntaxProblem
from netservices.ftp.client.control import Control
from netservices.ftp.client.problems import Unexpected
from netservices.ftp.wire import Reply, format_time, parse_facts, parse_time, unquoted
from netservices.ftp.wire.listed import Entry, entry_of_facts
from netservices.values import NodeKind

DIGESTS = ("SHA-256", "SHA-512", "SHA-1", "MD5", "CRC32")
"""Of the algorithms of HASH, those wanted most first."""

_WANTED_FACTS = ("type", "size", "modify", "UNIX.mode")
_MOST_DIGITS = 18
_DIGEST = re.compile(r"([A-Za-z0-9-]+) (?:\d+-\d+ )?([0-9a-fA-F]{8,128})(?: |\Z)")


@frozen
class Digest:
    """What a server says that a file's content hashes to."""

    algorithm: str
    """As HASH names it: ``SHA-256``."""
    value: str
    """Hexadecimal, in lower case."""


class Commands:
    """One method for each command; ``Unexpected`` where the server refuses."""

    control: Control
    _features: dict[str, str] | None = None
    _hash: str | None = None

    async def command(self, command: str, *codes: int) -> Reply:
        """Any command's reply, if its code is one of ``codes`` (none given: 2yz or
        3yz).  Unexpected."""
        return await self.control.command(command, *codes)

    # --- what the server can --------------------------------------------------------

    async def features(self) -> dict[str, str]:
        """What FEAT lists, names in capitals; empty where there is no FEAT."""
        if self._features is None:
            self._features = {}
            self.control.send("FEAT")
            reply = await self.control.reply()
            if reply.code == 211:
                for line in reply.lines[1:-1]:
                    name, _, words = line.strip().partition(" ")
                    self._features[name.upper()] = words
        return self._features

    async def _ask_for_facts(self) -> None:
        """Switch on the facts that ``Entry`` holds and the server leaves out."""
        offered = (await self.features()).get("MLST", "")
        chosen = {name.lower() for name in re.findall(r"([^;*]+)\*", offered)}
        known = {name.strip("*").lower() for name in offered.split(";")}
        wanted = [name for name in _WANTED_FACTS if name.lower() in known]
        if any(name.lower() not in chosen for name in wanted):
            await self._try("OPTS MLST " + "".join(f"{name};" for name in wanted))

    async def _try(self, command: str) -> Reply:
        """The reply, whatever it is."""
        self.control.send(command)
        return await self.control.reply()

    # --- directories and names ------------------------------------------------------

    async def working_directory(self) -> str:
        """PWD."""
        return unquoted((await self.command("PWD", 257)).lines[-1])

    async def change_directory(self, path: str) -> None:
        """CWD."""
        # Not RFC 959: 200 is the answer of some servers.
        await self.command(f"CWD {path}", 250, 200)

    async def make_directory(self, path: str) -> str:
        """Make a directory; its full name."""
        reply = await self.command(f"MKD {path}", 257, 250)
        try:
            return unquoted(reply.lines[-1])
        except SyntaxProblem:
            return path

    async def remove_directory(self, path: str) -> None:
        """Remove an empty directory."""
        await self.command(f"RMD {path}", 250)

    async def rename(self, source: str, target: str) -> None:
        """RNFR and RNTO."""
        await self.command(f"RNFR {source}", 350)
        await self.command(f"RNTO {target}", 250)

    async def delete(self, path: str) -> None:
        """Delete a file."""
        await self.command(f"DELE {path}", 250)

    # --- facts ----------------------------------------------------------------------

    async def size(self, path: str) -> int:
        """Octets of a file.  SyntaxProblem."""
        text = (await self.command(f"SIZE {path}", 213)).lines[-1].strip()
        if not (text.isascii() and text.isdigit()) or len(text) > _MOST_DIGITS:
            raise SyntaxProblem("no number in the reply to SIZE")
        return int(text)

    async def modified(self, path: str) -> int:
        """When a file was changed, in nanoseconds since 1970.  SyntaxProblem."""
        return parse_time((await self.command(f"MDTM {path}", 213)).lines[-1].strip())

    async def set_modified(self, path: str, mtime_ns: int) -> None:
        """Set that time, by MFMT or what older servers have in its place."""
        time = format_time(mtime_ns)
        features = await self.features()
        if "MFMT" in features:
            await self.command(f"MFMT {time} {path}", 213, 250)
        elif "MDTM" in features:
            # Not RFC 3659: MDTM with a time, which vsftpd and others know.
            await self.command(f"MDTM {time} {path}", 213, 250, 253)
        else:
            await self.command(f"SITE UTIME {time} {path}", 200, 250)

    async def entry(self, path: str) -> Entry:
        """What the server says of one file or directory.  Unexpected."""
        name = path.rstrip("/").rpartition("/")[2]
        features = await self.features()
        if "MLST" in features:
            reply = await self.command(f"MLST {path}", 250)
            if len(reply.lines) < 2:
                raise SyntaxProblem("no facts in the reply to MLST")
            facts = parse_facts(reply.lines[1].removeprefix(" "))[1]
            return entry_of_facts(name, facts)
        try:
            found = Entry(name, NodeKind.FILE, await self.size(path))
        except Unexpected as problem:
            return await self._directory(path, name, problem)
        if "MDTM" in features:
            found = evolve(found, mtime_ns=await self.modified(path))
        return found

    async def _directory(self, path: str, name: str, problem: Unexpected) -> Entry:
        """The entry of a path that has no SIZE: a directory, if it can be entered."""
        before = await self.working_directory()
        if (await self._try(f"CWD {path}")).code not in (200, 250):
            raise problem
        await self.change_directory(before)
        return Entry(name, NodeKind.DIRECTORY)

    async def digest(self, path: str) -> Digest | None:
        """What the server says that the content hashes to; None where it has no HASH.
        Unexpected."""
        offered = (await self.features()).get("HASH")
        if offered is None:
            return None
        if self._hash is None:
            await self._choose_hash(offered)
        limits = self.control.limits
        self.control.send(f"HASH {path}")
        reply = await self.control.expect(
            "HASH", 213, 250, seconds=limits.completion_seconds
        )
        match = _DIGEST.match(reply.lines[-1])
        if match is None:
            raise SyntaxProblem("no digest in the reply to HASH")
        return Digest(match[1].upper(), match[2].lower())

    async def _choose_hash(self, offered: str) -> None:
        names = [name.strip() for name in offered.split(";")]
        known = {name.rstrip("*").upper() for name in names}
        self._hash = next((name for name in DIGESTS if name in known), "")
        if self._hash and f"{self._hash}*" not in (name.upper() for name in names):
            await self.command(f"OPTS HASH {self._hash}", 200)

    # --- the session ----------------------------------------------------------------

    async def noop(self) -> None:
        """NOOP."""
        await self.command("NOOP", 200)

    async def quit(self) -> None:
        """Say goodbye."""
        await self.command("QUIT", 221)
        self.close()

    def close(self) -> None:
        """Close without a word."""
        transport: Any = self.control.transport
        if transport is not None:
            transport.loseConnection()
