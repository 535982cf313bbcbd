"""Recording a command: what a run holds of the documents, step by step, through changes of every kind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devstate.durable import OS
from devstate.engine import Database
from devstate.engine.json_diff import diff_paths
from devstate.settings import Limits
from devstate.workspace.recording import Recording, run_name
from devstate.workspace.recording_changes import document_edits
from small_workspace import HISTORY, SECRET, STATE, document, entries, following, make, replace, sha256, state


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path / "project", 3)


@pytest.fixture
def database(root: Path) -> Iterator[Database]:
    with Database.open(root / ".trae/store", shared=True) as opened:
        yield opened


def begin(database: Database, root: Path, *argv: str, **more: Any) -> Recording:
    return Recording.begin(
        database, str(root), argv or ("make", "all"), actor="me@here", cwd=str(root), **more
    )


def events(database: Database, recording: Recording, kind: str) -> list[Any]:
    return [event.payload for event in database.run(recording.run_id).events.by_type(kind)]


def write_state(root: Path, **changes: Any) -> bytes:
    text = state(**changes)
    replace(root / STATE, text)
    return text


def append(root: Path, count: int = 1) -> list[dict[str, Any]]:
    held = json.loads((root / HISTORY).read_bytes())
    for _ in range(count):
        held.append(following(held[-1], "0" * 64))
    replace(root / HISTORY, document(held))
    return held


def test_what_is_there_before(database: Database, root: Path) -> None:
    recording = begin(database, root, "/usr/bin/make", "all", tags=["nightly"])
    run = database.run(recording.run_id)
    told = database.run_metadata(recording.run_id)
    assert told.name == "make all" and told.tags == ("nightly",) and told.status == "active"
    assert told.metadata == {"argv": ["/usr/bin/make", "all"], "cwd": ".", "actor": "me@here"}
    assert run.json.get("state") == json.loads((root / STATE).read_bytes())
    assert run.kv.get("state.sha256") == sha256((root / STATE).read_bytes())
    held = json.loads((root / HISTORY).read_bytes())
    assert run.kv.get("history.entries") == 3
    assert run.kv.get("history.head") == held[-1]["hmac"][:16] + "..."
    assert run.state.read("phase").value == "running"
    assert [span.name for span in run.traces.roots()] == ["make all"]
    assert [event.type for event in run.events.range()] == ["command_started"]
    assert told.tx_count == 2  # the beginning, and what was there before


def test_each_change_is_a_step(database: Database, root: Path) -> None:
    recording = begin(database, root)
    before = sha256((root / STATE).read_bytes())
    text = write_state(root, current_cp="CP2-LC", no_drift=False)
    recording.look()
    recording.look()
    held = append(root, 2)
    recording.look()
    done = recording.finish(0)
    run = database.run(recording.run_id)
    changed = events(database, recording, "state_changed")
    assert changed == [
        {"before": before, "after": sha256(text), "paths": ["/current_cp", "/no_drift"], "more": False}
    ]
    assert run.json.get("state") == json.loads(text)
    appended = events(database, recording, "history_appended")
    assert [one["index"] for one in appended] == [3, 4]
    for one in appended:
        whole = held[one["index"]]
        assert one["entry"] == {
            **whole,
            "hmac": whole["hmac"][:16] + "...",
            "hmac_prev": whole["hmac_prev"][:16] + "...",
        }
    assert (done.status, done.changes, done.appended, done.trouble) == ("completed", 1, 2, None)
    assert database.run_metadata(recording.run_id).tx_count == 5
    root_span, *others = run.traces.items()
    assert {span.parent for span in others} == {root_span.id}
    assert [span.name for span in others] == ["state_changed", "history_appended", "history_appended"]
    assert root_span.end is not None and root_span.attrs["exit_code"] == 0
    assert run.state.read("phase").value == "done" and run.kv.get("exit_code") == 0
    assert events(database, recording, "command_ended") == [{"exit_code": 0, "seconds": done.seconds}]


def test_replay_shows_the_state_at_each_step(database: Database, root: Path) -> None:
    recording = begin(database, root)
    for number in range(3):
        write_state(root, project=f"project {number}")
        recording.look()
    recording.finish(0)
    seen = [
        database.replay_run(recording.run_id, step=step).json["state"]["project"] for step in (2, 3, 4, 5)
    ]
    assert seen == ["small", "project 0", "project 1", "project 2"]


def test_a_failed_command_fails_its_run(database: Database, root: Path) -> None:
    recording = begin(database, root)
    assert recording.finish(7).status == "failed"
    told = database.run_metadata(recording.run_id)
    assert (told.status, told.reason) == ("failed", "exit status 7")


def test_a_change_after_the_last_look_is_not_lost(database: Database, root: Path) -> None:
    recording = begin(database, root)
    append(root)
    write_state(root, project="late")
    done = recording.finish(0)
    assert (done.changes, done.appended) == (1, 1)
    # One step for what both documents became, so: begin, before, change, end.
    assert database.run_metadata(recording.run_id).tx_count == 4


def test_a_document_that_cannot_be_read_is_told_and_comes_back(database: Database, root: Path) -> None:
    recording = begin(database, root)
    good = (root / STATE).read_bytes()
    (root / STATE).write_bytes(b'{"project": ')
    recording.look()
    assert events(database, recording, "state_unreadable") == []  # perhaps half written
    recording.look()
    recording.look()
    assert len(events(database, recording, "state_unreadable")) == 1
    assert database.run(recording.run_id).json.get("state") == json.loads(good)
    (root / STATE).unlink()
    recording.look()
    assert "does not exist" in events(database, recording, "state_unreadable")[-1]["reason"]
    write_state(root, project="back")
    recording.look()
    [changed] = events(database, recording, "state_changed")
    assert changed["before"] == sha256(good) and changed["paths"] == ["/project"]
    (root / HISTORY).write_bytes(b"[{]")
    done = recording.finish(0)
    assert len(events(database, recording, "history_unreadable")) == 1
    assert (done.unreadable, done.changes, done.trouble) == (3, 1, None)


def test_a_half_written_document_is_no_fault(database: Database, root: Path) -> None:
    recording = begin(database, root)
    text = state(project="other")
    (root / STATE).write_bytes(text[:50])
    recording.look()
    (root / STATE).write_bytes(text)
    recording.look()
    assert recording.finish(0).unreadable == 0
    assert len(events(database, recording, "state_changed")) == 1


def test_nothing_readable_before(database: Database, root: Path) -> None:
    (root / STATE).unlink()
    (root / HISTORY).write_bytes(b"\xff\xfe")
    recording = begin(database, root)
    run = database.run(recording.run_id)
    assert not run.json.exists("state") and run.kv.get("state.sha256") is None
    kinds = [event.type for event in run.events.range()]
    assert kinds == ["state_unreadable", "history_unreadable", "command_started"]
    write_state(root)
    replace(root / HISTORY, document(entries(2, "0" * 64)))
    recording.look()
    assert run.json.get("state")["project"] == "small"
    assert [one["index"] for one in events(database, recording, "history_appended")] == [0, 1]
    assert events(database, recording, "state_changed")[0]["paths"] == [""]


def test_a_rewritten_history_is_told(database: Database, root: Path) -> None:
    recording = begin(database, root)
    held = append(root)
    recording.look()
    held[1]["action"] = "another"
    replace(root / HISTORY, document([*held, following(held[-1], "0" * 64)]))
    recording.look()
    assert events(database, recording, "history_rewritten") == [{"first": 1, "before": 4, "after": 5}]
    replace(root / HISTORY, document(held[:2]))
    recording.look()
    assert events(database, recording, "history_rewritten")[1] == {"first": 2, "before": 5, "after": 2}
    assert [one["index"] for one in events(database, recording, "history_appended")] == [3, 4]
    assert recording.finish(0).rewritten == 2


def test_another_layout_is_no_other_history(database: Database, root: Path) -> None:
    recording = begin(database, root)
    held = json.loads((root / HISTORY).read_bytes())
    replace(root / HISTORY, json.dumps({"entries": held}).encode())
    recording.look()
    done = recording.finish(0)
    assert (done.rewritten, done.appended, done.unreadable) == (0, 0, 0)


def test_very_many_entries_take_several_steps(database: Database, root: Path) -> None:
    recording = begin(database, root)
    append(root, 2500)
    recording.look()
    run = database.run(recording.run_id)
    assert [one["index"] for one in events(database, recording, "history_appended")] == [*range(3, 2503)]
    assert run.kv.get("history.entries") == 2503
    assert database.run_metadata(recording.run_id).tx_count == 5


def test_a_state_that_the_engine_cannot_hold_is_said(database: Database, root: Path) -> None:
    recording = begin(database, root, limits=Limits(depth=500))
    deep: Any = "end"
    for _ in range(150):
        deep = [deep]
    write_state(root, deep=deep)
    recording.look()
    [told] = events(database, recording, "state_not_stored")
    assert "nested deeper" in told["reason"]
    write_state(root, project="after")
    done = recording.finish(0)
    assert done.trouble is None and done.changes == 2
    assert database.run(recording.run_id).json.get("state")["project"] == "after"


def test_a_state_beyond_the_limit_of_files_is_said(database: Database, root: Path) -> None:
    recording = begin(database, root, limits=Limits(file_bytes=20_000))
    write_state(root, project="x" * 30_000)
    assert recording.finish(0).unreadable == 1
    assert "limit" in events(database, recording, "state_unreadable")[0]["reason"]


def test_no_secret_is_kept_anywhere(root: Path) -> None:
    words = ("tool", SECRET.decode(), f"--with={SECRET.decode()}", SECRET.hex())
    with Database.open(root / ".trae/store", shared=True) as database:
        recording = begin(
            database, root, *words, name=f"n {SECRET.decode()}", tags=[SECRET.decode()], secrets=[SECRET]
        )
        write_state(root, project=SECRET.decode(), **{SECRET.decode(): "name"})
        recording.look()
        held = json.loads((root / HISTORY).read_bytes())
        held.append({**following(held[-1], "0" * 64), "note": f"it is {SECRET.decode()}"})
        replace(root / HISTORY, document(held))
        recording.look()
        (root / STATE).write_bytes(f'{{"{SECRET.decode()}": 1, "{SECRET.decode()}": '.encode())
        recording.finish(1, problem=f"cannot start {SECRET.decode()}")
        assert database.run_metadata(recording.run_id).metadata["argv"] == [
            "tool",
            "[MASKED]",
            "--with=[MASKED]",
            "[MASKED]",
        ]
        database.snapshot()
    kept = b"".join(path.read_bytes() for path in (root / ".trae/store").rglob("*") if path.is_file())
    assert b"[MASKED]" in kept
    assert SECRET not in kept and SECRET.hex().encode() not in kept
    assert not any(entry["hmac"].encode() in kept for entry in held)


def test_a_run_that_was_ended_from_outside_is_trouble_and_no_error(database: Database, root: Path) -> None:
    recording = begin(database, root)
    database.end_run(recording.run_id)
    write_state(root, project="other")
    recording.look()
    done = recording.finish(0)
    assert done.status == "not ended" and done.trouble is not None


def test_the_parent_is_named(database: Database, root: Path) -> None:
    outer = begin(database, root)
    inner = begin(database, root, parent=outer.run_id)
    assert database.run_metadata(inner.run_id).parent == outer.run_id


class Interrupted:
    """The real files, but Ctrl-C comes when one is looked at."""

    def __getattr__(self, name: str) -> Any:
        if name == "stat":
            raise KeyboardInterrupt
        return getattr(OS, name)


def test_a_beginning_that_is_interrupted_leaves_no_active_run(database: Database, root: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        begin(database, root, files=Interrupted())
    [told] = database.list_runs()
    assert told.status == "failed" and "KeyboardInterrupt" in (told.reason or "")


def test_a_folder_in_the_place_of_a_document_is_told(database: Database, root: Path) -> None:
    (root / STATE).unlink()
    (root / STATE).mkdir()
    recording = begin(database, root)
    assert "regular file" in events(database, recording, "state_unreadable")[0]["reason"]
    assert recording.finish(0).status == "completed"


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("/usr/bin/python", "-m", "pytest", "-q", "tests"), "python -m pytest -q"),
        (("true",), "true"),
        (("",), "command"),
        (("/",), "/"),
        (("x" * 200,), "x" * 77 + "..."),
    ],
)
def test_names(words: tuple[str, ...], name: str) -> None:
    assert run_name(words) == name


def test_words_that_are_no_utf8(database: Database, root: Path) -> None:
    recording = begin(database, root, "echo", b"caf\xe9".decode("utf-8", "surrogateescape"))
    assert database.run_metadata(recording.run_id).metadata["argv"] == ["echo", "caf�"]


_LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=2)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=2), inner, max_size=4),
    max_leaves=20,
)
_DOCUMENTS = st.dictionaries(st.text(max_size=2), _VALUES, max_size=4)


@settings(max_examples=300, deadline=None)
@given(_DOCUMENTS, _DOCUMENTS)
def test_the_edits_lead_from_one_document_to_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    diff = diff_paths(before, after)
    if not diff.changes:
        assert before == after
        return
    with Database.open() as database:
        run = database.run(name="edits")
        run.json.create("d", before)
        run.json.patch("d", document_edits(before, after, diff))
        assert not diff_paths(run.json.get("d"), after).changes


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([1, 2, 3], [1, 9, 2, 3]),
        ([1, 2, 3], [1]),
        ([1, 2, 3, 4], [1, 4]),
        ([[1, 2], [3]], [[1, 5, 2], [3], [4]]),
        ([{"a": [1, 3]}, 0], [{"a": [1, 2, 3]}, 7, 8, 0]),
    ],
)
def test_edits_of_arrays(before: Any, after: Any) -> None:
    test_the_edits_lead_from_one_document_to_the_other.hypothesis.inner_test({"a": before}, {"a": after})  # type: ignore[attr-defined]
