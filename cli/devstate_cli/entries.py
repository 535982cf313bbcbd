"""Entries in words and as documents: a listing that never holds the whole history, one entry explained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from devstate.findings import Finding, findings_document, render_text, shortened, visible, visible_json

from .outcome import Outcome
from .screen import Screen

if TYPE_CHECKING:
    from devstate.chain import Entry, Explanation
    from devstate.chain.filters import EntryFilter
    from devstate.workspace import HistoryReading

__all__ = ["Listing", "entry_document", "explanation_lines", "listing_outcome"]

_BATCH = 2048
_LETTER_STYLES = {"G": "good", "B": "bad", "R": "bad", "U": "look", "Y": "look", "E": "look"}


@dataclass
class Listing:
    """Entries after `after` that the filter lets through, at most `limit` (0 = all), read while iterated."""

    history: HistoryReading
    chosen: EntryFilter
    after: int
    limit: int
    shown: int = field(default=0, init=False)
    next_after: int | None = field(default=None, init=False)
    """Where the next page begins; None where there is none. Known when the iteration is over."""

    def __iter__(self) -> Iterator[tuple[Entry, str]]:
        from devstate.chain.filters import EVERY_ENTRY

        letters = self.history.report.letters
        last = self.after
        for entry in self._all() if self.chosen == EVERY_ENTRY else self._matching():
            if self.limit and self.shown == self.limit:
                self.next_after = last
                return
            last = entry.index
            self.shown += 1
            yield entry, chr(letters[entry.index])

    def _all(self) -> Iterator[Entry]:
        batch = min(_BATCH, self.limit + 1) if self.limit else _BATCH
        for start in range(self.after + 1, len(self.history), batch):
            yield from self.history.entries(start, start + batch)

    def _matching(self) -> Iterator[Entry]:
        """A pass over the bytes, which parses only what the filter may let through."""
        from devstate.chain import parse_entry, quick_no

        impossible = quick_no(self.chosen)
        index = self.history.index
        for first, raws in index.raw_blocks(self.history.source):
            for number, raw in enumerate(raws, first):
                if number <= self.after or impossible(raw):
                    continue
                entry = parse_entry(raw, index=number, limits=index.limits)
                if self.chosen.matches(entry):
                    yield entry


def listing_outcome(listing: Listing) -> Outcome:
    """The outcome of `history list` and `history search`; entries are read while they are written."""
    document = {
        "ok": True,
        "total": len(listing.history),
        "entries": ({"index": e.index, "letter": letter, "entry": e.members} for e, letter in listing),
        "shown": lambda: listing.shown,
        "next_after": lambda: listing.next_after,
    }
    return Outcome(document, lambda screen: _table(listing, screen))


def _table(listing: Listing, screen: Screen) -> Iterator[str]:
    digits = max(1, len(f"{max(0, len(listing.history) - 1):,}"))
    room = screen.width - digits - 2 - 2 - 22 - 20 - 20
    actor = max(10, min(24, room * 2 // 5))
    action = max(12, room - actor)
    head = f"{'#':>{digits}}    {'time':<20}  {'actor':<{actor}}  {'action':<{action}}  {'cp':<10}  hmac"
    for entry, letter in listing:
        if listing.shown == 1:
            yield screen.paint(head.rstrip(), "dim")
        hmac = screen.hmac(entry.hmac) if screen.unmasked else visible(entry.hmac[:8])
        yield (
            f"{entry.index:>{digits},} {screen.paint(letter, _LETTER_STYLES.get(letter, 'plain'))}  "
            f"{shortened(entry.ts, 20):<20}  {shortened(entry.actor, actor):<{actor}}  "
            f"{shortened(entry.action, action):<{action}}  {shortened(entry.cp_to, 10):<10}  "
            f"{screen.paint(hmac if screen.unmasked else hmac + '…', 'dim')}"
        )
    total = len(listing.history)
    if listing.next_after is not None:
        more = f"{listing.shown:,} shown of {total:,} entries; go on with --after {listing.next_after}"
        yield screen.paint(more, "dim")
    elif not listing.shown:
        yield f"no entry of {total:,} matches" if total else "the history holds no entries"


def entry_document(
    entry: Entry, letter: str, explained: Explanation, findings: Sequence[Finding]
) -> dict[str, Any]:
    """The members of `devstate.history.show/1`; the entry is whole, what was computed is masked."""
    return {
        "ok": explained.mac != "bad" and explained.link == "good",
        "index": entry.index,
        "letter": letter,
        "offset": entry.offset,
        "bytes": len(entry.raw),
        "entry": entry.members,
        "covered": [covered.name for covered in explained.covered],
        "uncovered": list(explained.uncovered),
        "hmac": {
            "result": explained.mac,
            "key": explained.key,
            "stored": explained.stored,
            "computed": explained.computed,
        },
        "link": {
            "result": explained.link,
            "stored": explained.link_stored,
            "expected": explained.link_expected,
        },
        "findings": findings_document(findings),
    }


def explanation_lines(
    entry: Entry, letter: str, explained: Explanation, findings: Sequence[Finding], screen: Screen
) -> Iterable[str]:
    """The entry for a person: its verdict, what the HMAC covers and what it does not."""
    from devstate.chain import letter_meaning

    style = _LETTER_STYLES.get(letter, "plain")
    mark = {"good": "✔", "bad": "✘"}.get(style, "!")
    yield f"{screen.paint(f'{mark} Entry {entry.index:,}', style)}  {letter_meaning(letter)}"
    if not entry.readable:
        yield f"  its {len(entry.raw):,} bytes at byte {entry.offset:,} cannot be read as an entry"
    covered = {item.name for item in explained.covered}
    yield ""
    yield f"  {screen.paint('covered by the HMAC', 'strong')}"
    for name in ("ts", "actor", "action", "state_checksum", "hmac_prev"):
        if name in entry.members or name in covered:
            yield _field(name, entry.members.get(name), screen)
    yield ""
    title = "not covered: can be changed unnoticed"
    yield f"  {screen.paint(title, 'strong')}"
    for name in explained.uncovered:
        yield _field(name, entry.members.get(name), screen)
    yield ""
    yield from _judgement(entry, explained, screen)
    if findings:
        yield ""
        yield render_text(findings, colour=screen.colour, width=screen.width)


def _judgement(entry: Entry, explained: Explanation, screen: Screen) -> Iterator[str]:
    marks = {"good": ("✔", "good"), "bad": ("✘", "bad"), "unchecked": ("?", "look")}
    mark, style = marks[explained.mac]
    key = f"under the key {visible(explained.key)}" if explained.key else "under no key at hand"
    stored = screen.hmac(entry.hmac) or "(none)"
    said = f"stored {stored} {key}" if explained.mac == "good" else f"stored   {stored}"
    yield f"  {screen.paint('HMAC', 'dim')}  {screen.paint(mark, style)} {said}"
    if explained.mac != "good" and explained.computed is not None:
        yield f"          computed {visible(explained.computed)}"
    mark, style = marks[explained.link]
    if explained.link == "good":
        said = "follows the entry before" if entry.index else "begins the chain"
        yield f"  {screen.paint('link', 'dim')}  {screen.paint(mark, style)} {said}"
    else:
        stored, expected = visible(explained.link_stored) or '""', visible(explained.link_expected) or '""'
        yield f"  {screen.paint('link', 'dim')}  {screen.paint(mark, style)} stored   {stored}"
        yield f"          expected {expected}"


def _field(name: str, value: Any, screen: Screen) -> str:
    import json

    if name in ("hmac", "hmac_prev") and isinstance(value, str):
        shown = screen.hmac(value) if value else '""'
    elif isinstance(value, str):
        shown = shortened(value, max(30, (screen.width - 20) * 3))
    else:
        text = json.dumps(value, ensure_ascii=False, indent=2)
        lines = visible_json(text).split("\n")
        lines = [*lines[:30], "…"] if len(lines) > 30 else lines
        shown = ("\n" + " " * 20).join(lines)
    return f"    {screen.paint(f'{visible(name):<14}', 'dim')}  {shown}"
