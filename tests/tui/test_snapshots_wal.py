"""Pictures of the WAL and the Runs screen: dark, light, no colour; ordinary and large terminals; damage."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

import tui_database as databases
from devstate.clock import FixedClock
from devstate.demo import demo_workspace
from devstate_tui.app import DevStateApp
from tui_shell import environ, shows, until, write

NOW = "2026-06-01T14:06:31Z"
SIZES = {"80x24": (80, 24), "120x40": (120, 40)}
MAKERS: dict[str, Callable[[Path], object]] = {
    "sound": databases.sound,
    "torn": databases.torn,
    "flipped": databases.flipped,
}
SHOWN = {"sound": "✔ all files sound", "torn": "! log: torn tail", "flipped": "✘ log damaged"}

Start = Callable[..., DevStateApp]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Makes the app on a workspace with a database of this kind."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()

    def make(kind: str, *, theme: str = "devstate-dark") -> DevStateApp:
        root = write(tmp_path / "harbour", demo_workspace(entries=10))
        folder = root / ".trae" / "store"
        if kind in MAKERS:
            MAKERS[kind](folder)
        app = DevStateApp(str(root), environ=environ(tmp_path), clock=FixedClock(NOW))
        app.theme = theme
        app.animation_level = "none"
        return app

    yield make
    monkeypatch.undo()
    time.tzset()


def after(*keys: str, shown: str) -> Callable[[Pilot[int]], Awaitable[None]]:
    """Press the first key, wait for the text, press the others."""

    async def run(pilot: Pilot[int]) -> None:
        app: Any = pilot.app
        await until(pilot, lambda: app.reading is not None)
        await pilot.press(keys[0])
        await until(pilot, lambda: shows(app.screen, shown))
        await pilot.pause(0.2)
        for key in keys[1:]:
            await pilot.press(key)
            await pilot.pause(0.1)
        for field in app.screen.query(Input):
            field.cursor_blink = False
        await pilot.pause(0.3)

    return run


@pytest.mark.parametrize("theme", ["devstate-dark", pytest.param("devstate-light", marks=pytest.mark.long)])
@pytest.mark.parametrize("size", list(SIZES))
@pytest.mark.parametrize("kind", ["torn", "flipped"])
def test_wal_with_damage(snap_compare: Any, start: Start, kind: str, size: str, theme: str) -> None:
    app = start(kind, theme=theme)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=after("7", shown=SHOWN[kind]))


@pytest.mark.parametrize("size", list(SIZES))
def test_wal_without_colour(
    snap_compare: Any, start: Start, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    run = after("7", "enter", "j", "j", "j", "enter", shown=SHOWN["sound"])
    assert snap_compare(start("sound"), terminal_size=SIZES[size], run_before=run)


def test_wal_without_a_database(snap_compare: Any, start: Start) -> None:
    run = after("7", shown="No database here yet")
    assert snap_compare(start("none"), terminal_size=SIZES["80x24"], run_before=run)


@pytest.mark.parametrize("theme", ["devstate-dark", pytest.param("devstate-light", marks=pytest.mark.long)])
@pytest.mark.parametrize("size", list(SIZES))
def test_runs(snap_compare: Any, start: Start, size: str, theme: str) -> None:
    run = after("4", shown="bad luck")
    assert snap_compare(start("sound", theme=theme), terminal_size=SIZES[size], run_before=run)


@pytest.mark.parametrize("key", ["s", "t"], ids=["steps", "spans"])
def test_runs_pane(snap_compare: Any, start: Start, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    run = after("4", key, shown="bad luck")
    assert snap_compare(start("sound"), terminal_size=SIZES["80x24"], run_before=run)
