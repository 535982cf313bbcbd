"""The commit path preempted at each of its lines: what another thread does then.

A thread is stopped before its k-th line of the commit path, for every k; another one does something whole, or waits
for the commit lock until the first one goes on. What both were told, and what is there in the end, must be what the
reference model gives in one of the orders of their calls that agree with who was done before whom.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from devstate.engine.database import Database
from engine_crash.meeting import (
    COMMIT_PATH,
    MODES,
    SCRIPTS,
    TEXT,
    Actor,
    everything,
    fits,
    in_the_model,
    prepared,
)
from engine_oracle.interpret import digest, from_snapshot
from engine_oracle.snapshots import read_snapshot
from engine_pair import live_state
from preemption import PATIENCE, Halted, begun, lines_of

# How long a thread gets that may have to wait for the stopped one: it needs a small part of that.
A_MOMENT = 0.005


def is_free(lock: Any) -> bool:
    """Whether no other thread holds it."""
    if not lock.acquire(blocking=False):
        return False
    lock.release()
    return True


def beside(db: Database, halted: Halted, work: Callable[[], None]) -> bool:
    """Do it in another thread while one is stopped, and then let that one go on; whether it was done before that."""
    free = is_free(db.committer.lock)
    other, raised = begun(work)
    other.join(PATIENCE if free else A_MOMENT)
    finished = not other.is_alive()
    assert finished or not free, f"stuck beside {halted.where}, which holds no lock"
    halted.go_on()
    other.join(PATIENCE)
    assert not other.is_alive(), f"stuck behind {halted.where}"
    for error in raised:
        raise error
    return finished


def sound(db: Database) -> None:
    assert db.verify() == ()
    assert db.events.verify_chain(TEXT) is None
    assert not db.committer.versions.readers
    assert not db.committer.versions.chained


def meet(first: str, second: str, at: int) -> bool:
    """Stop `first` before its line `at`, and do `second`; False where there is no such line."""
    with prepared(None) as db:
        one, other = Actor(first), Actor(second)
        halted = Halted(lambda: one.go(db), at=at, files=COMMIT_PATH)
        step = one.step
        finished = beside(db, halted, lambda: other.go(db))
        found = digest([one.told, other.told, digest(live_state(db))])
        allowed = {
            known
            for order, known in in_the_model(first, second)
            if not halted.where or fits(order, one.steps, step, finished)
        }
        assert found in allowed, (first, second, halted.where, step, finished, one.told, other.told)
        sound(db)
    return bool(halted.where)


def lines(name: str) -> tuple[int, dict[str, int]]:
    with prepared(None) as db:
        return lines_of(lambda: Actor(name).go(db), COMMIT_PATH)


def test_at_each_line_another_transaction(tmp_path: Path) -> None:
    """Each line of the commit path once, the scripts in turn."""
    names = list(SCRIPTS)
    seen: set[str] = set()
    for first in ("call put", "delete and write again", "transition and event", "set a path", "call append"):
        for where, at in lines(first)[1].items():
            if where not in seen:
                assert meet(first, names[len(seen) % len(names)], at)
                seen.add(where)
    assert len(seen) > 100


def test_what_a_transaction_wrote_is_seen_together() -> None:
    """At each line from the write to the log on."""
    for first in ("blind writes", "delete and write again", "delete"):
        found = lines(first)[1]
        since = min(at for where, at in found.items() if where.startswith("memory_log.py"))
        for at in range(since, max(found.values()) + 1):
            assert meet(first, "call read", at)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("first", SCRIPTS)
def test_at_each_line_each_other_transaction(first: str) -> None:
    for second in SCRIPTS:
        for at in range(1, lines(first)[0] + 1):
            assert meet(first, second, at)


# -- what looks at the whole


def _in_a_transaction(db: Database, path: Path) -> Any:
    with db.transaction(TEXT) as tx:
        cell = tx.state.read("s")
        return [
            tx.kv.items(),
            tx.kv.get("gone"),
            tx.json.get("d"),
            (cell.value, cell.ver),
            tx.events.len(),
            tx.traces.count(),
        ]


def _of_a_snapshot(db: Database, path: Path) -> Any:
    return from_snapshot(read_snapshot(db.snapshot().path))


def _of_a_copy(db: Database, path: Path) -> Any:
    db.flush()
    copy = path.with_name("copy")
    shutil.copytree(path, copy)
    try:
        with Database.open(copy) as other:
            return other.export_run(TEXT)
    finally:
        shutil.rmtree(copy)


def _of_a_reader(db: Database, path: Path) -> Any:
    with Database.open(path, read_only=True) as reader:
        return reader.export_run(TEXT)


def _known(db: Database, path: Path) -> Any:
    known = db.run_metadata(TEXT)  # one look: the commit may end between two
    return known.tx_count, known.last_cv


def _verified(db: Database, path: Path) -> Any:
    assert db.verify() == ()


WATCHERS: dict[str, Callable[[Database, Path], Any]] = {
    "a transaction": _in_a_transaction,
    "a listing": lambda db, path: db.kv.items(TEXT),
    "several keys": lambda db, path: db.kv.get_many(TEXT, ["a", "b", "gone"]),
    "a replay": lambda db, path: db.export_run(TEXT),
    "the past": lambda db, path: db.view_at(db.last_cv).run(TEXT).to_dict(),
    "the digest": lambda db, path: db.digest(),
    "what is known of the run": _known,
    "a snapshot": _of_a_snapshot,
    "a copy of the flushed files": _of_a_copy,
    "a reader of the files": _of_a_reader,
    "verify": _verified,
}  # fmt: skip


def watched(tmp_path: Path, mode: str, name: str, at: int, allowed: Sequence[str]) -> bool:
    """Stop a transaction of all kinds before its line `at`, and look; False where there is no such line."""
    path = tmp_path / "db"
    shutil.rmtree(path, ignore_errors=True)
    seen: list[Any] = []
    with prepared(path, **MODES[mode]) as db:
        halted = Halted(lambda: everything(db), at=at, files=COMMIT_PATH)
        work: Callable[[], None] = lambda: seen.append(WATCHERS[name](db, path))  # noqa: E731
        if mode == "buffered":
            beside(db, halted, work)
        else:  # a sync that the stopped thread leads is waited for, too
            other, raised = begun(work)
            other.join(2 * A_MOMENT)
            halted.go_on()
            other.join(PATIENCE)
            assert not other.is_alive() and not raised, (halted.where, raised)
        assert told(seen[0]) in allowed, (name, halted.where, seen)
        sound(db)
        state = db.digest()
    with Database.open(path) as again:
        assert again.digest() == state
        assert not again.recovery.has_issues
    return bool(halted.where)


def told(seen: Any) -> str:
    return digest(repr(seen))


def before_and_after(tmp_path: Path, mode: str) -> tuple[dict[str, list[str]], tuple[int, dict[str, int]]]:
    """What each watcher sees before and after the transaction, and what lines that has."""
    found: dict[str, list[str]] = {name: [] for name in WATCHERS}
    count: tuple[int, dict[str, int]] = 0, {}
    for number, (name, look) in enumerate(WATCHERS.items()):
        for after in (False, True):  # from the beginning each time: a snapshot leaves a note in the log
            path = tmp_path / f"rehearsal-{number}-{after}"
            with prepared(path, **MODES[mode]) as db:
                if after:
                    count = lines_of(lambda: everything(db), COMMIT_PATH)
                found[name].append(told(look(db, path)))
    return found, count


def test_at_each_line_somebody_looks(tmp_path: Path) -> None:
    """Each line between the write to the log and the end of a commit once."""
    allowed, (_, first) = before_and_after(tmp_path, "buffered")
    names = list(WATCHERS)
    end = [
        at for where, at in first.items() if where.startswith(("commit.py", "wal_writer.py", "versions.py"))
    ]
    for place, at in enumerate(end):
        name = names[place % len(names)]
        assert watched(tmp_path, "buffered", name, at, allowed[name])
    assert len(end) > 30


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", WATCHERS)
def test_at_each_line_everybody_looks(tmp_path: Path, mode: str, name: str) -> None:
    allowed, (_, first) = before_and_after(tmp_path, mode)
    for at in first.values():
        watched(tmp_path, mode, name, at, allowed[name])


def test_history_in_memory_is_read_beside_a_commit() -> None:
    """At each line where the log in memory grows. Who knows a position needs no lock to read what is there."""
    with prepared(None) as db:
        _, first = lines_of(lambda: everything(db), COMMIT_PATH)
    places = [at for where, at in first.items() if where.startswith("memory_log.py")]
    assert len(places) > 2
    for at in places:
        _read_beside(at)


def _read_beside(at: int) -> None:
    with prepared(None) as db, db.history() as source:
        known = [source.transaction(lsn) for lsn in range(db.last_cv)]
        seen: list[Any] = []
        halted = Halted(lambda: everything(db), at=at, files=COMMIT_PATH)
        other, raised = begun(lambda: seen.extend(source.transaction(lsn) for lsn in range(len(known))))
        other.join(PATIENCE)
        halted.go_on()
        assert not raised and seen == known, (halted.where, raised)
