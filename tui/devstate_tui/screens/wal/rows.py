"""The lists of the WAL screen as cells: files, entries, fields."""

from __future__ import annotations

from collections.abc import Sequence

from devstate.errors import DevStateError
from devstate.findings import visible
from devstate_tui.models.wal import EntryRow, WalModel, fitting_bytes
from devstate_tui.models.wal_files import FileLine
from devstate_tui.widgets.fitting import fit
from devstate_tui.widgets.row_list import Cell

__all__ = ["EntrySource", "FieldSource", "FileSource"]

_STATE = 12
_ROOMY = 96


class FileSource:
    """The files, one a line."""

    def __init__(self, lines: Sequence[FileLine]) -> None:
        self.lines = tuple(lines)
        self._digits = max((len(f"{line.start:,}") for line in self.lines), default=1)

    def __len__(self) -> int:
        return len(self.lines)

    def heading(self, width: int) -> str:
        return f"{'file':<9} {fit('from LSN', max(self._digits, 8), right=True)} {'size':>9}  what is in it"

    def cells(self, item: int, width: int) -> Sequence[Cell]:
        line = self.lines[item]
        start = fit(f"{line.start:,}", max(self._digits, 8), right=True)
        size = "" if line.size is None else fitting_bytes(line.size)
        left = f"{line.kind:<9} {start} {size:>9}  "
        verdict = f"{line.glyph} {line.word}"
        room = width - len(left)
        said = f"{line.holds}  " if line.holds else ""
        return (
            (left, "plain"),
            (fit(verdict, min(len(verdict), room)) + "  ", line.tone),
            (fit(said, max(0, room - len(verdict) - 2)), "muted"),
        )


class EntrySource:
    """The entries of a model; commit markers are quiet, they close the lines above them."""

    def __init__(self, model: WalModel) -> None:
        self.model = model
        self._digits = max(len(str(model.segment.end)), 6)

    def __len__(self) -> int:
        return len(self.model)

    def _columns(self, width: int) -> tuple[tuple[str, int, bool], ...]:
        roomy = width >= _ROOMY
        taken = [("brace", 1, False), ("lsn", self._digits, True), ("type", 15 if roomy else 11, False)]
        taken += [("tx", 6, True)] if roomy else []
        taken += [("cv", 6, True), ("run", 8, False)]
        after = [("bytes", 6, True)] if roomy else []
        left = width - _STATE - sum(size + 1 for _, size, _ in (*taken, *after)) - 1
        return (*taken, ("content", max(left, 4), False), *after, ("state", _STATE, False))

    def heading(self, width: int) -> str:
        return " ".join(
            fit("" if name == "brace" else name, size, right=right)
            for name, size, right in self._columns(width)
        )

    def cells(self, item: int, width: int) -> Sequence[Cell]:
        try:
            row = self.model.row(item)
        except DevStateError as error:
            return ((fit(f"✘ it cannot be read any more: {visible(error.message)}", width), "bad"),)
        except IndexError:  # the file became shorter just now: the next reading tells
            return ((fit("…", width), "muted"),)
        columns = self._columns(width)
        if row.fault:
            return self._fault(row, columns)
        quiet = "muted" if row.name == "Commit" else "plain"
        texts = {
            "brace": (row.brace, "muted"),
            "lsn": (str(row.lsn), "muted"),
            "type": (row.name, quiet),
            "tx": (row.tx, "muted"),
            "cv": (row.cv, "muted"),
            "run": (row.run, "muted"),
            "content": (row.what, quiet),
            "bytes": (f"{row.size:,}" if row.size < 100_000 else fitting_bytes(row.size), "muted"),
            "state": (
                f"{row.glyph} {row.word}",
                row.tone if row.tone != "good" or quiet == "plain" else "muted",
            ),
        }
        return [
            (fit(texts[name][0], size, right=right) + " ", texts[name][1]) for name, size, right in columns
        ]

    def _fault(self, row: EntryRow, columns: Sequence[tuple[str, int, bool]]) -> Sequence[Cell]:
        sizes = {name: size for name, size, _ in columns}
        room = sum(size + 1 for name, size, _ in columns if name not in ("brace", "lsn", "type", "state")) - 1
        return (
            (fit(row.brace, 1) + " ", "muted"),
            (fit(str(row.lsn), sizes["lsn"], right=True) + " ", "muted"),
            (fit(row.name, sizes["type"]) + " ", row.tone),
            (fit(row.fault, room) + " ", row.tone),
            (fit(f"{row.glyph} {row.word}", sizes["state"]), row.tone),
        )


class FieldSource:
    """The fields of one entry; those inside the payload stand a little to the right."""

    def __init__(self, model: WalModel, row: int) -> None:
        self.fields = model.fields(row)

    def __len__(self) -> int:
        return len(self.fields)

    def heading(self, width: int) -> str:
        return "field"

    def cells(self, item: int, width: int) -> Sequence[Cell]:
        field = self.fields[item]
        name = "  " * field.depth + field.name
        return (
            (fit(name, 13) + " ", "muted"),
            (fit(visible(field.value[: width * 2]), max(width - 14, 1)), "plain"),
        )

    def at(self, offset: int) -> int | None:
        """The innermost field that holds a byte."""
        found = [at for at, field in enumerate(self.fields) if field.start <= offset < field.end]
        return max(found, key=lambda at: self.fields[at].depth) if found else None
