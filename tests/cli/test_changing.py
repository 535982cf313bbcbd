"""init: the plan, the question, the refusal, the receipt."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from command_runs import COMMAND, Run, clean_environment, entries_of
from devstate.demo import TAMPERS

Call = Callable[..., Run]


def test_without_a_terminal_and_without_yes_it_refuses(tmp_path: Path, call: Call) -> None:
    said = call("init", "project", cwd=tmp_path)
    assert said.status == 8
    assert "--yes" in said.err
    assert not (tmp_path / "project").exists()
    assert call("init", "project", "--json", cwd=tmp_path).document["error"]["code"] == "REFUSED"


def test_dry_run_shows_the_plan_and_changes_nothing(tmp_path: Path, call: Call) -> None:
    said = call("init", "project", "--dry-run", cwd=tmp_path)
    assert said.status == 0
    assert ".trae/state.json" in said.out and "nothing was changed" in said.out
    document = call("init", "project", "--dry-run", "--json", cwd=tmp_path).document
    assert [target["path"] for target in document["plan"]["targets"]][-2:] == [
        ".trae/state.json",
        ".trae/history.json",
    ]
    assert document["applied"] == [] and document["undo"] is None
    assert not (tmp_path / "project").exists()


def test_yes_makes_a_workspace_that_validates(tmp_path: Path, call: Call) -> None:
    secret = {"BEAMLINE_HMAC_SECRET": "a secret of this project"}
    document = call("init", "project", "--yes", "--json", "--actor", "me", cwd=tmp_path, env=secret).document
    assert document["schema"] == "devstate.init/1"
    assert {".trae/state.json", ".trae/history.json"} <= set(document["applied"])
    assert document["undo"]
    root = tmp_path / "project"
    assert entries_of(root)[0]["actor"] == "me"
    assert call("validate", cwd=root, env=secret).status == 0
    assert call("verify", cwd=root).status in (1, 3)  # under another key
    again = call("init", "--yes", cwd=root, env=secret)
    assert again.status == 8
    assert "workspace already" in again.err


def test_a_demo_is_the_same_for_the_same_seed(tmp_path: Path, call: Call) -> None:
    for name in ("a", "b"):
        assert call("init", name, "--demo", "--entries", 15, "--seed", 3, "--yes", cwd=tmp_path).status == 0
    assert call("init", "c", "--demo", "--entries", 15, "--seed", 4, "--yes", cwd=tmp_path).status == 0
    histories = [(tmp_path / name / ".trae/history.json").read_bytes() for name in "abc"]
    assert histories[0] == histories[1] != histories[2]
    assert len(entries_of(tmp_path / "a")) == 15


def test_tampers_are_listed(call: Call) -> None:
    text = call("init", "--demo", "--tamper", "help").out
    assert all(name in text for name in TAMPERS)
    assert len(call("init", "--demo", "--tamper", "help", "--json").document["tampers"]) == len(TAMPERS)


def test_a_tampered_demo_says_what_was_planted(tmp_path: Path, call: Call) -> None:
    said = call("init", "demo", "--demo", "--tamper", "CHAIN_LINK_BROKEN", "--yes", cwd=tmp_path)
    assert TAMPERS["CHAIN_LINK_BROKEN"].sentence in said.out
    assert call("verify", "--json").codes >= {"CHAIN_LINK_BROKEN"}


@pytest.mark.parametrize(("answer", "status"), [("y\n", 0), ("n\n", 8), ("\n", 8)])
def test_on_a_terminal_it_asks(answer: str, status: int, tmp_path: Path) -> None:
    master, terminal = pty.openpty()
    try:
        process = subprocess.Popen(
            [*COMMAND, "init", "project"],
            cwd=tmp_path,
            env=clean_environment(tmp_path),
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=terminal,
            text=True,
        )
        os.write(master, answer.encode())
        out, _ = process.communicate(timeout=60)
        asked = os.read(master, 65536).decode()
    finally:
        os.close(master)
        os.close(terminal)
    assert process.returncode == status
    assert "Go ahead?" in asked and ".trae/state.json" in asked
    assert (tmp_path / "project/.trae/history.json").exists() == (status == 0)
    assert ("✔ done" in out) == (status == 0)
