"""The No-Drift gate: which check each fault fails, and that what was not checked has not passed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

import small_workspace as small
from devstate.findings import Severity
from devstate.settings import Secret, SecretSource, Settings
from devstate.workspace import Gate, Workspace, no_drift_gate
from devstate.workspace.nodrift import CheckName

SETTINGS = Settings(secrets=SecretSource(value=Secret(small.SECRET), origin="test"))
ALL = list(get_args(CheckName))


def gate_of(root: Path, settings: Settings = SETTINGS) -> Gate:
    with Workspace.open(str(root), settings=settings) as workspace:
        return no_drift_gate(workspace.read())


def failed(gate: Gate) -> set[str]:
    assert gate.ok == (not [check for check in gate.checks if not check.ok])
    return {check.name for check in gate.checks if not check.ok}


def test_a_sound_workspace_passes_all_checks(tmp_path: Path) -> None:
    gate = gate_of(small.make(tmp_path / "w", 3, {"a": b"alpha", "b": b"beta"}))
    assert gate.ok and [check.name for check in gate.checks] == ALL
    assert all(check.sentence and check.findings == 0 for check in gate.checks)
    assert (gate.artifacts.total, gate.artifacts.matched) == (2, 2)


def edited(path: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def edit(root: Path) -> None:
        data = (root / path).read_bytes()
        assert old in data
        (root / path).write_bytes(data.replace(old, new, 1))

    return edit


def written(path: str, data: bytes) -> Callable[[Path], None]:
    def write(root: Path) -> None:
        (root / path).write_bytes(data)

    return write


def torn(root: Path) -> None:
    (root / small.HISTORY).write_bytes((root / small.HISTORY).read_bytes()[:-20])


def linked(root: Path) -> None:
    (root / "a").rename(root / "c")
    (root / "a").symlink_to("c")


def resealed(change: Callable[[dict[str, object]], None]) -> Callable[[Path], None]:
    """Change the state, and make the history anew for it."""

    def edit(root: Path) -> None:
        document = json.loads((root / small.STATE).read_bytes())
        change(document)
        state = small.document(document)
        (root / small.STATE).write_bytes(state)
        (root / small.HISTORY).write_bytes(small.history(3, small.sha256(state)))

    return edit


FAULTS: dict[str, tuple[Callable[[Path], None], set[str]]] = {
    "drifted": (resealed(lambda state: state.update(no_drift=False)), {"no_drift"}),
    "flag is a text": (resealed(lambda state: state.update(no_drift="true")), {"no_drift", "state_schema"}),
    "state breaks its schema": (resealed(lambda state: state.pop("project")), {"state_schema"}),
    "state has a doubled member": (
        edited(small.STATE, b'"project"', b'"project": "x",\n    "project"'),
        {"state_json"},
    ),
    "artifact changed": (written("a", b"other"), {"artifacts"}),
    "artifact missing": (lambda root: (root / "a").unlink(), {"artifacts"}),
    "artifact is a link": (linked, {"artifacts"}),
    "artifact outside": (
        resealed(
            lambda state: state.update(artifact_checksums=[{"path": "../x", "hash": "0" * 64, "ts": ""}])
        ),
        {"artifacts"},
    ),
    "entry changed": (edited(small.HISTORY, b"step_1", b"step_X"), {"chain"}),
    "entry without cp_to": (
        edited(small.HISTORY, b'"cp_to": "CP1-LC",', b""),
        {"chain", "history_schema"},
    ),
    "history torn": (torn, {"history_json"}),
    "history of another shape": (written(small.HISTORY, b'{"x": 1}'), {"history_json"}),
    "empty history": (written(small.HISTORY, b"[]"), {"history_json"}),
    "history missing": (
        lambda root: (root / small.HISTORY).unlink(),
        {"history_json", "history_schema", "chain"},
    ),
    "state missing": (
        lambda root: (root / small.STATE).unlink(),
        {"no_drift", "state_json", "state_schema", "artifacts"},
    ),
    "state torn": (
        written(small.STATE, b'{"project": '),
        {"no_drift", "state_json", "state_schema", "artifacts"},
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_fails_its_checks_and_no_other(tmp_path: Path, name: str) -> None:
    plant, expected = FAULTS[name]
    root = small.make(tmp_path / "w", 3, {"a": b"alpha"})
    plant(root)
    gate = gate_of(root)
    assert failed(gate) == expected, [
        (f.code, f.where) for f in gate.findings if f.severity is Severity.ERROR
    ]


def test_a_failed_check_counts_its_errors(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 3, {"a": b"alpha", "b": b"beta", "c": b"gamma"})
    (root / "a").unlink()
    (root / "b").write_bytes(b"changed")
    check = next(check for check in gate_of(root).checks if check.name == "artifacts")
    assert check.findings == 2 and "and 1 more" in check.sentence


def test_a_missing_key_fails_the_chain(tmp_path: Path) -> None:
    assert failed(gate_of(small.make(tmp_path / "w"), Settings(environment="ci"))) == {"chain"}


def test_a_public_key_fails_the_chain_in_ci_only(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    state = (root / small.STATE).read_bytes()
    (root / small.HISTORY).write_bytes(
        small.history(3, small.sha256(state), secret=b"beamline-secret-key-v1")
    )
    public = SecretSource(value=Secret(b"beamline-secret-key-v1"), origin="test")
    assert failed(gate_of(root, Settings())) == set()
    assert failed(gate_of(root, Settings(environment="ci", secrets=public))) == {"chain"}
    assert failed(gate_of(root, Settings(environment="ci", secrets=public, allow_public_key=True))) == set()


def test_a_schema_of_the_workspace_decides_for_the_history_too(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    (root / "docs").mkdir()
    (root / "docs/HISTORY.schema.json").write_text(
        '{"type": "array", "items": {"type": "object", "required": ["signature"]}}'
    )
    gate = gate_of(root)
    assert failed(gate) == {"history_schema"}
    assert "signature" in next(check for check in gate.checks if not check.ok).sentence


def test_an_unusable_schema_of_the_workspace_fails_its_check(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    (root / "docs").mkdir()
    (root / "docs/HISTORY.schema.json").mkdir()
    (root / "docs/STATE.schema.json").write_bytes(b"{")
    assert failed(gate_of(root)) == {"history_schema", "state_schema"}


def test_findings_come_gravest_first(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 3, {"a": b"alpha"})
    (root / "a").unlink()
    (root / ".trae/x.tmp").write_bytes(b"")
    ranks = [list(Severity).index(finding.severity) for finding in gate_of(root).findings]
    assert ranks == sorted(ranks) and len(set(ranks)) == 3


@pytest.mark.parametrize(
    "metadata",
    [b"[" * 5000 + b"]" * 5000, b'"\xff"', b'"\\ud800"', b"NaN", b"1e999", b"123456789012345678901"],
)
def test_what_only_a_careful_reader_survives(tmp_path: Path, metadata: bytes) -> None:
    root = small.make(tmp_path / "w")
    edited(small.HISTORY, b'"number": 1', b'"number": ' + metadata)(root)
    assert "history_schema" not in failed(gate_of(root))


def test_an_element_that_is_no_entry_fails_the_schema(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    edited(small.HISTORY, b"[\n", b"[\n    7,\n")(root)
    assert "history_schema" in failed(gate_of(root))
