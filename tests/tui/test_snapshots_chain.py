"""Pictures of the Chain screen: dark, light, no colour; ordinary, large and narrow terminals.

The clock, the paths and the zone are fixed, nothing is animated, and the picture is taken after the reading.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from devstate.clock import FixedClock
from devstate.demo import DemoWorkspace, demo_workspace, ugly_workspace
from devstate_tui.app import DevStateApp
from devstate_tui.screens.chain import ChainScreen
from tui_shell import environ, shows, until, write

NOW = "2026-06-01T14:06:31Z"
SIZES = {"80x24": (80, 24), "120x40": (120, 40), "60x20": (60, 20)}
BROKEN = "Entry 160"

Start = Callable[..., DevStateApp]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Makes the app on a workspace, which the picture shows as `~/harbour`."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()

    def make(workspace: DemoWorkspace, *, theme: str = "devstate-dark") -> DevStateApp:
        root = write(tmp_path / "harbour", workspace)
        app = DevStateApp(str(root), environ=environ(tmp_path), clock=FixedClock(NOW))
        app.theme = theme
        app.animation_level = "none"
        return app

    yield make
    monkeypatch.undo()
    time.tzset()


def after(*keys: str, shown: str = "", filtered: str = "") -> Callable[[Pilot[int]], Awaitable[None]]:
    """What to do before the picture: show the Chain, filter, press the keys, wait for this text."""

    async def run(pilot: Pilot[int]) -> None:
        app: Any = pilot.app
        await until(pilot, lambda: app.reading is not None)
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, ChainScreen) and app.screen.model is not None)
        screen: ChainScreen = app.screen
        await until(pilot, lambda: screen.detail.shown)
        if filtered:
            screen.filtering.apply(filtered)
            await until(pilot, lambda: screen.entries.matches is not None and screen.entries.matches.done)
        for key in keys:
            await pilot.press(key)
        await until(pilot, lambda: shows(app.screen, shown))
        for field in app.screen.query(Input):
            field.cursor_blink = False
        await pilot.pause(0.1)

    return run


@pytest.mark.parametrize("theme", ["devstate-dark", pytest.param("devstate-light", marks=pytest.mark.long)])
@pytest.mark.parametrize("size", ["80x24", "120x40"])
def test_chain_with_a_break(snap_compare: Any, start: Start, size: str, theme: str) -> None:
    app = start(ugly_workspace(), theme=theme)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=after(shown=BROKEN))


@pytest.mark.parametrize("size", list(SIZES))
def test_chain_without_colour(
    snap_compare: Any, start: Start, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = start(ugly_workspace())
    assert snap_compare(app, terminal_size=SIZES[size], run_before=after())


def test_chain_detail_as_a_page(snap_compare: Any, start: Start) -> None:
    app = start(ugly_workspace())
    assert snap_compare(app, terminal_size=SIZES["60x20"], run_before=after("enter", shown=BROKEN))


def test_chain_filtered(snap_compare: Any, start: Start) -> None:
    app = start(demo_workspace())
    run = after("g", filtered="actor:AGENT_3 action~worker", shown="matches of 120")
    assert snap_compare(app, terminal_size=SIZES["120x40"], run_before=run)


def test_chain_matches_among_all(snap_compare: Any, start: Start) -> None:
    app = start(demo_workspace())
    run = after("m", filtered="actor:AGENT_3 action~worker", shown="m shows matches only")
    assert snap_compare(app, terminal_size=SIZES["80x24"], run_before=run)


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("e", "✘ stored"),
        ("c", "its exact bytes"),
        ("number_sign", "Go to an entry"),
        ("b", "Bookmark entry"),
        ("B", "There is none yet"),
        ("slash", "actor:NAME"),
    ],
    ids=["explain", "copy", "goto", "note", "bookmarks", "filter"],
)
def test_chain_dialog(snap_compare: Any, start: Start, key: str, shown: str) -> None:
    app = start(ugly_workspace())
    assert snap_compare(app, terminal_size=SIZES["80x24"], run_before=after(key, shown=shown))
