"""Logs made by hand for the tests of their reading: what is in them is known without any reader."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from devstate.engine.envelope import encode_entry
from devstate.engine.framing import Transaction, frame_transaction, make_tx_id
from devstate.engine.layout import history_folder, segment_name, wal_folder
from devstate.engine.reports import WalkEnd
from devstate.engine.segments import SegmentReader, list_segments
from devstate.engine.walk import LogWalk

SALT = bytes.fromhex("0011223344556677")
RUNS = (bytes(range(16)), bytes(range(16, 32)), bytes(range(32, 48)))
TS = 1_700_000_000_000_000


class Commit(msgspec.Struct, frozen=True):
    """One transaction of a sample: what is in it, its bytes, and where they stand."""

    cv: int
    run: bytes
    ts: int
    content: tuple[tuple[int, bytes], ...]
    data: bytes
    lsn: int

    @property
    def end(self) -> int:
        return self.lsn + len(self.data)

    def pieces(self) -> list[bytes]:
        """Its entries, each as bytes, the marker last."""
        found: list[bytes] = []
        rest = self.data
        while rest:
            size = 4 + int.from_bytes(rest[:4], "little")
            found.append(rest[:size])
            rest = rest[size:]
        return found


def commit(
    cv: int,
    lsn: int,
    *,
    content: Sequence[tuple[int, bytes]] | None = None,
    sequence: int | None = None,
    salt: bytes = SALT,
    ts: int | None = None,
) -> Commit:
    """A transaction of one to three entries whose content follows from `cv`."""
    if content is None:
        content = [(0x10 + part, b"%d/%d " % (cv, part) + b"v" * (5 * part)) for part in range(1 + cv % 3)]
    run = RUNS[cv % len(RUNS)]
    ts = TS + cv if ts is None else ts
    data = frame_transaction(
        content, make_tx_id(cv if sequence is None else sequence, salt), run, cv, ts, lsn
    )
    return Commit(cv, run, ts, tuple(content), data, lsn)


def commits(count: int, *, lsn: int = 0, first_cv: int = 1) -> list[Commit]:
    """`count` transactions, one behind the other."""
    made: list[Commit] = []
    for cv in range(first_cv, first_cv + count):
        made.append(commit(cv, lsn))
        lsn = made[-1].end
    return made


def joined(made: Sequence[Commit]) -> bytes:
    return b"".join(one.data for one in made)


def marker_entry(content: object, *, sequence: int = 9, salt: bytes = SALT, entry_type: int = 0) -> bytes:
    """A marker with any content."""
    return encode_entry(entry_type, make_tx_id(sequence, salt), msgspec.msgpack.encode(content))


def write_segment(root: str, start: int, data: bytes, *, archived: bool = False) -> str:
    folder = history_folder(root) if archived else wal_folder(root)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, segment_name(start))
    with open(path, "wb") as file:
        file.write(data)
    return path


def walked(
    root: str, *, start: int = 0, last_cv: int = 0, last_ts: int = 0, salt: bytes = SALT, max_gaps: int = 10
) -> tuple[list[Transaction], WalkEnd]:
    with SegmentReader(root) as reader:
        walk = LogWalk(
            list_segments(root, history=True),
            reader=reader,
            start=start,
            last_cv=last_cv,
            last_ts=last_ts,
            salt=salt,
            max_gaps=max_gaps,
        )
        return list(walk), walk.end


def matches(found: Transaction, made: Commit) -> bool:
    """Whether what was read is what was written, to the last byte."""
    content = tuple((entry.entry_type, entry.payload) for entry in found.entries)
    return (found.run, found.cv, found.ts, content) == (made.run, made.cv, made.ts, made.content)
