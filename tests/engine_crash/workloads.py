"""The scripts that lose power at each of their calls. Each takes a `Driver`; its options belong to it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from devstate.engine.errors import CasMismatch
from devstate.engine.snapshotting import SnapshotPolicy
from engine_crash.driving import RUNS, Driver

A, B, C = RUNS[:3]


class Workload(NamedTuple):
    name: str
    script: Callable[[Driver], None]
    options: dict[str, Any]
    mode: str = "buffered"


def creation(driver: Driver) -> None:
    driver.open()
    driver.close()


def primitives(driver: Driver) -> None:
    """Every kind of record, two runs, single writes and transactions, flushes between."""
    db = driver.open()
    do = driver.do
    do(db.begin_run, A, name="first", tags=["x"], metadata={"n": 1})
    do(db.kv.put, A, "key", "value")
    do(db.kv.put, A, "ttl", [1, {"two": 2.5}], ttl=30)
    driver.flush()
    do(db.json.create, A, "doc", {"list": [1, 2], "deep": {"x": None}})
    do(db.json.set, A, "doc", "$.list[2]", 3)
    do(db.begin_run, B, name="second", parent=A)
    do(db.json.patch, A, "doc", [("set", "$.deep.x", 1), ("delete", "$.list[0]")])
    do(db.events.append, A, "tick", {"n": 0})
    driver.flush()
    with driver.transaction(B) as tx:
        tx.kv.put("key", b"\0\xff")
        tx.json.set("doc", "$", {"b": True})
        tx.events.append("tool_call", {"tool": "search"})
        tx.state.init("phase", "plan")
        tx.traces.record("query", "q", attrs={"a": 1}, tags=("t",))
    do(db.state.transition, B, "phase", lambda before: before + "+")
    do(db.state.cas, B, "phase", 2, "act")
    with suppress(CasMismatch):
        db.state.cas(B, "phase", 99, "never")  # a refused commit takes no number
    do(db.kv.delete, A, "key")
    do(db.json.delete, A, "doc")
    do(db.state.delete, B, "phase")
    driver.flush()
    do(db.events.append_many, A, [("a", 1), ("b", 2)])
    do(db.set_metadata, A, {"more": "x"})
    do(db.end_run, A)
    do(db.kv.put, B, "last", "x" * 700)
    driver.close()


def few_commits(driver: Driver) -> None:
    db = driver.open()
    driver.do(db.begin_run, A)
    driver.do(db.kv.put, A, "k", 1)
    driver.do(db.events.append, A, "t", "x" * 600)
    driver.do(db.state.init, A, "s", 1)
    driver.close()


def rotation(driver: Driver) -> None:
    """Segments of a few commits each."""
    db = driver.open()
    driver.do(db.begin_run, A)
    for number in range(9):
        driver.do(db.kv.put, A, f"k{number % 3}", "x" * (20 * number))
        if number == 4:
            driver.flush()
    driver.do(db.end_run, A)
    driver.close()


def snapshots(driver: Driver) -> None:
    """Snapshots, their retention, and the log behind them put away."""
    db = driver.open()
    driver.do(db.begin_run, A, name="a")
    for number in range(3):
        for step in range(3):
            driver.do(db.kv.put, A, f"k{step}", number * 10 + step)
        with driver.transaction(A) as tx:
            tx.events.append("tick", number)
            tx.json.set("doc", "$.n", number)
            tx.state.set("s", number)
        driver.snapshot()
    driver.do(db.kv.put, A, "after", 1)
    driver.close()


def sessions(driver: Driver) -> None:
    """Clean closes, and writing after them; one session writes nothing."""
    db = driver.open()
    driver.do(db.begin_run, A)
    driver.do(db.kv.put, A, "k", 1)
    driver.close()
    driver.open()
    driver.close()
    db = driver.open()
    driver.do(db.resume_run, A)
    driver.do(db.kv.put, A, "k", 2)
    driver.snapshot()
    driver.close()
    db = driver.open()
    driver.do(db.begin_run, B)
    driver.close()


def closing_snapshot(driver: Driver) -> None:
    """A close that takes a snapshot."""
    db = driver.open()
    driver.do(db.begin_run, A)
    driver.do(db.kv.put, A, "k", 1)
    driver.close()
    db = driver.open()
    driver.do(db.begin_run, B)
    driver.close()


def deleted_runs(driver: Driver) -> None:
    """Runs with records in every primitive go, one comes back under its name."""
    db = driver.open()
    for run in (A, B):
        driver.do(db.begin_run, run)
        with driver.transaction(run) as tx:
            tx.kv.put("k", 1)
            tx.json.create("d", {"x": 1})
            tx.events.append("e")
            tx.state.init("s", 0)
            tx.traces.record("query", "q")
    driver.do(db.delete_run, A, force=True)
    driver.flush()
    driver.do(db.begin_run, A)
    driver.do(db.kv.put, A, "k", 2)
    driver.do(db.end_run, B)
    driver.do(db.delete_run, B)
    driver.snapshot()
    driver.do(db.kv.put, A, "k", 3)
    driver.close()


def two_writers(driver: Driver) -> None:
    """Two handles write in turn, one dies with unsynced commits, the other closes as the last one."""
    one = driver.open()
    driver.do(one.begin_run, A)
    two = driver.open()
    driver.do(two.begin_run, B)
    for number in range(4):
        driver.db = one
        driver.do(one.kv.put, A, "k", "x" * (100 * number))
        if number == 1:
            driver.flush()
        driver.db = two
        driver.do(two.kv.put, B, "k", number)
    driver.db = one
    driver.flush()
    driver.db = two
    driver.do(two.kv.put, B, "k", "unsynced")
    driver.died()
    driver.db = one
    driver.close()


def _policy(keep: int, close: int = -1) -> SnapshotPolicy:
    return SnapshotPolicy(wal_bytes=0, seconds=0, close_bytes=close, keep=keep)


# Among several processes, a run without an owner belongs to nobody.
_SHARED: dict[str, Any] = {"shared": True, "owner": None}

WORKLOADS = (
    Workload("creation", creation, {}),
    Workload("few commits", few_commits, {}),
    Workload("few commits, strict", few_commits, {}, "strict"),
    Workload("few commits, shared", few_commits, {**_SHARED}),
    Workload("primitives", primitives, {}),
    Workload("primitives, strict", primitives, {}, "strict"),
    Workload("rotation", rotation, {"segment_bytes": 500}),
    Workload("rotation, strict", rotation, {"segment_bytes": 300}, "strict"),
    Workload("rotation, shared", rotation, {"segment_bytes": 500, **_SHARED}),
    Workload("snapshots, one kept", snapshots, {"segment_bytes": 500, "snapshots": _policy(1)}),
    Workload("snapshots, two kept", snapshots, {"segment_bytes": 400, "snapshots": _policy(2)}),
    Workload(
        "snapshots, no history", snapshots, {"segment_bytes": 400, "history": "off", "snapshots": _policy(2)}
    ),
    Workload("snapshots, strict", snapshots, {"segment_bytes": 700, "snapshots": _policy(2)}, "strict"),
    Workload("snapshots, shared", snapshots, {"segment_bytes": 400, **_SHARED, "snapshots": _policy(1)}),
    Workload("sessions", sessions, {"segment_bytes": 600, "owner": None}),
    Workload("sessions, shared", sessions, {"segment_bytes": 600, **_SHARED}),
    Workload("two writers", two_writers, {"segment_bytes": 600, **_SHARED}),
    Workload("two writers, strict", two_writers, {"segment_bytes": 600, **_SHARED}, "strict"),
    Workload("closing snapshot", closing_snapshot, {"snapshots": _policy(1, close=0)}),
    Workload("deleted runs", deleted_runs, {"segment_bytes": 900}),
)
