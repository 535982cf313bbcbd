"""The engine from the command line: a story from a new workspace to a damaged log and back, in real processes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from command_runs import devstate, start
from engine_samples import damage, segment_of
from python_child import run_python

# A program as a user writes it, in its own process, on the run that a script began.
PROGRAM = """
from devstate.engine import Database
with Database.open({store!r}, shared=True) as db:
    run = db.handle({run!r})
    for number in range({steps}):
        with run.transaction() as work:
            work.kv.put("count", number)
            work.json.set("plan", "$.step", number)
            work.events.append("tool_call", {{"tool": {tool!r}, "number": number}})
    run.state.init("phase", {tool!r})
    with run.traces.span("tool_call", "search the web"):
        pass
"""


def work_on(store: Path, run: str, *, steps: int, tool: str) -> None:
    run_python(PROGRAM.format(store=str(store), run=run, steps=steps, tool=tool))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    assert devstate("init", "project", "--yes", cwd=tmp_path).status == 0
    return tmp_path / "project"


@pytest.fixture
def story(root: Path) -> Path:
    """A workspace with two runs that were begun, worked on and ended, each by processes of their own."""
    store = root / ".trae/store"
    for name, steps, tool in (("first", 5, "search"), ("second", 6, "fetch")):
        begun = devstate("run", "begin", name, "--tag", "story", "--yes", cwd=root)
        assert begun.status == 0
        run = begun.out.strip()
        work_on(store, run, steps=steps, tool=tool)
        assert devstate("run", "end", run, "--yes", cwd=root).status == 0
    return root


def test_runs_from_begin_to_diff(root: Path) -> None:
    nothing = devstate("run", "list", cwd=root)
    assert nothing.status == 0 and nothing.out.startswith("no runs yet")
    assert devstate("replay", "last", cwd=root).status == 3

    assert devstate("run", "begin", "first", cwd=root).status == 8
    assert not (root / ".trae/store").exists()
    run = devstate("run", "begin", "first", "--yes", cwd=root).out.strip()
    assert devstate("run", "list", "--json", cwd=root).document["runs"][0]["status"] == "active"
    work_on(root / ".trae/store", run, steps=3, tool="search")
    other = devstate("run", "begin", "second", "--yes", "--json", cwd=root).document["run"]
    work_on(root / ".trae/store", other, steps=4, tool="fetch")
    assert devstate("run", "end", "first", "--yes", cwd=root).status == 0
    assert devstate("run", "abort", "second", "--reason", "the page is gone", "--yes", cwd=root).status == 0

    listed = devstate("run", "list", "--json", cwd=root).document["runs"]
    assert [(one["name"], one["status"]) for one in listed] == [("second", "failed"), ("first", "completed")]
    shown = devstate("run", "show", run[:8], cwd=root)
    assert "search the web" in shown.out and "completed" in shown.out

    # 1 begins the run, 2 to 4 are the transactions, then the cell, the span (twice), the end.
    at_three = devstate("replay", run, "--to", "3", "--json", cwd=root).document
    assert at_three["kv"] == {"count": 1} and at_three["json"] == {"plan": {"step": 1}}
    whole = devstate("replay", "first", "--json", cwd=root).document
    assert whole["steps"] == whole["step"] == 8 and whole["state"] == {"phase": "search"}

    different = devstate("diff", "run:first", "run:second", "--path", "--exit-code", "--json", cwd=root)
    assert different.status == 1
    assert different.document["first_divergence"]["step_a"] == 2
    assert {one["key"] for one in different.document["modified"] if one["primitive"] != "events"} == {
        "count",
        "plan",
        "phase",
    }
    assert devstate("diff", "run:first@2", "run:first@2", "--exit-code", cwd=root).status == 0
    found = devstate("search", "fetch", "--json", cwd=root).document["hits"]
    assert found and {hit["run"] for hit in found} == {other}

    assert devstate("db", "info", cwd=root).status == 0
    assert devstate("db", "check", cwd=root).status == 0
    dumped = devstate("wal", "dump", "--json", cwd=root)
    assert dumped.status == 0 and len(dumped.out.splitlines()) > 30
    assert devstate("db", "compact", "--yes", cwd=root).status == 0
    assert devstate("replay", "first", "--json", cwd=root).document["digest"] == whole["digest"]
    # The chain of the workspace is another matter, and untouched.
    assert devstate("verify", cwd=root).status == 0


def test_damage_in_the_middle_is_found_shown_and_survived(story: Path, tmp_path: Path) -> None:
    store = story / ".trae/store"
    untouched = tmp_path / "untouched"
    shutil.copytree(store, untouched)
    segment = segment_of(store)
    entries = [json.loads(line) for line in devstate("wal", "dump", "--json", cwd=story).out.splitlines()]
    middle = next(
        one for one in entries if one["lsn"] > segment.stat().st_size // 2 and one["type_name"] != "Commit"
    )
    damage(segment, middle["lsn"] + 30)
    before = segment.read_bytes()

    info = devstate("db", "info", "--json", cwd=story)
    report = info.document["report"]
    assert info.status == 1
    assert (report["lsn"], report["commits_destroyed"], report["reason"]) == (middle["lsn"], 1, "checksum")
    assert devstate("db", "check", cwd=story).status == 1
    assert devstate("wal", "dump", cwd=story).status == 1
    assert devstate("replay", "first", cwd=story).status == 1

    refused = devstate("db", "recover", "--yes", cwd=story)
    assert refused.status == 1 and "nothing was changed" in refused.out
    shown = devstate("db", "recover", "--on-corruption", "read_only", "--json", cwd=story)
    assert shown.status == 1 and shown.document["recovery"]["last_cv"] == report["last_cv"]
    # A program is refused just the same.
    said = run_python(
        "from devstate.engine import Database\n"
        f"try: Database.open({str(store)!r})\n"
        "except Exception as error: print(type(error).__name__)"
    )
    assert said.strip() == "WalCorruptionError"

    salvaged = devstate("db", "salvage", tmp_path / "lost.jsonl", "--yes", "--json", cwd=story)
    assert salvaged.status == 0
    lines = [json.loads(line) for line in (tmp_path / "lost.jsonl").read_text("utf-8").splitlines()]
    assert [line["cv"] for line in lines] == list(
        range(report["first_cv_after"], info_cv(untouched, tmp_path) + 1)
    )
    assert segment.read_bytes() == before, "nothing was changed so far"

    cut = devstate("db", "recover", "--on-corruption", "prefix", "--yes", "--json", cwd=story)
    assert cut.status == 0
    kept = b"".join(
        (story / path).read_bytes() for path in cut.document["set_aside"] if path.endswith(".bin")
    )
    assert kept == before[report["end_lsn"] :], "every byte that was cut is in quarantine"
    assert devstate("db", "check", cwd=story).status == 0
    assert devstate("db", "info", "--json", cwd=story).document["last_cv"] == report["last_cv"]
    first = devstate("replay", "first", "--json", cwd=story).document
    assert (
        first["digest"]
        == devstate("replay", "first", "--db", untouched, "--json", cwd=story).document["digest"]
    )
    # And life goes on.
    assert devstate("run", "begin", "third", "--yes", cwd=story).status == 0


def info_cv(store: Path, cwd: Path) -> int:
    return devstate("db", "info", "--db", store, "--json", cwd=cwd).document["last_cv"]


def test_a_reader_of_the_dump_that_goes_away_is_no_error(story: Path) -> None:
    process = start("wal", "dump", "--json", cwd=story)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 0
    process.stderr.close()


def test_neither_a_secret_nor_its_absence_matters_to_runs(story: Path) -> None:
    for env in (
        {"CI": "true"},
        {"BEAMLINE_HMAC_SECRET": "some other secret of mine"},
        {"DEVSTATE_SECRET_FILE": "no"},
    ):
        assert devstate("run", "list", cwd=story, env=env).status == 0
        assert devstate("replay", "first", cwd=story, env=env).status == 0
