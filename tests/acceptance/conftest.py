"""What the scenarios of the inspector start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from devstate.demo import demo_workspace, ugly_workspace, write_demo


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def ugly(tmp_path: Path) -> str:
    write_demo(str(tmp_path / "ugly"), ugly_workspace())
    return str(tmp_path / "ugly")


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    write_demo(str(tmp_path / "demo"), demo_workspace())
    return tmp_path / "demo"
