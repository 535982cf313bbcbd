"""Texts in terminal columns: cut, padded and folded by the width they take on screen, not by their length.

A letter of CJK takes two columns, a combining mark none.
"""

from __future__ import annotations

from rich.cells import cell_len, chop_cells, set_cell_size

__all__ = ["cell_len", "chop", "fit", "fold"]


def fit(text: str, width: int, *, right: bool = False) -> str:
    """The text in exactly `width` columns: padded, or cut with an ellipsis as its last column."""
    if width <= 0:
        return ""
    if text.isascii():
        if len(text) > width:
            return text[: width - 1] + "…"
        return text.rjust(width) if right else text.ljust(width)
    length = cell_len(text)
    if length > width:
        return set_cell_size(text, width - 1) + "…"
    return " " * (width - length) + text if right else text + " " * (width - length)


def fold(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` columns, broken at blanks where it can be; at least one line."""
    width = max(width, 2)
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cell_len(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        *whole, line = chop_cells(word, width) or [""]
        lines.extend(whole)
    lines.append(line)
    return lines


def chop(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` columns, broken anywhere; at least one line."""
    return chop_cells(text, max(width, 2)) or [""]
