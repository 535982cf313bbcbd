"""The circle of v1: state.json lists a checksum of history.json, each entry names one of state.json.

Writing one file makes what the other says about it old, so both cannot be current at once. A reading says
which side is current, and whether the old side is old for that reason alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from devstate.chain import ChainReport, HistoryIndex, Source
from devstate.errors import DevStateError
from devstate.trae import StateDocument

from .places import HISTORY
from .reading import Binding

__all__ = ["bind", "grew_from", "listed_history", "names_history"]

# How many versions back an old checksum is looked for: each costs one digest of a copied hash state.
_VERSIONS = 50_000
_BLOCK = 1 << 20
_GAP = 256


def listed_history(document: StateDocument | None) -> str | None:
    """The checksum of history.json that state.json lists (as it is written there), None where it lists none."""
    if document is None:
        return None
    return next((item.hash for item in document.artifacts if names_history(item.path)), None)


def names_history(path: str) -> bool:
    """Whether a listed path is that of history.json, however it is spelled."""
    return "/".join(part for part in path.split("/") if part not in ("", ".")) == HISTORY


def grew_from(listed: str, index: HistoryIndex, source: Source) -> int | None:
    """With how many entries the history had the checksum `listed`, None where it never had it as it grew.

    An append keeps every byte before the new entry and every byte after the last one; so an earlier version
    is the file cut after entry k, with the same end. Only the last 50,000 versions are tried.
    """
    total = len(index)
    if total == 0:
        return None
    last = index.entry(total - 1, source)
    end = last.offset + len(last.raw)
    tail = source.pread(source.size - end, end)
    seen = hashlib.sha256()
    done = 0
    for count, stop in enumerate(_ends(index, source), 1):
        if count == total:
            break
        for offset in range(done, stop, _BLOCK):
            seen.update(source.pread(min(_BLOCK, stop - offset), offset))
        done = stop
        if count < total - _VERSIONS:
            continue
        version = seen.copy()
        version.update(tail)
        if version.hexdigest() == listed:
            return count
    return None


def _ends(index: HistoryIndex, source: Source) -> Iterator[int]:
    """The offset after each entry. Between two entries is next to nothing, so that no entry is parsed."""
    at = 0
    for first, raws in index.raw_blocks(source):
        for number, raw in enumerate(raws, first):
            gap = source.pread(_GAP + len(raw), at).find(raw)
            at = at + gap if gap >= 0 else index.entry(number, source).offset
            at += len(raw)
            yield at


def bind(
    state_sha256: str,
    listed: str | None,
    report: ChainReport,
    earlier: Callable[[], int | None],
) -> Binding:
    """How the two files name each other. `earlier` is asked for `grew_from` only where the answer matters.

    Raises nothing: a history that cannot be read again counts as one whose growth is not known.
    """
    head = report.head.state_checksum if report.head else ""
    bound = bool(head) and head == state_sha256
    current = None if listed is None else listed == report.sha256
    grown: int | None = None
    if current is False:
        try:
            grown = earlier()
        except DevStateError:
            grown = None
    return Binding(
        state_sha256=state_sha256,
        head_checksum=head,
        bound=bound,
        bound_entry=report.bound_entry,
        distinct=1 if report.one_checksum else None,
        history_listed=listed is not None,
        history_current=current,
        history_entries=grown,
        sentence=" ".join(
            (_state_side(bound, current, report), *_history_side(bound, current, grown, report))
        ),
    )


def _state_side(bound: bool, current: bool | None, report: ChainReport) -> str:
    if report.head is None:
        return "No entry names a state."
    if bound:
        return "The last entry names state.json as it stands."
    named = report.bound_entry
    if named is not None:
        later = report.entries - 1 - named
        noun = "entry names" if later == 1 else "entries name"
        return f"Entry {named:,} names state.json as it stands; {later:,} later {noun} another state."
    if current:
        return "No entry names state.json as it stands."
    if report.one_checksum and report.entries > 1:
        return (
            f"All {report.entries:,} entries name one and the same state, but not state.json as it stands: "
            "whoever wrote them did not take the checksum anew."
        )
    return "No entry names state.json as it stands: it was changed without an entry, or after the last one."


def _history_side(bound: bool, current: bool | None, grown: int | None, report: ChainReport) -> list[str]:
    if current is None:
        return []
    if current:
        fact = "state.json lists history.json as it stands."
        why = f" Listing it changed state.json, so no entry can name the state of now: {_CIRCLE}"
        return [fact if bound else fact + why]
    if grown is not None:
        since = report.entries - grown
        noun = "entry was" if since == 1 else "entries were"
        return [
            "The checksum of history.json in state.json is from before "
            f"the last {since} {noun} added: {_CIRCLE}"
        ]
    return [
        "The checksum of history.json in state.json is that of no earlier version of this file: "
        "it was not only appended to since."
    ]


_CIRCLE = "in v1 the two files name each other, and only one of both can be current."
