"""Ctrl-C between what a shared writer has in memory and where it believes to stand in the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devstate.durable.files import OS
from devstate.engine.database import Database
from devstate.engine.errors import WalCorruptionError
from engine_crash.driving import RUNS, opened

A = RUNS[0]


def shared(path: Path, seed: int = 1) -> Database:
    return opened(OS, str(path), shared=True, seed=seed)


class Interrupted:
    """Does what it stands for, and is interrupted at the given call, before or behind it."""

    def __init__(self, work: Any, at: int, *, before: bool = False) -> None:
        self.work, self.left, self.before = work, at, before

    def __call__(self, *given: Any) -> Any:
        self.left -= 1
        if self.before and not self.left:
            raise KeyboardInterrupt
        result = self.work(*given)
        if not self.left:
            raise KeyboardInterrupt
        return result


def test_an_own_commit_is_not_cut_off_by_the_next_one(tmp_path: Path) -> None:
    with shared(tmp_path) as db:
        db.begin_run(A, owned=False)
        gate: Any = db.committer.gate
        gate._pass_own = Interrupted(gate._pass_own, 2, before=True)  # at the end of the commit
        with pytest.raises(KeyboardInterrupt):
            db.kv.put(A, "a", 1)
        db.kv.put(A, "b", 2)
    with shared(tmp_path) as again:
        assert (again.last_cv, again.kv.items(A)) == (3, [("a", 1), ("b", 2)])
        assert again.verify() == ()


def test_a_commit_of_another_is_not_cut_off_where_taking_it_in_was_interrupted(tmp_path: Path) -> None:
    with shared(tmp_path) as other, shared(tmp_path, 2) as db:
        other.begin_run(A, owned=False)
        db.refresh()
        other.kv.put(A, "a", 1)
        committer: Any = db.committer
        take_in, committer.taken_in = committer.taken_in, Interrupted(committer.taken_in, 1)
        with pytest.raises(KeyboardInterrupt):
            db.refresh()
        committer.taken_in = take_in
        db.kv.put(A, "b", 2)
        assert db.kv.items(A) == [("a", 1), ("b", 2)]
    with shared(tmp_path) as again:
        assert (again.last_cv, again.kv.items(A)) == (3, [("a", 1), ("b", 2)])
        assert again.verify() == ()


def test_what_may_be_in_memory_by_half_is_neither_read_nor_cut_off(tmp_path: Path) -> None:
    with shared(tmp_path) as other, shared(tmp_path, 2) as db:
        other.begin_run(A, owned=False)
        db.refresh()
        other.events.append(A, "e")
        committer: Any = db.committer
        take_in, committer.taken_in = committer.taken_in, Interrupted(committer.taken_in, 1, before=True)
        with pytest.raises(KeyboardInterrupt):
            db.refresh()
        committer.taken_in = take_in
        for work in (db.refresh, lambda: db.kv.put(A, "b", 2), lambda: db.events.len(A)):
            with pytest.raises(WalCorruptionError, match="interrupted"):
                work()
    with shared(tmp_path) as again:
        assert (again.last_cv, again.events.len(A)) == (2, 1)
        assert again.verify() == ()
