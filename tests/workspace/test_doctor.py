"""The doctor names each trouble with a remedy, and no secret."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import small_workspace as small
from devstate.durable import current_holder, hold_lock
from devstate.workspace import Diagnosis, Terminal, doctor

STRONG = {"BEAMLINE_HMAC_SECRET": small.SECRET.decode()}
GOOD = Terminal(True, "utf-8", 120, 40)


def examine(
    root: Path, environ: dict[str, str] | None = None, terminal: Terminal | None = GOOD
) -> dict[str, Diagnosis]:
    environ = {"TERM": "xterm-256color", **(STRONG if environ is None else environ)}
    diagnoses = doctor(str(root), environ=environ, terminal=terminal)
    for diagnosis in diagnoses:
        assert diagnosis.sentence and (diagnosis.status == "ok" or diagnosis.remedy), diagnosis
        assert small.SECRET.decode() not in f"{diagnosis}"
    return {diagnosis.name: diagnosis for diagnosis in diagnoses}


def troubles(found: dict[str, Diagnosis]) -> dict[str, str]:
    return {name: diagnosis.status for name, diagnosis in found.items() if diagnosis.status != "ok"}


def test_all_is_well(tmp_path: Path) -> None:
    found = examine(small.make(tmp_path / "w"))
    assert troubles(found) == {}
    assert {
        "python",
        "libraries",
        "terminal",
        "workspace",
        "settings",
        "environment",
        "secret",
    } <= found.keys()
    assert {small.STATE, small.HISTORY, "lock", "leftovers", "store", "git", "clock"} <= found.keys()
    assert "msgspec" in found["libraries"].sentence and "BEAMLINE_HMAC_SECRET" in found["secret"].sentence


def test_without_a_workspace_the_rest_is_examined(tmp_path: Path) -> None:
    found = examine(tmp_path)
    assert troubles(found) == {"workspace": "fail"} and "secret" in found


@pytest.mark.parametrize("document", [small.STATE, small.HISTORY])
def test_a_missing_document(tmp_path: Path, document: str) -> None:
    root = small.make(tmp_path / "w")
    (root / document).unlink()
    assert troubles(examine(root)) == {document: "fail"}


def test_locks_and_leftovers(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    (root / ".trae/state.json.tmp").write_bytes(b"")
    with hold_lock(root / ".trae/.lock", holder=current_holder("sync")):
        found = examine(root)
    assert troubles(found) == {"lock": "warn", "leftovers": "warn"}
    assert "sync" in found["lock"].sentence and "state.json.tmp" in found["leftovers"].sentence
    (root / ".trae/.lock").write_text(
        '{"holder":{"pid":4194000,"host":"h","user":"u","command":"gone"},"since":"2026-01-01T00:00:00Z"}'
    )
    assert "gone" in examine(root)["lock"].sentence


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({}, "warn"),
        ({"BEAMLINE_HMAC_SECRET": "short"}, "warn"),
        ({"CI": "true"}, "fail"),
        ({"CI": "true", "BEAMLINE_HMAC_SECRET": "short"}, "fail"),
        ({"CI": "true", "BEAMLINE_HMAC_SECRET": "short", "ALLOW_DEFAULT_HMAC_SECRET": "true"}, "warn"),
        ({"CI": "true", **STRONG}, "ok"),
    ],
)
def test_secrets(tmp_path: Path, environ: dict[str, str], status: str) -> None:
    diagnosis = examine(small.make(tmp_path / "w"), environ)["secret"]
    assert diagnosis.status == status and "short" not in diagnosis.sentence.replace("shorter", "")


def test_a_secret_file_open_to_others_inside_the_workspace(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    (root / "secret").write_bytes(small.SECRET)
    (root / "secret").chmod(0o644)
    diagnoses = doctor(str(root), environ={"DEVSTATE_SECRET_FILE": str(root / "secret")})
    assert [d.status for d in diagnoses if d.name == "secret file"] == ["warn", "warn"]
    (root / "secret").rename(tmp_path / "secret")
    (tmp_path / "secret").chmod(0o600)
    diagnoses = doctor(str(root), environ={"DEVSTATE_SECRET_FILE": str(tmp_path / "secret")})
    assert not [d for d in diagnoses if d.name == "secret file"]


@pytest.mark.parametrize(
    ("terminal", "environ", "status"),
    [
        (Terminal(False, "ascii"), {}, "ok"),
        (Terminal(True, "utf-8", 80, 24), {"NO_COLOR": "1"}, "ok"),
        (Terminal(True, "ascii", 80, 24), {}, "warn"),
        (Terminal(True, "utf-8", 40, 10), {}, "warn"),
        (Terminal(True, "utf-8", 80, 24), {"TERM": "dumb"}, "warn"),
    ],
)
def test_terminals(tmp_path: Path, terminal: Terminal, environ: dict[str, str], status: str) -> None:
    assert examine(small.make(tmp_path / "w"), {**STRONG, **environ}, terminal)["terminal"].status == status


def test_a_faulty_setting(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    (root / "devstate.toml").write_text("nosuch = 1")
    found = examine(root)
    assert found["settings"].status == "fail" and "nosuch" in found["settings"].sentence


def test_a_repository_that_does_not_ignore(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    diagnosis = examine(root)["git"]
    assert diagnosis.status == "warn" and ".trae/store/" in diagnosis.remedy
    (root / ".gitignore").write_text(diagnosis.remedy.removeprefix("Add to .gitignore: ").replace(" ", "\n"))
    assert examine(root)["git"].status == "ok"


def test_a_database_that_is_not_there(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    named = {d.name: d for d in doctor(str(root), environ=STRONG, db=str(tmp_path / "nodb"))}
    assert named["store"].status == "fail" and named["store"].remedy
