"""What the Chain screen shows of a history: rows decoded when shown, breaks, findings, times.

A model stands on one reading (or on what a first scan has indexed so far) and does not change; only its cache
of decoded rows does.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from devstate.errors import DevStateError
from devstate.findings import Severity
from devstate.findings.visible import visible

from .moments import moment

if TYPE_CHECKING:
    from datetime import datetime

    from devstate.chain import ChainReport, Entry, HistoryIndex, Progress, Source
    from devstate.findings import Finding
    from devstate.workspace import HistoryReading

__all__ = ["ChainModel", "EntrySource", "IndexedEntries", "Row"]

BLOCK = 64
_BLOCKS_KEPT = 96
# A row of a list shows no more of a text than this; the detail shows it whole.
_CROP = 200


class EntrySource(Protocol):
    """What entries are decoded from. A reading is one; so is what a scan has indexed so far."""

    def __len__(self) -> int: ...
    def entry(self, index: int) -> Entry: ...
    def entries(self, start: int = 0, stop: int | None = None) -> Sequence[Entry]: ...

    def raw_blocks(self) -> Iterable[tuple[int, list[bytes]]]:
        """All entries as bytes, block by block, each with the number of its first entry."""
        ...


class Row(NamedTuple):
    """One entry as a list shows it: texts escaped and cut; `fault` says why it could not be decoded.

    `warned` says that a finding about it wants a look, whatever its letter is.
    """

    index: int
    letter: str
    ts: str
    actor: str
    action: str
    cp: str
    hmac: str
    fault: str = ""
    warned: bool = False


class IndexedEntries:
    """The first `count` entries of an index. `owner` is kept alive: a reading closes its file when it goes."""

    def __init__(self, index: HistoryIndex, source: Source, count: int, owner: object = None) -> None:
        self._index = index
        self._source = source
        self._count = count
        self._owner = owner

    def __len__(self) -> int:
        return self._count

    def entry(self, index: int) -> Entry:
        return self._index.entry(index, self._source)

    def entries(self, start: int = 0, stop: int | None = None) -> Sequence[Entry]:
        end = self._count if stop is None else min(stop, self._count)
        return self._index.entries(start, end, self._source)

    def raw_blocks(self) -> Iterable[tuple[int, list[bytes]]]:
        return self._index.raw_blocks(self._source)


class ChainModel:
    """The rows and marks of one history.

    `total` is the number of entries, or an estimate of it while `complete` is False.
    """

    def __init__(
        self,
        source: EntrySource,
        letters: bytes,
        *,
        total: int | None = None,
        first_bad: int | None = None,
        findings: Iterable[Finding] = (),
        report: ChainReport | None = None,
        complete: bool = True,
    ) -> None:
        self.source = source
        self.letters = letters
        self.count = min(len(source), len(letters)) if not complete else len(source)
        self.total = self.count if total is None else max(total, self.count)
        self.report = report
        self.complete = complete
        self._findings = _by_entry(findings)
        self._errors = sorted(self._having(Severity.ERROR))
        self._warned = frozenset(self._having(Severity.WARNING))
        self._first_bad = first_bad
        self._blocks: OrderedDict[int, tuple[Row, ...]] = OrderedDict()

    @classmethod
    def of_reading(cls, history: HistoryReading) -> ChainModel:
        """The model of a whole reading."""
        report = history.report
        entries = IndexedEntries(history.index, history.source, len(history), owner=history)
        return cls(
            entries, report.letters, first_bad=report.first_bad, findings=report.findings, report=report
        )

    @classmethod
    def of_progress(cls, progress: Progress) -> ChainModel:
        """The model of what a running scan has seen; the total is estimated from the bytes."""
        total = progress.entries
        if progress.bytes_done:
            total = max(total, progress.entries * progress.bytes_total // progress.bytes_done)
        indexed = IndexedEntries(progress.index, progress.source, min(progress.entries, len(progress.index)))
        return cls(indexed, progress.letters, total=total, first_bad=progress.first_bad, complete=False)

    # -- rows --------------------------------------------------------------------------------------

    def row(self, index: int) -> Row:
        """The row of an entry, 0 <= index < count. It never raises for what the file holds."""
        number = index // BLOCK
        block = self._blocks.get(number)
        if block is None:
            block = self._decode(number)
            self._blocks[number] = block
            if len(self._blocks) > _BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        else:
            self._blocks.move_to_end(number)
        return block[index - number * BLOCK]

    def entry(self, index: int) -> Entry:
        """The whole entry. Raises DevStateError where it cannot be decoded (any more)."""
        return self.source.entry(index)

    def letter(self, index: int) -> str:
        """The letter of an entry; `E` where none was given."""
        return chr(self.letters[index]) if index < len(self.letters) else "E"

    def findings(self, index: int) -> tuple[Finding, ...]:
        """The findings that name this entry, gravest first."""
        return self._findings.get(index, ())

    def _having(self, severity: Severity) -> Iterable[int]:
        """The entries that a finding of this severity names."""
        return (
            entry
            for entry, found in self._findings.items()
            if any(finding.severity is severity for finding in found)
        )

    @property
    def has_warnings(self) -> bool:
        """Whether a warning names an entry."""
        return bool(self._warned)

    def _decode(self, number: int) -> tuple[Row, ...]:
        start, stop = number * BLOCK, min((number + 1) * BLOCK, self.count)
        try:
            return tuple(
                self._row(start + at, entry) for at, entry in enumerate(self.source.entries(start, stop))
            )
        except DevStateError:
            return tuple(self._decode_alone(index) for index in range(start, stop))

    def _decode_alone(self, index: int) -> Row:
        try:
            return self._row(index, self.source.entry(index))
        except DevStateError as error:
            return self._unreadable(index, _text(error.message))

    def _row(self, index: int, entry: Entry) -> Row:
        if not entry.readable:
            return self._unreadable(index, "(these bytes are no readable entry)")
        return Row(
            index,
            self.letter(index),
            _text(entry.ts),
            _text(entry.actor),
            _text(entry.action),
            _text(entry.cp_to),
            _text(entry.hmac[:6] if entry.hmac else ""),
            warned=index in self._warned,
        )

    def _unreadable(self, index: int, fault: str) -> Row:
        return Row(index, self.letter(index), "", "", "", "", "", fault, index in self._warned)

    # -- breaks ------------------------------------------------------------------------------------

    @property
    def broken(self) -> int:
        """How many entries are broken, of those judged so far."""
        return self.letters.count(b"B")

    @property
    def first_break(self) -> int | None:
        """The lowest entry with an error, None where there is none (so far)."""
        return self._first_bad if self._first_bad is not None else self.next_break(-1)

    def is_broken(self, index: int) -> bool:
        """Whether an entry is broken or has an error."""
        at = bisect_left(self._errors, index)
        return self.letter(index) == "B" or self._errors[at : at + 1] == [index]

    def next_break(self, index: int) -> int | None:
        """The first entry after `index` that is broken or has an error."""
        letter = self.letters.find(b"B", index + 1)
        at = bisect_right(self._errors, index)
        candidates = [letter] if letter >= 0 else []
        candidates += self._errors[at : at + 1]
        return min(candidates, default=None)

    def previous_break(self, index: int) -> int | None:
        """The last entry before `index` that is broken or has an error."""
        letter = self.letters.rfind(b"B", 0, max(index, 0))
        at = bisect_left(self._errors, index)
        candidates = [letter] if letter >= 0 else []
        candidates += self._errors[at - 1 : at] if at else []
        return max(candidates, default=None)

    # -- times -------------------------------------------------------------------------------------

    def at_time(self, wanted: datetime) -> int:
        """The first entry that claims this time or a later one; the last entry where none does.

        It halves the range, so it supposes that times rise, as they do in a sound history. 0 without entries.
        """
        low, high = 0, self.count
        while low < high:
            middle = (low + high) // 2
            found, at = self._moment_from(middle, high)
            if found is None or found >= wanted:
                high = middle
            else:
                low = at + 1
        return max(min(low, self.count - 1), 0)

    def _moment_from(self, start: int, stop: int) -> tuple[datetime | None, int]:
        """The first readable time in `[start, stop)` and its entry, looking at no more than one block."""
        for index in range(start, min(stop, start + BLOCK)):
            found = moment(self.row(index).ts)
            if found is not None:
                return found, index
        return None, start


def _text(value: object) -> str:
    return "" if value is None else visible(str(value)[:_CROP])


def _by_entry(findings: Iterable[Finding]) -> dict[int, tuple[Finding, ...]]:
    grouped: dict[int, list[Finding]] = {}
    for finding in findings:
        if finding.where.entry is not None:
            grouped.setdefault(finding.where.entry, []).append(finding)
    return {entry: tuple(found) for entry, found in grouped.items()}
