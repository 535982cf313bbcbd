"""State and history name each other's checksum: which side is current, and when the old side is a fault."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import small_workspace as small
from devstate.chain import BytesSource, Keyring, scan_history
from devstate.settings import Secret, SecretSource, Settings
from devstate.workspace import Reading, Workspace, count_artifacts, no_drift_gate
from devstate.workspace.binding import grew_from

SETTINGS = Settings(secrets=SecretSource(value=Secret(small.SECRET), origin="test"))


def read(root: Path) -> Reading:
    with Workspace.open(str(root), settings=SETTINGS) as workspace:
        return workspace.read()


def codes(reading: Reading) -> set[str]:
    return {finding.code for finding in reading.findings}


def put(root: Path, state: bytes, history: bytes) -> Reading:
    (root / ".trae").mkdir(parents=True, exist_ok=True)
    (root / small.STATE).write_bytes(state)
    (root / small.HISTORY).write_bytes(history)
    return read(root)


def test_the_history_is_current_and_the_state_cannot_be_named(tmp_path: Path) -> None:
    history = small.history(4, "a" * 64)
    reading = put(tmp_path, small.state({small.HISTORY: history}), history)
    assert reading.ok and "STATE_UNBOUND" in codes(reading)
    binding = reading.binding
    assert binding is not None and not binding.bound and binding.history_current is True
    assert "only one of both can be current" in binding.sentence
    assert [item.status for item in reading.artifacts] == ["matched"]


def test_an_entry_made_after_it_was_listed_is_no_fault(tmp_path: Path) -> None:
    state = small.state({small.HISTORY: small.history(3, "a" * 64)})
    entries = small.entries(3, "a" * 64)
    # The fourth entry names the state that lists the first three.
    entries = [*entries, small.following(entries[-1], small.sha256(state))]
    reading = put(tmp_path, state, small.document(entries))
    assert reading.ok and not codes(reading) & {"ARTIFACT_MISMATCH", "STATE_UNBOUND"}
    binding = reading.binding
    assert binding is not None and binding.bound and binding.history_current is False
    assert binding.history_entries == 3 and "before the last 1 entry was added" in binding.sentence
    assert [(item.status, item.code) for item in reading.artifacts] == [("mismatched", None)]
    counts = count_artifacts(reading.artifacts)
    assert (counts.total, counts.matched, counts.mismatched, counts.missing) == (1, 0, 0, 0)
    assert no_drift_gate(reading).ok


def test_a_checksum_that_the_history_never_had_is_a_mismatch(tmp_path: Path) -> None:
    reading = put(tmp_path, small.state({small.HISTORY: "b" * 64}), small.history(4, "a" * 64))
    assert "ARTIFACT_MISMATCH" in codes(reading)
    assert reading.binding is not None and reading.binding.history_entries is None
    assert "not only appended to" in reading.binding.sentence
    assert not no_drift_gate(reading).ok


def test_an_old_checksum_of_a_broken_chain_is_a_mismatch(tmp_path: Path) -> None:
    entries = small.entries(5, "a" * 64)
    state = small.state({small.HISTORY: small.document(entries[:3])})
    entries[4]["action"] = "changed"
    reading = put(tmp_path, state, small.document(entries))
    assert {"HMAC_MISMATCH", "ARTIFACT_MISMATCH"} <= codes(reading)


def test_a_rewritten_beginning_is_a_mismatch(tmp_path: Path) -> None:
    """With the key the chain can be made anew, and verifies; the old checksum in the state tells."""
    state = small.state({small.HISTORY: small.history(3, "a" * 64)})
    reading = put(tmp_path, state, small.history(5, "c" * 64))
    assert reading.chain is not None and reading.chain.ok and "ARTIFACT_MISMATCH" in codes(reading)


def test_a_state_that_was_turned_back(tmp_path: Path) -> None:
    old = small.state()
    entries = small.entries(2, small.sha256(old))
    for _ in range(3):
        entries.append(small.following(entries[-1], "d" * 64))
    reading = put(tmp_path, old, small.document(entries))
    assert reading.binding is not None and reading.binding.bound_entry == 1
    assert "Entry 1 names state.json" in reading.binding.sentence and "3 later" in reading.binding.sentence


def test_entries_that_all_carry_one_old_checksum(tmp_path: Path) -> None:
    reading = put(tmp_path, small.state(), small.history(6, "e" * 64))
    assert reading.binding is not None and reading.binding.distinct == 1
    assert "All 6 entries name one and the same state" in reading.binding.sentence


def test_the_listed_history_is_found_under_another_spelling(tmp_path: Path) -> None:
    history = small.history(2, "a" * 64)
    reading = put(tmp_path, small.state({"./.trae//history.json": history}), history)
    assert reading.binding is not None and reading.binding.history_listed
    assert [item.status for item in reading.artifacts] == ["matched"]


def test_the_order_of_the_list_is_kept(tmp_path: Path) -> None:
    history = small.history(2, "a" * 64)
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    reading = put(tmp_path, small.state({"a": b"a", small.HISTORY: history, "b": b"b"}), history)
    assert [item.path for item in reading.artifacts] == ["a", small.HISTORY, "b"]


def test_a_listed_history_that_is_gone_is_missing(tmp_path: Path) -> None:
    reading = put(tmp_path, small.state({small.HISTORY: "a" * 64}), b"[]")
    assert reading.history is not None
    (tmp_path / small.HISTORY).unlink()
    reading = read(tmp_path)
    assert "ARTIFACT_MISSING" in codes(reading) and "INPUT_MISSING" in codes(reading)


LAYOUTS = [
    lambda entries: json.dumps(entries, indent=4, ensure_ascii=False).encode(),
    lambda entries: json.dumps(entries, indent=2).encode() + b"\n",
    lambda entries: json.dumps(entries, separators=(",", ":")).encode(),
    lambda entries: json.dumps({"entries": entries}, indent=4).encode(),
    lambda entries: json.dumps(entries, indent=4).replace("\n", "\r\n").encode(),
]


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=25, deadline=None)
@given(total=st.integers(1, 30), earlier=st.integers(1, 30))
def test_every_earlier_version_is_recognised_in_every_layout(layout, total: int, earlier: int) -> None:  # type: ignore[no-untyped-def]
    earlier = min(earlier, total)
    entries = small.entries(total, "a" * 64)
    source = BytesSource(layout(entries))
    index = scan_history(source, keyring=Keyring.of(small.SECRET)).index
    found = grew_from(small.sha256(layout(entries[:earlier])), index, source)
    assert found == (earlier if earlier < total else None)  # the present version is no earlier one
    assert grew_from(small.sha256(b"something else"), index, source) is None
