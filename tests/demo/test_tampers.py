"""Each fault that a demo can be given is found by its code, and nothing else is."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from devstate.demo import TAMPERS, DemoWorkspace, demo_workspace, ugly_workspace, write_demo
from devstate.errors import UsageError
from devstate.findings import CODES, Finding, Severity
from devstate.settings import load_settings
from devstate.trae import find_unmasked
from devstate.workspace import Workspace, no_drift_gate

ENTRIES = 40


def gate_findings(root: Path, *, keyring: Path | None = None) -> tuple[Finding, ...]:
    settings = load_settings(flags={"keyring": str(keyring) if keyring else None})
    with Workspace.open(str(root), settings=settings) as workspace:
        reading = workspace.read()
        try:
            return no_drift_gate(reading).findings
        finally:
            reading.close()


def wrong(findings: tuple[Finding, ...]) -> set[str]:
    """The codes of errors and warnings, without the one that every demo gives."""
    return {finding.code for finding in findings if finding.severity is not Severity.INFO} - {"WEAK_KEY"}


def history(demo: DemoWorkspace) -> bytes:
    return b"".join(demo.history_chunks())


@pytest.mark.parametrize("entries", [1, 10, 120])
def test_the_sound_demo_gives_no_finding_but_the_weak_key(tmp_path: Path, entries: int) -> None:
    write_demo(tmp_path, demo_workspace(entries=entries))
    found = gate_findings(tmp_path)
    assert wrong(found) == set()
    assert "WEAK_KEY" in {finding.code for finding in found}
    assert "FORMAT_NONCANONICAL" not in {finding.code for finding in found}


@pytest.mark.parametrize("name", TAMPERS)
def test_is_found_by_its_code_alone(tmp_path: Path, name: str) -> None:
    tamper = TAMPERS[name]
    write_demo(tmp_path, demo_workspace(entries=ENTRIES, tamper=name))
    keyring = tmp_path / "demo-keyring.json" if "--keyring" in tamper.arguments else None
    found = gate_findings(tmp_path, keyring=keyring)
    if tamper.found_by == "mask check":
        assert wrong(found) == set()
        log = tmp_path / "logs/build.log"
        found = find_unmasked(log.read_bytes(), file="logs/build.log", secrets=())
    assert tamper.code in {finding.code for finding in found}
    assert wrong(found) | {tamper.code} == {tamper.code, *tamper.also}


@pytest.mark.parametrize("name", TAMPERS)
def test_the_table_is_in_order(name: str) -> None:
    tamper = TAMPERS[name]
    assert tamper.name == name
    assert name == tamper.code or name.startswith(f"{tamper.code}-")
    assert {tamper.code, *tamper.also} <= CODES.keys()
    demo = demo_workspace(entries=ENTRIES, tamper=name)
    assert demo.sentence == tamper.sentence
    sound = demo_workspace(entries=ENTRIES)
    assert (history(demo), demo.files, demo.links) != (history(sound), sound.files, sound.links)


def test_faults_are_deterministic() -> None:
    """Made twice, each gives the same bytes, files and links."""
    for name in TAMPERS:
        first, second = (demo_workspace(entries=ENTRIES, tamper=name) for _ in range(2))
        assert history(first) == history(second)
        assert first.files == second.files
        assert first.links == second.links


def test_an_unknown_fault_lists_the_known_ones() -> None:
    with pytest.raises(UsageError) as caught:
        demo_workspace(tamper="HMAC_MISMATCHED")
    assert "HMAC_MISMATCHED" in str(caught.value)
    assert all(name in caught.value.remedy for name in TAMPERS)


def test_a_fault_needs_room() -> None:
    with pytest.raises(UsageError, match="10 entries"):
        demo_workspace(entries=9, tamper="HMAC_MISMATCH")


@pytest.mark.parametrize("name", ["FORMAT_NONCANONICAL", "HMAC_MISMATCH", "CONTROL_CHARS"])
def test_other_layouts_hold_the_same_entries(name: str) -> None:
    """Only the fault differs: the same number of entries, and the same ones but for the one in the middle."""
    sound, other = (
        json.loads(history(demo_workspace(entries=ENTRIES, tamper=tamper))) for tamper in (None, name)
    )
    differing = [index for index, (one, two) in enumerate(zip(sound, other, strict=True)) if one != two]
    assert differing in ([], [ENTRIES // 2])


def test_the_ugly_one_has_all_its_faults(tmp_path: Path) -> None:
    write_demo(tmp_path, ugly_workspace())
    found = gate_findings(tmp_path)
    assert wrong(found) == {
        "HMAC_MISMATCH",
        "ARTIFACT_MISSING",
        "ARTIFACT_MISMATCH",
        "SYMLINK",
        "STATE_UNBOUND",
        "CONTROL_CHARS",
        "LEFTOVER_TMP",
    }
    assert "FORMAT_NONCANONICAL" in {finding.code for finding in found}


def test_the_broken_entry_of_the_ugly_one_is_where_it_says() -> None:
    from devstate.demo import broken_entry

    entries = json.loads(history(ugly_workspace()))
    assert entries[broken_entry()]["action"] == "gate_override"
    assert len(history(ugly_workspace()).splitlines()) > 1000
    assert (
        hashlib.sha256(history(ugly_workspace(seed=1))).digest()
        != hashlib.sha256(history(ugly_workspace())).digest()
    )
