"""The log as its names, sizes and first entries show it, without reading it through: for the part below a snapshot.

Opening starts at a snapshot and does not look below it. What is there is needed to replay runs, and to fall back to an
older snapshot. A look at the outline costs one small read a segment; bytes inside a segment are not judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from devstate.durable.files import OS, Files

from .envelope import MAX_ENTRY_LENGTH, MIN_LENGTH, NIL_TX, OVERHEAD, U32, decode_entry, defect_at
from .errors import WalCorruptionError
from .layout import segment_name, wal_folder
from .reports import Defect
from .segments import Segment, SegmentReader

__all__ = ["outline_faults"]

_HEAD: Final = 4096


def outline_faults(
    root: str, segments: Sequence[Segment], through: int, *, salt: bytes | None = None, files: Files = OS
) -> tuple[Defect, ...]:
    """What is wrong with the outline of the log before LSN `through`, in order of the log.

    `segments` are those of the database in `root`, by start, as they were listed when a snapshot at `through` was
    there. Segments that are missing between two others or before `through`, that are empty or cut, that claim the same
    place, or that begin with no entry of the database with this `salt`. That the log begins later than at LSN 0 is no
    fault: history may have been let go. Raises InputUnreadable.
    """
    found: list[Defect] = []
    below = [segment for segment in segments if segment.start < through]
    if through and not segments:
        path = f"{wal_folder(root)}/{segment_name(0)}"
        return (Defect("missing", 0, path, 0, "there is no segment at all"),)
    followers = [segment.start for segment in segments[1:]]
    with SegmentReader(root, files=files) as reader:
        for number, segment in enumerate(below):
            wrong = _head(segment, reader, salt) if segment.size else ""
            if wrong:
                found.append(Defect(wrong, segment.start, segment.path, 0, "at the beginning of a segment"))
            following = followers[number] if number < len(followers) else max(through, segment.end)
            if segment.end < following:
                what = (
                    "the file is empty" if not segment.size else f"the file ends after {segment.size:,} bytes"
                )
                missing = f"{what}, the next {following - segment.end:,} are not there"
                found.append(Defect("missing", segment.end, segment.path, segment.size, missing))
            elif segment.end > following:
                more = f"the file goes on for {segment.end - following:,} bytes behind the beginning of the next one"
                found.append(Defect("overlap", following, segment.path, following - segment.start, more))
    return tuple(found)


def _head(segment: Segment, reader: SegmentReader, salt: bytes | None) -> str:
    """Why a segment does not begin with an entry of this database; "" where it does."""
    try:
        data = reader.read(segment.start, min(_HEAD, segment.size))
    except WalCorruptionError:
        return ""  # let go since it was listed
    if len(data) < OVERHEAD:
        return defect_at(data, 0, len(data)) if data else ""
    length = int(U32.unpack_from(data)[0])
    if len(data) < 4 + length <= segment.size and MIN_LENGTH <= length <= MAX_ENTRY_LENGTH:
        tx_id = data[6:22]  # its checksum is too far away for a short look
    else:
        entry = decode_entry(data, 0, len(data), segment.start)
        if isinstance(entry, str):
            return entry
        tx_id = entry.tx_id
    return "foreign" if salt is not None and tx_id != NIL_TX and tx_id[8:] != salt else ""
