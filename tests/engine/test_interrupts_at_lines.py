"""Ctrl-C before each line of a commit: it is done or not, and nothing is stuck, leaks or disagrees afterwards.

`test_interrupts` has real signals at random moments; here is each place once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from devstate.durable.files import LOCK_EX, LOCK_NB
from devstate.durable.simulated import SimulatedFiles
from devstate.engine import following, locking, registry, sharing, syncing
from devstate.engine.database import Database
from devstate.engine.primitives import cells, events, json_documents, kv, runs, traces, written_paths
from engine_crash.meeting import COMMIT_PATH, MODES, QUIET, TEXT, everything, prepared
from preemption import files_of, interrupted, lines_of

PATH_OF_A_COMMIT = COMMIT_PATH | files_of(
    cells,
    events,
    following,
    json_documents,
    kv,
    locking,
    registry,
    runs,
    sharing,
    syncing,
    traces,
    written_paths,
)
INTERRUPTED: dict[str, dict[str, Any] | None] = {"memory": None, **MODES}


def simulated(mode: str) -> tuple[Any, Database]:
    """The files, and an open database on them with something in it."""
    given = INTERRUPTED[mode]
    files = SimulatedFiles()
    files.put("/data/placeholder")
    return files, prepared(None if given is None else Path("/data/db"), **{**(given or {}), "files": files})


def interrupt(mode: str, work: Callable[[Database], None], at: int) -> str:
    """Interrupt it before its line `at`; where that was. It is done or not, and everything goes on."""
    files, db = simulated(mode)
    before = db.committer.cv
    where = interrupted(lambda: work(db), at=at, files=PATH_OF_A_COMMIT)
    cv = db.committer.cv
    assert cv in (before, before + 1), where
    if mode == "shared":  # another process can take its turn
        fd = files.open("/data/db/LOCK", os.O_RDWR)
        files.flock(fd, LOCK_EX | LOCK_NB)
        files.close(fd)
    db.kv.put(TEXT, "after", 1)
    everything(db)
    assert db.committer.cv == db.last_cv == cv + 2, where
    assert not db.committer.versions.readers and not db.committer.versions.chained, where
    assert not db.committer.transactions, where
    assert db.verify() == (), where
    db.end_run(TEXT)
    state = db.digest()
    db.close()
    assert not files._opened, where
    if mode != "memory":
        with Database.open("/data/db", files=files, snapshots=QUIET) as again:
            assert (again.last_cv, again.digest()) == (cv + 3, state), where
            assert not again.recovery.has_issues
    return where


def put(db: Database) -> None:
    db.kv.put(TEXT, "a", 1)


def lines_to_interrupt(mode: str, work: Callable[[Database], None]) -> tuple[int, dict[str, int]]:
    with simulated(mode)[1] as db:
        return lines_of(lambda: work(db), PATH_OF_A_COMMIT)


@pytest.mark.parametrize(("mode", "work"), [*((mode, put) for mode in INTERRUPTED), ("memory", everything)])
def test_an_interrupt_at_each_line(mode: str, work: Callable[[Database], None]) -> None:
    for where, at in lines_to_interrupt(mode, work)[1].items():
        assert interrupt(mode, work, at) == where


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mode", INTERRUPTED)
def test_an_interrupt_at_each_line_of_a_transaction_of_all_kinds(mode: str) -> None:
    count, first = lines_to_interrupt(mode, everything)
    for at in range(1, count + 1) if mode == "memory" else first.values():  # each time that a line is come to
        assert interrupt(mode, everything, at)
