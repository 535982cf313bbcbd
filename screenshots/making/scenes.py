"""The scenes: which workspace, which keys, and what must be on the screen before the picture is taken."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from devstate_tui.crash import crash_message

from .stage import ENTRIES, Hold, See, Stage, Step
from .terminal import printed, terminal_svg

__all__ = ["Picture", "pictures"]

_MIDDLE = ENTRIES // 2
_BROKEN = f"Entry {_MIDDLE:,}"
_ALL = (("dark", 120, 40), ("light", 120, 40), ("dark", 80, 24), ("nocolor", 80, 24))
_WIDE = (("dark", 120, 40),)
_SMALL = (("dark", 80, 24),)
_TERMINAL = 100  # columns
_PROMPT = "\x1b[1m$\x1b[0m "


@dataclass(frozen=True)
class Picture:
    """One picture: `take` makes its SVG."""

    name: str
    heading: str
    sentence: str
    take: Callable[[Stage], str]


@dataclass(frozen=True)
class _Scene:
    name: str
    heading: str
    sentence: str
    workspace: str
    steps: tuple[Step, ...]
    forms: tuple[tuple[str, int, int], ...]


_TO_BROKEN: tuple[Step, ...] = ("2", See(_BROKEN))
_FILTER = "actor:AGENT_3 action~router"

_SCENES = (
    _Scene(
        "overview",
        "Overview",
        "every entry verifies; the four answers and what they rest on",
        "good",
        (See("VERIFIED"),),
        _ALL,
    ),
    _Scene(
        "overview-broken",
        "Overview",
        "one entry was changed after it was signed",
        "broken",
        (See("BROKEN"),),
        (("dark", 120, 40), ("dark", 80, 24), ("dark", 60, 20)),
    ),
    _Scene(
        "overview-missing",
        "Overview",
        "there is no history.json",
        "missing",
        (See("INPUT_MISSING"),),
        _WIDE,
    ),
    _Scene(
        "overview-ugly",
        "Overview",
        "a neglected workspace: everything at once",
        "ugly",
        (See("BROKEN"),),
        _WIDE,
    ),
    _Scene("chain", "Chain", "all entries, the newest selected", "good", ("2", See("Entry")), _WIDE),
    _Scene(
        "chain-broken",
        "Chain",
        "the first break selected: what is stored, what is computed, what is covered",
        "broken",
        _TO_BROKEN,
        _ALL,
    ),
    _Scene(
        "chain-broken",
        "Chain",
        "the same on a narrow terminal",
        "broken",
        ("2", See("first break")),
        (("dark", 60, 20),),
    ),
    _Scene(
        "chain-ugly",
        "Chain",
        "a text that would turn the writing direction is shown escaped",
        "ugly",
        ("2", See("Entry 160"), "#", See("Cancel"), "8", "5", "enter", See("Entry 85")),
        _WIDE,
    ),
    _Scene(
        "filter",
        "Chain",
        "the entries that match a filter",
        "good",
        ("2", See("Entry"), "/", *_FILTER, "enter", See(" of 12,000")),
        _WIDE,
    ),
    _Scene(
        "explain",
        "Chain",
        "the very bytes that the HMAC of an entry covers",
        "broken",
        (*_TO_BROKEN, "e", See("Close")),
        _WIDE,
    ),
    _Scene(
        "goto",
        "Chain",
        "to an entry by number, share or time",
        "broken",
        (*_TO_BROKEN, "#", See("Cancel"), *"2026-03-01", See("→ entry")),
        _SMALL,
    ),
    _Scene(
        "bookmark",
        "Chain",
        "a bookmark with a note, kept outside of the chain",
        "broken",
        (*_TO_BROKEN, "b", See("Cancel"), *"asked AGENT_3 about this"),
        _SMALL,
    ),
    _Scene(
        "copy",
        "Chain",
        "an entry as JSON, CSV or command line",
        "broken",
        (*_TO_BROKEN, "c", See("Cancel")),
        _SMALL,
    ),
    _Scene(
        "verify-running",
        "Verify",
        "progress, and a way to stop it",
        "broken",
        (See("BROKEN"), Hold(0.6), "v", See("61%")),
        _SMALL,
    ),
    _Scene(
        "verify-receipt",
        "Verify",
        "the receipt of a sound history",
        "good",
        (See("VERIFIED"), "v", See("sha256")),
        _WIDE,
    ),
    _Scene(
        "verify-receipt-broken",
        "Verify",
        "the receipt of a broken history, and a way to the break",
        "broken",
        (See("BROKEN"), "v", See("sha256")),
        _SMALL,
    ),
    _Scene(
        "overview-runs",
        "Overview",
        "a workspace with a database: its runs are counted",
        "runs",
        (See("VERIFIED"), See(" in all")),
        _SMALL,
    ),
    _Scene(
        "runs",
        "Runs",
        "the runs of a database, and what is known of the selected one",
        "runs",
        ("4", See("commits")),
        _ALL,
    ),
    _Scene(
        "runs-steps",
        "Runs",
        "what each step of a run did; two runs are pinned to be compared",
        "runs",
        ("4", See("commits"), "a", "j", "b", "s", See("what it did")),
        _WIDE,
    ),
    _Scene(
        "wal",
        "WAL",
        "the log: files, entries, and the bytes of one, field by field",
        "runs",
        ("7", See("all files sound"), "enter", "j", "j", "j"),
        _ALL,
    ),
    _Scene(
        "wal-damaged",
        "WAL",
        "one byte was changed: what is lost, and what is behind it",
        "damaged",
        ("7", See("log damaged"), See("✘ damaged")),
        (("dark", 120, 40), ("dark", 80, 24)),
    ),
    _Scene(
        "wal-report",
        "Dialogs",
        "what opening a damaged database would do",
        "damaged",
        ("7", See("log damaged"), "r", See("Opening refuses")),
        _WIDE,
    ),
    _Scene(
        "finding",
        "Dialogs",
        "a finding in full",
        "broken",
        (See("BROKEN"), "f", "enter", See("Close")),
        _SMALL,
    ),
    _Scene(
        "help",
        "Dialogs",
        "what the keys do on this screen",
        "good",
        ("2", See("Entry"), "?", See("Close")),
        _WIDE,
    ),
    _Scene(
        "palette", "Dialogs", "find and run any action", "good", (See("VERIFIED"), ":", See("same as")), _WIDE
    ),
)


def pictures() -> Iterator[Picture]:
    """All pictures, in the order in which the page lists them."""
    for scene in _SCENES:
        for theme, columns, rows in scene.forms:
            yield _of_scene(scene, theme, columns, rows)
    yield _of_command("verify-command", "good", 26, "`devstate verify` of a sound history")
    yield _of_command("verify-command-broken", "broken", 35, "`devstate verify` of a broken history")
    yield _of_crash("crash", 6, "what is left if the inspector itself fails: no value of a variable")


def _of_scene(scene: _Scene, theme: str, columns: int, rows: int) -> Picture:
    name = f"{scene.name}-{theme}-{columns}x{rows}"

    def take(stage: Stage) -> str:
        return stage.play(name, scene.workspace, scene.steps, theme=theme, size=(columns, rows))

    return Picture(name, scene.heading, scene.sentence, take)


def _of_command(name: str, kind: str, rows: int, sentence: str) -> Picture:
    name = f"{name}-dark-{_TERMINAL}x{rows}"

    def take(stage: Stage) -> str:
        root = stage.workspace(kind)
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            "HOME": str(root.parent),
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
        }
        output = printed(["verify"], cwd=root, env=env, width=_TERMINAL)
        return stage.finished(terminal_svg(f"{_PROMPT}devstate verify\n{output}", _TERMINAL, rows), name)

    return Picture(name, "On the terminal", sentence, take)


def _of_crash(name: str, rows: int, sentence: str) -> Picture:
    name = f"{name}-dark-{_TERMINAL}x{rows}"

    def take(stage: Stage) -> str:
        return stage.finished(terminal_svg(f"{_PROMPT}devstate\n{_crash()}", _TERMINAL, rows), name)

    return Picture(name, "On the terminal", sentence, take)


def _crash() -> str:
    # A failure of no real place in the code, whose line numbers would make the picture stale.
    source = "def draw(secret):\n    raise RuntimeError(secret)\n"
    names: dict[str, Callable[[str], None]] = {}
    exec(compile(source, "demonstration/of/a_failure.py", "exec"), names)
    try:
        names["draw"]("a value that must not be shown")
    except RuntimeError as error:
        error.__traceback__ = error.__traceback__.tb_next if error.__traceback__ else None
        return crash_message(error)
    raise AssertionError("it has to fail")
