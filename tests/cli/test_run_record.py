"""`devstate run record`: its options, its refusals and its document."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from command_runs import Run
from devstate.engine import Database
from devstate.engine.primitives.runs import RunMetadata

Call = Callable[..., Run]
STORE = ".trae/store"


def runs(root: Path) -> list[RunMetadata]:
    with Database.open(root / STORE, read_only=True) as database:
        return database.list_runs()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no command to record"),
        (("--",), "no command to record"),
        (("true",), "stands after `--`"),
        (("--name", " ", "--", "true"), "1 to 200 characters"),
        (("--name", "x" * 201, "--", "true"), "1 to 200 characters"),
        (("--nosuch", "--", "true"), "nosuch"),
    ],
)
def test_wrong_use_runs_nothing(words: tuple[str, ...], said: str, demo: Path, call: Call) -> None:
    done = call("run", "record", *words)
    assert done.status == 2
    assert said in done.err
    assert not (demo / STORE).exists()


def test_a_workspace_is_needed(tmp_path: Path, call: Call) -> None:
    done = call("run", "record", "--json", "--", "touch", tmp_path / "made", cwd=tmp_path)
    assert done.status == 3
    assert done.document["schema"] == "devstate.run.record/1"
    assert done.document["error"]["code"] == "INPUT_MISSING"
    assert not (tmp_path / "made").exists()


def test_a_dry_run_runs_and_makes_nothing(demo: Path, call: Call) -> None:
    line = ("run", "record", "--dry-run", "--name", "trial", "--", "touch", demo / "made", "--json")
    told = call("--json", *line)
    assert told.status == 0 and told.document["dry_run"] is True
    plan = told.document["plan"]
    assert plan["action"] == "run record: trial"
    assert [target["path"] for target in plan["targets"]] == [STORE]
    assert plan["requires"] == [f"the command touch {demo}/made --json"]
    assert "nothing was changed" in call(*line).out
    assert not (demo / "made").exists() and not (demo / STORE).exists()


def test_the_document(demo: Path, call: Call) -> None:
    done = call("run", "record", "--json", "--name", "trial", "--tag", "a", "--tag", "b", "--", "true")
    [run] = runs(demo)
    document = done.document
    seconds = document.pop("seconds")
    assert 0 < seconds < 60
    assert document == {
        "schema": "devstate.run.record/1",
        "ok": True,
        "run": run.run_id,
        "name": "trial",
        "parent": None,
        "db": str(demo / STORE),
        "status": "completed",
        "exit_code": 0,
        "state_changes": 0,
        "entries_appended": 0,
        "rewrites": 0,
        "unreadable": 0,
        "trouble": None,
    }
    assert (run.name, run.tags, run.status) == ("trial", ("a", "b"), "completed")
    assert run.metadata["argv"] == ["true"] and run.metadata["cwd"] == "."
    assert "@" in run.metadata["actor"]


def test_the_line_at_the_end_goes_to_stderr(demo: Path, call: Call) -> None:
    done = call("run", "record", "--", "false")
    [run] = runs(demo)
    assert done.status == 1 and done.out == ""
    assert done.err == (f"run {run.run_id[:8]} failed: 0 changes of the state, 0 entries appended, exit 1\n")
    assert run.reason == "exit status 1"


@pytest.mark.parametrize("as_json", [True, False])
def test_a_command_that_is_not_there(as_json: bool, demo: Path, call: Call) -> None:
    done = call("run", "record", *(["--json"] if as_json else []), "--", "no-such-command-here")
    assert done.status == 127
    [run] = runs(demo)
    assert run.status == "failed" and "no-such-command-here" in (run.reason or "")
    if as_json:
        assert done.document["error"]["code"] == "COMMAND_NOT_STARTED"
        assert done.document["run"] == run.run_id and done.document["exit_code"] == 127
    else:
        assert "there is no command 'no-such-command-here'" in done.err and "exit 127" in done.err


@pytest.mark.parametrize(
    ("make", "status", "said"),
    [
        (lambda place: place.write_text("text"), 126, "Permission denied"),
        (lambda place: place.mkdir(), 126, "Permission denied"),
        (lambda place: script(place, "no shebang"), 126, "Exec format error"),
        (lambda place: script(place, "#!/no/such/interpreter\n"), 127, "interpreter"),
    ],
)
def test_what_cannot_be_executed(
    make: Callable[[Path], Any], status: int, said: str, demo: Path, call: Call
) -> None:
    make(demo / "thing")
    done = call("run", "record", "--", demo / "thing")
    assert done.status == status
    assert said in done.err
    assert runs(demo)[0].status == "failed"


def script(place: Path, text: str) -> None:
    place.write_text(text)
    place.chmod(0o755)


def test_another_database(demo: Path, call: Call) -> None:
    assert call("run", "record", "--db", "elsewhere/store", "--", "true").status == 0
    assert not (demo / STORE).exists()
    assert (demo / "elsewhere/store/META").is_file()


def test_a_folder_that_is_no_database_is_refused(demo: Path, call: Call) -> None:
    done = call("run", "record", "--json", "--db", "docs", "--", "touch", demo / "made")
    assert done.status == 3 and not done.document["ok"]
    assert not (demo / "made").exists()


def test_a_database_that_is_held_alone(demo: Path, call: Call) -> None:
    with Database.open(demo / STORE):
        done = call("run", "record", "--wait", "0", "--", "touch", demo / "made")
    assert done.status == 6
    assert not (demo / "made").exists()


@pytest.mark.parametrize("outer", ["nonsense", "00000000-0000-4000-8000-000000000000"])
def test_an_outer_run_of_elsewhere_is_said_and_left_out(outer: str, demo: Path, call: Call) -> None:
    done = call("run", "record", "--", "true", env={"DEVSTATE_RUN_ID": outer})
    assert done.status == 0 and "DEVSTATE_RUN_ID names no run of this database" in done.err
    assert runs(demo)[0].parent is None


def test_secrets_in_the_command_are_masked(demo: Path, call: Call) -> None:
    secret = "a-secret-of-the-tests-9f"
    secret_file = demo.parent / "secret"
    secret_file.write_text("another secret, in a file\n")
    for number, option in enumerate([(), ("--secret-file", secret_file)]):
        known = "another secret, in a file" if option else secret
        done = call(
            *("run", "record", "--json", *option, "--", "sh", "-c", "exit 0", known, f"--pass={known}"),
            env={"BEAMLINE_HMAC_SECRET": secret},
        )
        assert done.status == 0
        assert runs(demo)[number].metadata["argv"] == ["sh", "-c", "exit 0", "[MASKED]", "--pass=[MASKED]"]
        shown = call(
            "run", "record", "--dry-run", *option, "--", "sh", known, env={"BEAMLINE_HMAC_SECRET": secret}
        )
        assert known not in shown.out + shown.err + done.out + done.err
    kept = b"".join(path.read_bytes() for path in (demo / STORE).rglob("*") if path.is_file())
    assert secret.encode() not in kept and b"another secret" not in kept


def test_the_environment_is_never_kept(demo: Path, call: Call) -> None:
    assert call("run", "record", "--", "true", env={"CANARY_NAME": "canary-value-77"}).status == 0
    kept = b"".join(path.read_bytes() for path in (demo / STORE).rglob("*") if path.is_file())
    assert b"CANARY_NAME" not in kept and b"canary-value-77" not in kept
