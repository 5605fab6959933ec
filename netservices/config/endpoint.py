"""Endpoint strings: where a protocol listens.

``tcp:PORT[:interface=A][:role=R][:backlog=N]``, ``tls:`` with the same options,
``udp:PORT[:interface=A]``, ``unix:PATH[:mode=660][:role=R]``,
``systemd:NAME[:role=R][:tls=yes]``, and ``tcp:fd=N``, ``tls:fd=N``, ``udp:fd=N`` for
sockets that a parent process bound.  A ``:`` or ``\\`` inside a value is written
``\\:`` or ``\\\\``; an IPv6 address may stand as it is, or in brackets, ``[::1]``.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

from attrs import evolve, frozen

KINDS = ("tcp", "tls", "udp", "unix", "systemd")

_OPTIONS = {
    "tcp": {"interface", "role", "backlog", "fd"},
    "tls": {"interface", "role", "backlog", "fd"},
    "udp": {"interface", "fd"},
    "unix": {"role", "mode", "backlog"},
    "systemd": {"role", "tls"},
}
_PART = re.compile(r"((?:\[[^\]]*\]|\\.|[^:\\])*)(:|$)", re.DOTALL)


@frozen
class Endpoint:
    """One place to listen, parsed."""

    kind: str
    """tcp, tls, udp, unix or systemd."""
    port: int = 0
    interface: str = ""
    """Empty: every address, IPv6 and IPv4."""
    path: str = ""
    """Of a UNIX socket, or the name of a systemd socket."""
    role: str = ""
    mode: int = 0o666
    backlog: int = 0
    """0: ``server.backlog``."""
    is_tls: bool = False
    fd: int | None = None

    def moved(self, offset: int, interface: str) -> Endpoint:
        """With ``offset`` added to its port, and on ``interface`` unless it names one.

        ValueError where the port leaves the range."""
        if self.kind not in ("tcp", "tls", "udp") or self.fd is not None:
            return self
        port = self.port + offset if self.port else 0
        if port > 65535:
            raise ValueError(f"{self}: with the offset {offset} the port is {port}")
        return evolve(self, port=port, interface=self.interface or interface)

    def __str__(self) -> str:
        first = self.path.replace("\\", "\\\\").replace(":", "\\:")
        if self.kind in ("tcp", "tls", "udp"):
            first = str(self.port) if self.fd is None else f"fd={self.fd}"
        parts = [self.kind, first]
        if self.interface:
            address = f"[{self.interface}]" if ":" in self.interface else self.interface
            parts.append(f"interface={address}")
        if self.kind == "unix" and self.mode != 0o666:
            parts.append(f"mode={self.mode:o}")
        if self.role:
            parts.append(f"role={self.role}")
        if self.kind == "systemd" and self.is_tls:
            parts.append("tls=yes")
        if self.backlog:
            parts.append(f"backlog={self.backlog}")
        return ":".join(parts)


def parse_endpoint(text: str) -> Endpoint:
    """The endpoint that ``text`` describes.  ValueError says what is wrong."""
    words = _split(text)
    kind = words[0]
    if kind not in KINDS:
        raise ValueError(
            f"{text!r}: an endpoint begins with {', '.join(KINDS[:-1])} or {KINDS[-1]}"
            " and a colon, as tcp:21"
        )
    options: dict[str, str] = {}
    first = ""
    for position, word in enumerate(words[1:]):
        name, equals, value = word.partition("=")
        if equals and name in _OPTIONS[kind]:
            options[name] = value
        elif "interface" in options and not equals and list(options)[-1] == "interface":
            options["interface"] += f":{word}"  # an IPv6 address without brackets
        elif position == 0:
            first = word
        else:
            known = ", ".join(sorted(_OPTIONS[kind]))
            raise ValueError(f"{text!r}: no option {word!r}; {kind} takes {known}")
    return _endpoint(text, kind, first, options)


def _split(text: str) -> list[str]:
    """The parts between colons, escapes and brackets resolved."""
    words = []
    for match in _PART.finditer(text):
        words.append(re.sub(r"\\(.)", r"\1", match[1]))
        if not match[2]:
            break
    return words


def _endpoint(text: str, kind: str, first: str, options: dict[str, str]) -> Endpoint:
    endpoint = Endpoint(kind, role=options.get("role", ""), is_tls=kind == "tls")
    if "backlog" in options:
        endpoint = evolve(endpoint, backlog=_number(text, "backlog", options, 65535))
    if kind in ("unix", "systemd"):
        if not first:
            wanted = "a path" if kind == "unix" else "the name of a socket"
            raise ValueError(f"{text!r}: {wanted} is wanted after {kind}:")
        is_tls = options.get("tls", "no") in ("yes", "true", "on", "1")
        mode = _mode(text, options.get("mode", "666"))
        return evolve(endpoint, path=first, is_tls=is_tls, mode=mode)
    if "fd" in options:
        return evolve(endpoint, fd=_number(text, "fd", options, 1 << 20))
    port = _number(text, "port", {"port": first}, 65535)
    return evolve(endpoint, port=port, interface=_interface(text, options))


def _number(text: str, name: str, options: dict[str, str], most: int) -> int:
    digits = options[name]
    if not re.fullmatch(r"[0-9]{1,7}", digits) or int(digits) > most:
        raise ValueError(f"{text!r}: {name} {digits!r}: 0 to {most} is wanted")
    return int(digits)


def _mode(text: str, digits: str) -> int:
    if not re.fullmatch(r"0?[0-7]{3}", digits):
        raise ValueError(f"{text!r}: mode {digits!r}: octal digits as 660 are wanted")
    return int(digits, 8)


def _interface(text: str, options: dict[str, str]) -> str:
    address = options.get("interface", "").strip("[]")
    if address in ("", "*"):
        return ""
    try:
        ip_address(address)
    except ValueError:
        raise ValueError(
            f"{text!r}: interface {address!r}: an IP address is wanted"
        ) from None
    return address
