"""Databases that released versions wrote are opened by this one; and what this one writes does not change unnoticed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from devstate.engine import Database
from devstate.engine.builtin import builtin_registry
from devstate.engine.checking import check
from engine_oracle.interpret import chain_faults, digest, state_of
from store_corpus import build

STORES = Path(__file__).parent.parent / "data" / "stores"
VERSIONS = sorted(path.name for path in STORES.iterdir() if path.is_dir())


@pytest.mark.parametrize("version", VERSIONS)
def test_a_store_of_a_release_opens_with_the_same_state(version: str, tmp_path: Path) -> None:
    said = json.loads((STORES / f"{version}.json").read_text())
    shutil.copytree(STORES / version, tmp_path / "db")
    assert check(str(tmp_path / "db"), registry=builtin_registry(), live=True) == ()
    with Database.open(tmp_path / "db", owner=()) as database:
        assert database.recovery.last_cv == said["last_cv"] and not database.recovery.has_issues
        assert database.digest() == said["digest"]
        assert {run.run_id: database.replay_run(run.run_id).digest() for run in database.list_runs()} == said[
            "runs"
        ]
        assert database.verify() == ()
        database.kv.put(database.begin_run(), "still", "writable")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_second_reader_agrees_on_it(version: str, tmp_path: Path) -> None:
    shutil.copytree(STORES / version, tmp_path / "db")
    whole, _ = state_of(tmp_path / "db", use_snapshot=False)
    state, reading = state_of(tmp_path / "db")
    assert digest(state) == digest(whole) and not chain_faults(whole)
    assert reading.last_cv == json.loads((STORES / f"{version}.json").read_text())["last_cv"]


def test_this_version_writes_the_bytes_of_its_format(tmp_path: Path) -> None:
    """A change of what is written needs a new version in the formats, and then a new store here."""
    build(tmp_path / "db")
    newest = STORES / VERSIONS[-1]
    names = {str(path.relative_to(newest)) for path in newest.rglob("*") if path.is_file()}
    written = {
        str(path.relative_to(tmp_path / "db")) for path in (tmp_path / "db").rglob("*") if path.is_file()
    }
    assert written - {"LOCK", "WRITERS"} == names
    for name in sorted(names):
        assert (tmp_path / "db" / name).read_bytes() == (newest / name).read_bytes(), name
