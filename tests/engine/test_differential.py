"""One sequence of operations, done in every way that must make no difference: equal digests, equal histories."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.engine.database import Database
from devstate.engine.errors import EngineError
from devstate.engine.snapshotting import SnapshotPolicy
from engine_oracle.interpret import state_of
from engine_oracle.model import Model
from engine_oracle.model_data import ModelError
from engine_oracle.workload import RUNS, START, operation, run_operation
from engine_pair import Clock, live, live_state, perform, rid, same_state

Step = tuple[int, bytes, list[Any]]


def script(seed: int, commits: int) -> tuple[list[Step], Model]:
    """Transactions that the model accepts, with their times; and the model behind them."""
    dice = random.Random(seed)
    model, steps, now = Model(), [], START
    while model.cv < commits:
        now += dice.choice((-5, 0, 1, 1000))
        run = dice.choice(RUNS)
        if dice.random() < 0.1:
            todo = [run_operation(dice)]
        else:
            todo = [operation(dice) for _ in range(dice.choice((1, 1, 2, 4)))]
        # The model leaves alone what has expired; see engine_pair.
        todo = [one for one in todo if one.name != "kv.delete"] or [operation(random.Random(1))]
        before = model.cv
        try:
            model.transact(run, todo, now=now)
        except ModelError as refused:
            if refused.name != "RunNotFound":
                continue
            todo = []
            model.do(run, "run.begin", name=f"run {run[0]}", tags=["eval"], metadata={"n": 1}, now=now)
        if model.cv > before:
            steps.append((now, run, todo))
    return steps, model


def play(db: Database, clock: Clock, step: Step) -> None:
    now, run, todo = step
    clock.now = now
    if not todo:
        db.begin_run(rid(run), name=f"run {run[0]}", tags=["eval"], metadata={"n": 1}, owned=False)
    elif todo[0].name.startswith("run."):
        live(db, run, todo[0])
    else:
        with db.transaction(rid(run)) as tx:
            for one in todo:
                perform(tx, one)


def opened(path: Path | None, clock: Clock, durability: str, **options: Any) -> Database:
    return Database.open(
        path,
        durability=durability,
        now=clock,
        owner=(),
        **{"snapshots": SnapshotPolicy(close_bytes=-1), "segment_bytes": 3000, **options},
    )


Way = Callable[[Path, list[Step]], Database]


def straight(durability: str) -> Way:
    def way(path: Path, steps: list[Step]) -> Database:
        clock = Clock()
        db = opened(None if durability == "memory" else path, clock, durability)
        for step in steps:
            play(db, clock, step)
        return db

    return way


def with_snapshots(path: Path, steps: list[Step]) -> Database:
    clock = Clock()
    db = opened(path, clock, "buffered")
    for number, step in enumerate(steps):
        play(db, clock, step)
        if number % 9 == 4:
            db.snapshot()
    return db


def reopened(path: Path, steps: list[Step]) -> Database:
    straight("buffered")(path, steps).close()
    return opened(path, Clock(), "strict")


def copied_alive(path: Path, steps: list[Step]) -> Database:
    db = straight("buffered")(path, steps)
    shutil.copytree(path, path.with_name("copy"))
    db.close()
    return opened(path.with_name("copy"), Clock(), "buffered")


def shared_by_two(path: Path, steps: list[Step]) -> Database:
    clock = Clock()
    one, other = opened(path, clock, "buffered", shared=True), opened(path, clock, "buffered", shared=True)
    for number, step in enumerate(steps):
        play(other if number % 3 else one, clock, step)
    one.close()
    other.refresh()
    return other


def read_only(path: Path, steps: list[Step]) -> Database:
    clock = Clock()
    db = opened(path, clock, "buffered")
    reader = None
    for number, step in enumerate(steps):
        play(db, clock, step)
        if number == len(steps) // 2:
            db.snapshot()
            reader = Database.open(path, read_only=True, now=clock)
    db.close()
    assert reader is not None
    reader.refresh()
    return reader


WAYS: dict[str, Way] = {
    "memory": straight("memory"),
    "buffered": straight("buffered"),
    "strict": straight("strict"),
    "with snapshots": with_snapshots,
    "reopened": reopened,
    "a copy of a live folder": copied_alive,
    "two shared openers": shared_by_two,
    "a follower": read_only,
}


def compare(folder: Path, seed: int, commits: int, ways: list[str]) -> None:
    steps, model = script(seed, commits)
    digests: dict[str, str] = {}
    replays: dict[str, dict[str, list[str]]] = {}
    for name in ways:
        path = folder / name.replace(" ", "-") / "db"
        path.parent.mkdir()
        with WAYS[name](path, steps) as db:
            # In what order something has gone does not show: only what the present state is.
            assert same_state(live_state(db), model.states[-1]), name
            replays[name] = {
                told.run_id: [
                    db.replay_run(told.run_id, step=step).digest() for step in range(told.tx_count + 1)
                ]
                for told in db.list_runs()
            }
            digests[name] = str(sorted((run, found[-1]) for run, found in replays[name].items()))
        if name not in ("memory", "a copy of a live folder"):
            found, reading = state_of(path)
            assert reading.verdict == "clean"
            for run in found["runs"].values():
                run["run"].pop("owner", None)
            assert same_state(found, model.states[-1]), name
    assert len(set(digests.values())) == 1, digests
    assert all(found == replays[ways[0]] for found in replays.values())


def test_every_way_comes_to_the_same(tmp_path: Path) -> None:
    compare(tmp_path, seed=7, commits=60, ways=list(WAYS))


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_modes_come_to_the_same(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    folder = tmp_path_factory.mktemp("ways")
    compare(folder, seed, 20, ["memory", "buffered", "with snapshots", "reopened"])
    shutil.rmtree(folder)


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(8))
def test_every_way_comes_to_the_same_for_longer(tmp_path: Path, seed: int) -> None:
    compare(tmp_path, seed=seed, commits=400, ways=list(WAYS))


def test_the_same_clock_and_the_same_random_bytes_make_the_same_files(tmp_path: Path) -> None:
    """Nothing else goes into a file: no order of a set, no address, no number of a process."""
    steps, _ = script(3, 40)
    folders = []
    for name in ("one", "other"):
        path = tmp_path / name
        clock = Clock()
        numbers = random.Random(5)
        with opened(path, clock, "buffered", entropy=lambda size, dice=numbers: dice.randbytes(size)) as db:
            for number, step in enumerate(steps):
                play(db, clock, step)
                if number == 20:
                    db.snapshot()
        folders.append(
            {
                str(file.relative_to(path)): file.read_bytes()
                for file in path.rglob("*")
                if file.is_file() and file.name != "LOCK"
            }
        )
    assert folders[0] == folders[1]
    assert any(name.startswith("snapshots/") for name in folders[0])


def test_a_refused_transaction_leaves_no_trace(tmp_path: Path) -> None:
    clock = Clock()
    with opened(tmp_path / "db", clock, "buffered") as db:
        run = db.run(name="r")
        run.kv.put("k", 1)
        before, cv = db.digest(), db.last_cv
        size = sum(file.stat().st_size for file in (tmp_path / "db").rglob("*.wal"))
        with pytest.raises(EngineError), run.transaction() as tx:
            tx.kv.put("k", 2)
            tx.events.append("e", 1)
            tx.json.patch("absent", [("set", "$.x", 1)])
        assert db.digest() == before
        assert db.last_cv == cv
        assert sum(file.stat().st_size for file in (tmp_path / "db").rglob("*.wal")) == size
