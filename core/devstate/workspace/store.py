"""Where the embedded database of a workspace lies, and whether anything moved in it."""

from __future__ import annotations

import hashlib
import os

from devstate.durable import OS, Files, Identity, identity_of, kind_of, list_folder
from devstate.errors import DevStateError

from .places import STORE
from .reading import StorePosition

__all__ = ["locate_store", "store_files", "watched_folders"]

_PARTS = ("wal", "snapshots")


def locate_store(root: str, db: str | None = None, *, files: Files = OS) -> StorePosition:
    """The database folder: `db`, else the workspace's own; `files` alone where there is none.

    `in_sync` is None: files and database are not compared here.
    """
    folder = db or os.path.join(root, STORE)
    if _kind(os.path.join(folder, "."), files) != "folder":
        return StorePosition()
    seen = hashlib.sha256(repr(store_files(folder, files=files)).encode("utf-8", "surrogateescape"))
    return StorePosition("embedded", folder, None, seen.hexdigest()[:16])


def watched_folders(folder: str | None, *, files: Files = OS) -> tuple[str, ...]:
    """The folders of the database at `folder` that change with each commit: itself, `wal/`, `snapshots/`."""
    if folder is None:
        return ()
    parts = (os.path.join(folder, part) for part in _PARTS)
    return (folder, *(part for part in parts if _kind(part, files) == "folder"))


def store_files(folder: str | None, *, files: Files = OS) -> tuple[tuple[str, Identity | None], ...]:
    """The WAL and snapshot files with their identities, by name."""
    found: list[tuple[str, Identity | None]] = []
    for part in watched_folders(folder, files=files)[1:]:
        try:
            names = list_folder(part, files=files)
        except DevStateError:  # removed just now, or not ours to read: the next event tells
            continue
        paths = [os.path.join(part, name) for name in names]
        found += [(path, _identity(path, files)) for path in paths]
    return tuple(found)


def _kind(path: str, files: Files) -> str | None:
    try:
        return kind_of(path, files=files)
    except DevStateError:
        return None


def _identity(path: str, files: Files) -> Identity | None:
    try:
        return identity_of(path, files=files)
    except DevStateError:
        return None
