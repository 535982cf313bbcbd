"""What an interrupted write leaves beside the documents, and what to do with it.

Looking changes nothing. Removing and setting aside are for writing commands, under the workspace lock.
"""

from __future__ import annotations

import os
import re
import stat as modes

import msgspec

from devstate.errors import PlanStale

from .atomic import ensure_folder, remove_durably, storage_fault
from .files import OS, Files, retried
from .reading import Identity, identity_of, list_folder

__all__ = ["Leftover", "find_leftovers", "remove_leftover", "set_aside"]

# The names that devstate.durable.atomic makes; group 1 is the document, cut where it was very long.
_OURS = re.compile(r"\.(.+)\.([0-9]{1,10})-[0-9a-f]{12}\.tmp")


class Leftover(msgspec.Struct, frozen=True):
    """A temporary file beside the documents.

    `document` is the name of the file that it was to become. `ours` says that DevState made it; then `pid`
    is the process that did, and `alive` whether a process of that number runs on this host: it may be
    writing just now, and the file no leftover yet. Another program's temporary file has `pid` None.
    """

    path: str
    document: str
    ours: bool
    pid: int | None
    alive: bool
    identity: Identity


def find_leftovers(folder: str | os.PathLike[str], *, files: Files = OS) -> tuple[Leftover, ...]:
    """The temporary files in a folder (`*.tmp`, not in folders below), by name; nothing is changed.

    A missing folder has none. Raises InputUnreadable.
    """
    place = os.fspath(folder)
    if identity_of(place, files=files) is None:
        return ()
    found: list[Leftover] = []
    for name in list_folder(place, files=files):
        if not name.endswith(".tmp"):
            continue
        path = os.path.join(place, name)
        try:
            facts = files.stat(path, follow_symlinks=False)
        except FileNotFoundError:
            continue  # the write that it belonged to has just ended
        if not modes.S_ISREG(facts.st_mode):
            continue
        identity = Identity(facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
        match = _OURS.fullmatch(name)
        pid = int(match[2]) if match else None
        found.append(
            Leftover(
                path=path,
                document=match[1] if match else name.removesuffix(".tmp").lstrip("."),
                ours=match is not None,
                pid=pid,
                alive=pid is not None and files.process_alive(pid),
                identity=identity,
            )
        )
    return tuple(found)


def remove_leftover(leftover: Leftover, *, files: Files = OS) -> bool:
    """Remove it for good; False where it is gone already.

    Raises PlanStale where it changed since it was found, StorageFault.
    """
    if not _still_there(leftover, files):
        return False
    return remove_durably(leftover.path, files=files)


def set_aside(leftover: Leftover, to_folder: str | os.PathLike[str], *, files: Files = OS) -> str | None:
    """Move it durably into a folder (made if missing, same file system); the new path, None where it is gone.

    A file of the same name that is there already stays: the name then gets a suffix. Raises PlanStale where
    it changed since it was found, StorageFault.
    """
    if not _still_there(leftover, files):
        return None
    folder = os.fspath(to_folder)
    ensure_folder(folder, files=files)
    target = os.path.join(folder, os.path.basename(leftover.path))
    if identity_of(target, files=files) is not None:
        target += "." + files.token()
    source_folder = os.path.dirname(leftover.path) or "."
    try:
        files.replace(leftover.path, target)
        # The new name first: between the two syncs a crash may show the file twice, but never lose it.
        retried(files.fsync_dir, folder)
        retried(files.fsync_dir, source_folder)
    except OSError as error:
        raise storage_fault("set aside", error, leftover.path) from None
    return target


def _still_there(leftover: Leftover, files: Files) -> bool:
    now = identity_of(leftover.path, files=files)
    if now is None:
        return False
    if now != leftover.identity:
        raise PlanStale(
            f"{leftover.path} changed since it was found; it was left alone",
            path=leftover.path,
            remedy="Another program writes to it: let it finish, then repeat.",
        )
    return True
