"""Workspaces for the command's tests, and a way to run it in this process, which is faster than its own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from command_runs import Run
from devstate.demo import demo_workspace, write_demo
from devstate_cli.__main__ import main

Call = Callable[..., Run]

_VARIABLES = (
    *(
        "BEAMLINE_HMAC_SECRET",
        "HMAC_SECRET",
        "ALLOW_DEFAULT_HMAC_SECRET",
        "CI",
        "GITHUB_ACTIONS",
        "GITLAB_CI",
    ),
    *("DRONE", "PRODUCTION", "NO_COLOR", "COLUMNS", "TERM"),
)


@pytest.fixture(scope="session")
def demo_original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("original") / "demo"
    write_demo(root, demo_workspace(entries=24))
    return root


@pytest.fixture
def demo(demo_original: Path, tmp_path: Path) -> Path:
    """A copy of a demo workspace of 24 entries, as the current folder."""
    root = tmp_path / "demo"
    shutil.copytree(demo_original, root)
    return root


@pytest.fixture
def broken(demo: Path) -> Path:
    """The same with a changed action in entry 7."""
    path = demo / ".trae/history.json"
    entries = json.loads(path.read_text("utf-8"))
    entries[7]["action"] = "gate_override"
    path.write_text(json.dumps(entries, indent=4, ensure_ascii=False), "utf-8")
    return demo


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """Run the command in this process: `call(*arguments, cwd=..., env={...})`."""

    def run(*arguments: object, cwd: Path | None = None, env: dict[str, str] | None = None) -> Run:
        with monkeypatch.context() as patch:
            for name in _VARIABLES:
                patch.delenv(name, raising=False)
            for name, value in {"HOME": str(tmp_path), **(env or {})}.items():
                patch.setenv(name, value)
            patch.chdir(cwd or (tmp_path / "demo" if (tmp_path / "demo").is_dir() else tmp_path))
            capsys.readouterr()
            status = main(
                [
                    os.fspath(argument) if isinstance(argument, Path) else str(argument)
                    for argument in arguments
                ]
            )
            captured = capsys.readouterr()
            return Run(status, captured.out, captured.err)

    return run
