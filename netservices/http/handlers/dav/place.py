"""What a request is about: a place in a tree, and its address."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from attrs import frozen

from netservices.interfaces import IEvents, IFileTree, NotFound
from netservices.values import Account, Node, NodeKind, Path
from netservices.web.problems import Problem
from netservices.web.request import Request, segments_of

_SAFE = "/~!$'()*,;=:@-._+"
"""Characters of a path that need no escape (RFC 3986 3.3), but for the ampersand, so
that an address can stand in XML as it is."""


def address_of(path: Path, mount: Path = ()) -> str:
    """The path of a URL, escaped; any octets survive."""
    joined = "/" + "/".join((*mount, *path))
    return quote(joined.encode("utf-8", "surrogateescape"), safe=_SAFE)


_DEFAULT_PORTS = (80, 443)


@frozen
class Place:
    """A path in the tree of an account, and the request that asks for it."""

    request: Request
    tree: IFileTree
    account: Account
    path: Path
    events: IEvents
    has_slash: bool
    """Whether the address ends in a slash, as those of directories do."""
    root: Path = ()
    """Where in the tree the mount's own path leads."""

    def href(self, path: Path, is_directory: bool = False) -> str:
        """The address of a path of the tree (RFC 4918 8.3: relative to the server)."""
        address = address_of(path[len(self.root) :], self.request.mount)
        return address + "/" if is_directory and not address.endswith("/") else address

    async def node(self) -> Node | None:
        """What is there now; None where there is nothing."""
        try:
            return await self.tree.stat(self.path)
        except NotFound:
            return None

    def destination(self) -> Path:
        """The path that the field Destination names (RFC 4918 10.3).  Problem 400
        where it names none, 502 where it is not ours."""
        return self.path_of(self.request.fields.get("destination"))

    def path_of(self, url: str) -> Path:
        """The path of the tree that a URL names: a whole one, or the path of one.
        Problem 400 where it names none, 502 where it is not ours."""
        try:
            found = urlsplit(url)
            port = found.port
        except ValueError:
            raise Problem(400, "A field holds no URL.") from None
        if not found.path.startswith("/") or found.query or found.fragment:
            raise Problem(400, "A field holds no URL of a file.")
        is_ours = not found.scheme and not found.netloc
        if not is_ours and not self._is_ours(found.scheme, found.hostname, port):
            # RFC 4918 9.8.5: another server would have to take it.
            raise Problem(502, "That is on another server.")
        segments = segments_of(found.path)
        mount = self.request.mount
        if segments[: len(mount)] != mount:
            raise Problem(502, "That lies elsewhere.")
        return self.root + without_slash(segments[len(mount) :])

    def _is_ours(self, scheme: str, host: str | None, port: int | None) -> bool:
        """Whether a URL is of the server that was asked.

        Not RFC 4918 10.3: the scheme may be another one, for a proxy in front of us may
        speak TLS in our place.
        """
        request = self.request
        wanted, asked = (
            None if one in _DEFAULT_PORTS else one for one in (port, request.port)
        )
        return (
            scheme.lower() in ("http", "https", "")
            and (host or "").lower() == request.host
            and wanted == asked
        )


def without_slash(segments: Path) -> Path:
    """The path of segments whose last one is empty where a slash ends the address."""
    return segments[:-1] if segments and not segments[-1] else segments


def is_directory(node: Node | None) -> bool:
    """Whether that is a directory."""
    return node is not None and node.kind is NodeKind.DIRECTORY


def etag_of(node: Node) -> str:
    """The entity tag of a file (RFC 9110 8.8.3): strong, for it changes with each
    version; that of its unencoded content, so that GET and PROPFIND tell the same."""
    return f'"{node.etag}"'
