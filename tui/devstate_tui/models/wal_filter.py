"""What to show of a log: by type, run, transaction, commit, defects, and words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from devstate.engine.inspection import entry_head, known_types
from devstate.errors import UsageError

if TYPE_CHECKING:
    from devstate.engine.inspection import SegmentIndex

__all__ = ["HINT", "WalFilter", "parse_wal_filter"]

HINT = "type:KvPut  run:4f1c  cv:12  tx:12  is:defect  words in the entry"


@dataclass(frozen=True)
class WalFilter:
    """An entry passes when it passes every part that is there."""

    types: frozenset[int] | None = None
    run: str = ""
    cv: int | None = None
    tx: int | None = None
    defects: bool = False
    words: tuple[bytes, ...] = ()

    def quick_no(self, index: SegmentIndex, row: int) -> bool:
        """Whether a row cannot pass, told without its bytes."""
        if self.defects and row not in index.reasons:
            return True
        return self.types is not None and (index.types[row] not in self.types or index.mark(row) == "region")

    @property
    def needs_bytes(self) -> bool:
        """Whether `quick_no` does not say it all."""
        return bool(self.run or self.words or self.cv is not None or self.tx is not None)

    def passes(self, data: bytes) -> bool:
        """Whether an entry with these bytes passes."""
        if self.words:
            lowered = data.lower()
            if not all(word in lowered for word in self.words):
                return False
        if not self.run and self.cv is None and self.tx is None:
            return True
        head = entry_head(data)
        if self.run and not (head.run or b"").hex().startswith(self.run):
            return False
        if self.cv is not None and head.cv != self.cv:
            return False
        return self.tx is None or head.sequence == self.tx


def parse_wal_filter(text: str) -> WalFilter:
    """The filter that a text says. Raises UsageError."""
    types: set[int] | None = None
    run, defects = "", False
    numbers: dict[str, int] = {}
    words: list[bytes] = []
    for part in text.split():
        field, colon, value = part.partition(":")
        if not colon or not field.isalpha():
            words.append(part.lower().encode())
        elif field == "type":
            types = (types or set()) | _types(value)
        elif field == "run":
            run = value.lower().replace("-", "")
            if not run or any(digit not in "0123456789abcdef" for digit in run):
                raise UsageError(
                    f"{value!r} is no beginning of a run's identifier", remedy="For example run:4f1c"
                )
        elif field in ("cv", "tx"):
            if not value.isdecimal():
                raise UsageError(f"{field} is a number", remedy=f"For example {field}:12")
            numbers[field] = int(value)
        elif field == "is":
            if value != "defect":
                raise UsageError(f"nothing is known as {value!r}", remedy="is:defect")
            defects = True
        else:
            raise UsageError(
                f"entries have no field {field!r}", remedy="type, run, cv, tx, is, or plain words"
            )
    return WalFilter(
        frozenset(types) if types is not None else None,
        run,
        numbers.get("cv"),
        numbers.get("tx"),
        defects,
        tuple(words),
    )


def _types(value: str) -> set[int]:
    if value.lower().startswith("0x"):
        try:
            return {int(value, 16)}
        except ValueError:
            pass
    wanted = value.lower()
    found = {number for number, name in known_types().items() if wanted and wanted in name.lower()}
    if not found:
        raise UsageError(
            f"no type of entry is called {value!r}", remedy="For example type:KvPut, type:json, type:0x70"
        )
    return found
