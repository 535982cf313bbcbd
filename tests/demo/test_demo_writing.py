"""Writing a demo: planned, refused where it would replace something, and exactly what was promised."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from devstate.demo import DemoWorkspace, demo_plan, demo_workspace, ugly_workspace, write_demo
from devstate.durable import inspect_lock
from devstate.errors import PlanRefused, PlanStale


def stands(root: Path, demo: DemoWorkspace) -> None:
    """The folder holds the demo, byte for byte, and nothing else of note."""
    for path, content in demo.files.items():
        assert (root / path).read_bytes() == content, path
    for path, target in demo.links.items():
        assert os.readlink(root / path) == target
    history = root / ".trae/history.json"
    if demo.has_history:
        assert history.read_bytes() == b"".join(demo.history_chunks())
    found = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_symlink() or path.is_file()}
    assert found - {".gitignore", ".trae/.lock"} == set(demo.paths()) - {".trae/.lock"}


@pytest.mark.parametrize("tamper", [None, "SYMLINK", "STALE_LOCK", "INPUT_MISSING", "LEFTOVER_TMP"])
def test_writes_what_it_is(tmp_path: Path, tamper: str | None) -> None:
    demo = demo_workspace(tamper=tamper, entries=20)
    root = tmp_path / "new" / "demo"
    receipt = write_demo(root, demo)
    stands(root, demo)
    assert set(receipt.applied) == {*demo.paths(), ".gitignore"}
    assert str(root) in (receipt.undo or "")


def test_writes_the_ugly_one(tmp_path: Path) -> None:
    demo = ugly_workspace()
    write_demo(tmp_path, demo)
    stands(tmp_path, demo)


def test_a_planted_lock_is_stale(tmp_path: Path) -> None:
    write_demo(tmp_path, demo_workspace(tamper="STALE_LOCK"))
    lock = inspect_lock(tmp_path / ".trae/.lock")
    assert lock is not None
    assert lock.stale
    assert not lock.alive


def test_the_plan_names_every_path_and_changes_nothing(tmp_path: Path) -> None:
    demo = ugly_workspace()
    root = tmp_path / "demo"
    plan = demo_plan(root, demo)
    assert {target.path for target in plan.targets} == {*demo.paths(), ".gitignore"}
    assert not root.exists()


def test_another_seed_is_another_plan(tmp_path: Path) -> None:
    """Also where only the history differs, which the plan does not hold."""
    plan = demo_plan(tmp_path, demo_workspace(seed=1))
    with pytest.raises(PlanStale):
        write_demo(tmp_path, demo_workspace(seed=2), plan=plan)
    assert not list(tmp_path.iterdir())


def test_refuses_a_workspace(tmp_path: Path) -> None:
    (tmp_path / ".trae").mkdir()
    with pytest.raises(PlanRefused, match="holds a workspace already"):
        write_demo(tmp_path, demo_workspace())
    assert os.listdir(tmp_path / ".trae") == []


@pytest.mark.parametrize("kind", ["file", "link"])
def test_refuses_to_replace_files(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "README.md"
    if kind == "file":
        place.write_text("mine")
    else:
        place.symlink_to("elsewhere")
    with pytest.raises(PlanRefused):
        write_demo(tmp_path, demo_workspace())
    assert os.listdir(tmp_path) == ["README.md"]


def test_refuses_to_replace_by_a_link(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/architecture.md").write_text("mine")
    with pytest.raises(PlanRefused, match=r"docs/architecture\.md"):
        write_demo(tmp_path, demo_workspace(tamper="SYMLINK"))
    assert (tmp_path / "docs/architecture.md").read_text() == "mine"


def test_adds_to_a_gitignore(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("build/\n")
    write_demo(tmp_path, demo_workspace())
    lines = (tmp_path / ".gitignore").read_text().splitlines()
    assert lines[0] == "build/"
    assert ".trae/.lock" in lines


def test_a_plan_that_is_old_is_not_carried_out(tmp_path: Path) -> None:
    demo = demo_workspace(entries=20)
    plan = demo_plan(tmp_path, demo)
    (tmp_path / ".gitignore").write_text("build/\n")
    with pytest.raises(PlanStale):
        write_demo(tmp_path, demo, plan=plan)
    assert os.listdir(tmp_path) == [".gitignore"]
