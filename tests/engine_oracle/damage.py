"""Damage to the bytes of one segment, each with what an opening may and must make of it.

`at_least` and `at_most` bound the commits (by number, from 1 on) that are there after an opening that keeps the intact
prefix. `report` is the least that must be said:

    "silent"    nothing: what is left is a whole log, as it was at an earlier moment
    "said"      something: a discarded tail, a gap, entries without a marker, or a refusal
    "refused"   the default opening raises, for whole commits follow on what is damaged

`displaced`: the later commits are intact, but no longer where their markers say. A `log` here is one segment that
starts at LSN 0 and is intact to its end.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from engine_oracle.entries import COMMIT, Entry, encode_entry, entries_of
from engine_oracle.packing import unpack
from engine_oracle.writer import RUN, encode_transaction

OTHER_SALT = bytes.fromhex("8899aabbccddeeff")


class Damage(NamedTuple):
    name: str
    data: bytes
    at_least: int
    at_most: int
    report: str
    displaced: bool = False


class Frame(NamedTuple):
    cv: int
    start: int
    end: int


def frames_of(log: bytes) -> list[Frame]:
    """The committed transactions, as their markers name them."""
    found: list[Frame] = []
    for entry in entries_of(log):
        if entry.type == COMMIT:
            cv, _, _, lsn, *_ = unpack(entry.payload)
            found.append(Frame(cv, lsn, entry.end))
    return found


def _exact(
    name: str, data: bytes, kept: int, total: int, least: str, *, later: bool, displaced: bool = False
) -> Damage:
    """`later`: a whole commit after the first that is lost is still among the bytes."""
    report = "refused" if later and kept < total else least
    return Damage(name, data, kept, kept, report, displaced and later)


def truncations(log: bytes) -> Iterator[Damage]:
    """To each length. A cut right after a commit looks like the log of that moment."""
    entries, frames = entries_of(log), frames_of(log)
    for length in range(len(log)):
        kept = sum(frame.end <= length for frame in frames)
        last = max((frame.end for frame in frames[:kept]), default=0)
        between = [entry for entry in entries if last <= entry.position < length]
        boundary = length in (0, *(entry.end for entry in entries))
        open_entries = any(_frame_of(entry, frames) is not None for entry in between)
        least = "silent" if boundary and not open_entries else "said"
        yield Damage(f"cut to {length}", log[:length], kept, kept, least)


def _frame_of(entry: Entry, frames: Sequence[Frame]) -> Frame | None:
    return next((frame for frame in frames if frame.start <= entry.position < frame.end), None)


def _in_place(name: str, log: bytes, data: bytes, at: int, frames: Sequence[Frame]) -> Damage:
    """Other bytes at one place, the length as before."""
    hit = next((index for index, frame in enumerate(frames) if frame.start <= at < frame.end), None)
    kept = len(frames) if hit is None else hit
    return _exact(name, data, kept, len(frames), "said", later=hit is not None and hit + 1 < len(frames))


def bit_flips(log: bytes, step: int = 1) -> Iterator[Damage]:
    """Each bit (or each `step`th)."""
    frames = frames_of(log)
    for bit in range(0, 8 * len(log), step):
        changed = bytearray(log)
        changed[bit // 8] ^= 1 << bit % 8
        yield _in_place(f"bit {bit % 8} of byte {bit // 8}", log, bytes(changed), bit // 8, frames)


def bytes_set(log: bytes, step: int = 1, to: Sequence[int] = (0x00, 0xFF)) -> Iterator[Damage]:
    """Each byte to each of these values, where it has another."""
    frames = frames_of(log)
    for at in range(0, len(log), step):
        for number in to:
            if log[at] != number:
                changed = log[:at] + bytes([number]) + log[at + 1 :]
                yield _in_place(f"byte {at} is {number:#04x}", log, changed, at, frames)


def entries_deleted(log: bytes) -> Iterator[Damage]:
    entries, frames = entries_of(log), frames_of(log)
    for number, entry in enumerate(entries):
        data = log[: entry.position] + log[entry.end :]
        yield _shifted(f"entry {number} deleted", data, entry, frames, doubled=False)


def entries_duplicated(log: bytes) -> Iterator[Damage]:
    entries, frames = entries_of(log), frames_of(log)
    for number, entry in enumerate(entries):
        data = log[: entry.end] + log[entry.position :]
        yield _shifted(f"entry {number} twice", data, entry, frames, doubled=True)


def _shifted(name: str, data: bytes, entry: Entry, frames: Sequence[Frame], *, doubled: bool) -> Damage:
    """An entry less or more: what follows is no longer where its markers say."""
    own = _frame_of(entry, frames)
    if own is None:
        kept = sum(frame.end <= entry.position for frame in frames)
        least = "silent" if kept == len(frames) else "said"
        return _exact(name, data, kept, len(frames), least, later=kept < len(frames), displaced=True)
    whole = doubled and entry.end == own.end  # the marker twice: the transaction itself is whole
    kept = frames.index(own) + whole
    later = frames.index(own) + 1 < len(frames)
    return _exact(name, data, kept, len(frames), "said", later=later, displaced=True)


def entries_swapped(log: bytes) -> Iterator[Damage]:
    """Each entry with its neighbour, and any two entries (the marker not among them) of one transaction."""
    entries, frames = entries_of(log), frames_of(log)
    for number in range(len(entries) - 1):
        yield from _swap(log, entries, frames, number, number + 1)
    for one in range(len(entries)):
        for other in range(one + 2, len(entries)):
            frame = _frame_of(entries[one], frames)
            if (
                frame is not None
                and frame.start <= entries[other].position
                and entries[other].end < frame.end
            ):
                yield from _swap(log, entries, frames, one, other)


def _swap(
    log: bytes, entries: Sequence[Entry], frames: Sequence[Frame], one: int, other: int
) -> Iterator[Damage]:
    pieces = [log[entry.position : entry.end] for entry in entries]
    if pieces[one] == pieces[other]:
        return
    pieces[one], pieces[other] = pieces[other], pieces[one]
    name, data = f"entries {one} and {other} swapped", b"".join(pieces)
    first, second = (_frame_of(entries[number], frames) for number in (one, other))
    if second is None:  # a marker or an unclaimed entry moved before what it followed: the same commits
        yield Damage(name, data, len(frames), len(frames), "silent")
        return
    # In one transaction: its order is wrong. Across two: the second begins earlier than it says, the first is whole.
    kept = frames.index(second)
    displaced = first != second
    later = kept + 1 < len(frames)
    yield _exact(name, data, kept, len(frames), "said", later=later, displaced=displaced)


def tails(log: bytes, dice: random.Random) -> Iterator[Damage]:
    """Bytes after the end."""
    total = len(frames_of(log))
    foreign = encode_transaction(
        [(0x10, "k", 1)], run=RUN, cv=total + 1, ts=1, lsn=len(log), sequence=total + 1, salt=OTHER_SALT
    )
    added = {f"{size} zero bytes": bytes(size) for size in (1, 3, 4, 25, 26, 512, 4096)}
    added |= {f"{size} random bytes": dice.randbytes(size) for size in (1, 7, 26, 100, 1000)}
    added |= {"a transaction of another database": foreign, "its own copy": log}
    for name, tail in added.items():
        yield Damage(f"followed by {name}", log + tail, total, total, "said")


def foreign_blocks(log: bytes) -> Iterator[Damage]:
    """Each transaction under the salt of another database, and such a block put in before each."""
    frames = frames_of(log)
    for number, frame in enumerate(frames):
        block = resalted(log[frame.start : frame.end], OTHER_SALT)
        later = number + 1 < len(frames)
        instead = log[: frame.start] + block + log[frame.end :]
        yield _exact(
            f"commit {frame.cv} is of another database", instead, number, len(frames), "said", later=later
        )
        before = log[: frame.start] + block + log[frame.start :]
        name = f"a block of another database before commit {frame.cv}"
        yield _exact(name, before, number, len(frames), "said", later=True, displaced=True)


def resalted(log: bytes, salt: bytes) -> bytes:
    """The same entries as another database would have written them, checksums included."""
    pieces = [encode_entry(e.type, e.payload, e.sequence, salt, e.version) for e in entries_of(log)]
    return b"".join(pieces)


def all_damages(log: bytes, dice: random.Random, step: int = 1) -> Iterator[Damage]:
    """All of the above; `step` thins out bits and bytes."""
    yield from truncations(log)
    yield from bit_flips(log, step)
    yield from bytes_set(log, step)
    yield from entries_deleted(log)
    yield from entries_duplicated(log)
    yield from entries_swapped(log)
    yield from tails(log, dice)
    yield from foreign_blocks(log)
