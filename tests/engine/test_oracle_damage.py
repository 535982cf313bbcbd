"""The damage generators against the second reader: each damage has the outcome that the generator says."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from engine_oracle.damage import Damage, all_damages, frames_of
from engine_oracle.entries import Segment, entries_of
from engine_oracle.folder_damage import damaged_copy, folder_damages
from engine_oracle.interpret import digest, state_of
from engine_oracle.log import NoBase, Reading, read_segments
from engine_oracle.model import Model
from engine_oracle.packing import pack
from engine_oracle.snapshots import SnapshotError, read_snapshot
from engine_oracle.workload import RUNS, START, sample_model
from engine_oracle.writer import SALT, encode_log, encode_marker, write_log, write_snapshot


def log_of(model: Model) -> bytes:
    """A log with a snapshot marker in its middle and one at its end."""
    marker = {"raw": encode_marker("snapshot_0.dat", 0, 0, START, 0)}
    return b"".join(encode_log([*model.log[:3], marker, *model.log[3:], marker]))


def small_log() -> bytes:
    model = Model()
    for run in RUNS[:2]:
        model.do(run, "run.begin", now=START)
    model.do(RUNS[0], "kv.put", "a", "value", now=START)
    model.do(RUNS[1], "events.append", "tick", 1, now=START)
    model.do(RUNS[0], "kv.put", "b", b"\0" * 8, now=START)
    model.do(RUNS[0], "state.init", "s", 0, now=START)
    return log_of(model)


def content(reading: Reading) -> list[bytes]:
    """The transactions without the place where their markers end, which a swap may move."""
    return [pack({**transaction, "end": None}) for transaction in reading.transactions]


def outcome(damage: Damage, whole: Reading) -> None:
    reading = read_segments([Segment(0, damage.data, "")], salt=SALT)
    assert content(reading) == content(whole)[: reading.last_cv], damage.name
    assert damage.at_least <= reading.last_cv <= damage.at_most, damage.name
    if damage.report == "refused":
        assert reading.verdict == "lost", damage.name
    elif damage.report == "said":
        assert reading.verdict in ("torn", "gap", "lost"), damage.name
    else:
        assert reading.verdict == "clean", damage.name


def every_outcome(log: bytes, damages: Iterable[Damage]) -> set[str]:
    whole = read_segments([Segment(0, log, "")], salt=SALT)
    assert whole.verdict == "clean"
    reports: set[str] = set()
    for damage in damages:
        assert damage.data != log
        outcome(damage, whole)
        reports.add(damage.report)
    return reports


def test_frames_are_what_the_reader_finds() -> None:
    log = small_log()
    reading = read_segments([Segment(0, log, "")])
    assert [(frame.start, frame.end) for frame in frames_of(log)] == [
        (t["lsn"], t["end"]) for t in reading.transactions
    ]
    assert entries_of(log)[-1].end == len(log)


def test_damage_has_the_outcome_that_is_said_of_it() -> None:
    log = small_log()
    assert every_outcome(log, all_damages(log, random.Random(1), step=11)) == {"silent", "said", "refused"}


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 1])
def test_every_bit_and_byte_has_the_outcome_that_is_said_of_it(seed: int) -> None:
    log = small_log() if seed == 0 else log_of(sample_model(random.Random(seed), 8))
    every_outcome(log, all_damages(log, random.Random(seed)))


def database(folder: Path, commits: int, snapshots: Iterable[int]) -> Model:
    """Segments of five commits, two of them in the history, and snapshots after these commits."""
    model = sample_model(random.Random(5), commits)
    ends = write_log(folder, model.log, per_segment=5, history=2)
    for cv in snapshots:
        write_snapshot(folder, model.states[cv], wal_offset=ends[cv - 1])
    return model


@pytest.mark.parametrize("snapshots", [[], [12], [12, 17], [10]])
def test_damaged_folders_have_the_outcome_that_is_said_of_them(snapshots: list[int], tmp_path: Path) -> None:
    model = database(tmp_path / "db", 25, snapshots)
    for number, damage in enumerate(folder_damages(tmp_path / "db")):
        copy = damaged_copy(tmp_path / "db", damage, tmp_path / str(number))
        try:
            state, reading = state_of(copy)
        except NoBase:
            assert damage.report == "refused", damage.name
            continue
        assert damage.at_least <= state["cv"] <= damage.at_most, damage.name
        assert digest(state) == digest(model.states[state["cv"]]), damage.name
        if damage.report == "refused":
            assert reading.verdict == "lost", damage.name
        elif damage.report == "said" and damage.name.startswith("segment"):
            assert reading.verdict != "clean", damage.name


def test_every_kind_of_folder_damage_is_there(tmp_path: Path) -> None:
    database(tmp_path / "db", 25, [12, 17])
    names = " ".join(damage.name for damage in folder_damages(tmp_path / "db"))
    for word in (
        "missing",
        "as it was before",
        "cut in",
        "another database",
        "zero",
        "copy of",
        "flipped",
        "META",
    ):
        assert word in names


def test_without_history_a_snapshot_is_the_only_base(tmp_path: Path) -> None:
    model = database(tmp_path / "db", 25, [12])
    for path in (tmp_path / "db" / "history").iterdir():
        path.unlink()
    state, _ = state_of(tmp_path / "db")
    assert digest(state) == digest(model.states[25])
    damages = [damage for damage in folder_damages(tmp_path / "db") if damage.name.startswith("snapshot 0")]
    assert {(damage.at_most, damage.report) for damage in damages} == {(0, "refused")}
    with pytest.raises(NoBase):
        state_of(damaged_copy(tmp_path / "db", damages[0], tmp_path / "copy"))


def test_a_damaged_snapshot_is_rejected_and_named(tmp_path: Path) -> None:
    database(tmp_path / "db", 25, [12, 17])
    for number, damage in enumerate(folder_damages(tmp_path / "db")):
        if damage.name.startswith("snapshot 0") and not damage.name.endswith("missing"):
            copy = damaged_copy(tmp_path / "db", damage, tmp_path / str(number))
            newest = max((Path(copy) / "snapshots").iterdir())
            with pytest.raises(SnapshotError):
                read_snapshot(newest)


@pytest.mark.parametrize("cv", [1, 12, 25])
def test_a_snapshot_and_the_log_after_it_give_the_state_of_the_whole_log(cv: int, tmp_path: Path) -> None:
    model = database(tmp_path / "db", 25, [cv])
    state, reading = state_of(tmp_path / "db")
    alone, _ = state_of(tmp_path / "db", use_snapshot=False)
    assert len(reading.transactions) == 25 - cv
    assert digest(state) == digest(alone) == digest(model.states[25])
