"""Every command of the guides is run, and prints what the page shows.

A block that begins with ```console holds commands after `$ ` and what they print; a line `...`, or `...` at the
end of a line, stands for anything. All blocks of a page run in one shell, in one folder.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from command_runs import clean_environment, devstate

ROOT = Path(__file__).parents[2]

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "--- end of a command ---"


class Step(NamedTuple):
    command: str
    printed: tuple[str, ...]


def steps_of(page: str) -> list[Step]:
    steps: list[Step] = []
    for block in BLOCK.findall((ROOT / page).read_text("utf-8")):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE):
            if part:
                command, *printed = part.splitlines()
                steps.append(Step(command, tuple(line.rstrip() for line in printed)))
    return steps


def pages() -> Iterator[str]:
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        page = str(path.relative_to(ROOT))
        if steps_of(page):
            yield page


def place(page: str, folder: Path) -> Path:
    """The folder that a reader of the page is in."""
    if page == "docs/guide/getting-started.md":
        return folder
    assert devstate("init", "demo", "--demo", "--yes", cwd=folder).status == 0
    if page == "README.md":
        history = folder / "demo/.trae/history.json"
        text = history.read_text("utf-8")
        history.write_text(text.replace("2026-05-22T08:58:14Z", "2026-05-22T08:58:15Z"), "utf-8")
    return folder / "demo"


def run(steps: list[Step], folder: Path, programs: Path) -> list[list[str]]:
    """What each command printed."""
    programs.mkdir()
    for name, call in (
        ("devstate", [sys.executable, "-m", "devstate_cli"]),
        ("python3", [sys.executable]),
    ):
        (programs / name).write_text(f'#!/bin/sh\nexec {shlex.join(call)} "$@"\n')
        (programs / name).chmod(0o755)
    environment = clean_environment(folder)
    environment["PATH"] = f"{programs}{os.pathsep}{environment['PATH']}"
    script = "\n".join(f"{step.command}\necho {shlex.quote(MARK)}" for step in steps)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=100,
        check=False,
    )
    parts = done.stdout.decode().split(f"{MARK}\n")
    assert parts.pop() == ""
    return [[line.rstrip() for line in part.splitlines()] for part in parts]


def matches(shown: tuple[str, ...], printed: list[str]) -> bool:
    pattern = ""
    for line in shown:
        if line == "...":
            pattern += r"(?:.*\n)*?"
        elif line.endswith(" ..."):
            pattern += re.escape(line[:-3]) + ".*\n"
        else:
            pattern += re.escape(line) + "\n"
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed)) is not None


@pytest.mark.parametrize("page", list(pages()))
def test_the_commands_of_a_page_print_what_it_shows(page: str, tmp_path: Path) -> None:
    steps = steps_of(page)
    (tmp_path / "work").mkdir()
    outputs = run(steps, place(page, tmp_path / "work"), tmp_path / "programs")
    assert len(outputs) == len(steps)
    for step, printed in zip(steps, outputs, strict=True):
        assert matches(step.printed, printed), "\n".join([f"{page}: $ {step.command}", *printed])


def test_the_getting_started_guide_has_its_commands() -> None:
    """The pattern of blocks finds what is there."""
    commands = [step.command for step in steps_of("docs/guide/getting-started.md")]
    assert commands[0] == "devstate init demo --demo --yes"
    assert len(commands) > 10
    assert matches(("a", "...", "d ..."), ["a", "b", "c", "d e"])
    assert not matches(("a", "c"), ["a", "b", "c"])
