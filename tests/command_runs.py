"""Running the `devstate` command as a user does: its own process, a clean environment, no terminal."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["COMMAND", "Run", "clean_environment", "devstate", "entries_of", "start", "write_entries"]

COMMAND = (sys.executable, "-m", "devstate_cli")


class Run(NamedTuple):
    """What a call gave; `document` parses stdout, which has to be exactly one JSON document."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)

    @property
    def codes(self) -> set[str]:
        return {finding["code"] for finding in self.document["findings"]}


def clean_environment(home: Path | str, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Nothing of the machine's settings, but the import path of this process."""
    imports = os.pathsep.join(os.path.abspath(path) for path in sys.path if path)
    kept = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": imports}
    return {**kept, "HOME": str(home), "LC_ALL": "C.UTF-8", **(more or {})}


def devstate(
    *arguments: str | Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: str = "",
    timeout: float = 60,
) -> Run:
    """Run the command in `cwd`."""
    done = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=clean_environment(cwd, env),
        input=stdin.encode(),
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    return Run(done.returncode, done.stdout.decode(), done.stderr.decode())


def start(*arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    """Start the command and let it run; the caller ends it."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd,
        env=clean_environment(cwd, env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def entries_of(root: Path) -> list[dict[str, Any]]:
    """The entries of a workspace's history."""
    return json.loads((root / ".trae/history.json").read_text("utf-8"))


def write_entries(root: Path, entries: object) -> None:
    """Write them in the reference serialisation."""
    text = json.dumps(entries, indent=4, ensure_ascii=False)
    (root / ".trae/history.json").write_text(text, "utf-8")
