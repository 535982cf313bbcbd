"""A segment: what judging a run of neighbouring entries leaves behind.

Segments of neighbouring runs join into the segment of both, so a file may be judged in one go or in parts, and
the outcome is the same. Entry numbers inside a segment count from its own first entry.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from .faults import WARNINGS, Fault, FileFault

__all__ = ["BAD", "UNCHECKED", "FirstTime", "Lone", "Segment", "join"]

# Values in `Segment.macs` beside the number of the key that verified an entry.
BAD = 255
UNCHECKED = 254


class Lone(msgspec.Struct, frozen=True, array_like=True):
    """The only entry of an actor so far; such an actor may be one with characters moved to or from the action."""

    index: int
    offset: int
    action: str


class FirstTime(msgspec.Struct, frozen=True, array_like=True):
    """The first time that can be read: as a sort key and as it stands, and whose it is."""

    key: str
    ts: str
    index: int
    offset: int


class Segment(msgspec.Struct, array_like=True):
    """`macs` and `errors` hold one byte an entry: the key (or BAD, UNCHECKED), and 1 where something else is wrong.

    `faults` holds at most `limits.findings_per_code` of each code, in order; `fault_counts` counts all.
    """

    count: int
    macs: bytes
    errors: bytes
    faults: list[Fault]
    fault_counts: dict[str, int]
    file_faults: list[FileFault]
    members: list[str]  # those that the HMAC does not cover, in order of appearance
    first_link: tuple[str | None, int] | None  # hmac_prev of the first entry, and its offset
    first_time: FirstTime | None
    last_hmac: str | None
    last_key: str | None
    one_checksum: str | None  # where all entries name the same state
    bound_entry: int | None  # the last entry that names the state as it stands
    repeated_actors: list[str]
    lone_actors: dict[str, Lone]
    last_entry: list[str]  # ts, actor, action, cp_to, state_checksum, hmac of the last entry


def join(segments: Iterable[Segment], cap: int) -> Segment:
    """One segment for several neighbours in file order; `cap` is the most faults kept of one code."""
    parts = list(segments)
    if len(parts) == 1:
        return parts[0]
    total = parts[0]
    for part in parts[1:]:
        total = _join_two(total, part, cap)
    return total


def _join_two(a: Segment, b: Segment, cap: int) -> Segment:
    if a.count == 0 or b.count == 0:
        full, other = (b, a) if a.count == 0 else (a, b)
        return msgspec.structs.replace(full, file_faults=[*full.file_faults, *other.file_faults])
    base = a.count
    errors = bytearray(a.errors + b.errors)
    fresh: list[Fault] = []
    if b.first_link is not None and a.last_hmac is not None:
        stored, offset = b.first_link
        if stored is not None and stored != a.last_hmac:
            fresh.append(Fault("CHAIN_LINK_BROKEN", base, offset, "/hmac_prev", a.last_hmac, stored))
    late = b.first_time
    if late is not None:
        late = msgspec.structs.replace(late, index=late.index + base)
        if a.last_key is not None and late.key < a.last_key:
            fresh.append(Fault("TIME_REGRESSION", late.index, late.offset, "/ts", a.last_key, late.ts))
    for fault in fresh:
        if fault.code not in WARNINGS:
            errors[base] = 1
    moved = [msgspec.structs.replace(fault, index=fault.index + base) for fault in b.faults]
    counts = dict(a.fault_counts)
    for code, number in b.fault_counts.items():
        counts[code] = counts.get(code, 0) + number
    for fault in fresh:
        counts[fault.code] = counts.get(fault.code, 0) + 1
    repeated = set(a.repeated_actors) | set(b.repeated_actors)
    repeated |= a.lone_actors.keys() & b.lone_actors.keys()
    lone = {
        **a.lone_actors,
        **{
            actor: msgspec.structs.replace(entry, index=entry.index + base)
            for actor, entry in b.lone_actors.items()
        },
    }
    return Segment(
        count=a.count + b.count,
        macs=a.macs + b.macs,
        errors=bytes(errors),
        faults=_capped([*a.faults, *sorted([*fresh, *moved], key=_index)], cap),
        fault_counts=counts,
        file_faults=[*a.file_faults, *b.file_faults],
        members=list(dict.fromkeys([*a.members, *b.members])),
        first_link=a.first_link,
        first_time=a.first_time or late,
        last_hmac=b.last_hmac,
        last_key=b.last_key if b.last_key is not None else a.last_key,
        one_checksum=a.one_checksum if a.one_checksum == b.one_checksum else None,
        bound_entry=b.bound_entry + base if b.bound_entry is not None else a.bound_entry,
        repeated_actors=sorted(repeated),
        lone_actors={actor: entry for actor, entry in lone.items() if actor not in repeated},
        last_entry=b.last_entry,
    )


def _index(fault: Fault) -> int:
    return fault.index


def _capped(faults: list[Fault], cap: int) -> list[Fault]:
    kept: dict[str, int] = {}
    result: list[Fault] = []
    for fault in faults:
        number = kept.get(fault.code, 0)
        if number < cap:
            kept[fault.code] = number + 1
            result.append(fault)
    return result
