"""The letters of a chain: what each one says in a word, and their map in few cells."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["WORDS", "Cell", "Kind", "cell_of", "map_cells", "occurring", "tone_of"]

Kind = Literal["broken", "unverified", "weak", "good", "unread", "empty"]

WORDS = {
    "G": "good",
    "B": "broken",
    "U": "weak key",
    "Y": "retired key",
    "R": "compromised key",
    "E": "cannot check",
    "N": "beyond the signed head",
    "T": "redacted",
}
# What colours a letter: the same four kinds as the cells of the map.
_TONES: dict[str, Kind] = {
    "G": "good",
    "B": "broken",
    "U": "weak",
    "Y": "weak",
    "R": "weak",
    "E": "unverified",
    "N": "unverified",
    "T": "good",
}
# The gravest letter of a cell decides: a broken entry is never hidden by thousands of good ones.
_GRAVEST: tuple[tuple[bytes, Kind], ...] = (
    (b"B", "broken"),
    (b"R", "weak"),
    (b"E", "unverified"),
    (b"N", "unverified"),
    (b"Y", "weak"),
    (b"U", "weak"),
)
_LEGEND = "BRENYUTG"


class Cell(NamedTuple):
    """One cell of the map: the entries from `first` up to `stop` (exclusive), and the gravest of them."""

    first: int
    stop: int
    kind: Kind


def tone_of(letter: str) -> Kind:
    """The kind that a letter is coloured as; an unknown letter counts as not verified."""
    return _TONES.get(letter, "unverified")


def occurring(letters: bytes) -> str:
    """The letters that occur, the gravest first."""
    return "".join(letter for letter in _LEGEND if letters.find(letter.encode()) >= 0)


def map_cells(letters: bytes, total: int, height: int) -> tuple[Cell, ...]:
    """`height` cells over `total` entries, of which `letters` holds those judged so far, one byte each.

    Where there are fewer entries than cells, each entry has its own cell and the rest are `empty`. A cell
    whose first entry is not judged yet is `unread`. The letters are searched in place, nothing is copied.
    """
    total = max(total, len(letters))
    return tuple(_cell(letters, *_range(cell, total, height)) for cell in range(height))


def cell_of(entry: int, total: int, height: int) -> int:
    """The cell that stands for an entry; 0 where there is none."""
    if total <= 0 or height <= 0:
        return 0
    entry = min(max(entry, 0), total - 1)
    return entry if total <= height else entry * height // total


def _range(cell: int, total: int, height: int) -> tuple[int, int]:
    if total <= height:
        return (cell, cell + 1) if cell < total else (total, total)
    return -(-cell * total // height), -(-(cell + 1) * total // height)


def _cell(letters: bytes, first: int, stop: int) -> Cell:
    if first >= stop:
        return Cell(first, stop, "empty")
    if first >= len(letters):
        return Cell(first, stop, "unread")
    for letter, kind in _GRAVEST:
        if letters.find(letter, first, stop) >= 0:
            return Cell(first, stop, kind)
    return Cell(first, stop, "good")
