"""data/: the sample documents are those of a demo, and the lines of their README hold."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from devstate.demo import demo_workspace

ROOT = Path(__file__).parents[2]
DATA = ROOT / "data"


def test_samples_are_those_of_the_demo() -> None:
    demo = demo_workspace(entries=12)
    assert (DATA / "state.sample.json").read_bytes() == demo.files[".trae/state.json"]
    assert (DATA / "history.sample.json").read_bytes() == b"".join(demo.history_chunks())


def test_the_lines_of_the_readme_hold() -> None:
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    assert len(code) == 1
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code[0]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
