"""Which database a folder holds, and whether it was closed cleanly: `META`, what stands in for it, and `CLEAN`."""

from __future__ import annotations

import hashlib
import os

from devstate.durable.files import Files, retried
from devstate.durable.reading import unreadable

from .envelope import NIL_TX
from .errors import NoRecoveryBaseError, SnapshotCorruptError
from .layout import CLEAN, META
from .meta import SMALL_FILE_LIMIT, CleanMark, Meta, decode_clean, decode_meta
from .scan import ListedEntry, scan_entries
from .segments import SegmentReader, list_segments
from .snapshot_reading import list_snapshots, read_snapshot

__all__ = ["read_clean", "read_identity", "read_small"]


def read_identity(root: str, reader: SegmentReader, files: Files) -> tuple[Meta, bool]:
    """`META`, or, where it is missing, what a snapshot or the log says of the same."""
    path = os.path.join(root, META)
    data = read_small(path, files)
    if data is not None:
        return decode_meta(data, path), False
    for found in list_snapshots(root, files):
        try:
            meta = read_snapshot(found.path, files=files).meta
        except SnapshotCorruptError:
            continue
        return Meta(db_uuid=meta.db_uuid, salt=meta.salt, created=meta.base_ts), True
    for segment in list_segments(root, history=True, files=files):
        for entry in scan_entries(reader.load(segment), segment.start):
            # A damaged entry would name a database that this is not, and all of the log would be foreign to it.
            if isinstance(entry, ListedEntry) and entry.crc_ok and entry.tx_id != NIL_TX:
                salt = entry.tx_id[8:]
                return Meta(
                    db_uuid=hashlib.sha256(b"devstate" + salt).digest()[:16], salt=salt, created=0
                ), True
    raise NoRecoveryBaseError(
        f"{root} has no META, and neither a snapshot nor an intact log entry to take the identity from",
        path=root,
        remedy="Put the files of the database back, or choose another folder.",
    )


def read_clean(root: str, files: Files) -> CleanMark | None:
    """The mark of a clean close; None where there is none, or a damaged one, which proves nothing."""
    data = read_small(os.path.join(root, CLEAN), files)
    return decode_clean(data) if data is not None else None


def read_small(path: str, files: Files) -> bytes | None:
    """The content of a small file, None where it is missing. Raises InputUnreadable."""
    try:
        fd = retried(files.open, path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(error, path) from None
    try:
        data = b""
        while len(data) < SMALL_FILE_LIMIT:
            part = retried(files.pread, fd, SMALL_FILE_LIMIT - len(data), len(data))
            if not part:
                break
            data += part
        return data
    except OSError as error:
        raise unreadable(error, path) from None
    finally:
        files.close(fd)
