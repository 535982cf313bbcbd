"""A reading of a sound workspace: what it holds, and that it stays what it is."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

import small_workspace as small
from devstate.clock import FixedClock
from devstate.findings import Severity
from devstate.settings import Secret, SecretSource, Settings
from devstate.workspace import Reading, Workspace

SETTINGS = Settings(secrets=SecretSource(value=Secret(small.SECRET), origin="test"))


def read(root: Path, **options: object) -> Reading:
    with Workspace.open(str(root), settings=SETTINGS, clock=FixedClock("2026-02-01T00:00:00Z")) as workspace:
        return workspace.read(**options)  # type: ignore[arg-type]


def test_a_sound_workspace(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 5, {"docs/a.md": b"alpha", "b.txt": b"beta"})
    reading = read(root)
    assert reading.ok and not reading.unreadable
    assert [f for f in reading.findings if f.severity is not Severity.INFO] == []
    assert reading.root == str(root) and reading.taken_at == "2026-02-01T00:00:00Z"
    assert reading.state is not None and reading.state.document is not None
    assert reading.state.raw == (root / small.STATE).read_bytes()
    assert reading.state.sha256 == small.sha256(reading.state.raw)
    assert reading.state.document.project == "small"
    assert reading.chain is not None and reading.chain.ok and reading.chain.letters == b"GGGGG"
    assert reading.history is not None and len(reading.history) == 5
    assert reading.history.entry(4).action == "step_4"
    assert [entry.index for entry in reading.history.entries(1, 3)] == [1, 2]
    assert [entry.index for entry in reading.history.entries(3)] == [3, 4]
    assert reading.history.entries(2, 99)[-1].index == 4
    assert [(a.path, a.status) for a in reading.artifacts] == [("docs/a.md", "matched"), ("b.txt", "matched")]
    assert reading.binding is not None and reading.binding.bound and reading.binding.bound_entry == 4
    assert reading.store.backend == "files" and reading.locks == () and reading.leftovers == ()


def test_revisions_count_up(tmp_path: Path) -> None:
    with Workspace.open(str(small.make(tmp_path / "w")), settings=SETTINGS) as workspace:
        assert [workspace.read().revision for _ in range(3)] == [1, 2, 3]


def test_a_reading_keeps_its_history_when_the_file_is_replaced(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 3)
    reading = read(root)
    small.replace(root / small.HISTORY, b"[]")
    assert reading.history is not None and reading.history.entry(2).action == "step_2"


def test_an_old_reading_gives_its_descriptor_back(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    with Workspace.open(str(root), settings=SETTINGS) as workspace:
        workspace.read().close()
        gc.collect()
        before = (
            len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else len(os.listdir("/dev/fd"))
        )
        for _ in range(20):
            workspace.read()
        gc.collect()
        after = (
            len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else len(os.listdir("/dev/fd"))
        )
    assert after == before


def test_the_scope_of_verify_leaves_out_what_it_does_not_judge(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 3, {"a": b"alpha"}, no_drift=False)
    (root / "a").write_bytes(b"changed")
    (root / ".trae/state.json.tmp").write_bytes(b"left")
    everything, chain = read(root), read(root, scope="chain")
    assert {"ARTIFACT_MISMATCH", "NO_DRIFT_FALSE", "LEFTOVER_TMP"} <= {f.code for f in everything.findings}
    assert not {"ARTIFACT_MISMATCH", "NO_DRIFT_FALSE", "LEFTOVER_TMP"} & {f.code for f in chain.findings}
    assert chain.artifacts == () and chain.ok


def test_findings_come_gravest_first(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 3, {"a": b"alpha"}, no_drift=False)
    (root / "a").unlink()
    (root / ".trae/state.json.tmp").write_bytes(b"left")
    ranks = [list(Severity).index(finding.severity) for finding in read(root).findings]
    assert ranks == sorted(ranks) and set(ranks) == {0, 1, 2}


def test_no_settings_means_those_of_the_environment_and_the_folder(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    (root / "devstate.toml").write_text('actor = "somebody"\n')
    with Workspace.open(str(root), environ={"BEAMLINE_HMAC_SECRET": small.SECRET.decode()}) as workspace:
        assert workspace.settings.actor == "somebody" == workspace.actor
        assert workspace.read().ok


def test_a_closed_workspace_says_so(tmp_path: Path) -> None:
    from devstate.errors import UsageError

    workspace = Workspace.open(str(small.make(tmp_path / "w")), settings=SETTINGS)
    workspace.close()
    with pytest.raises(UsageError, match="closed"):
        workspace.read()


def test_a_large_reading_reports_progress_and_can_be_cancelled(tmp_path: Path) -> None:
    from devstate.chain import VerificationCancelled

    root = small.make(tmp_path / "w", 3000)
    with Workspace.open(str(root), settings=SETTINGS) as workspace:
        seen: list[int] = []
        reading = workspace.read(on_progress=lambda progress: seen.append(progress.bytes_done))
        assert seen == sorted(seen) and seen[-1] <= reading.history.size  # type: ignore[union-attr]
        assert len(seen) >= 2
        with pytest.raises(VerificationCancelled):
            workspace.read(cancelled=lambda: True)


def test_two_processes_read_the_same(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w", 2000)
    one, two = read(root, jobs=1), read(root, jobs=2)
    assert one.chain == two.chain


def test_a_store_is_named(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    (root / ".trae/store/wal").mkdir(parents=True)
    position = read(root).store
    assert position.backend == "embedded" and position.path == str(root / ".trae/store")
    with Workspace.open(str(root), settings=SETTINGS, db=str(tmp_path / "elsewhere")) as workspace:
        assert workspace.read().store.backend == "files"


def test_the_lock_of_another_process_is_shown(tmp_path: Path) -> None:
    from devstate.durable import current_holder, hold_lock

    root = small.make(tmp_path / "w")
    with hold_lock(root / ".trae/.lock", holder=current_holder("history append")):
        reading = read(root)
    assert [lock.held for lock in reading.locks] == [True]
    assert reading.locks[0].holder is not None and reading.locks[0].holder.command == "history append"
    assert read(root).locks == ()  # the file stays, and names nobody


def test_a_lock_of_a_dead_process_is_stale(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    (root / ".trae/.lock").write_bytes(
        b'{"holder":{"pid":4194000,"host":"elsewhere","user":"u","command":"sync"},"since":"2026-01-01T00:00:00Z"}'
    )
    reading = read(root)
    assert [lock.stale for lock in reading.locks] == [True]
    assert [f.severity for f in reading.findings if f.code == "STALE_LOCK"] == [Severity.WARNING]
