"""Transactions against what others do meanwhile, where the records themselves say nothing of it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from devstate.durable.files import OS
from devstate.engine.errors import ConflictError, NotFound, RunNotFound
from engine_crash.driving import RUNS, opened

A = RUNS[0]


def elsewhere(work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


@pytest.mark.parametrize("serializable", [True, False])
def test_an_event_that_was_missed_is_a_read_of_a_serializable_transaction(
    tmp_path: Path, serializable: bool
) -> None:
    with opened(OS, str(tmp_path)) as db:
        db.begin_run(A)

        def append_where_no_key_is() -> None:
            with db.transaction(A, serializable=serializable) as other:
                assert other.kv.get("k") is None
                other.events.append("e")

        transaction = db.transaction(A, serializable=serializable)
        with pytest.raises(NotFound):
            transaction.events.read(0)
        elsewhere(append_where_no_key_is)
        transaction.kv.put("k", 1)
        if serializable:  # each would have to come before the other
            with pytest.raises(ConflictError):
                transaction.commit()
        else:
            assert transaction.commit().cv == 3


def test_a_run_that_was_begun_again_under_the_same_identifier_is_another_one(tmp_path: Path) -> None:
    with opened(OS, str(tmp_path)) as db:
        db.begin_run(A)
        db.kv.put(A, "k", 1)

        def begin_again() -> None:
            db.delete_run(A, force=True)
            db.begin_run(A)

        transaction = db.transaction(A)
        elsewhere(begin_again)
        for look in (lambda: transaction.kv.get("k"), transaction.kv.keys, transaction.events.len):
            with pytest.raises(RunNotFound):
                look()
        transaction.kv.put("k", 2)
        with pytest.raises(ConflictError):
            transaction.commit()
        with db.transaction(A) as fresh:
            assert fresh.kv.get("k") is None
            fresh.kv.put("k", 3)
        assert db.kv.get(A, "k") == 3
