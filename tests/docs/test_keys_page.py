"""docs/reference/keys.md is the inspector's list of actions, as `make docs` writes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from devstate_tui.actions import ACTIONS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/reference/keys.md"


def written(tmp_path: Path) -> str:
    """What the script writes, in a copy of the repository's layout."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "docs/reference").mkdir(parents=True)
    script = tmp_path / "scripts/keys_page.py"
    script.write_text((ROOT / "scripts/keys_page.py").read_text("utf-8"), "utf-8")
    subprocess.run([sys.executable, str(script)], check=True, timeout=60)
    return (tmp_path / "docs/reference/keys.md").read_text("utf-8")


def test_the_page_is_the_list_of_the_inspector(tmp_path: Path) -> None:
    assert PAGE.read_text("utf-8") == written(tmp_path), "run `make docs`"


def test_each_action_with_a_key_is_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    for action in ACTIONS:
        assert (f"| {action.description} | `{action.id}` |" in text) == bool(action.keys)
