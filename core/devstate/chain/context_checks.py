"""Checks that need more than one entry, or something beside the file: moved entries, unknown actors, the state."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from .faults import Fault
from .index import HistoryIndex
from .segment import Lone, Segment
from .source import Source

__all__ = ["Kinship", "ambiguous_actors", "kin_of", "state_sha256"]


class Kinship(msgspec.Struct, frozen=True):
    """What the rest of the file says about an entry whose link is broken.

    `copy_of` is the first entry with the same HMAC, `predecessor` the entry whose HMAC the link names.
    """

    copy_of: int | None
    predecessor: int | None


class _Link(msgspec.Struct):
    hmac: str = ""
    hmac_prev: str = ""


def kin_of(faults: Iterable[Fault], index: HistoryIndex, source: Source) -> dict[int, Kinship]:
    """For each entry with a broken link, the entries that explain it; one pass over the file."""
    broken = {fault.index: fault.actual for fault in faults if fault.code == "CHAIN_LINK_BROKEN"}
    if not broken:
        return {}
    own = {number: index.entry(number, source).hmac for number in broken}
    wanted = {value for value in (*broken.values(), *own.values()) if value}
    seen: dict[str, int] = {}
    decode = msgspec.json.Decoder(_Link).decode
    for first, raws in index.raw_blocks(source):
        for position, raw in enumerate(raws):
            try:
                link = decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if link.hmac in wanted:
                seen.setdefault(link.hmac, first + position)
    kin: dict[int, Kinship] = {}
    for number, named in broken.items():
        copy = seen.get(own[number])
        kin[number] = Kinship(
            copy if copy is not None and copy < number else None,
            seen.get(named) if named else None,
        )
    return kin


def ambiguous_actors(segment: Segment, agents: frozenset[str]) -> list[tuple[str, Lone, str]]:
    """Entries whose actor nobody else names while a known actor is a beginning of actor + action.

    v1 signs the two without a delimiter, so characters can be moved from one to the other unnoticed.
    """
    known = agents | set(segment.repeated_actors)
    everybody = known | segment.lone_actors.keys()
    found: list[tuple[str, Lone, str]] = []
    for actor, lone in segment.lone_actors.items():
        if actor in known:
            continue
        text = actor + lone.action
        for length in range(1, len(text) + 1):
            if length != len(actor) and text[:length] in everybody:
                found.append((actor, lone, text[:length]))
                break
    return found


def state_sha256(state_bytes: bytes) -> str:
    """The checksum that an entry made now would carry."""
    return hashlib.sha256(state_bytes).hexdigest()
