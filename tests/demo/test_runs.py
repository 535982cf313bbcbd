"""The runs of a demo: the same for a seed byte for byte, of every kind, and readable by all that reads runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from devstate.demo import MOST_RUNS, demo_plan, demo_workspace, write_demo
from devstate.demo.dice import Dice
from devstate.demo.runs import build_runs
from devstate.engine import Database
from devstate.errors import UsageError
from devstate.findings import Severity
from devstate.workspace import Workspace

STORE = ".trae/store"
JANUARY, JUNE = 1_767_225_600_000_000, 1_780_272_000_000_000  # 2026-01-01 and 2026-06-01, in us


def data_files(store: Path) -> dict[str, bytes]:
    """Everything but the locks, which name a process."""
    return {
        str(path.relative_to(store)): path.read_bytes()
        for path in sorted(store.rglob("*"))
        if path.is_file() and path.name not in ("LOCK", "WRITERS")
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "store"
    build_runs(path, runs=13, seed=7)
    return path


@pytest.fixture
def database(store: Path) -> Iterator[Database]:
    with Database.open(store, read_only=True) as opened:
        yield opened


def test_equal_seeds_give_equal_bytes(store: Path, tmp_path: Path) -> None:
    again = build_runs(tmp_path / "again", runs=13, seed=7)
    first, second = data_files(store), data_files(tmp_path / "again")
    assert first == second
    assert {name.split("/")[0] for name in first} == {"CLEAN", "META", "history", "snapshots", "wal"}
    assert len(again) == 13
    build_runs(tmp_path / "other", runs=13, seed=8)
    other = data_files(tmp_path / "other")
    assert all(first[name] != data for name, data in other.items() if name in first)


def test_there_is_a_run_of_every_kind(database: Database) -> None:
    runs = database.list_runs()
    statuses = Counter(run.status.value for run in runs)
    assert statuses.most_common(1)[0][0] == "completed"
    assert set(statuses) == {"completed", "failed", "cancelled", "paused", "orphaned"}
    assert all(run.reason for run in runs if run.status in ("failed", "cancelled"))
    assert [run.status for run in runs].index("orphaned") == len(runs) - 1
    known = {run.run_id for run in runs}
    parents = [run.parent for run in runs if run.parent is not None]
    assert len(parents) >= 2 and set(parents) <= known
    assert all(8 <= run.tx_count <= 60 for run in runs)
    assert any(run.name is not None and not run.name.isascii() for run in runs)


def test_the_times_are_those_of_the_history(database: Database) -> None:
    moments = [run.created_at for run in database.list_runs()]
    moments += [run.ended_at for run in database.list_runs() if run.ended_at is not None]
    assert all(JANUARY <= moment < JUNE for moment in moments)
    for run in database.list_runs():
        begun = database.run(run.run_id)
        for span in begun.traces.items():
            assert run.created_at <= span.start <= (span.end or span.start)
        moments = [event.ts for event in begun.events.range()]
        assert moments == sorted(moments)


def test_what_the_runs_hold_is_whole(database: Database) -> None:
    for told in database.list_runs():
        run = database.run(told.run_id)
        assert run.events.verify_chain() is None
        [node] = run.traces.tree()
        assert node.span.name == "session" and node.children
        plan = run.json.get("plan")
        assert [step["status"] for step in plan["steps"]]
        if told.status == "completed":
            assert {step["status"] for step in plan["steps"]} == {"done"}
            assert run.state.read("phase").value == "done"
            assert node.span.end is not None
        view = database.replay_run(told.run_id)
        assert view.json["plan"] == plan
        assert view.kv == dict(run.kv.items())
    assert (
        max(len(str(e.payload)) for r in database.list_runs() for e in database.run(r.run_id).events.range())
        > 1000
    )


def test_pairs_share_their_beginning_and_then_part(database: Database) -> None:
    runs = database.list_runs()
    pairs = [(one, two) for one, two in pairwise(runs) if two.name == f"{one.name} (again)"]
    assert len(pairs) == 2
    for one, two in pairs:
        parted = database.first_divergence(one.run_id, two.run_id)
        assert parted is not None and parted.step_a is not None
        assert 4 < parted.step_a < one.tx_count
        assert not database.diff_runs(one.run_id, two.run_id).is_empty
        early = database.diff_runs(one.run_id, two.run_id, step_a=4, step_b=4)
        assert early.is_empty


@pytest.mark.parametrize("runs", [0, 1, 2, 6])
@pytest.mark.parametrize("entries", [1, 24])
def test_any_number_of_runs(runs: int, entries: int, tmp_path: Path) -> None:
    assert len(build_runs(tmp_path / "s", runs=runs, seed=1, entries=entries)) == runs
    with Database.open(tmp_path / "s", read_only=True) as database:
        told = database.list_runs()
        assert len(told) == runs
        assert len(database.orphaned_runs()) == (1 if runs == 6 else 0)
        assert all(JANUARY <= run.created_at < JUNE for run in told)


@pytest.mark.parametrize("runs", [-1, MOST_RUNS + 1])
def test_impossible_numbers_are_refused(runs: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        demo_workspace(runs=runs)
    with pytest.raises(UsageError):
        build_runs(tmp_path / "s", runs=runs, seed=1)
    assert not (tmp_path / "s").exists()


def test_a_demo_workspace_with_runs_is_sound(tmp_path: Path) -> None:
    root = tmp_path / "demo"
    demo = demo_workspace(entries=24, runs=2)
    plan = demo_plan(root, demo)
    [target] = [target for target in plan.targets if target.path == STORE]
    assert "2 runs" in target.diff and target.content is None
    receipt = write_demo(root, demo, plan=plan)
    assert STORE in receipt.applied
    with Workspace.open(str(root)) as workspace:
        reading = workspace.read()
        grave = {finding.code for finding in reading.findings if finding.severity is not Severity.INFO}
        assert grave == {"WEAK_KEY"}
        assert reading.store.backend == "embedded"
    with Database.open(root / STORE, shared=True, create=False) as database:
        assert len(database.list_runs()) == 2
    assert ".trae/store/" in (root / ".gitignore").read_text().splitlines()


def test_no_runs_no_database(tmp_path: Path) -> None:
    write_demo(tmp_path / "demo", demo_workspace(entries=24))
    assert not (tmp_path / "demo" / STORE).exists()


def test_dice_depend_on_the_seed_alone() -> None:
    one, two = Dice("x"), Dice("x")
    assert one.bytes(100) == b"".join(two.bytes(10) for _ in range(10))
    assert Dice("y").bytes(16) != Dice("x").bytes(16)
    assert {Dice("z").between(3, 3)} == {3}
    rolls = Counter(one.between(1, 6) for _ in range(6000))
    assert set(rolls) == {1, 2, 3, 4, 5, 6} and min(rolls.values()) > 800
