"""What is different in a new reading of the same chain, in one sentence for a person who is looking at it."""

from __future__ import annotations

from typing import NamedTuple

from .chain import ChainModel

__all__ = ["Change", "change_between"]

_STRIDE = 4096


class Change(NamedTuple):
    """`entry` is where to look, None for nowhere; `worse` says that the chain has a new error."""

    sentence: str
    entry: int | None = None
    worse: bool = False


def change_between(before: ChainModel, after: ChainModel) -> Change | None:
    """What happened between two readings; None where they hold the same bytes."""
    old, new = before.report, after.report
    if old is None or new is None or old.sha256 == new.sha256:
        return None
    grown = after.count - before.count
    count = _count(grown)
    fresh = _first_new_break(before, after)
    if fresh is not None:
        codes = ", ".join(dict.fromkeys(finding.code for finding in after.findings(fresh)))
        return Change(
            _join(f"entry {fresh:,} broke" + (f": {codes}" if codes else ""), count), fresh, worse=True
        )
    if old.ok and not new.ok:
        code = next((finding.code for finding in new.findings if finding.severity == "error"), "an error")
        return Change(_join(code, count), after.first_break, worse=True)
    if new.ok and not old.ok:
        return Change(_join("mended: no errors any more", count), before.first_break)
    mended = before.broken - after.broken
    if mended > 0:
        return Change(_join(f"{mended:,} fewer broken", count), after.first_break)
    if count:
        return Change(count, after.count - 1 if grown > 0 else None)
    return Change("the file changed; the verdict is the same")


def _first_new_break(before: ChainModel, after: ChainModel) -> int | None:
    """The first entry that is broken now and was not before."""
    entry = after.next_break(-1)
    while entry is not None:
        if entry >= before.count or not before.is_broken(entry):
            return entry
        # Long runs that are alike are stepped over as bytes: a whole chain under a wrong key has a million.
        alike = after.letters[entry : entry + _STRIDE] == before.letters[entry : entry + _STRIDE]
        entry = after.next_break(entry + _STRIDE - 1 if alike else entry)
    return None


def _count(grown: int) -> str:
    if not grown:
        return ""
    return f"{abs(grown):,} entr{'y' if abs(grown) == 1 else 'ies'} {'added' if grown > 0 else 'removed'}"


def _join(*parts: str) -> str:
    return "; ".join(part for part in parts if part)
