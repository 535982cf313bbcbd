"""Databases with runs of every kind of work, and the ways of replaying them without the facade."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any
from uuid import UUID

from devstate.durable.files import OS, Files
from devstate.engine.builtin import builtin_registry
from devstate.engine.database import Database
from devstate.engine.journal import FileHistory, HistorySource, MemoryHistory
from devstate.engine.primitives.runs import RunBook, RunStore
from devstate.engine.segments import SegmentReader

FIRST_US = 1_700_000_000_000_000
REGISTRY = builtin_registry()


def run_id(number: int) -> str:
    return str(UUID(int=number, version=4))


def raw(number: int) -> bytes:
    return UUID(int=number, version=4).bytes


def open_db(path: Any = None, **options: Any) -> Database:
    """A database whose times and identifiers follow from the number of calls."""
    ticks, draws = count(FIRST_US, 10), count(1)
    options.setdefault("now", lambda: next(ticks))
    options.setdefault("entropy", lambda size: next(draws).to_bytes(size, "big"))
    return Database.open(path, **options)


def begin(db: Database, number: int, **about: Any) -> str:
    about.setdefault("name", f"run {number}")
    return db.begin_run(run_id(number), **about)


def work(db: Database, run: str, *, rounds: int = 3, word: str = "w", first: int = 0) -> None:
    """Every operation that changes something, `rounds` times: 11 transactions a round."""
    handle = db.handle(run)
    for turn in range(first, first + rounds):
        handle.kv.put("count", turn)
        handle.kv.put(f"key {turn}", {"word": word, "raw": b"\x00\xff", "nan": [1, 1.0, True]})
        handle.kv.put("soon gone", word, ttl=1.0)
        handle.kv.delete(f"key {turn - 1}")
        if turn == 0:
            handle.json.create("plan", {"steps": [], "word": word})
            handle.state.init("phase", "begin")
        else:
            handle.json.set("plan", f"$.steps[{turn - 1}]", {"do": word, "n": turn})
            handle.state.transition("phase", lambda old: f"{old}+", label="on")
        handle.events.append("tick", {"n": turn, "word": word})
        handle.json.patch("plan", [("set", "$.word", f"{word}{turn}"), ("set", "$.last", turn)])
        span = handle.traces.record("tool_call", "search", attrs={"n": turn})
        with handle.transaction() as tx:
            tx.ext("kv").put("in a transaction", turn)
            tx.ext("events").append("step", word)
            tx.ext("events").append("step", None)
            tx.ext("state").set("cell", turn)
            tx.ext("json").create(f"document {turn}", {"n": turn})
        handle.traces.record(
            "tool_call", "search", attrs={"n": turn}, tags=("done",), span_id=span, parent=None
        )


def run_store(db: Database) -> RunStore:
    found = db.primitives.named("runs")
    assert isinstance(found, RunStore)
    return found


def book_of(db: Database) -> Any:
    def found(run: bytes) -> RunBook | None:
        return run_store(db).books.get(run)

    return found


@contextmanager
def source_of(db: Database, *, files: Files = OS) -> Iterator[HistorySource]:
    """The history of an open database."""
    memory = db.committer.memory
    if memory is not None:
        yield MemoryHistory(memory, book_of(db))
        return
    assert db.path is not None
    with SegmentReader(db.path, salt=db.committer.salt, files=files) as reader:
        yield FileHistory(reader, book_of(db), files=files)
