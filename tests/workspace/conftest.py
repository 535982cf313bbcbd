from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def public_path() -> Iterator[Path]:
    """A folder that other users can reach; pytest's own lie in one that they cannot."""
    path = Path(tempfile.mkdtemp(prefix="devstate-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)
