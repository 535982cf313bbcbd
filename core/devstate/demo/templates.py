"""Metadata as ready-made texts: a move becomes a `%` template and the texts that may stand in its slots.

The texts are what `json.dumps(..., indent=4, ensure_ascii=False)` writes at the place of an entry's metadata.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import NamedTuple

from .vocabulary import WORDS, Move

__all__ = ["SLOTS", "Template", "compile_move", "json_text"]

# A move has at most so many slots; each takes one 16-bit number.
SLOTS = 8

_SLOT = re.compile(r'"§(\w+)(?: (\S+) (\S+)(?: (\S+))?)?"')


class Template(NamedTuple):
    """`text % choices` is the metadata; slot i takes `choices[i][number % len(choices[i])]`."""

    action: str
    edits_state: bool
    text: str
    choices: tuple[Sequence[object], ...]

    def fill(self, numbers: Sequence[int]) -> str:
        """The metadata for the given numbers (at least as many as there are slots, each 0 or more)."""
        return self.text % tuple(
            [choice[number % len(choice)] for choice, number in zip(self.choices, numbers, strict=False)]
        )


def json_text(value: object, *, level: int = 0) -> str:
    """`json.dumps(value, indent=4, ensure_ascii=False)` as it stands `level` levels deep."""
    return json.dumps(value, indent=4, ensure_ascii=False).replace("\n", "\n" + "    " * level)


def compile_move(move: Move) -> Template:
    """The template of a move's metadata, at the depth of an entry's members."""
    choices: list[Sequence[object]] = []

    def slot(match: re.Match[str]) -> str:
        choices.append(_choices(*match.groups()))
        return "%s"

    text = _SLOT.sub(slot, json_text(move.metadata, level=2).replace("%", "%%"))
    return Template(move.action, move.edits_state, text, tuple(choices))


def _choices(kind: str, first: str | None, second: str | None, third: str | None) -> Sequence[object]:
    if kind == "int":
        return range(int(first or 0), int(second or 0) + 1)
    if kind == "id":
        return [f'"{first}{number}"' for number in range(int(second or 0), int(third or 0) + 1)]
    return [json.dumps(word, ensure_ascii=False) for word in WORDS[kind]]
