"""Limits that all protocols share: failed logins, open sessions, token buckets.

Theory of failed logins.  Guessing is slowed down and stopped by three tallies, and none
of them can be turned against the person whose account is attacked:

* by *pair* (account, network): a few failures make every further attempt wait, one
  after the other and ever longer, also when they come in parallel; ``login_failures``
  lock that network out of that account, and nobody else;
* by *network*: whoever tries one password on many accounts is locked out as a network;
* by *account*: many networks together guessing at one account lock it for networks that
  are not known.

A network from which the account lately logged in is *known*: no lock applies to it, it
is only slowed down, so that neither an attacker elsewhere nor a neighbour behind the
same address can keep the user out for good.  A success clears the pair only: it must
not buy an attacker with one account of his own fresh tries at the others.  Failures
leak away one by one.  A password that was wrong before and is tried again (a forgotten
phone) slows down but never locks.  An attempt is counted as *pending* until its outcome
is known, and more than ``parallel_attempts`` at once count as failures, so opening a
hundred connections does not give a hundred free guesses.

Nothing here survives a restart, and an account need not exist to be counted: what a
peer sees does not tell which logins are real.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from hashlib import blake2b
from typing import TypeAlias

from attrs import frozen

from netservices.core.buckets import TokenBuckets
from netservices.core.errors import ConfigurationError
from netservices.core.failures import Tallies, Tally
from netservices.core.networks import Network, Networks, parse_address, parse_networks
from netservices.core.sessions import SessionCounts, Slot, TooMany
from netservices.core.settings import Duration, setting, settings

__all__ = ["Delay", "Limits", "LimitsSettings", "LockedOut", "Slot", "TooMany"]

_LONGEST_KEY = 128
_EVIDENCE_KEPT = 4


@settings
class LimitsSettings:
    """How much anybody may ask for, counted across all protocols."""

    exempt: tuple[str, ...] = setting(
        [],
        "Networks in which nothing is counted, such as 192.0.2.0/24.",
        check=lambda text: parse_networks([text]),
    )
    ipv4_network_bits: int = setting(
        24,
        "IPv4 addresses that share these bits are one network.",
        minimum=8,
        maximum=32,
    )
    ipv6_network_bits: int = setting(
        56,
        "IPv6 addresses that share these bits are one network.",
        minimum=16,
        maximum=128,
    )
    sessions: int = setting(10000, "Sessions open at once.", minimum=1)
    sessions_per_account: int = setting(100, "Sessions of one account.", minimum=1)
    sessions_per_address: int = setting(200, "Sessions from one IP address.", minimum=1)
    sessions_per_network: int = setting(1000, "Sessions from one network.", minimum=1)
    login_failures: int = setting(
        10,
        "Failed logins to one account from one network before it is locked out there.",
        minimum=2,
    )
    login_failures_network: int = setting(
        100, "Failed logins from one network before it is locked out.", minimum=2
    )
    login_failures_account: int = setting(
        100,
        "Failed logins to one account before unknown networks are locked out of it.",
        minimum=2,
    )
    forget_failures: Duration = setting(
        "1h",
        "In this time as many failures are forgotten as lead to a lock-out.",
        minimum=1,
    )
    lockout: Duration = setting("15m", "How long a lock-out lasts.", minimum=1)
    first_delay: Duration = setting(
        "1s", "The wait after the second failure; it doubles with each further one."
    )
    longest_delay: Duration = setting("16s", "The longest wait between two attempts.")
    longest_wait: Duration = setting(
        "30s", "Attempts that would have to queue longer are refused."
    )
    parallel_attempts: int = setting(
        10, "Logins of one account and network at once before they queue.", minimum=1
    )
    known_network: Duration = setting(
        "30d", "How long a network counts as known after a login from there."
    )
    remembered_failures: int = setting(
        20000, "Accounts, networks and pairs whose failures are kept, each.", minimum=1
    )
    remembered_lockouts: int = setting(
        10000, "Lock-outs kept, each; only further lock-outs push one out.", minimum=1
    )
    remembered_networks: int = setting(
        50000, "Known networks of accounts that are kept.", minimum=1
    )
    remembered_buckets: int = setting(
        65536, "Token buckets of one kind that are kept.", minimum=1
    )


@frozen
class Delay:
    """The attempt may be made after ``seconds``, and is pending from now on."""

    seconds: float


@frozen
class LockedOut:
    """The attempt may not be made, at least for ``seconds``."""

    seconds: float
    what: str
    """``pair``, ``network``, ``account`` or ``queue``; for the log only."""


Verdict: TypeAlias = Delay | LockedOut
Pair: TypeAlias = tuple[str, str]


class Limits:
    """Counts by account, address and network; every call but ``unlock`` is O(1).

    Accounts are named by their login in folded form, whether they exist or not;
    addresses as ``Origin.address``.  ``seconds`` is a clock that never goes back.
    ConfigurationError where ``settings.exempt`` holds something that is not a network.
    """

    def __init__(self, settings: LimitsSettings, seconds: Callable[[], float]) -> None:
        self.settings = settings
        self._seconds = seconds
        self._networks = Networks(
            settings.ipv4_network_bits,
            settings.ipv6_network_bits,
            _exempt_networks(settings),
        )
        self._pairs = self._tallies(settings.login_failures)
        self._by_network = self._tallies(settings.login_failures_network)
        self._by_account = self._tallies(settings.login_failures_account)
        self._known: OrderedDict[Pair, float] = OrderedDict()
        self._sessions = SessionCounts(
            {
                "server": settings.sessions,
                "account": settings.sessions_per_account,
                "address": settings.sessions_per_address,
                "network": settings.sessions_per_network,
            }
        )

    def _tallies(self, limit: int) -> Tallies:
        return Tallies(
            limit,
            self.settings.forget_failures,
            self.settings.lockout,
            self.settings.remembered_failures,
            self.settings.remembered_lockouts,
            self._seconds,
        )

    # --- failed logins --------------------------------------------------------------

    def may_try(self, account: str, address: str) -> Verdict:
        """Whether, and after how long, a login may be tried from there.

        After a ``Delay``, exactly one of ``failed``, ``succeeded`` and ``abandoned``
        must be called when the outcome is known.
        """
        if self._networks.is_exempt(address):
            return Delay(0.0)
        pair = self._pair(account, address)
        lock = self._lock_of(pair)
        is_known = self.is_known(account, address)
        if lock is not None and not is_known:
            return lock
        tally = self._pairs.open(pair)
        failures = round(tally.level)
        failures += max(0, tally.pending - self.settings.parallel_attempts)
        # A locked account or network is under attack: known users are slowed down.
        delay = self._delay_after(failures if lock is None else max(failures, 2))
        now = self._seconds()
        start = max(now, tally.free_at) + delay
        if start - now > self.settings.longest_wait:
            return LockedOut(start - now, "queue")
        tally.free_at = start
        tally.pending += 1
        return Delay(start - now)

    def failed(self, account: str, address: str, evidence: int | None = None) -> bool:
        """The attempt failed; whether that locked somebody out.

        ``evidence`` is a keyed hash of the wrong password, which tells a repetition
        from a guess.
        """
        if self._networks.is_exempt(address):
            return False
        pair = self._pair(account, address)
        tally = self._settle(pair)
        if evidence is not None:
            if evidence in tally.evidence:
                half = self.settings.login_failures / 2
                tally.level = max(tally.level, min(tally.level + 1, half))
                return False
            tally.evidence = (*tally.evidence, evidence)[-_EVIDENCE_KEPT:]
        is_known = self.is_known(account, address)
        locks = [
            self._pairs.count(pair, may_lock=not is_known),
            self._by_network.count(pair[1]),
            not is_known and self._by_account.count(pair[0]),
        ]
        return any(locks)

    def succeeded(self, account: str, address: str) -> None:
        """The attempt succeeded: this network is known to the account now."""
        if self._networks.is_exempt(address):
            return
        pair = self._pair(account, address)
        self._pairs.forget(pair)
        self._known[pair] = self._seconds()
        self._known.move_to_end(pair)
        if len(self._known) > self.settings.remembered_networks:
            self._known.popitem(last=False)

    def abandoned(self, account: str, address: str) -> None:
        """The attempt ended without an outcome: the peer left, or we could not tell."""
        if not self._networks.is_exempt(address):
            pair = self._pair(account, address)
            self._settle(pair)
            self._pairs.discard_if_empty(pair)

    def is_known(self, account: str, address: str) -> bool:
        """Whether the account lately logged in from that network."""
        at = self._known.get(self._pair(account, address))
        return at is not None and self._seconds() - at < self.settings.known_network

    def unlock(self, account_or_address: str) -> bool:
        """Forget the failures of an account, address or network; whether one was
        locked."""
        name, _, _ = account_or_address.partition("/")
        if parse_address(name) is not None:
            network = self._networks.key_of(name)
            by_pair = self._pairs.forget_where(lambda key: _part(key, 1) == network)
            return self._by_network.forget(network) or by_pair
        account = _bounded(account_or_address)
        by_pair = self._pairs.forget_where(lambda key: _part(key, 0) == account)
        return self._by_account.forget(account) or by_pair

    def _pair(self, account: str, address: str) -> Pair:
        return _bounded(account), self._networks.key_of(address)

    def _lock_of(self, pair: Pair) -> LockedOut | None:
        for what, tallies, key in (
            ("pair", self._pairs, pair),
            ("network", self._by_network, pair[1]),
            ("account", self._by_account, pair[0]),
        ):
            left = tallies.locked_for(key)
            if left:
                return LockedOut(left, what)
        return None

    def _settle(self, pair: Pair) -> Tally:
        tally = self._pairs.open(pair)
        tally.pending = max(0, tally.pending - 1)
        return tally

    def _delay_after(self, failures: int) -> float:
        """0, 0, 1, 2, 4, 8 ... seconds: everybody mistypes once."""
        if failures < 2:
            return 0.0
        doubled = self.settings.first_delay * 2.0 ** min(failures - 2, 60)
        return min(doubled, self.settings.longest_delay)

    # --- sessions and rates ---------------------------------------------------------

    def enter(self, protocol: str, account: str, address: str) -> Slot | TooMany:
        """The right to a session, or the limit that forbids it.

        ``account`` is empty before the login; ``Slot.name_account`` follows it.
        """
        keys: list[tuple[str, str]] = []
        if not self._networks.is_exempt(address):
            keys.append(("address", address))
            keys.append(("network", self._networks.key_of(address)))
        if account:
            keys.append(("account", _bounded(account)))
        return self._sessions.open(protocol, tuple(keys))

    def buckets(self, rate_per_second: float, burst: float) -> TokenBuckets:
        """New token buckets on the same clock, for one purpose of one protocol; the
        key is the caller's, such as ``network_of(address)``."""
        return TokenBuckets(
            rate_per_second, burst, self._seconds, self.settings.remembered_buckets
        )

    def network_of(self, address: str) -> str:
        """The key of the network that ``address`` is in."""
        return self._networks.key_of(address)

    def is_exempt(self, address: str) -> bool:
        """Whether the operator exempted that address."""
        return self._networks.is_exempt(address)

    def statistics(self) -> Mapping[str, int]:
        """How much is remembered, for ``status``."""
        return {
            "failure_tallies": len(self._pairs)
            + len(self._by_network)
            + len(self._by_account),
            "known_networks": len(self._known),
            **{
                f"sessions_{name}": count
                for name, count in self._sessions.by_protocol().items()
            },
        }


def _exempt_networks(settings: LimitsSettings) -> tuple[Network, ...]:
    try:
        return parse_networks(settings.exempt)
    except ValueError as problem:
        raise ConfigurationError(f"limits.exempt: {problem}") from None


def _bounded(account: str) -> str:
    """A key of bounded length: peers choose what they call an account."""
    if len(account) <= _LONGEST_KEY:
        return account
    digest = blake2b(account.encode("utf-8", "surrogatepass"), digest_size=16)
    return digest.hexdigest()


def _part(key: Hashable, index: int) -> str:
    found: str = key[index]  # type: ignore[index]
    return found
