"""The names inside the folder of a database.

```
LOCK  WRITERS  META  CLEAN
wal/<start LSN, 20 digits>.wal          live segments
history/<start LSN, 20 digits>.wal      sealed segments kept for replay, each with a .idx beside it
snapshots/snapshot_<LSN, 20 digits>.dat
quarantine/                             what a repair set aside; never read by the engine
```

Pure functions on names: nothing here touches a disk.
"""

from __future__ import annotations

import os
import re
from typing import Final

__all__ = [
    "CLEAN",
    "LOCK",
    "MAX_LSN",
    "META",
    "WRITERS",
    "history_folder",
    "index_name",
    "is_temp_name",
    "parse_index_name",
    "parse_segment_name",
    "parse_snapshot_name",
    "quarantine_folder",
    "segment_name",
    "snapshot_name",
    "snapshots_folder",
    "temp_name",
    "wal_folder",
]

LOCK: Final = "LOCK"
WRITERS: Final = "WRITERS"
META: Final = "META"
CLEAN: Final = "CLEAN"
MAX_LSN: Final = 2**64 - 1

_SEGMENT: Final = re.compile(r"([0-9]{20})\.wal", re.ASCII)
_INDEX: Final = re.compile(r"([0-9]{20})\.idx", re.ASCII)
_SNAPSHOT: Final = re.compile(r"snapshot_([0-9]{20})\.dat", re.ASCII)
# The second form is that of devstate.durable.atomic.
_TEMPORARY: Final = re.compile(r"\.tmp-.+|\..+\.[0-9]{1,10}-[0-9a-f]{12}\.tmp", re.DOTALL)


def wal_folder(root: str) -> str:
    """Where the live segments are."""
    return os.path.join(root, "wal")


def history_folder(root: str) -> str:
    """Where segments go that recovery no longer needs."""
    return os.path.join(root, "history")


def snapshots_folder(root: str) -> str:
    """Where the snapshots are."""
    return os.path.join(root, "snapshots")


def quarantine_folder(root: str) -> str:
    """Where repairs put what they cut."""
    return os.path.join(root, "quarantine")


def segment_name(start: int) -> str:
    """The file name of the segment that begins at LSN `start`."""
    return f"{start:020d}.wal"


def parse_segment_name(name: str) -> int | None:
    """The LSN that a segment's file name says, None where it is no such name."""
    return _number(_SEGMENT, name)


def index_name(start: int) -> str:
    """The file name of the index of the archived segment that begins at LSN `start`."""
    return f"{start:020d}.idx"


def parse_index_name(name: str) -> int | None:
    """The LSN that an index's file name says, None where it is no such name."""
    return _number(_INDEX, name)


def snapshot_name(wal_offset: int) -> str:
    """The file name of the snapshot of all that is before LSN `wal_offset`."""
    return f"snapshot_{wal_offset:020d}.dat"


def parse_snapshot_name(name: str) -> int | None:
    """The LSN that a snapshot's file name says, None where it is no such name."""
    return _number(_SNAPSHOT, name)


def temp_name(token: str) -> str:
    """The name of a file that is not finished; `token` comes from `Files.token()`."""
    return f".tmp-{token}"


def is_temp_name(name: str) -> bool:
    """Whether an interrupted write of the engine, or of `devstate.durable`, leaves such a name."""
    return _TEMPORARY.fullmatch(name) is not None


def _number(form: re.Pattern[str], name: str) -> int | None:
    found = form.fullmatch(name)
    if found is None:
        return None
    number = int(found[1])
    return number if number <= MAX_LSN else None
