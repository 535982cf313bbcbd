"""Plans and what becomes of them: what is shown is what is done, and to nothing but what it was made on."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from pathlib import Path

import pytest

import small_workspace as small
from devstate.clock import FixedClock
from devstate.durable import OS, current_holder, hold_lock
from devstate.errors import KeyMissing, PlanRefused, PlanStale, StateLockHeld, StorageFault, UsageError
from devstate.plans import Plan
from devstate.settings import Secret, SecretSource, Settings
from devstate.workspace import Workspace, plan_files
from python_child import run_python

SETTINGS = Settings(secrets=SecretSource(value=Secret(small.SECRET), origin="test"), actor="tester")


def opened(root: Path, settings: Settings = SETTINGS) -> Workspace:
    return Workspace.open(
        str(root), settings=settings, absent_ok=True, clock=FixedClock("2026-03-04T05:06:07Z")
    )


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_init_makes_a_workspace_that_verifies(tmp_path: Path) -> None:
    root = tmp_path / "proj"
    with opened(root) as workspace:
        plan = workspace.plan_init()
        assert not root.exists()  # planning changes nothing
        receipt = workspace.apply(plan)
        reading = workspace.read()
    assert receipt.applied == (".gitignore", small.STATE, small.HISTORY)
    assert reading.ok and reading.binding is not None and reading.binding.bound
    assert reading.state is not None and reading.state.document is not None
    document = reading.state.document
    assert (document.project, document.current_cp, document.no_drift) == ("proj", "CP0-LC", True)
    assert document.document["artifact_checksums"] == [] and document.updated_at == "2026-03-04T05:06:07Z"
    entry = reading.history.entry(0) if reading.history else None
    assert entry is not None and (entry.actor, entry.action, entry.cp_to) == (
        "tester",
        "init_workspace",
        "CP0-LC",
    )
    assert entry.cp_from is None and entry.hmac_prev == "" and entry.ts == "2026-03-04T05:06:07Z"


def test_init_is_the_same_twice(tmp_path: Path) -> None:
    plans: list[Plan] = []
    for _ in range(2):
        with opened(tmp_path / "proj") as workspace:
            plans.append(workspace.plan_init())
    assert plans[0] == plans[1] and len(plans[0].id) == 12


def test_init_does_what_the_plan_says(tmp_path: Path) -> None:
    root = tmp_path / "proj"
    with opened(root) as workspace:
        plan = workspace.plan_init(project="named", actor="someone")
        workspace.apply(plan)
    after = content(root)
    assert {target.path for target in plan.targets} | {".trae/.lock"} == set(after)
    for target in plan.targets:
        assert target.before is None and target.after == f"sha256:{small.sha256(after[target.path])}"
        assert target.content == after[target.path]
    assert json.loads(after[small.STATE])["project"] == "named"


def test_the_documents_are_in_the_reference_form(tmp_path: Path) -> None:
    with opened(tmp_path) as workspace:
        workspace.apply(workspace.plan_init(project="Ωmega"))
    for path in (small.STATE, small.HISTORY):
        data = (tmp_path / path).read_bytes()
        assert data == small.document(json.loads(data))


@pytest.mark.parametrize("document", [small.STATE, small.HISTORY])
def test_init_refuses_where_a_document_is(tmp_path: Path, document: str) -> None:
    (tmp_path / ".trae").mkdir()
    (tmp_path / document).write_bytes(b"mine")
    with opened(tmp_path) as workspace, pytest.raises(PlanRefused) as caught:
        workspace.plan_init()
    assert caught.value.exit_code == 8 and caught.value.remedy
    assert content(tmp_path) == {document: b"mine"}


def test_init_lives_with_other_files_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / ".trae").mkdir()
    (tmp_path / ".trae/mcp.json").write_bytes(b"{}")
    with opened(tmp_path) as workspace:
        workspace.apply(workspace.plan_init())
        assert workspace.read().ok
    assert (tmp_path / ".trae/mcp.json").read_bytes() == b"{}"


def test_init_refuses_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / ".trae").write_bytes(b"")
    with opened(tmp_path) as workspace, pytest.raises(PlanRefused):
        workspace.plan_init()


def test_init_says_that_the_key_is_public(tmp_path: Path) -> None:
    with opened(tmp_path, Settings()) as workspace:
        assert any("public" in warning for warning in workspace.plan_init().warnings)
    with opened(tmp_path) as workspace:
        assert workspace.plan_init().warnings == ()


def test_init_needs_a_key_in_ci(tmp_path: Path) -> None:
    with opened(tmp_path, Settings(environment="ci")) as workspace, pytest.raises(KeyMissing) as caught:
        workspace.plan_init()
    assert "BEAMLINE_HMAC_SECRET" in caught.value.remedy


def test_init_inside_another_workspace_is_pointed_out(tmp_path: Path) -> None:
    outer = small.make(tmp_path / "outer")
    inner = outer / "inner"
    inner.mkdir()
    with Workspace(str(inner), settings=SETTINGS) as workspace:
        assert any(str(outer) in warning for warning in workspace.plan_init().warnings)


def test_what_git_is_told_to_ignore_it_ignores(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_bytes(b"*.pyc\r\n/build")
    with opened(tmp_path) as workspace:
        workspace.apply(workspace.plan_init())
    assert (tmp_path / ".gitignore").read_bytes().startswith(b"*.pyc\r\n/build\r\n")
    (tmp_path / ".trae/store/wal").mkdir(parents=True)
    (tmp_path / ".trae/leftovers").mkdir()
    for path in ("store/wal/1", ".state.json.12-0123456789ab.tmp", "state.json.tmp", "leftovers/x"):
        (tmp_path / ".trae" / path).write_bytes(b"x")
    git = ["git", "-C", str(tmp_path)]
    subprocess.run([*git, "init", "-q"], check=True)
    listed = subprocess.run(
        [*git, "ls-files", "--others", "--exclude-standard"], check=True, capture_output=True, text=True
    ).stdout.split()
    assert listed == [".gitignore", small.HISTORY, small.STATE]


def test_a_gitignore_that_has_the_lines_stays(tmp_path: Path) -> None:
    with opened(tmp_path / "one") as workspace:
        workspace.apply(workspace.plan_init())
    text = (tmp_path / "one/.gitignore").read_bytes()
    (tmp_path / "two").mkdir()
    (tmp_path / "two/.gitignore").write_bytes(text)
    with opened(tmp_path / "two") as workspace:
        assert ".gitignore" not in [target.path for target in workspace.plan_init().targets]


def test_a_plan_goes_stale(tmp_path: Path) -> None:
    with opened(tmp_path) as workspace:
        plan = workspace.plan_init()
        (tmp_path / ".trae").mkdir()
        (tmp_path / small.STATE).write_bytes(b"somebody was faster")
        with pytest.raises(PlanStale) as caught:
            workspace.apply(plan)
    assert caught.value.exit_code == 8
    assert {path: data for path, data in content(tmp_path).items() if path != ".trae/.lock"} == {
        small.STATE: b"somebody was faster"
    }


def test_a_changed_file_is_replaced_and_its_undo_named(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    new = small.state(current_cp="CP2-LC")
    with opened(root) as workspace:
        plan = plan_files(str(root), {small.STATE: new, "notes/new.md": b"hello\n"}, action="test")
        receipt = workspace.apply(plan)
    assert (root / small.STATE).read_bytes() == new and (root / "notes/new.md").read_bytes() == b"hello\n"
    assert [target.path for target in plan.targets] == ["notes/new.md", small.STATE]
    assert '-    "current_cp": "CP1-LC"' in plan.targets[1].diff
    assert receipt.undo is not None and "remove notes/new.md" in receipt.undo and small.STATE in receipt.undo


def test_what_is_there_already_is_not_planned(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    assert plan_files(str(root), {small.STATE: (root / small.STATE).read_bytes()}, action="t").targets == ()


def test_a_plan_for_somewhere_else_is_refused(tmp_path: Path) -> None:
    with opened(tmp_path / "a") as a, opened(tmp_path / "b") as b, pytest.raises(UsageError):
        b.apply(a.plan_init())


@pytest.mark.parametrize("path", ["../out", "/etc/out", "a/../../out", "a//b", "", "./a"])
def test_a_path_outside_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(PlanRefused):
        plan_files(str(tmp_path), {path: b"x"}, action="t")


def test_a_link_on_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "w/link").symlink_to(tmp_path / "out")
    with pytest.raises(PlanRefused, match="symbolic link"):
        plan_files(str(tmp_path / "w"), {"link/x": b"x"}, action="t")


def test_a_large_content_is_made_while_it_is_written(tmp_path: Path) -> None:
    calls: list[int] = []

    def blocks() -> list[bytes]:
        calls.append(1)
        return [b"[", b"1" * 1000, b"]"]

    with opened(tmp_path) as workspace:
        plan = plan_files(str(tmp_path), {small.HISTORY: blocks, small.STATE: b"{}"}, action="demo")
        assert calls == [] and plan.targets[-1].after is None
        with pytest.raises(PlanRefused):
            workspace.apply(plan)
        workspace.apply(plan, contents={small.HISTORY: blocks})
    assert (tmp_path / small.HISTORY).read_bytes() == b"[" + b"1" * 1000 + b"]" and calls == [1]


def test_leftovers_are_set_aside_and_named(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    (root / ".trae/state.json.tmp").write_bytes(b"half")
    with opened(root) as workspace:
        assert workspace.read().leftovers == (".trae/state.json.tmp",)  # reading leaves it alone
        receipt = workspace.apply(plan_files(str(root), {"new": b"x"}, action="t"))
        assert workspace.read().leftovers == ()
    assert receipt.set_aside == (".trae/leftovers/state.json.tmp",)
    assert (root / ".trae/leftovers/state.json.tmp").read_bytes() == b"half"


def test_a_held_lock_is_waited_for_and_then_named(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    before = content(root)
    plan = plan_files(str(root), {"new": b"x"}, action="t")
    with (
        hold_lock(root / ".trae/.lock", holder=current_holder("sync")),
        opened(root) as workspace,
        pytest.raises(StateLockHeld) as caught,
    ):
        workspace.apply(plan, wait=0.05)
    assert "sync" in caught.value.holder and caught.value.exit_code == 6
    assert {path: data for path, data in content(root).items() if path != ".trae/.lock"} == before


def test_a_full_disk_in_the_middle_says_what_was_written(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    plan = plan_files(str(root), {"a": b"one", "b": b"two"}, action="t")

    class Full:
        def __getattr__(self, name: str) -> object:
            return getattr(OS, name)

        def write(self, fd: int, data: bytes) -> int:
            if bytes(data) == b"two":
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return OS.write(fd, data)

    with (
        Workspace.open(str(root), settings=SETTINGS, files=Full()) as workspace,  # type: ignore[arg-type]
        pytest.raises(StorageFault) as caught,
    ):
        workspace.apply(plan)
    assert "written before that: a" in str(caught.value) and "remove a" in caught.value.remedy
    assert (root / "a").exists() and not (root / "b").exists()


_INIT_AS_NOBODY = """
import difflib, os, pwd, sys
import devstate.workspace.applying, devstate.workspace.initial
from devstate.workspace import Workspace
from devstate.settings import Settings
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    with Workspace.open(sys.argv[1], settings=Settings(), absent_ok=True) as workspace:
        workspace.apply(workspace.plan_init())
except Exception as error:
    print(type(error).__name__, error.exit_code, bool(error.remedy))
"""


def test_a_read_only_folder_refuses_a_change(public_path: Path) -> None:
    (public_path / "w").mkdir(mode=0o555)
    assert run_python(_INIT_AS_NOBODY, str(public_path / "w")).split() == ["StorageFault", "5", "True"]
    assert list((public_path / "w").iterdir()) == []
