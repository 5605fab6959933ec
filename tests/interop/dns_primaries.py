"""named, nsd and knotd as primaries of one zone, on loopback."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode

from tests.interop.dns_programs import Program, free_port, wait_until
from tests.programs import located, run

ORIGIN = "primary.test."
SECRET = "c2VjcmV0IHNlY3JldCBzZWNyZXQgc2VjcmV0IQ=="
KEY = "transfer.test"


def zone_text(serial: int, *lines: str, refresh: int = 86400) -> str:
    """A master file; its timers are too long to matter unless ``refresh`` says so."""
    head = f"$TTL 60\n@ SOA ns1 h {serial} {refresh} 3600 604800 60\n@ NS ns1\n"
    return head + "ns1 A 127.0.0.1\n" + "".join(f"{line}\n" for line in lines)


def look_up(port: int, name: str, rdtype: str = "A") -> tuple[str, ...]:
    """The data of the answer at a server on loopback, or its response code."""
    query = dns.message.make_query(name, rdtype)
    try:
        reply = dns.query.udp(query, "127.0.0.1", timeout=1, port=port)
    except (dns.exception.Timeout, OSError):
        return ("silence",)
    if reply.rcode() != dns.rcode.NOERROR:
        return (dns.rcode.to_text(reply.rcode()),)
    return tuple(sorted(rdata.to_text() for rrset in reply.answer for rdata in rrset))


class Primary:
    """A foreign server with one zone, which tells ``notified`` of changes."""

    program = ""

    def __init__(
        self,
        place: Path,
        notified: int,
        text: str,
        *,
        origin: str = ORIGIN,
        key: str = "",
        tls: tuple[str, str] = ("", ""),
        extra: str = "",
        takes_updates: bool = False,
        is_rich: bool = False,
    ) -> None:
        self.place, self.notified, self.origin, self.key = place, notified, origin, key
        self.tls = tls
        self.extra = extra
        self.takes_updates = takes_updates or is_rich
        self.is_rich = is_rich
        self.port = free_port()
        self.tls_port = free_port() if tls[0] else 0
        self.write(text)
        (place / "conf").write_text(self.configuration())
        self.running = Program(located(self.program), place)
        wait_until(
            lambda: (
                look_up(self.port, origin, "SOA") not in (("silence",), ("SERVFAIL",))
            ),
            f"{self.program} does not start: {self.running.said()}",
        )

    def configuration(self) -> str:
        """Its configuration file."""
        raise NotImplementedError

    def write(self, text: str) -> None:
        """Another version of the zone, on disk."""
        (self.place / "zone").write_text(text)

    def change(self, text: str) -> None:
        """Another version of the zone, served."""
        self.write(text)
        self.running.process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """End it, and its children, and forget its files."""
        self.running.stop()
        shutil.rmtree(self.place, ignore_errors=True)


class Named(Primary):
    """BIND; changes come by dynamic update, too."""

    program = "named"

    def configuration(self) -> str:
        who = f"key {self.key}" if self.key else "127.0.0.1"
        notify = f"127.0.0.1 port {self.notified}" + f" key {self.key}" * bool(self.key)
        updates = "allow-update { 127.0.0.1; };" if self.takes_updates else ""
        tls = listen = ""
        if self.tls_port:
            chain, key = self.tls
            tls = f'tls ours {{ cert-file "{chain}"; key-file "{key}"; }};\n'
            listen = f"listen-on port {self.tls_port} tls ours {{ 127.0.0.1; }};"
        return (
            f'key "{KEY}" {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n{tls}'
            f'options {{ directory "{self.place}"; listen-on port {self.port} '
            f"{{ 127.0.0.1; }}; {listen} listen-on-v6 {{ none; }}; recursion no;"
            f' pid-file none; session-keyfile "{self.place}/key"; notify-delay 0;'
            f" notify explicit; also-notify {{ {notify}; }}; }};\ncontrols {{ }};\n"
            f'zone "{self.origin}" {{ type primary; file "zone";'
            f" {updates} allow-transfer {{ {who}; }}; max-ixfr-ratio unlimited;"
            " ixfr-from-differences yes; };\n" + self.more()
        )

    def more(self) -> str:
        """A second zone, ``ORIGIN``, where it is rich."""
        if not self.is_rich:
            return self.extra
        (self.place / "other").write_text(zone_text(1, "www A 192.0.2.1"))
        return f'zone "{ORIGIN}" {{ type primary; file "other"; }};\n'

    def update(self, *lines: str) -> None:
        """Change records by dynamic update (RFC 2136)."""
        script = f"server 127.0.0.1 {self.port}\nzone {self.origin}\n"
        run(located("nsupdate"), script=script + "\n".join(lines) + "\nsend\n")


class NSD(Primary):
    """NSD; a changed master file becomes differences."""

    program = "nsd"

    def configuration(self) -> str:
        key = self.key or "NOKEY"
        tls = ""
        if self.tls_port:
            tls = (
                f" ip-address: 127.0.0.1@{self.tls_port}\n tls-port: {self.tls_port}\n"
                f' tls-service-pem: "{self.tls[0]}"\n'
                f' tls-service-key: "{self.tls[1]}"\n'
            )
        return (
            f"server:\n server-count: 1\n ip-address: 127.0.0.1@{self.port}\n{tls}"
            f' username: ""\n database: ""\n pidfile: "{self.place}/pid"\n'
            f' xfrdfile: "{self.place}/xfrd"\n xfrdir: "{self.place}"\n'
            f' zonelistfile: "{self.place}/list"\nremote-control:\n'
            f' control-enable: no\nkey:\n name: "{KEY}"\n algorithm: hmac-sha256\n'
            f' secret: "{SECRET}"\nzone:\n name: "{self.origin}"\n'
            f' zonefile: "{self.place}/zone"\n provide-xfr: 127.0.0.1 {key}\n'
            f" notify: 127.0.0.1@{self.notified} {key}\n store-ixfr: yes\n"
            f" create-ixfr: yes\n{self.extra}"
        )


class Knot(Primary):
    """Knot DNS; a changed master file becomes differences."""

    program = "knotd"

    def configuration(self) -> str:
        key = f"   key: {self.key}\n" if self.key else ""
        return (
            f"server:\n  listen: 127.0.0.1@{self.port}\n  rundir: {self.place}\n"
            "  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n"
            f"database:\n  storage: {self.place}\n"
            f"key:\n - id: {KEY}\n   algorithm: hmac-sha256\n   secret: {SECRET}\n"
            f"remote:\n - id: ours\n   address: 127.0.0.1@{self.notified}\n{key}"
            f"acl:\n - id: transfer\n   address: 127.0.0.1\n   action: transfer\n{key}"
            f"zone:\n - domain: {self.origin}\n   file: {self.place}/zone\n"
            "   zonefile-load: difference\n   zonefile-sync: -1\n"
            "   journal-content: changes\n   notify: ours\n   acl: transfer\n"
            f"{self.extra}"
        )


PRIMARIES: dict[str, type[Primary]] = {"named": Named, "nsd": NSD, "knotd": Knot}


class FollowingKnot(Knot):
    """Knot DNS as a secondary of ``ORIGIN`` here; ``notified`` is our port."""

    def configuration(self) -> str:
        return (
            self.head()
            + f"zone:\n - domain: {self.origin}\n   master: ours\n"
            + "   zonefile-sync: -1\n   zonefile-load: none\n   journal-content: all\n"
        )

    def head(self) -> str:
        """All but the zones."""
        return (
            f"server:\n  listen: 127.0.0.1@{self.port}\n  rundir: {self.place}\n"
            "  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n"
            f"database:\n  storage: {self.place}\n"
            f"remote:\n - id: ours\n   address: 127.0.0.1@{self.notified}\n"
        )


class ProducingKnot(FollowingKnot):
    """Knot DNS with a catalog of its zones, ``ORIGIN`` alone, in the group gold."""

    def configuration(self) -> str:
        return (
            self.head()
            + "acl:\n - id: transfer\n   address: 127.0.0.1\n   action: transfer\n"
            "zone:\n - domain: catalog.test.\n   catalog-role: generate\n"
            "   acl: transfer\n   notify: ours\n"
            f" - domain: {ORIGIN}\n   file: {self.place}/zone\n   acl: transfer\n"
            "   catalog-role: member\n   catalog-zone: catalog.test.\n"
            "   catalog-group: gold\n   zonefile-sync: -1\n"
        )


class ConsumingKnot(FollowingKnot):
    """Knot DNS that follows a catalog of ours."""

    def configuration(self) -> str:
        return (
            self.head()
            + "template:\n - id: member\n   master: ours\n   zonefile-sync: -1\n"
            "   journal-content: all\n   zonefile-load: none\n"
            f"zone:\n - domain: {self.origin}\n   master: ours\n"
            "   catalog-role: interpret\n   catalog-template: member\n"
            "   zonefile-sync: -1\n   zonefile-load: none\n   journal-content: all\n"
        )


class ConsumingNamed(Named):
    """BIND that follows a catalog of ours."""

    def configuration(self) -> str:
        ours = f"127.0.0.1 port {self.notified}"
        return (
            f'options {{ directory "{self.place}"; listen-on port {self.port} '
            "{ 127.0.0.1; }; listen-on-v6 { none; }; recursion no; pid-file none;"
            f' session-keyfile "{self.place}/key"; notify no;'
            f' catalog-zones {{ zone "{self.origin}" default-primaries {{ {ours}; }};'
            " };\n};\ncontrols { };\n"
            f'zone "{self.origin}" {{ type secondary; file "catalog";'
            f" primaries {{ {ours}; }}; }};\n"
        )
