"""The columns of the entry list: which ones there is room for, and what stands in them."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from devstate_tui.models.chain import Row
from devstate_tui.models.moments import long_time, short_time

from .fitting import fit

__all__ = ["Column", "columns_for", "heading", "texts"]


class Column(NamedTuple):
    """`role` names its content and its style `entry-list--<role>`; `width` is in terminal columns."""

    role: str
    width: int
    title: str


# The letter, and beside it the mark of a warning.
_LETTER = 2
# Roles from the one given up last to the one given up first where the list is narrow, with their widths.
_CP, _HMAC, _SHORT, _LONG = 8, 7, 11, 19
_LEAST_ACTOR, _LEAST_ACTION = 10, 14
_MOST_ACTOR = 28


@lru_cache(maxsize=16)
def columns_for(width: int, total: int) -> tuple[Column, ...]:
    """The columns of a list `width` columns wide over `total` entries; together with blanks they fill it.

    The letter, the number and the action are always there; time, actor, checkpoint and HMAC as there is room.
    """
    number = max(len(str(max(total - 1, 0))), 4)
    room = width - 2 - number - 1 - _LETTER - 1  # marks, number, blank, letter and blank
    optional = {"when": _SHORT, "actor": _LEAST_ACTOR, "cp": _CP, "hmac": _HMAC}
    taken: dict[str, int] = {}
    left = room - _LEAST_ACTION
    for role, least in optional.items():
        if left < least + 1:
            break
        taken[role] = least
        left -= least + 1
    if left >= _LONG - _SHORT + 22 and "when" in taken:
        taken["when"] = _LONG
        left -= _LONG - _SHORT
    if "actor" in taken:
        more = min(_MOST_ACTOR - _LEAST_ACTOR, max(left, 0) * 2 // 5)
        taken["actor"] += more
        left -= more
    action = max(room - sum(size + 1 for size in taken.values()), 1)
    order = (
        ("when", "when (UTC)", taken.get("when")),
        ("actor", "actor", taken.get("actor")),
        ("action", "action", action),
        ("cp", "cp", taken.get("cp")),
        ("hmac", "hmac", taken.get("hmac")),
    )
    return (
        Column("mark", 2, ""),
        Column("number", number, "#"),
        Column("letter", _LETTER, "ok"),
        *(Column(role, size, title) for role, title, size in order if size),
    )


def heading(columns: tuple[Column, ...]) -> str:
    """The line above the list, as wide as a row."""
    mark, number, *rest = columns
    parts = [" " * mark.width + fit(number.title, number.width, right=True)]
    parts += [fit(column.title, column.width) for column in rest]
    return " ".join(parts)


def texts(row: Row, columns: tuple[Column, ...], mark: str) -> list[tuple[str, str]]:
    """(role, text) of each column of a row; the texts have the width of their columns, blanks included."""
    parts: list[tuple[str, str]] = []
    last = len(columns) - 1
    for at, (role, width, _) in enumerate(columns):
        if role == "letter":
            parts += [("letter", row.letter), ("warned", "! " if row.warned else "  ")]
            continue
        if row.fault and role in ("when", "actor", "cp", "hmac"):
            text = " " * width
        else:
            text = _text(row, role, width, mark)
        parts.append((role, text if role == "mark" or at == last else text + " "))
    return parts


def _text(row: Row, role: str, width: int, mark: str) -> str:
    match role:
        case "mark":
            return mark
        case "number":
            return fit(str(row.index), width, right=True)
        case "when":
            return fit(long_time(row.ts) if width >= _LONG else short_time(row.ts), width)
        case "action":
            return fit(row.fault or row.action, width)
        case "actor":
            return fit(row.actor, width)
        case "cp":
            return fit(row.cp, width)
        case _:
            return fit(row.hmac + "…" if row.hmac else "", width)
