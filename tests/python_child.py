"""Python in a process of its own, with the import path of this one."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any


def child_environment(**more: str) -> dict[str, str]:
    """The environment for a child that imports what this process can."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **more}


def start_python(code: str, *arguments: str, **options: Any) -> subprocess.Popen[str]:
    """Start `code` with pipes for input and output, as text."""
    options.setdefault("stderr", subprocess.PIPE)
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=child_environment(),
        **options,
    )


def run_python(code: str, *arguments: str, **options: Any) -> str:
    """Run `code` to its end; what it printed. Fails the test where it fails."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=child_environment(),
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
