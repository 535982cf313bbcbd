"""The rows of a demo history: what each entry says, before anything is signed.

Each row depends on the seed and its number alone (a SHA-256 of both), so that the same seed gives the same
bytes on every machine, and a history of a million entries never stands in memory as a whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from datetime import date, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Final, NamedTuple

from .templates import SLOTS, Template, compile_move
from .vocabulary import AGENTS, CHECKPOINTS, GATE, INIT, MOVES

__all__ = ["LAST_DAY", "Calendar", "Row", "checkpoint_at", "demo_rows", "gate_entries"]

LAST_DAY: Final = date(2026, 5, 29)
"""The day of the last entry, whatever the seed: no demo lies in the future."""

_DAY_BEGINS = 8 * 3600
_DAY_SECONDS = 10 * 3600
_GATES = (30, 55, 80)  # a checkpoint is passed after so many percent of the entries
_NUMBERS = struct.Struct(">16H")


class Row(NamedTuple):
    """An entry without its HMACs.

    `metadata` is JSON text at the depth of an entry's members, None where the member is absent.
    """

    ts: str
    actor: str
    action: str
    cp_from: str | None
    cp_to: str
    state_checksum: str
    metadata: str | None


class Calendar:
    """The times of `entries` entries: working days from 08:00 to 18:00 UTC, the last one on `LAST_DAY`."""

    def __init__(self, entries: int) -> None:
        self.per_day = max(10, -(-entries // 100))
        days = -(-entries // self.per_day)
        # The last day is a whole one where there are more; the first day takes what is left over.
        self._ahead = days * self.per_day - entries
        working: list[str] = []
        day = LAST_DAY
        while len(working) < days:
            if day.weekday() < 5:
                working.append(day.isoformat())
            day -= timedelta(days=1)
        self._days = working[::-1]
        self._room = max(1, _DAY_SECONDS // self.per_day)

    def time(self, index: int, jitter: int) -> str:
        """The RFC 3339 time of an entry; never before the one of a lower index. `jitter` is any number."""
        day, place = divmod(index + self._ahead, self.per_day)
        second = _DAY_BEGINS + _DAY_SECONDS * place // self.per_day + jitter % self._room
        minutes, second = divmod(second, 60)
        return f"{self._days[day]}T{_clock(minutes)}:{second:02d}Z"


@lru_cache(maxsize=24 * 60)
def _clock(minutes: int) -> str:
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def gate_entries(entries: int) -> tuple[int, ...]:
    """The numbers of the entries that pass a checkpoint; none in a history of fewer than ten."""
    return tuple(entries * percent // 100 for percent in _GATES) if entries >= 10 else ()


def checkpoint_at(index: int, entries: int) -> str:
    """The checkpoint that the project is in after entry `index`."""
    return CHECKPOINTS[sum(index >= gate for gate in gate_entries(entries))]


def demo_rows(seed: int, entries: int, head_checksum: str) -> Iterator[Row]:
    """The rows of the demo; the last one records the state whose SHA-256 (hex) is `head_checksum`."""
    calendar = Calendar(entries)
    deck = _deck()
    actors = tuple(agent.id for agent in AGENTS)
    gate, init, update = compile_move(GATE), compile_move(INIT), compile_move(MOVES[0])
    gates = frozenset(gate_entries(entries))
    time, unpack, final = calendar.time, _NUMBERS.unpack, entries - 1
    stream = sha256(f"devstate demo {seed} ".encode())
    cp = 0
    checksum = head_checksum
    for index in range(entries):
        source = stream.copy()
        source.update(b"%d" % index)
        digest = source.digest()
        numbers: tuple[int, ...] = unpack(digest)
        template = deck[numbers[0] % len(deck)]
        actor = actors[numbers[1] % len(actors)]
        cp_from: str | None = CHECKPOINTS[cp]
        if index == 0:
            template, actor, cp_from = init, actors[0], None
        elif index in gates:
            template, actor, cp = gate, actors[0], cp + 1
        elif index == final:
            template = update
        if index == final:
            checksum = head_checksum
        elif template.edits_state:
            # Earlier states are not kept; their checksums only have to be what a checksum looks like.
            checksum = sha256(digest).hexdigest()
        yield Row(
            time(index, numbers[2]),
            actor,
            template.action,
            cp_from,
            CHECKPOINTS[cp],
            checksum,
            template.fill(numbers[3 : 3 + SLOTS]),
        )


def _deck() -> list[Template]:
    """Each move as often as its weight says."""
    return [template for move in MOVES for template in [compile_move(move)] * move.weight]
