"""A small database that uses everything, the same bytes each time: what a release writes, for later ones to open."""

from __future__ import annotations

import hashlib
from itertools import count
from pathlib import Path

from devstate.engine import Database
from devstate.engine.snapshotting import SnapshotPolicy

START = 1_700_000_000_000_000


def build(path: Path) -> Database:
    """Write it, and return it closed; it can still say its recovery and path."""
    ticks = count(START, 1_500)
    draws = count(1)

    def entropy(size: int) -> bytes:
        return hashlib.sha256(next(draws).to_bytes(8, "big")).digest()[:size]

    with Database.open(
        path,
        now=lambda: next(ticks),
        entropy=entropy,
        owner=(),
        segment_bytes=3_000,
        snapshots=SnapshotPolicy(wal_bytes=0, seconds=0, close_bytes=-1, keep=2),
    ) as database:
        parent = _solve(database, "solve-1", None)
        database.snapshot()
        child = _solve(database, "solve-2 – вторая", parent)
        database.snapshot()
        doomed = database.begin_run(name="doomed")
        database.kv.put(doomed, "k", b"\x00\xff")
        database.delete_run(doomed, force=True)
        open_run = database.begin_run(name="left open", parent=child)
        database.snapshot()
        database.kv.put(open_run, "tail", [None, True, -1, 2**63 - 1, 1.5, "ü", b"b", {"k": [1]}])
        database.abort_run(database.begin_run(name="failed"), "because")
        paused = database.begin_run(name="paused")
        database.pause_run(paused)
    return database


def _solve(database: Database, name: str, parent: str | None) -> str:
    with database.run(name=name, parent=parent, tags=["eval", "t"], metadata={"seed": 7}) as run:
        run.kv.put("model", "m1")
        run.kv.put("soon", 1, ttl=3600.0)
        run.kv.put("gone", 0)
        run.kv.delete("gone")
        run.json.set("plan", "$.steps[0]", {"do": "search", "n": [1, 2.5, None]})
        run.json.patch("plan", [("set", "$.steps[1]", "act"), ("delete", "$.steps[0].n[1]")])
        run.json.create("old", {})
        run.json.delete("old")
        for number in range(12):
            run.events.append("tick" if number % 3 else "tool_call", {"n": number})
        run.state.init("phase", "think")
        run.state.cas("phase", 1, "act")
        run.state.transition("phase", lambda phase: f"{phase}!", label="shout")
        run.state.set("lost", 1)
        run.state.delete("lost")
        span = run.traces.record("tool_call", "search", start=START, tags=["t"], attrs={"q": "gate"})
        run.traces.record("thought", "inner", parent=span, start=START, end=START + 5)
        with run.transaction() as tx:
            tx.kv.put("model", "m2")
            tx.events.append("tick", {"last": True})
            tx.state.set("phase", "done")
            tx.json.set("plan", "$.done", True)
    return run.id
