"""A copy of the repository to patch, and running some of its tests: what planted defects and mutants share."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

__all__ = ["GREEN", "RED", "ROOT", "TIMED_OUT", "copy_repository", "environment", "run"]

ROOT = Path(__file__).parents[2]
COPIED = ("core", "cli", "tui", "tests", "data", "docs", "scripts", "pyproject.toml", "README.md")

# What pytest ends with: all passed, some failed. Anything else means that the tests did not run.
GREEN, RED = 0, 1
TIMED_OUT = -1

# A patched loop may never end and take memory meanwhile: the address space is bounded, then pytest begins.
_BOUNDED = (
    "import resource, sys, pytest; resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30)); "
    "sys.exit(pytest.main(sys.argv[1:]))"
)


def copy_repository(target: Path) -> Path:
    """The repository as it stands, in a folder of its own, which must not exist yet."""
    target.mkdir()
    ignored = shutil.ignore_patterns("__pycache__", "planted", ".*", "snapshots")
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=ignored, symlinks=True)
        elif source.exists():
            shutil.copy2(source, target / name)
    return target


def environment(copy: Path) -> dict[str, str]:
    """Imports come from the copy, and leave nothing that a later patch would not be seen through."""
    paths = [str(copy / name) for name in ("core", "cli", "tui")]
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "DEVSTATE_"))
    }
    return {**kept, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}


def run(
    copy: Path, tests: Iterable[str], *, seconds: float = 300.0, options: Iterable[str] = ()
) -> tuple[int, str]:
    """Run some tests of the copy, to the first that fails; pytest's status (or TIMED_OUT) and what it printed."""
    command = [sys.executable, "-c", _BOUNDED, "-x", "-q", "-p", "no:cacheprovider", "--no-header", *options]
    process = subprocess.Popen(
        [*command, *(f"tests/{name}" for name in tests)],
        cwd=copy,
        env=environment(copy),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        printed, complained = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # its children too
        process.communicate()
        return TIMED_OUT, f"not done after {seconds:.0f} s"
    return process.returncode, printed[-3000:] + complained[-1000:]
