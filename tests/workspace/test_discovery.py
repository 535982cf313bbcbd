"""Which workspace a folder belongs to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import small_workspace as small
from devstate.errors import InputUnreadable, UsageError, WorkspaceNotFound
from devstate.workspace import Workspace, find_root, load_workspace_settings


def test_the_root_and_every_folder_below_it(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    deep = root / "a/b/c"
    deep.mkdir(parents=True)
    for start in (root, deep, root / ".trae", root / "a/../a"):
        assert find_root(str(start)) == str(root)


def test_the_nearest_one_counts(tmp_path: Path) -> None:
    outer = small.make(tmp_path / "outer")
    inner = small.make(outer / "inner")
    (inner / "x").mkdir()
    assert find_root(str(inner / "x")) == str(inner) and find_root(str(outer)) == str(outer)


def test_the_current_folder_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = small.make(tmp_path / "w")
    (root / "a").mkdir()
    monkeypatch.chdir(root / "a")
    assert find_root() == str(root) == find_root("..")
    with Workspace.open(environ={}) as workspace:
        assert workspace.root == str(root)


def test_a_link_to_a_folder_inside(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    (tmp_path / "link").symlink_to(root)
    assert find_root(str(tmp_path / "link")) == str(tmp_path / "link")


def test_there_is_none(tmp_path: Path) -> None:
    for start in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(WorkspaceNotFound) as caught:
            find_root(str(start))
        assert caught.value.remedy and str(start) in str(caught.value)


def test_absent_may_be_accepted(tmp_path: Path) -> None:
    with Workspace.open(str(tmp_path / "later"), environ={}, absent_ok=True) as workspace:
        assert workspace.root == str(tmp_path / "later")


def test_settings_come_from_the_root(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    (root / "devstate.toml").write_text('jobs = 2\nkeyring = "keys/ring.json"\n')
    settings = load_workspace_settings(str(root), environ={"DEVSTATE_ACTOR": "a"}, flags={"jobs": 3})
    assert (settings.jobs, settings.actor) == (3, "a")
    assert settings.secrets.keyring == os.path.join(root, "keys/ring.json")


def test_settings_that_cannot_be_read_are_no_defaults(tmp_path: Path) -> None:
    root = small.make(tmp_path / "w")
    (root / "devstate.toml").mkdir()
    with pytest.raises(InputUnreadable):
        load_workspace_settings(str(root), environ={})
    (root / "devstate.toml").rmdir()
    (root / "devstate.toml").write_text("jobs = 'many'")
    with pytest.raises(UsageError, match="jobs"):
        load_workspace_settings(str(root), environ={})
