"""What happened to files, for machines: the same events as FTP's."""

from __future__ import annotations

from netservices.http.handlers.dav.place import Place
from netservices.values import Path


def tell_upload(place: Place, octets: int, seconds: float, outcome: str) -> None:
    """An upload has ended: ``outcome`` is ``complete``, or the status of the answer."""
    request = place.request
    place.events.emit(
        "transfer",
        **request.origin.event_fields,
        account=place.account.login,
        email="",
        client=request.fields.get("user-agent"),
        verb=request.method,
        direction="up",
        path=_text(place.path),
        disk_path=place.tree.disk_path(place.path),
        type="I",
        size_octets=octets,
        offset=0,
        seconds=round(seconds, 6),
        rate=round(octets / seconds) if seconds > 0 else None,
        outcome=outcome,
    )


def tell_change(
    place: Place,
    change: str,
    path: Path,
    target: Path | None = None,
    size_octets: int | None = None,
) -> None:
    """A file or directory was made, removed, deleted, renamed or copied."""
    tree = place.tree
    place.events.emit(
        "file_changed",
        **place.request.origin.event_fields,
        account=place.account.login,
        email="",
        change=change,
        path=_text(path),
        disk_path=tree.disk_path(path),
        target=None if target is None else _text(target),
        disk_target=None if target is None else tree.disk_path(target),
        size_octets=size_octets,
    )


def _text(path: Path) -> str:
    return "/" + "/".join(path)
