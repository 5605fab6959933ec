"""Who may log in, what he may do, and how many may be here at once."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from attrs import define, field, frozen

from netservices.core.dialogue import Then
from netservices.core.errors import Refused, Trouble
from netservices.core.limits import Slot, TooMany
from netservices.core.who import Person
from netservices.ftp.backend import View, path_text
from netservices.ftp.options import Limit, Options
from netservices.ftp.rules import Rules, parse_directory, rules_from
from netservices.ftp.settings import FTPSettings
from netservices.ftp.wire import HostPort, Reply
from netservices.interfaces import (
    Exists,
    IAccounts,
    IEvents,
    IFiles,
    IFileTree,
    LoginRefused,
    StoreError,
)
from netservices.values import (
    EVERYTHING,
    Account,
    DropBox,
    Origin,
    Path,
    Permission,
    Permissions,
)

_ADDRESS = re.compile(
    r"[!-?A-~]{1,64}@((?=.{1,255}$)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+|localhost)?"
)
"""``joe@example.org``; programs leave the domain out: ``lftp@``."""

_LOWEST_ACTIVE_PORT = 1024
"""RFC 2577 3: data never goes to a well-known port."""

LOGIN_INCORRECT = Reply(530, "Login incorrect")


@frozen
class User:
    """Who a session belongs to after its login."""

    login: str
    view: View
    person: Person
    options: Options
    """What the rules said of him at his login."""
    is_anonymous: bool = False
    account: Account | None = None
    email: str = ""
    """What an anonymous user gave as address (RFC 1635); nobody has checked it."""

    @property
    def whose(self) -> str:
        """By what his sessions and their bandwidth are counted."""
        return self.person.address if self.is_anonymous else self.login


@define
class Policy:
    """The rules of one FTP server; shared by its sessions."""

    settings: FTPSettings
    accounts: IAccounts
    files: IFiles
    events: IEvents
    limits: Any
    hostname: str
    seconds: Callable[[], float]
    """Seconds since 1970."""
    rules: Rules = field(init=False)
    version: str = ""
    """Of the program, for those who ask."""
    _per_address: dict[str, int] = field(factory=dict)
    _per_user: dict[str, int] = field(factory=dict)
    _open_sessions: int = 0

    @rules.default
    def _first_rules(self) -> Rules:
        return rules_from(self.settings)

    # --- sessions -------------------------------------------------------------------

    def enter(self, origin: Origin) -> Slot:
        """The right to one session from there.  Refused with a 421."""
        try:
            return self._enter(origin.address)
        except Refused as error:
            self.events.emit(
                "session_refused", **origin.event_fields, reason=error.log_text
            )
            raise

    def _enter(self, address: str) -> Slot:
        here = self._per_address.get(address, 0)
        if self._open_sessions >= self.settings.sessions:
            raise _too_many("in all")
        most = self.settings.sessions_per_address
        ruled = self.rules.options(Person(address)).sessions
        if here >= (min(most, ruled) if ruled else most):
            raise _too_many("from one address")
        slot: Slot | TooMany = self.limits.enter("ftp", "", address)
        if isinstance(slot, TooMany):
            raise _too_many(f"by {slot.what}")
        self._open_sessions += 1
        self._per_address[address] = here + 1
        return slot

    def leave(self, slot: Slot, address: str) -> None:
        """Give the right back; once for each ``enter``."""
        slot.leave()
        self._open_sessions -= 1
        left = self._per_address[address] - 1
        if left:
            self._per_address[address] = left
        else:
            del self._per_address[address]

    @property
    def banner(self) -> str:
        """The text of the greeting."""
        return self.settings.banner or f"{self.hostname} FTP server ready"

    # --- options --------------------------------------------------------------------

    def reconfigure(self, settings: FTPSettings) -> None:
        """Other rules, for those who log in from now on."""
        self.rules = rules_from(settings)

    def options(self, user: User | None, origin: Origin) -> Options:
        """What holds for a session of that user from there."""
        if user is None:
            return self.rules.options(Person(origin.address))
        return user.options

    def limits_of(self, user: User, options: Options, is_upload: bool) -> list[Limit]:
        """The bandwidth limits of a transfer of that user, the one that most transfers
        share last."""
        way = "up" if is_upload else "down"
        settings = self.rules.settings
        if is_upload:
            own, shared = options.upload_rate, options.class_upload_rate
            total = settings.total_upload_rate
        else:
            own, shared = options.download_rate, options.class_download_rate
            total = settings.total_download_rate
        found = (
            Limit(("account", user.whose, way), own),
            Limit(("class", shared.name, way), shared.octets),
            Limit(("server", "", way), total),
        )
        return [limit for limit in found if limit.octets]

    async def _person(self, account: Account, origin: Origin) -> Person:
        """An account as rules name it."""
        default_domain = ""
        if self.rules.needs_default_domain:
            default_domain = next(iter(await self.accounts.domains()), "")
        groups = frozenset(account.groups)
        return Person(
            origin.address, account.login, groups, default_domain=default_domain
        )

    # --- logins ---------------------------------------------------------------------

    def is_anonymous(self, login: str) -> bool:
        """Whether ``login`` asks for anonymous access, and that is allowed."""
        return self.settings.anonymous and login in self.settings.anonymous_names

    def may_name(self, login: str, origin: Origin) -> None:
        """Refused where the password that follows USER must not travel so."""
        if self.is_anonymous(login) or self.accounts.may_use_plaintext(origin):
            return
        # RFC 4217 10.3: 534, denied for policy reasons.
        text = "Log in over TLS; a password must not travel in the clear here"
        raise Refused("login without TLS", Reply(534, text))

    async def login(
        self, login: str, password: bytes, origin: Origin, slot: Slot | None
    ) -> User:
        """The user.  Refused, or Trouble where the server is at fault."""
        if self.is_anonymous(login):
            email = email_of(password)
            if self.settings.anonymous_email and not email:
                # RFC 1635: many sites ask for it; nobody checks whether it is true.
                text = "Give your e-mail address as password"
                raise Refused("no e-mail address", Reply(530, text))
            return self._anonymous_user(origin, email)
        if not origin.is_secure and await self._needs_tls(login, origin):
            # RFC 4217 10.1: said of the login, whatever the password is.
            raise _in_the_clear()
        try:
            account = await self.accounts.login(login, password, origin)
        except LoginRefused as refusal:
            raise _as_reply(refusal) from refusal
        if slot is not None and slot.name_account(account.login) is not None:
            raise self._too_many_of_one(origin)
        person = await self._person(account, origin)
        permissions = self.rules.permissions(person, Permission.ALL)
        options = self.rules.options(person)
        tree = self.files.home(account, permissions, options.umask)
        view = self._view(tree, permissions)
        user = User(account.login, view, person, options, account=account)
        return self._admit(user, origin)

    async def _needs_tls(self, login: str, origin: Origin) -> bool:
        """Whether a rule wants TLS for a login that came without."""
        if not self.rules.may_ask_for("tls_required", (True,)):
            return False
        try:
            account = await self.accounts.find(login)
        except StoreError:
            return False  # the login will fail, too
        if account is None:
            return False
        person = await self._person(account, origin)
        return self.rules.options(person).tls_required

    def _anonymous_user(self, origin: Origin, email: str) -> User:
        person = Person(origin.address, is_anonymous=True)
        permissions = self.rules.permissions(person, Permission.READ_ONLY)
        box = self.drop_box
        if box is not None:
            below = {box.path: Permission.CREATE, **permissions.below}
            permissions = Permissions(permissions.everywhere, below)
        options = self.rules.options(person)
        if options.tls_required and not origin.is_secure:
            raise _in_the_clear()
        tree = self.files.public(permissions, options.umask, box)
        view = self._view(tree, permissions)
        user = User("anonymous", view, person, options, True, email=email)
        return self._admit(user, origin)

    def _admit(self, user: User, origin: Origin) -> User:
        """Count a session of that user; ``logged_out`` ends that.  Refused."""
        if not user.options.login:
            self.events.emit(
                "login_refused",
                **origin.event_fields,
                login=user.login,
                method="none" if user.is_anonymous else "password",
                reason="a rule",
                retry_after=None,
            )
            raise Refused("a rule", LOGIN_INCORRECT)
        here = self._per_user.get(user.whose, 0)
        most = user.options.sessions
        if most and here >= most:
            raise self._too_many_of_one(origin)
        self._per_user[user.whose] = here + 1
        return user

    def _too_many_of_one(self, origin: Origin) -> Refused:
        reason = "too many sessions of one user"
        self.events.emit("session_refused", **origin.event_fields, reason=reason)
        return Refused(reason, Reply(530, "Too many sessions of yours"))

    async def prepare(self) -> None:
        """Make the drop box where it is not there yet."""
        box = self.drop_box
        if box is None:
            return
        tree = self.files.public(EVERYTHING)
        for depth in range(1, len(box.path) + 1):
            with suppress(Exists):
                await tree.make_directory(box.path[:depth])

    @property
    def drop_box(self) -> DropBox | None:
        """Where anonymous users upload."""
        path = parse_directory(self.settings.drop_box)
        if not path:
            return None
        return DropBox(
            path,
            self.settings.drop_box_upload,
            self.settings.drop_box_total,
            self.settings.drop_box_files,
        )

    def _view(self, tree: IFileTree, permissions: Permissions) -> View:
        return View(tree, permissions, (), self.settings.listing_page)

    async def is_welcome(self, login: str) -> bool:
        """Whether an account that has logged in may stay; also while the store cannot
        tell."""
        try:
            account = await self.accounts.find(login)
        except StoreError:
            return True
        return account is not None and account.is_enabled

    def unique_name(self, prefix: str) -> str:
        """A name for STOU that nobody else can have taken."""
        return f"{prefix}.{secrets.token_hex(6)}"

    # --- data connections -----------------------------------------------------------

    def check_target(
        self, target: HostPort, peer: str, allow_foreign: bool = False
    ) -> None:
        """Refused where PORT or EPRT names another host than the client's own, or a
        low port."""
        # RFC 2577 3: no bounce attack on a third host or a well-known port.
        if target.host != peer and not allow_foreign:
            text = "Data does not go to a foreign address"
            raise Refused("PORT to another host", Reply(501, text))
        if target.port < _LOWEST_ACTIVE_PORT:
            text = "Data does not go to a privileged port"
            raise Refused("PORT to a low port", Reply(501, text))

    # --- events ---------------------------------------------------------------------

    def logged_in(self, user: User, origin: Origin) -> None:
        """A login; the accounts service reports those that have an account."""
        if user.is_anonymous:
            self.events.emit(
                "login",
                **origin.event_fields,
                account=user.login,
                method="none",
                email=user.email,
            )

    def logged_out(self, user: User, origin: Origin, seconds: float) -> None:
        """The end of what a login began."""
        left = self._per_user[user.whose] - 1
        if left:
            self._per_user[user.whose] = left
        else:
            del self._per_user[user.whose]
        self.events.emit(
            "logout", **origin.event_fields, account=user.login, seconds=seconds
        )

    def changed(
        self,
        user: User,
        origin: Origin,
        change: str,
        path: Path,
        target: Path | None = None,
        size_octets: int | None = None,
    ) -> None:
        """A file or directory was made, deleted, renamed or given attributes."""
        tree = user.view.tree
        self.events.emit(
            "file_changed",
            **origin.event_fields,
            account=user.login,
            email=user.email,
            change=change,
            path=path_text(path),
            disk_path=tree.disk_path(path),
            target=None if target is None else path_text(target),
            disk_target=None if target is None else tree.disk_path(target),
            size_octets=size_octets,
        )


def email_of(password: bytes) -> str:
    """The address that an anonymous user gave as password; nothing for what is none,
    as a password of somebody's may have strayed here."""
    text = password.decode("ascii", "replace").strip()
    return text if _ADDRESS.fullmatch(text) else ""


def _too_many(what: str) -> Refused:
    reply = Reply(421, "Too many sessions; try again later", Then.CLOSE)
    return Refused(f"too many sessions {what}", reply)


def _in_the_clear() -> Refused:
    text = "Log in over TLS; what you sent now was sent in the clear"
    return Refused("login without TLS", Reply(534, text))


def _as_reply(refusal: LoginRefused) -> Exception:
    if refusal.is_temporary:
        text = "Logins are not possible at the moment; try again later"
        return Trouble(str(refusal), Reply(421, text, Then.CLOSE))
    if refusal.retry_after:
        return Refused(str(refusal), Reply(530, "Too many failed logins; wait a while"))
    return Refused(str(refusal), LOGIN_INCORRECT)
