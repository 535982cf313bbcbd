"""diff: every kind of side, every format, and the statuses."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from command_runs import Run, clean_environment
from devstate.engine import Database
from engine_samples import HMAC, write_runs

Call = Callable[..., Run]


@pytest.fixture
def store(demo: Path) -> Path:
    write_runs(demo / ".trae/store")
    return demo / ".trae/store"


def applied(document: Any, patch: list[dict[str, Any]]) -> Any:
    """RFC 6902, as far as a diff uses it."""
    holder = {"": document}
    for operation in patch:
        steps = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")]
        at: Any = holder
        for step in steps[:-1]:
            at = at[int(step)] if isinstance(at, list) else at[step]
        last = steps[-1]
        if isinstance(at, list):
            place = int(last)
            if operation["op"] == "remove":
                del at[place]
            elif operation["op"] == "add":
                at.insert(place, operation["value"])
            else:
                at[place] = operation["value"]
        elif operation["op"] == "remove":
            del at[last]
        else:
            at[last] = operation["value"]
    return holder[""]


def test_two_runs(store: Path, call: Call) -> None:
    told = call("diff", "run:baseline", "run:candidate", "--json").document
    assert told["schema"] == "devstate.diff/1" and told["ok"] is True and told["equal"] is False
    assert [(one["primitive"], one["key"]) for one in told["added"]] == [("events", 2)]
    assert told["removed"] == []
    assert [(one["primitive"], one["key"]) for one in told["modified"]] == [
        ("kv", "count"),
        ("kv", "model"),
        ("json", "plan"),
        ("state", "phase"),
    ]
    assert told["modified"][1] == {
        "primitive": "kv",
        "key": "model",
        "value_a": "baseline model",
        "value_b": "candidate model",
    }
    assert told["first_divergence"]["step_a"] == told["first_divergence"]["step_b"] == 2
    text = call("diff", "run:baseline", "run:candidate").out
    assert "the same up to step 1" in text and '"baseline model" → "candidate model"' in text
    assert text.endswith("1 added, 4 modified\n")
    assert HMAC not in text


def test_paths_inside_of_documents(store: Path, call: Call) -> None:
    told = call("diff", "run:baseline", "run:candidate", "--path", "--json").document
    plan = next(one for one in told["modified"] if one["key"] == "plan")
    assert plan["paths"] == [{"path": "/steps/1/draft", "kind": "replace", "a": 1, "b": 2}]
    assert "~ /steps/1/draft  1 → 2" in call("diff", "run:baseline", "run:candidate", "--path").out


def test_two_steps_of_a_run_and_the_exit_code(store: Path, call: Call) -> None:
    told = call("diff", "run:baseline@2", "run:baseline@3", "--json").document
    assert [one["key"] for one in told["added"]] == ["plan"] and told["modified"] == []
    assert "first_divergence" not in told
    assert call("diff", "run:baseline@2", "run:baseline@3").status == 0
    assert call("diff", "run:baseline@2", "run:baseline@3", "--exit-code").status == 1
    same = call("diff", "run:baseline", "run:baseline@8", "--exit-code")
    assert same.status == 0 and "no difference" in same.out
    assert call("diff", "run:baseline", "run:baseline@99").status == 2


def test_a_patch_leads_from_one_replay_to_the_other(store: Path, call: Call) -> None:
    def plain(run: str) -> dict[str, Any]:
        told = call("replay", run, "--json").document
        events = [{"type": event["type"], "payload": event["payload"]} for event in told["events"]]
        return {"kv": told["kv"], "json": told["json"], "state": told["state"], "events": events}

    patch = json.loads(call("diff", "run:baseline", "run:candidate", "--format", "json-patch").out)
    assert applied(plain("baseline"), patch) == plain("candidate")
    back = json.loads(call("diff", "run:candidate", "run:baseline", "--format", "json-patch").out)
    assert applied(plain("candidate"), back) == plain("baseline")


def test_snapshots_are_compared_run_by_run(store: Path, call: Call) -> None:
    with Database.open(store) as database:
        first = Path(database.snapshot().path).name
        review = next(run for run in database.list_runs() if run.name == "review")
        database.kv.put(review.run_id, "note", "looked at")
        with database.run(name="later") as run:
            run.kv.put("a", 1)
        second = Path(database.snapshot().path).name
    told = call("diff", f"snapshot:{first}", f"snapshot:{second}", "--json").document
    later = {(one["run"] == str(review.run_id), one["primitive"], one["key"]) for one in told["added"]}
    assert (True, "kv", "note") in later and (False, "kv", "a") in later
    assert [one["primitive"] for one in told["modified"]] == ["runs"], "the run has one step more"
    back = call("diff", f"snapshot:{second}", f"snapshot:{first}", "--json").document
    assert len(back["removed"]) == len(told["added"]) and back["added"] == []
    one = call("diff", f"snapshot:{first}#review", "run:review", "--json").document
    assert [entry["key"] for entry in one["added"]] == ["note"]
    path = store / "snapshots" / first
    assert call("diff", f"snapshot:{path}", f"snapshot:{first}", "--exit-code").status == 0
    assert call("diff", f"snapshot:{first}#nobody", "run:review").status == 2
    assert call("diff", f"snapshot:{first}", "run:review").status == 2
    assert call("diff", "snapshot:gone.dat", f"snapshot:{first}").status == 3
    patch = json.loads(call("diff", f"snapshot:{first}", f"snapshot:{second}", "--format", "json-patch").out)
    assert {operation["op"] for operation in patch} == {"add"}
    broken = store / "broken.dat"
    broken.write_bytes(path.read_bytes()[:-3])
    said = call("diff", f"snapshot:{broken}", f"snapshot:{first}", "--json")
    assert (said.status, said.document["error"]["code"]) == (1, "SNAPSHOT_CORRUPT")


def test_documents_need_no_database(demo: Path, tmp_path: Path, call: Call) -> None:
    (tmp_path / "a.json").write_text('{"name": "x", "list": [1, 2, 3], "gone": null, "n": 1}')
    (tmp_path / "b.json").write_text('{"name": "y", "list": [1, 3], "new": {"a": 1}, "n": 1.0}')
    told = call("diff", "a.json", "file:b.json", "--json", cwd=tmp_path).document
    assert [one["key"] for one in told["added"]] == ["/new"]
    assert [one["key"] for one in told["removed"]] == ["/gone", "/list/1"]
    assert [one["key"] for one in told["modified"]] == ["/n", "/name"]
    patch = json.loads(call("diff", "a.json", "b.json", "--format", "json-patch", cwd=tmp_path).out)
    document = json.loads((tmp_path / "a.json").read_text())
    assert applied(document, patch) == json.loads((tmp_path / "b.json").read_text())
    table = call("diff", "a.json", "b.json", "--format", "markdown", cwd=tmp_path).out
    assert table.startswith("### 1 added, 2 removed, 2 modified") and "| ~ | document | `/name` |" in table


def test_entries_of_the_history(demo: Path, call: Call) -> None:
    told = call("diff", "entry:0", "entry:head", "--json").document
    keys = {one["key"] for one in told["modified"]}
    assert {"/hmac", "/ts"} <= keys
    text = call("diff", "entry:0", "entry:1").out
    hmac = next(
        one["value_b"]
        for one in call("diff", "entry:0", "entry:1", "--json").document["modified"]
        if one["key"] == "/hmac"
    )
    assert len(hmac) == 64 and hmac not in text and hmac[:16] in text
    assert hmac in call("diff", "entry:0", "entry:1", "--unmasked").out
    assert call("diff", "entry:0", "entry:999").status == 2


def test_a_commit_of_git(demo: Path, call: Call) -> None:
    def git(*words: str) -> None:
        names = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
        subprocess.run(
            ["git", *names, *words], cwd=demo, env=clean_environment(demo), check=True, capture_output=True
        )

    git("init", "-q")
    git("add", "-f", ".trae/state.json", ".trae/history.json")
    git("commit", "-qm", "one")
    state = demo / ".trae/state.json"
    document = json.loads(state.read_text("utf-8"))
    state.write_text(json.dumps({**document, "no_drift": False}), "utf-8")
    told = call("diff", "git:HEAD", state, "--json").document
    assert [one["key"] for one in told["modified"]] == ["/no_drift"]
    # Where git would look by its own variables, it does not look.
    env = {"GIT_DIR": "/nowhere", "GIT_WORK_TREE": "/nowhere"}
    assert call("diff", "git:HEAD", "git:HEAD:.trae/state.json", "--exit-code", env=env).status == 0
    missing = call("diff", "git:nothing", state, "--json")
    assert (missing.status, missing.document["error"]["code"]) == (3, "INPUT_MISSING")
    assert call("diff", "git:--output=x", state).status == 2
    assert not (demo / "x").exists()


def test_what_has_no_form_in_common_is_wrong_use(store: Path, call: Call) -> None:
    said = call("diff", "run:baseline", ".trae/state.json")
    assert said.status == 2 and "devstate replay RUN --json" in said.err
    assert call("diff", "run:", "run:baseline").status == 2
    assert call("diff", "run:nobody", "run:baseline").status == 3
    assert call("diff", "nothing.json", ".trae/state.json").status == 3
    assert call("diff", "run:baseline").status == 2
    assert call("diff", "run:baseline", "run:candidate", "--json", "--format", "markdown").status == 2


def test_a_file_that_is_no_json(demo: Path, call: Call) -> None:
    (demo / "bad.json").write_text('{"a": 1, "a": 2}')
    said = call("diff", "bad.json", ".trae/state.json", "--json")
    assert said.status == 1 and said.document["error"]["code"]
