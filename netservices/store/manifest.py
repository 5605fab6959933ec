"""A backup's manifest: what it holds, with the hash of each file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from typing import Any

from attrs import asdict

from netservices.core.errors import StartupError
from netservices.store.directory import DATABASE
from netservices.store.sync import sync_directory, sync_file
from netservices.values import Manifest

MANIFEST = "manifest.json"

Progress = Callable[[int, int], None]

_CHUNK = 1 << 20


def load_manifest(backup: str) -> Manifest | None:
    """The manifest of a backup, or None where there is none; StartupError where it
    cannot be read."""
    path = os.path.join(backup, MANIFEST)
    try:
        with open(path, encoding="ascii") as file:
            return _manifest(json.load(file))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise StartupError(f"{path} is not the manifest of a backup: {error}") from None


def _manifest(found: Any) -> Manifest:
    """What somebody's JSON says; ValueError and its like where it is no manifest."""
    files = tuple(
        (str(name), int(size), str(sha256)) for name, size, sha256 in found["files"]
    )
    if not any(name.endswith(f"/{DATABASE}") for name, _, _ in files):
        raise ValueError("it names no database")
    return Manifest(
        created=float(found["created"]),
        store_id=str(found["store_id"]),
        schema_version=int(found["schema_version"]),
        cursor=int(found["cursor"]),
        files=files,
    )


def save_manifest(backup: str, manifest: Manifest) -> None:
    """Put the manifest in its place in one step: from then on the backup is this."""
    path = os.path.join(backup, MANIFEST)
    with open(path + ".part", "w", encoding="ascii") as file:
        json.dump(asdict(manifest), file, indent=1)
    sync_file(path + ".part")
    os.replace(path + ".part", path)
    sync_directory(backup)


def digest_of(path: str) -> tuple[int, str]:
    """Octets and SHA-256 of a file, or of where a symbolic link leads."""
    digest, size = hashlib.sha256(), 0
    if os.path.islink(path):
        target = os.fsencode(os.readlink(path))
        return len(target), hashlib.sha256(target).hexdigest()
    with open(path, "rb", buffering=0) as file:
        while part := file.read(_CHUNK):
            digest.update(part)
            size += len(part)
    return size, digest.hexdigest()


def damaged_files(
    backup: str, manifest: Manifest, progress: Progress | None = None
) -> tuple[str, ...]:
    """The files of the manifest that are missing or differ from it."""
    damaged = []
    for number, (name, size, sha256) in enumerate(manifest.files):
        if progress is not None:
            progress(number, len(manifest.files))
        try:
            found = digest_of(os.path.join(backup, name))
        except OSError:
            found = (-1, "")
        if found != (size, sha256):
            damaged.append(name)
    return tuple(damaged)
