"""What a request means in the file service: which tree, and which path in it.

``sites/<host>/`` answers for a host, ``sites/default/`` for all others; ``/~name/``
is what the account ``name`` keeps in the directory ``www`` of its home.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import lru_cache

from attrs import define, frozen

from netservices.http.settings import HTTPSettings
from netservices.interfaces import FileProblem, IAccounts, IFiles, IFileTree, StoreError
from netservices.values import Account, Path
from netservices.web.problems import Problem
from netservices.web.request import Request, quoted

DEFAULT_SITE = "default"
SITES_SECONDS = 1.0
"""So often, at most, the names of sites and the places of their roots are looked up."""

LONGEST_ERROR_PAGE = 256 * 1024
"""Octets of a site's own page for an error."""

_LONGEST_NAME = 255
_WELL_KNOWN = ".well-known"  # RFC 8615
_MOST_ACCOUNTS = 4096
_MOST_ROOTS = 500
"""Trees that are held; each costs a descriptor or two."""


@frozen
class Place:
    """Where in the file service the content of a request is."""

    tree: IFileTree
    path: Path
    """Without the empty last segment of a directory."""
    is_directory: bool
    """Whether the request's path ends in a slash."""
    site: str
    """The name of the site, or the login of the account with a tilde before it."""
    account: Account | None = None
    """Whose pages it is part of."""


@define
class _Root:
    """A tree that was used lately."""

    tree: IFileTree
    until: float


class Sites:
    """The sites of a server, and the pages of its accounts."""

    def __init__(
        self,
        settings: HTTPSettings,
        files: IFiles,
        accounts: IAccounts,
        clock: Callable[[], float],
    ) -> None:
        self.settings = settings
        self.changes = 0
        """Grows when settings, accounts or the names of sites have changed."""
        self._files = files
        self._accounts = accounts
        self._clock = clock
        self._roots: dict[str, _Root] = {}
        self._pages: dict[str, tuple[Account | None, float]] = {}
        self._names: frozenset[str] | None = None
        self._names_until = 0.0

    def reconfigure(self, settings: HTTPSettings) -> None:
        """Take other settings."""
        self.settings = settings
        self.forget()

    def forget(self) -> None:
        """Accounts have changed, or too much is held."""
        self.changes += 1
        self._pages.clear()
        self._roots.clear()

    def is_hidden(self, name: str) -> bool:
        """Whether files and directories of that name are not shown to anybody."""
        # No file system has longer names.
        return len(name) > _LONGEST_NAME or _is_hidden(name, self.settings.hidden)

    def check_visible(self, path: Path) -> None:
        """Problem 404 for a path through something hidden."""
        for depth, segment in enumerate(path):
            if self.is_hidden(segment) and (depth or segment != _WELL_KNOWN):
                raise Problem(404)

    def site_of(self, host: str) -> str:
        """The name of the site that answers for a host."""
        self._look_at_names(self._clock())
        host = host.rstrip(".")
        is_site = self._names is not None and host in self._names
        return host if is_site else DEFAULT_SITE

    def _look_at_names(self, now: float) -> None:
        if now >= self._names_until:
            self._names_until = now + SITES_SECONDS
            names = self._files.sites()
            # Before the first look no site was chosen by its name.
            if names != self._names and self._names is not None:
                self.changes += 1
            self._names = names

    def look(self, place: Place, now: float) -> None:
        """Look whether there are other sites now, or another directory is the root of
        this one."""
        self._look_at_names(now)
        self._tree(place.site, place.account)

    async def place(self, request: Request) -> Place:
        """Where the content of a request is.  Problem 404."""
        segments = request.segments
        site, account = await self._owner(request)
        if account is not None:
            segments = segments[1:]
        # The home of an account's pages has a slash at its end, too.
        is_directory = bool(segments) and not segments[-1]
        path = segments[:-1] if is_directory else segments
        self.check_visible(path)
        return Place(self._tree(site, account), path, is_directory, site, account)

    async def _owner(self, request: Request) -> tuple[str, Account | None]:
        """The site, or the account, whose content a path is.  Problem 404."""
        first = request.segments[0]
        if first.startswith("~") and self.settings.account_pages:
            account = await self._account(first[1:])
            return f"~{account.login}", account
        return self.site_of(request.host), None

    async def error_page(self, request: Request, status: int) -> bytes | None:
        """The site's own page for an error, ``404.html`` and such in its root; None
        where it has none, or one that is too long."""
        try:
            site, account = await self._owner(request)
        except Problem:
            # No such account: what the site says of that.
            site, account = self.site_of(request.host), None
        tree = self._tree(site, account)
        try:
            file = await tree.open((f"{status}.html",))
        except (FileProblem, StoreError):
            return None
        try:
            if file.node.size > LONGEST_ERROR_PAGE:
                return None
            return await file.read(0, LONGEST_ERROR_PAGE)
        finally:
            file.close()

    async def _account(self, name: str) -> Account:
        """The account that shows pages under that name.  Problem 404 where there is
        none, or it is disabled."""
        if len(name) > _LONGEST_NAME:
            raise Problem(404)
        now = self._clock()
        found, until = self._pages.get(name, (None, 0.0))
        if now >= until:
            try:
                found = await self._accounts.find(name)
            except ValueError:
                found = None
            if len(self._pages) >= _MOST_ACCOUNTS:
                self._pages.clear()
            self._pages[name] = (found, now + SITES_SECONDS)
        if found is None or not found.is_enabled:
            raise Problem(404)
        return found

    def _tree(self, site: str, account: Account | None) -> IFileTree:
        now = self._clock()
        root = self._roots.get(site)
        if root is None:
            if len(self._roots) >= _MOST_ROOTS:
                self.forget()
            if account is None:
                tree = self._files.site(site)
            else:
                tree = self._files.pages(account, self.settings.account_directory)
            tree.refresh()
            root = self._roots[site] = _Root(tree, now + SITES_SECONDS)
        elif now >= root.until:
            root.until = now + SITES_SECONDS
            root.tree.refresh()
        return root.tree


@lru_cache(maxsize=8192)
def _is_hidden(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def url_path(segments: Path) -> str:
    """The path of a URL that leads to these segments; an empty last one makes it end in
    a slash."""
    return "/" + "/".join(map(quoted, segments))
