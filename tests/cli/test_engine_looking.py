"""run list and show, replay, search, db info, check and snapshots, wal dump: what they say, and with which status."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from command_runs import Run
from devstate.engine import Database
from devstate_cli.db_pages import judged_snapshots, snapshot_lines
from devstate_cli.screen import Screen
from engine_samples import HMAC, damage, segment_of, write_runs

Call = Callable[..., Run]

LOOKING = [
    ("run", "list"),
    ("run", "show", "baseline"),
    ("replay", "baseline"),
    ("search", "model"),
    ("diff", "run:baseline", "run:candidate"),
    ("db", "info"),
    ("db", "check"),
    ("db", "snapshots"),
    ("wal", "dump"),
]


@pytest.fixture
def store(demo: Path) -> Path:
    """The database of the demo workspace, with the runs of the samples."""
    write_runs(demo / ".trae/store")
    return demo / ".trae/store"


def files_of(root: Path) -> dict[str, tuple[bytes, int]]:
    return {str(p): (p.read_bytes(), p.stat().st_mtime_ns) for p in root.rglob("*") if p.is_file()}


@pytest.mark.parametrize("line", LOOKING, ids=" ".join)
def test_looking_changes_nothing_and_says_the_same_twice(
    line: tuple[str, ...], store: Path, call: Call
) -> None:
    before = files_of(store)
    text, document = call(*line), call(*line, "--json")
    assert (text.status, document.status) == (0, 0), text.err + document.err
    assert text.out and "\x1b" not in text.out and "Traceback" not in text.err
    for one in document.out.splitlines() if line[0] == "wal" else [document.out]:
        assert json.loads(one)["schema"].startswith(f"devstate.{line[0]}")
    assert HMAC not in text.out and HMAC not in text.err
    assert files_of(store) == before


@pytest.mark.parametrize("line", LOOKING, ids=" ".join)
def test_looking_works_while_others_write(line: tuple[str, ...], store: Path, call: Call) -> None:
    with Database.open(store, shared=True) as database, database.run(name="meanwhile") as run:
        run.kv.put("a", 1)
        assert call(*line).status == 0
        run.kv.put("a", 2)


@pytest.mark.parametrize("line", [line for line in LOOKING if line != ("run", "list")], ids=" ".join)
def test_without_a_database_the_status_is_3_with_a_way_to_make_one(
    line: tuple[str, ...], demo: Path, call: Call
) -> None:
    said = call(*line)
    assert said.status == 3
    assert "devstate run record" in said.err
    error = call(*line, "--json").document["error"]
    assert error["code"] == "NOT_A_DATABASE" and error["remedy"]
    assert not (demo / ".trae/store").exists()
    assert call(*line, "--db", demo / "nowhere").status == 3


def test_a_workspace_without_runs_is_no_fault(demo: Path, call: Call) -> None:
    said = call("run", "list")
    assert said.status == 0 and said.out.startswith("no runs yet")
    document = call("run", "list", "--json").document
    assert document["runs"] == [] and document["note"]
    assert call("run", "list", "--db", demo / "nowhere").status == 3
    assert call("run", "list", "--db", demo).status == 3, "a folder of other things is no database"


def test_a_named_database_needs_no_workspace(store: Path, tmp_path: Path, call: Call) -> None:
    store.rename(tmp_path / "elsewhere")
    for line in LOOKING:
        assert call(*line, "--db", "elsewhere", cwd=tmp_path).status == 0


def test_runs_are_listed_newest_first_and_filtered(store: Path, call: Call) -> None:
    def names(*options: str) -> list[str]:
        return [run["name"] for run in call("run", "list", "--json", *options).document["runs"]]

    assert names() == ["trial", "review", "candidate", "baseline"]
    assert names("--status", "completed") == ["candidate", "baseline"]
    assert names("--tag", "eval", "--limit", "1") == ["candidate"]
    assert names("--parent", "baseline") == []
    lines = call("run", "list", "--limit", "2").out.splitlines()
    assert "trial" in lines[1] and "active" in lines[1] and "2 shown of 4 runs" in lines[-1]
    assert call("run", "list", "--tag", "none").out == "no run of 4 matches\n"
    assert call("run", "list", "--status", "sleeping").status == 2


def test_a_run_is_meant_by_its_identifier_its_digits_its_name_or_last(demo: Path, call: Call) -> None:
    ids = ["abcd0000-0000-4000-8000-000000000001", "abcd0000-0000-4000-8000-000000000002"]
    with Database.open(demo / ".trae/store", shared=True) as database:
        for run, name in zip(ids, ("one", "two"), strict=True):
            database.begin_run(run, name=name)
        database.begin_run("12340000-0000-4000-8000-000000000003", name="two")

    def meant(text: str) -> Any:
        said = call("run", "show", text, "--json")
        return said.document["run"]["id"] if said.status == 0 else (said.status, said.document["error"])

    assert meant(ids[0]) == meant(ids[0].replace("-", "").upper()) == meant("one") == ids[0]
    assert meant("1234") == meant("last") == "12340000-0000-4000-8000-000000000003"
    status, error = meant("abcd")
    assert status == 2 and all(run in error["message"] for run in ids)
    assert meant("two")[0] == 2, "a name that two runs have"
    assert meant("abc")[0] == 2, "three digits"
    status, error = meant("ffff")
    assert (status, error["code"]) == (3, "RUN_NOT_FOUND")


def test_run_show_has_steps_spans_and_counts(store: Path, call: Call) -> None:
    page = call("run", "show", "baseline", "--json").document
    assert page["run"]["status"] == "completed" and page["run"]["tags"] == ["eval"]
    assert "owner" not in page["run"]
    assert page["counts"] == {"kv": 3, "json": 1, "state": 1, "events": 2, "traces": 2}
    assert page["event_types"] == {"tick": 2}
    assert [step["step"] for step in page["steps"]] == list(range(1, 9))
    assert page["steps"][1]["changes"] == [{"op": "put", "primitive": "kv", "key": "model"}]
    assert [span["name"] for span in page["spans"]] == ["search 0", "search 1"]
    assert [
        step["step"] for step in call("run", "show", "baseline", "--steps", 2, "--json").document["steps"]
    ] == [
        7,
        8,
    ]
    text = call("run", "show", "baseline").out
    assert "kv put model" in text and "search 1" in text and "the last" not in text


def test_replay_to_a_step(store: Path, call: Call) -> None:
    whole = call("replay", "baseline", "--json").document
    assert whole["schema"] == "devstate.replay/1"
    assert (whole["step"], whole["steps"], whole["complete"]) == (8, 8, True)
    assert whole["kv"]["model"] == "baseline model" and whole["kv"]["entry"]["hmac"] == HMAC
    assert whole["json"]["plan"]["steps"][1] == {"do": "write", "draft": 1}
    assert whole["state"] == {"phase": "act"} and len(whole["events"]) == 2 and len(whole["traces"]) == 2
    early = call("replay", "baseline", "--to", 2, "--json").document
    assert early["kv"] == {"model": "baseline model"} and early["events"] == []
    assert early["digest"] != whole["digest"] == call("replay", "baseline", "--json").document["digest"]
    assert call("replay", "baseline", "--to", 0, "--json").document["kv"] == {}
    said = call("replay", "baseline", "--to", 9)
    assert said.status == 2 and "to 8" in said.err
    text = call("replay", "baseline", "--to", 6)
    assert "what step 6 changed" in text.out and "kv put count  0" in text.out
    assert f"{HMAC[:16]}..." in text.out and HMAC in call("replay", "baseline", "--unmasked").out


def test_the_document_of_a_replay_is_the_view_of_the_library(store: Path, call: Call) -> None:
    with Database.open(store, read_only=True) as database:
        run = next(run for run in database.list_runs() if run.name == "candidate")
        view = database.replay_run(run.run_id, step=7)
        told = call("replay", "candidate", "--to", 7, "--json").document
        assert told["digest"] == view.digest()
        assert told["kv"] == dict(view.kv) and told["events"][0]["payload"] == view.events[0].payload


def test_search(store: Path, call: Call) -> None:
    found = call("search", "candidate model", "--json").document
    assert found["hits"][0]["key"] == "model" and found["hits"][0]["rank"] == 1
    only = call("search", "model", "--run", "baseline", "--limit", 1, "--json").document["hits"]
    assert len(only) == 1 and "baseline" in only[0]["snippet"]
    nothing = call("search", "zebra")
    assert nothing.status == 0 and nothing.out.startswith("nothing found")
    assert call("search", "...").status == 2


def test_db_info(store: Path, call: Call) -> None:
    told = call("db", "info", "--json").document
    assert told["schema"] == "devstate.db/1" and told["ok"] is True
    assert told["path"] == str(store) and told["runs"] == 4
    assert told["runs_by_status"] == {"completed": 2, "active": 2}
    (segment,) = told["segments"]
    assert (segment["start_lsn"], segment["bytes"]) == (0, segment_of(store).stat().st_size)
    assert told["recovery"]["last_cv"] == told["last_cv"] and told["recovery"]["committed_lost"] == 0


def test_snapshots_are_judged(store: Path, call: Call) -> None:
    with Database.open(store) as database:
        database.snapshot()
        with database.run(name="later"):
            pass
        database.snapshot()
    newest, older = sorted((store / "snapshots").glob("*.dat"), reverse=True)
    damage(newest, 200)
    found = call("db", "snapshots", "--json").document["snapshots"]
    assert [(one["file"], one["valid"]) for one in found] == [(newest.name, False), (older.name, True)]
    assert found[0]["reason"]
    told = call("db", "info", "--json").document
    assert told["ok"] is True, "the older snapshot and the log behind it hold everything"
    assert [one["file"].endswith(newest.name) for one in told["recovery"]["snapshots_rejected"]] == [True]


def test_db_info_names_what_is_gone_below_the_snapshot(store: Path, call: Call) -> None:
    with Database.open(store) as database:
        for name in ("one", "two", "three"):
            with database.run(name=name) as run:
                run.kv.put("a", name)
            database.snapshot()
    sound = call("db", "info")
    assert sound.status == 0 and "opens whole" in sound.out
    assert "entries below the snapshot are verified by `devstate db check`" in sound.out
    below = call("db", "info", "--json").document["below_snapshot"]
    assert below["faults"] == [] and below["kept_from"] == 0 and "devstate db check" in below["note"]
    first = min((store / "history").glob("*.wal"))
    first.write_bytes(b"")
    before = files_of(store)
    told = call("db", "info", "--json")
    assert told.status == 1 and told.document["ok"] is False and told.document["report"] is None
    (fault,) = told.document["below_snapshot"]["faults"]
    assert (fault["file"], fault["offset"], fault["lsn"]) == (f"history/{first.name}", 0, 0)
    assert fault["reason"] == "missing" and "the file is empty" in fault["message"]
    said = call("db", "info")
    assert said.status == 1 and "opens whole" not in said.out and "HISTORY DAMAGED" in said.out
    assert fault["message"] in said.out and "cannot be replayed" in said.out
    assert call("db", "check").status == 1, "the two agree"
    repair = call("db", "recover", "--on-corruption", "read_only")
    assert repair.status == 0 and "opens whole" not in repair.out and fault["message"] in repair.out
    assert files_of(store) == before
    for live in (store / "wal").glob("*.wal"):
        live.unlink()
    both = call("db", "info")
    assert both.status == 1 and "✘ DAMAGED" in both.out and "the file is empty" in both.out
    assert "whole" not in both.out, "the snapshot alone is not what was promised"


def lines_of(said: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.out.splitlines()]


def test_wal_dump_has_every_entry(store: Path, call: Call) -> None:
    entries = lines_of(call("wal", "dump", "--json"))
    assert sum(entry["size"] for entry in entries) == segment_of(store).stat().st_size
    assert [entry["lsn"] for entry in entries] == sorted(entry["lsn"] for entry in entries)
    assert all(entry["crc_ok"] for entry in entries)
    first = entries[0]
    assert (first["type"], first["type_name"], first["version"]) == (0x60, "RunCreate", 1)
    assert len(first["payload"][0]) == 36 and set(first["tx"]) == {"sequence", "salt"}
    assert lines_of(call("wal", "dump", segment_of(store), "--json")) == entries
    assert lines_of(call("wal", "dump", segment_of(store).name, "--json")) == entries
    since = entries[5]["lsn"]
    assert lines_of(call("wal", "dump", "--from", since, "--json")) == entries[5:]
    assert call("wal", "dump", "no.wal").status == 2
    assert call("wal", "dump", "./no.wal").status == 3
    shown = call("wal", "dump", "--hex").out
    assert "000000  95 c4 10" in shown and HMAC[:16] not in shown.replace(f"{HMAC[:16]}...", "")
    assert "** **" in shown, "the rest of an HMAC is not in the bytes either"


def test_wal_dump_tells_damage_from_a_torn_tail(store: Path, call: Call) -> None:
    segment = segment_of(store)
    data = segment.read_bytes()
    segment.write_bytes(data[:-10])
    said = call("wal", "dump", "--json")
    tail = lines_of(said)[-1]
    assert said.status == 0 and tail["type"] is None and tail["reason"] == "short"
    assert "unfinished tail" in call("wal", "dump").err
    segment.write_bytes(data)
    damage(segment, 40)
    said = call("wal", "dump", "--json")
    assert said.status == 1 and lines_of(said)[0]["crc_ok"] is False
    segment.write_bytes(data[:100] + bytes(64) + data[100:])
    said = call("wal", "dump", "--json")
    assert said.status == 1 and any(line["type"] is None for line in lines_of(said))


@pytest.mark.parametrize(
    "where", [pytest.param(0.1, marks=pytest.mark.long), 0.5, pytest.param(0.9, marks=pytest.mark.long)]
)
def test_damage_in_the_middle_is_status_1_with_a_report(where: float, store: Path, call: Call) -> None:
    segment = segment_of(store)
    damage(segment, int(segment.stat().st_size * where))
    before = files_of(store)
    told = call("db", "info", "--json")
    assert told.status == 1
    report = told.document["report"]
    assert report["segment"] == str(segment) and report["commits_destroyed"] == 1 and report["sentences"]
    assert told.document["ok"] is False
    said = call("db", "info")
    assert said.status == 1 and "DAMAGED" in said.out and "db salvage" in said.out
    checked = call("db", "check", "--json")
    assert checked.status == 1 and "WAL_CORRUPT" in checked.codes
    for line in (("run", "list"), ("replay", "baseline"), ("search", "model")):
        failed = call(*line, "--json")
        assert failed.status == 1 and failed.document["error"]["code"] == "WAL_CORRUPT"
    assert files_of(store) == before


def test_nothing_to_build_on_is_status_3(store: Path, call: Call) -> None:
    segment_of(store).unlink()
    assert call("db", "info", "--json").document["error"]["code"] == "NO_RECOVERY_BASE"
    checked = call("db", "check", "--json")
    assert checked.status == 3 and checked.codes == {"STORE_UNREADABLE"}


def test_control_characters_and_secrets_of_the_data_are_not_printed(demo: Path, call: Call) -> None:
    secret = "a secret of this project, not public"
    with (
        Database.open(demo / ".trae/store", shared=True) as database,
        database.run(name="evil \x1b[2J") as run,
    ):
        run.kv.put("key \x1b]0;x\x07", f"left {secret} right\x1b[31m")
        run.events.append("type\u202e", {"hmac": HMAC})
        run.traces.record("custom", "name\x1b[1m", attrs={"said": secret})
    env = {"BEAMLINE_HMAC_SECRET": secret}
    for line in (
        ("run", "list"),
        ("run", "show", "last"),
        ("replay", "last"),
        ("search", "left"),
        ("wal", "dump", "--hex"),
        ("diff", "run:last@1", "run:last"),
        ("diff", "run:last@1", "run:last", "--format", "markdown"),
        ("diff", "run:last@1", "run:last", "--format", "json-patch"),
    ):
        for options in ((), ("--json",), ("--unmasked",)):
            if "--format" in line and "--json" in options:
                continue
            said = call(*line, *options, env=env)
            assert said.status == 0, said.err
            shown = said.out + said.err
            assert "\x1b" not in shown and "\u202e" not in shown and "\x07" not in shown
            assert secret not in shown and secret.encode().hex() not in shown
            if options == () and line[-1] != "json-patch":
                assert HMAC not in shown


@pytest.mark.parametrize("line", [*LOOKING, ("run", "begin", "--yes"), ("db", "recover", "--yes")])
def test_an_empty_name_is_no_folder(line: tuple[str, ...], tmp_path: Path, call: Call) -> None:
    said = call(*line, "--db", "", cwd=tmp_path)
    assert said.status == 2 and "--db" in said.err
    assert list(tmp_path.iterdir()) == []


def test_wal_dump_of_a_file_that_is_no_log(store: Path, tmp_path: Path, call: Call) -> None:
    other = tmp_path / "notes.txt"
    other.write_text("not a log " * 40, "utf-8")
    said = call("wal", "dump", other)
    assert said.status == 3 and said.out == "" and "no entry of a log" in said.err
    assert call("--json", "wal", "dump", other).document["error"]["code"] == "INPUT_UNREADABLE"
    copy = tmp_path / "copy.bin"
    copy.write_bytes(b"junk" + min((store / "wal").iterdir()).read_bytes())
    assert "RunCreate" in call("wal", "dump", copy).out


def test_one_place_is_one_place(store: Path, call: Call) -> None:
    damage(segment_of(store), 400)
    said = call("wal", "dump")
    assert said.status == 1 and "; 1 damaged place before" in said.err


@pytest.mark.parametrize("width", [40, 60, 92, 93, 120])
def test_the_snapshots_fit_the_terminal(width: int, store: Path) -> None:
    with Database.open(store) as database:
        taken = database.snapshot()
    first, second = (f"snapshot_{number:020d}.dat" for number in (5, 6))
    (store / "snapshots" / first).mkdir()
    (store / "snapshots" / second).write_bytes(b"no snapshot")
    screen = Screen(colour=False)
    screen.width = width
    lines = list(snapshot_lines(judged_snapshots(str(store)), screen))
    assert all(len(line) <= width for line in lines)
    said = "\n".join(lines)
    for word in (first, second, Path(taken.path).name, "a folder", "it has only 11 bytes"):
        assert word in said
