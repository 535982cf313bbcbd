"""What the benchmarks read: demo histories and workspaces, made anew in a temporary folder."""

from __future__ import annotations

import json
from pathlib import Path

from devstate.demo import demo_workspace, write_demo

SEED = 7


def history(folder: Path, entries: int) -> Path:
    """A history in the reference serialisation (indent 4), valid under the public default secret."""
    path = folder / f"history-{entries}.json"
    if not path.exists():
        with path.open("wb") as file:
            for chunk in demo_workspace(entries=entries, seed=SEED).history_chunks():
                file.write(chunk)
    return path


def in_style(source: Path, name: str) -> Path:
    """The same entries written in another way; `irregular` has sorted members, as `sort_keys` gives them."""
    path = source.with_name(f"{source.stem}-{name.replace(' ', '-')}.json")
    if not path.exists():
        value = json.loads(source.read_bytes())
        styles = {
            "indent 2": {"indent": 2},
            "compact": {"separators": (",", ":")},
            "irregular": {"indent": 4, "sort_keys": True},
        }
        path.write_text(json.dumps(value, ensure_ascii=False, **styles[name]), "utf-8")
    return path


def workspace(folder: Path, entries: int) -> Path:
    """A demo workspace with a valid history."""
    root = folder / f"workspace-{entries}"
    if not root.exists():
        write_demo(root, demo_workspace(entries=entries, seed=SEED))
    return root
