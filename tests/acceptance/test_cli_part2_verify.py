"""Part 2 and 3: a person or a CI job asks whether the history can be trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_runs import devstate, start
from devstate.demo import TAMPERS, demo_workspace, write_demo
from small_workspace import SECRET, make, sha256

KEY = {"BEAMLINE_HMAC_SECRET": SECRET.decode()}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return make(tmp_path / "project", 12, {"docs/a.txt": b"one"})


def test_a_good_history_in_ci(workspace: Path) -> None:
    said = devstate("verify", "--json", cwd=workspace, env={**KEY, "CI": "true"})
    assert said.status == 0
    assert said.document["verified"] == said.document["entries"] == 12
    assert said.document["answers"]["authenticity"]["status"] == "yes"
    assert said.err == ""


def test_one_changed_byte(workspace: Path) -> None:
    history = workspace / ".trae/history.json"
    history.write_bytes(history.read_bytes().replace(b"step_5", b"step_6", 1))
    said = devstate("verify", "--json", cwd=workspace, env={**KEY, "CI": "true"})
    assert said.status == 1
    assert said.document["first_bad"] == 5
    finding = said.document["findings"][0]
    assert finding["code"] == "HMAC_MISMATCH"
    assert finding["where"]["entry"] == 5
    line = history.read_text().splitlines()[finding["where"]["line"] - 1]
    assert "hmac" in line
    text = devstate("verify", cwd=workspace, env=KEY)
    assert text.status == 1
    assert text.out.startswith("✘ BROKEN")


@pytest.mark.parametrize(
    "arguments", [("verify",), ("verify", "--json"), ("validate",), ("verify", "--format", "html")]
)
def test_a_reader_that_goes_away_does_not_turn_a_break_into_a_pass(
    arguments: tuple[str, ...], workspace: Path
) -> None:
    """`devstate verify | head -1` under `set -o pipefail` has to fail where the history is broken."""
    history = workspace / ".trae/history.json"
    history.write_bytes(history.read_bytes().replace(b'"actor": "', b'"actor": "x', 1))
    # Unbuffered, the first line already finds the reader gone, as a long output does in any case.
    process = start(*arguments, cwd=workspace, env={**KEY, "PYTHONUNBUFFERED": "1"})
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(60) == 1


@pytest.mark.parametrize(
    ("env", "code"),
    [({}, "KEY_MISSING"), ({"BEAMLINE_HMAC_SECRET": "another secret of length"}, "WRONG_KEY")],
)
def test_without_the_key_ci_cannot_decide(env: dict[str, str], code: str, workspace: Path) -> None:
    said = devstate("verify", "--json", cwd=workspace, env={**env, "GITHUB_ACTIONS": "true"})
    assert said.status == 3
    assert code in said.codes
    assert "HMAC_MISMATCH" not in said.codes


def test_the_gate(workspace: Path) -> None:
    env = {**KEY, "CI": "true"}
    assert devstate("validate", "--json", cwd=workspace, env=env).status == 0
    (workspace / "docs/a.txt").write_bytes(b"two")
    said = devstate("validate", "--json", cwd=workspace, env=env)
    assert said.status == 1
    artifact = next(
        finding for finding in said.document["findings"] if finding["code"] == "ARTIFACT_MISMATCH"
    )
    assert sha256(b"one") in (artifact["expected"], artifact["actual"])
    assert "docs/a.txt" in artifact["message"]
    (workspace / "docs/a.txt").unlink()
    assert "ARTIFACT_MISSING" in devstate("validate", "--json", cwd=workspace, env=env).codes


def test_a_demo_with_each_planted_fault(tmp_path: Path) -> None:
    """`init --demo --tamper CODE` gives what the command named beside it finds: two of them end to end."""
    for name in ("HMAC_MISMATCH", "ARTIFACT_MISSING"):
        root = tmp_path / name
        assert devstate("init", root, "--demo", "--tamper", name, "--yes", cwd=tmp_path).status == 0
        said = devstate(TAMPERS[name].found_by, "--json", cwd=root)
        assert said.status == 1
        assert name in said.codes


@pytest.mark.long
def test_two_hundred_thousand_entries_with_any_number_of_jobs(tmp_path: Path) -> None:
    write_demo(tmp_path / "demo", demo_workspace(entries=200_000))
    one, two = (
        devstate("verify", "--json", "--jobs", jobs, cwd=tmp_path / "demo", timeout=120).document
        for jobs in ("1", "2")
    )
    assert one["verified"] == 200_000
    assert one | {"elapsed_ms": 0} == two | {"elapsed_ms": 0}
