"""Changes of a log that no checksum shows: what a faulty program or a forger would leave."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from devstate.engine.framing import Transaction, frame_transaction, make_tx_id
from devstate.engine.segments import SegmentReader
from devstate.engine.snapshotting import commits_in

Change = Callable[[int, bytes], bytes]


def rewrite(root: Path, cv: int, change: Change) -> None:
    """Replace the payloads of a commit by `change(entry type, payload)`, which must be as long."""
    with SegmentReader(str(root)) as reader:
        for segment in reader.refresh():
            for commit in commits_in(reader.load(segment), segment.start):
                if commit.cv == cv:
                    data = _framed(reader.read_transaction(commit.lsn), change)
                    path = Path(segment.path)
                    old = path.read_bytes()
                    offset = commit.lsn - segment.start
                    assert offset + len(data) == commit.end - segment.start
                    path.write_bytes(old[:offset] + data + old[offset + len(data) :])
                    return
    raise AssertionError(f"no commit {cv}")


def flip(root: Path, cv: int) -> None:
    """Damage one byte in the middle of a commit."""
    with SegmentReader(str(root)) as reader:
        for segment in reader.refresh():
            for commit in commits_in(reader.load(segment), segment.start):
                if commit.cv == cv:
                    path = Path(segment.path)
                    data = bytearray(path.read_bytes())
                    data[commit.lsn - segment.start + 30] ^= 1
                    path.write_bytes(data)
                    return
    raise AssertionError(f"no commit {cv}")


def _framed(transaction: Transaction, change: Change) -> bytes:
    entries = [(entry.entry_type, change(entry.entry_type, entry.payload)) for entry in transaction.entries]
    salt = transaction.entries[0].tx_id[8:]
    tx_id = make_tx_id(transaction.sequence, salt)
    return frame_transaction(entries, tx_id, transaction.run, transaction.cv, transaction.ts, transaction.lsn)
