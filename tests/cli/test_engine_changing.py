"""run begin, end and abort, snapshots, compaction, recovery, salvage: plan, question, refusal, effect."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from command_runs import Run
from devstate.engine import Database
from engine_samples import damage, segment_of, write_runs

Call = Callable[..., Run]


@pytest.fixture
def store(demo: Path) -> Path:
    write_runs(demo / ".trae/store")
    return demo / ".trae/store"


def bytes_of(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


CHANGING = [
    ("run", "begin", "x"),
    ("run", "end", "review"),
    ("run", "abort", "review", "--reason", "r"),
    ("db", "snapshot"),
    ("db", "compact"),
    ("db", "salvage", "out.jsonl"),
]


@pytest.mark.parametrize("line", CHANGING, ids=" ".join)
def test_plan_refusal_and_dry_run_change_nothing(line: tuple[str, ...], store: Path, call: Call) -> None:
    before = bytes_of(store)
    refused = call(*line)
    assert refused.status == 8 and "--yes" in refused.err
    dry = call(*line, "--dry-run")
    assert dry.status == 0 and "nothing was changed" in dry.out
    document = call(*line, "--dry-run", "--json").document
    assert document["plan"]["targets"] and document["applied"] == [] and document["undo"] is None
    assert bytes_of(store) == before
    assert not (store.parents[1] / "out.jsonl").exists()


@pytest.mark.parametrize("line", CHANGING[:3] + CHANGING[3:5], ids=" ".join)
def test_a_database_that_another_process_holds_is_status_6(
    line: tuple[str, ...], store: Path, call: Call
) -> None:
    with Database.open(store):
        said = call(*line, "--yes", "--wait", "0", "--json")
    assert (said.status, said.document["error"]["code"]) == (6, "DATABASE_LOCKED")


def test_begin_makes_the_database_and_prints_the_run(demo: Path, call: Call) -> None:
    dry = call("run", "begin", "first", "--dry-run")
    assert "a new database" in dry.out and not (demo / ".trae/store").exists()
    begun = call(
        "run", "begin", "first", "--tag", "a", "--tag", "b", "--metadata", '{"commit": "c1"}', "--yes"
    )
    assert begun.status == 0
    run = begun.out.strip()
    told = call("run", "show", run, "--json").document["run"]
    assert (told["name"], told["tags"], told["metadata"]) == ("first", ["a", "b"], {"commit": "c1"})
    assert told["status"] == "active", "the process that began it is gone, but it is not its owner"
    child = call("run", "begin", "--parent", "first", "--yes", "--json").document
    assert child["schema"] == "devstate.run.begin/1" and child["undo"]
    listed = call("run", "list", "--parent", run[:8], "--json").document["runs"]
    assert [one["id"] for one in listed] == [child["run"]]
    # Programs go on with it.
    with Database.open(demo / ".trae/store", shared=True) as database:
        database.kv.put(run, "a", 1)
    assert call("run", "end", run[:8], "--yes").status == 0
    assert call("run", "show", run, "--json").document["run"]["status"] == "completed"
    again = call("run", "end", run, "--yes", "--json")
    assert (again.status, again.document["error"]["code"]) == (8, "RUN_NOT_ACTIVE")


def test_abort_and_the_other_ends(store: Path, call: Call) -> None:
    done = call("run", "abort", "trial", "--reason", "wrong input", "--yes", "--json").document
    assert (done["ok"], done["status"]) == (True, "failed")
    told = call("run", "show", "trial", "--json").document["run"]
    assert (told["status"], told["reason"]) == ("failed", "wrong input")
    assert call("run", "end", "review", "--status", "cancelled", "--yes").status == 0
    assert call("run", "list", "--status", "cancelled", "--json").document["total"] == 4
    assert call("run", "abort", "review", "--yes").status == 2, "a reason is needed"
    assert call("run", "end", "nobody", "--yes").status == 3


NOT_METADATA = ["{", "[1]", '{"n": 99999999999999999999}', '{"n": NaN}', '{"n": 1e999}', '{"n": 1, "n": 2}']


@pytest.mark.parametrize(
    "words",
    [
        ("",),
        ("  ",),
        ("x" * 5000,),
        ("x", "--metadata", '{"n": 99999999999999999999}'),
        ("x", "--metadata", '{"n": "\\ud800"}'),
    ],
)
def test_what_cannot_be_kept_of_a_run_leaves_no_database_behind(
    words: tuple[str, ...], tmp_path: Path, call: Call
) -> None:
    said = call("run", "begin", *words, "--yes", "--db", str(tmp_path / "new"))
    assert said.status == 2 and "→" in said.err
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("metadata", [*NOT_METADATA, "[" * 100_000])
def test_metadata_that_is_none_is_wrong_use(metadata: str, demo: Path, call: Call) -> None:
    assert call("run", "begin", "--metadata", metadata, "--yes").status == 2


def test_a_wait_that_is_no_number_of_seconds_ends(store: Path, call: Call) -> None:
    with Database.open(store):
        assert call("run", "begin", "--wait", "nan", "--yes").status == 6


def test_ending_needs_a_database(demo: Path, call: Call) -> None:
    for line in CHANGING[1:]:
        assert call(*line, "--yes").status == 3
    assert not (demo / ".trae/store").exists()


def test_a_database_is_not_made_among_other_files(demo: Path, call: Call) -> None:
    said = call("run", "begin", "--db", demo, "--yes", "--json")
    assert (said.status, said.document["error"]["code"]) == (3, "NOT_A_DATABASE")


def test_snapshot_and_compact(store: Path, call: Call) -> None:
    taken = call("db", "snapshot", "--yes", "--json").document
    assert taken["snapshot"]["cv"] == call("db", "info", "--json").document["last_cv"]
    # It seals the segment: that one has an index now, and another one is written to.
    assert f".trae/store/snapshots/{taken['snapshot']['file']}" in taken["applied"]
    assert sorted(path.split("/")[2] for path in taken["applied"]) == ["history", "snapshots", "wal"]
    for number in range(3):
        with Database.open(store, shared=True) as database, database.run(name=f"more {number}"):
            pass
        assert call("db", "compact", "--yes").status == 0
    told = call("db", "info", "--json").document
    assert len(told["snapshots"]) == 2 and all(one["valid"] for one in told["snapshots"])
    assert told["recovery"]["snapshot_used"]["cv"] == told["last_cv"]
    assert call("db", "check").status == 0


def test_compaction_moves_the_log_into_history(demo: Path, call: Call) -> None:
    store = demo / ".trae/store"
    with Database.open(store, segment_bytes=2000) as database, database.run(name="long") as run:
        for number in range(100):
            run.kv.put("n", number)
    done = call("db", "compact", "--yes", "--json").document
    assert any(name.startswith("wal/") for name in done["gone"])
    assert any(path.startswith(".trae/store/history/") for path in done["applied"])
    assert call("db", "check").status == 0
    assert call("replay", "long", "--to", 50, "--json").document["kv"] == {"n": 48}
    assert call("run", "show", "long", "--steps", 0, "--json").document["steps"][-1]["step"] == 102


def recover(call: Call, *options: str) -> tuple[int, Any]:
    said = call("db", "recover", *options, "--json")
    return said.status, said.document


def test_recovery_of_a_sound_database_has_nothing_to_do(store: Path, call: Call) -> None:
    before = bytes_of(store)
    for how in ("raise", "read_only", "prefix"):
        status, told = recover(call, "--on-corruption", how)
        assert (status, told["ok"], told["applied"], told["report"]) == (0, True, [], None)
    assert "nothing has to be repaired" in call("db", "recover").out
    assert bytes_of(store) == before


def test_recovery_cuts_a_torn_tail(store: Path, call: Call) -> None:
    (store / "CLEAN").unlink()
    segment = segment_of(store)
    segment.write_bytes(segment.read_bytes() + b"\x40\0\0\0torn")
    assert call("db", "recover").status == 8
    status, told = recover(call, "--dry-run")
    assert status == 0 and "8 bytes" in told["plan"]["targets"][0]["diff"]
    status, told = recover(call, "--yes")
    assert status == 0 and told["recovery"]["tail_bytes_discarded"] == 8
    assert not segment.read_bytes().endswith(b"torn")
    assert call("db", "check").status == 0


@pytest.mark.parametrize("how", ["raise", "prefix"])
def test_recovery_says_what_is_in_the_way_of_the_log(how: str, store: Path, call: Call) -> None:
    with Database.open(store, read_only=True) as database:
        end = database.recovery.wal_end_offset
    (store / "wal" / f"{end:020d}.wal").mkdir()
    before = bytes_of(store)
    for options in (("--dry-run",), ("--yes",)):
        said = call("db", "recover", "--on-corruption", how, *options)
        assert (
            said.status == 3
            and "is a folder, where the log goes on" in said.err
            and "repaired" not in said.out
        )
    assert call("db", "check").status != 0 and call("run", "begin", "x", "--yes").status == 3
    assert bytes_of(store) == before


def test_recovery_of_damaged_commits(store: Path, call: Call) -> None:
    segment = segment_of(store)
    damage(segment, segment.stat().st_size // 2)
    before = bytes_of(store)
    for options in (
        (),
        ("--yes",),
        ("--on-corruption", "read_only"),
        ("--on-corruption", "prefix", "--dry-run"),
    ):
        status, told = recover(call, *options)
        assert status == (0 if "--dry-run" in options else 1)
        assert told["report"]["commits_destroyed"] == 1 and told["recovery"]["committed_lost"] > 1
    assert recover(call, "--on-corruption", "prefix")[0] == 8
    assert bytes_of(store) == before

    cut = call("db", "salvage", "lost.jsonl", "--yes", "--json").document
    lines = [json.loads(line) for line in (store.parents[1] / "lost.jsonl").read_text("utf-8").splitlines()]
    assert cut["salvaged"]["transactions"] == len(lines) == told["report"]["intact_commits_cut"]
    assert lines[0]["cv"] == told["report"]["first_cv_after"]
    again = call("db", "salvage", "lost.jsonl", "--yes")
    assert again.status == 8, "an earlier export is not overwritten"
    assert bytes_of(store) == before

    status, done = recover(call, "--on-corruption", "prefix", "--yes")
    assert status == 0 and done["ok"] is True
    assert done["recovery"]["last_cv"] == told["report"]["last_cv"]
    assert done["set_aside"] and all((store.parents[1] / path).is_file() for path in done["set_aside"])
    assert call("db", "info").status == 0 and call("db", "check").status == 0
    assert call("db", "info", "--json").document["quarantine"]


def test_salvage_of_a_sound_database_writes_nothing(store: Path, call: Call) -> None:
    said = call("db", "salvage", "lost.jsonl", "--yes")
    assert said.status == 0 and said.out.startswith("nothing was written")
    assert not (store.parents[1] / "lost.jsonl").exists()


def test_a_snapshot_that_is_damaged_is_put_aside(store: Path, call: Call) -> None:
    call("db", "snapshot", "--yes")
    (snapshot,) = (store / "snapshots").glob("*.dat")
    damage(snapshot, 100)
    status, told = recover(call, "--yes")
    assert status == 0 and told["recovery"]["snapshots_rejected"][0]["file"] == str(snapshot)
    assert snapshot.with_name(snapshot.name + ".bad").is_file() and not snapshot.exists()
