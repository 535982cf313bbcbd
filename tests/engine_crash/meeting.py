"""Small transactions of all kinds, in the engine and in the reference model, for threads that meet in a commit.

`SCRIPTS` are what an `Actor` goes through, `everything` is one transaction of all kinds of records. `in_the_model`
says what may come of two scripts, by the order of their steps.
"""

from __future__ import annotations

from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from devstate.engine import (
    batch,
    commit,
    commit_parts,
    context,
    journal,
    map_primitive,
    memory_log,
    transactions,
    versions,
    wal_writer,
)
from devstate.engine.database import Database
from devstate.engine.durability import Durability
from devstate.engine.snapshotting import SnapshotPolicy
from engine_oracle.interpret import digest
from engine_oracle.model import Model, Operation, op
from engine_pair import START, Clock, InterleavedModel, outcome, perform, provisional, rid
from preemption import files_of

__all__ = [
    "COMMIT_PATH",
    "MODES",
    "QUIET",
    "RUN",
    "SCRIPTS",
    "TEXT",
    "Actor",
    "everything",
    "fits",
    "in_the_model",
    "prepared",
]

RUN = bytes([7]) * 16
TEXT = str(rid(RUN))
COMMIT_PATH = files_of(
    batch,
    commit,
    commit_parts,
    context,
    journal,
    map_primitive,
    memory_log,
    transactions,
    versions,
    wal_writer,
)
QUIET = SnapshotPolicy(wal_bytes=0, seconds=0, close_bytes=-1)


def plus(value: Any) -> Any:
    return value + 1


BEFORE = (
    op("kv.put", "a", 0),
    op("kv.put", "b", 0),
    op("kv.put", "gone", 0),
    op("state.init", "s", 1),
    op("json.create", "d", {"x": {"y": 1, "z": 2}}),
    op("events.append", "e", 0),
)
# A name that begins with `call` is no transaction: each of its operations is one of its own.
SCRIPTS: dict[str, tuple[Operation, ...]] = {
    "blind writes": (op("kv.put", "a", 1), op("kv.put", "b", 1)),
    "read one, write the other": (op("kv.get", "a"), op("kv.put", "b", 2)),
    "delete and write again": (op("kv.delete", "gone"), op("kv.put", "a", 3), op("kv.put", "gone", 3)),
    "delete": (op("kv.delete", "gone"), op("kv.put", "b", 4)),
    "only read": (op("kv.get_many", ["a", "b", "gone"]), op("kv.items")),
    "transition and event": (op("state.transition", "s", plus), op("events.append", "e", 1)),
    "compare and set": (op("state.cas", "s", 1, 10), op("events.append", "e", 2)),
    "set a path": (op("json.set", "d", ["x", "y"], 10), op("json.get", "d", ["x", "z"])),
    "set the path beside it": (op("json.set", "d", ["x", "z"], 20), op("kv.put", "new", 1)),
    "record a span": (op("traces.record", "span", "query", "q", parent=None, attrs={}, tags=[], start=1),),
    "call put": (op("kv.put", "a", 5),),
    "call delete": (op("kv.delete", "gone"),),
    "call append": (op("events.append", "e", 3),),
    "call transition": (op("state.transition", "s", plus),),
    "call read": (
        op("kv.get", "a"),
        op("kv.get", "gone"),
        op("kv.get", "b"),
        op("kv.get_many", ["a", "b", "gone"]),
    ),
}  # fmt: skip
EVERYTHING = (
    op("kv.get", "a"),
    op("kv.put", "a", 1),
    op("kv.delete", "gone"),
    op("json.set", "d", ["x", "y"], 10),
    op("events.append", "e", 1),
    op("state.transition", "s", plus),
    op("traces.record", "span", "query", "q", parent=None, attrs={}, tags=[], start=1),
    op("kv.put", "b", 1),
)


MODES: dict[str, dict[str, Any]] = {
    "buffered": {},
    "strict": {"durability": "strict"},
    "shared": {"shared": True},
    "rotating": {"segment_bytes": 900},
}


# -- actors: scripts, step by step, in the engine and in the model


class Actor:
    """Goes through a script and keeps what it was told; `step` is the one that it is in."""

    def __init__(self, name: str) -> None:
        self.implicit = name.startswith("call")
        self.script = SCRIPTS[name]
        self.steps = len(self.script) + (0 if self.implicit else 2)
        self.step = -1
        self.told: list[Any] = []
        self.tx: Any = None

    def go(self, db: Database) -> None:
        handle = db.handle(rid(RUN))
        for step in range(self.steps):
            self.step = step
            if self.implicit:
                self.note(self.step, outcome(lambda: perform(handle, self.script[self.step])))
            elif self.step == 0:
                self.tx = db.transaction(rid(RUN))
            elif self.step <= len(self.script):
                self.note(self.step - 1, outcome(lambda: perform(self.tx, self.script[self.step - 1])))
            else:
                self.told.append(outcome(lambda: self.tx.commit().cv or None))

    def go_in_model(self, model: Model) -> None:
        """One step."""
        self.step += 1
        if self.implicit:
            operation = self.script[self.step]
            self.note(
                self.step,
                outcome(
                    lambda: model.do(
                        RUN, operation.name, *operation.arguments, now=START, **operation.options
                    )
                ),
            )
        elif self.step == 0:
            self.tx = InterleavedModel(model, RUN)
        elif self.step <= len(self.script):
            operation = self.script[self.step - 1]
            self.note(
                self.step - 1,
                outcome(
                    lambda: self.tx.do(operation.name, *operation.arguments, now=START, **operation.options)
                ),
            )
        else:
            self.told.append(outcome(lambda: self.tx.commit(now=START)))

    def note(self, place: int, told: tuple[str, Any]) -> None:
        name = self.script[place].name
        if told[0] == "ok":
            told = "ok", None if name == "kv.put" else provisional(name, told[1])
        self.told.append(told)


def orders(first: int, second: int) -> list[str]:
    return [
        "".join(order)
        for order in product("AB", repeat=first + second)
        if order.count("A") == first  # of both scripts each step once, in its order
    ]


@cache
def in_the_model(first: str, second: str) -> tuple[tuple[str, str], ...]:
    """What comes of two scripts, by the order of their steps."""
    found: list[tuple[str, str]] = []
    for order in orders(Actor(first).steps, Actor(second).steps):
        model = Model()
        model.do(RUN, "run.begin", now=START)
        for operation in BEFORE:
            model.do(RUN, operation.name, *operation.arguments, now=START, **operation.options)
        actors = {"A": Actor(first), "B": Actor(second)}
        for which in order:
            actors[which].go_in_model(model)
        found.append((order, digest([actors["A"].told, actors["B"].told, digest(model.states[-1])])))
    return tuple(found)


def fits(order: str, steps: int, step: int, finished: bool) -> bool:
    """Whether an order agrees with A having been in `step` when B began, and with B being done before A went on."""
    before = order[: order.index("B")].count("A")
    meanwhile = order[: order.rindex("B")].count("A")
    return before >= step and (not finished or meanwhile <= step + 1)


def prepared(path: Path | None, **options: Any) -> Database:
    given: dict[str, Any] = {"durability": Durability.buffered(interval_ms=0), "snapshots": QUIET, **options}
    db = Database.open(path, now=Clock(START), **(given if path is not None else {}))
    db.begin_run(rid(RUN), owned=False)
    handle = db.handle(rid(RUN))
    for operation in BEFORE:
        perform(handle, operation)
    return db


def everything(db: Database) -> None:
    with db.transaction(TEXT) as tx:
        for operation in EVERYTHING:
            perform(tx, operation)
