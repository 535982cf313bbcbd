"""Pictures of the shell and the Overview: dark, light, no colour; ordinary, large and narrow terminals.

The clock, the paths and the zone are fixed, nothing is animated, and the picture is taken after the reading.
"""

from __future__ import annotations

import time

import pytest

from devstate.clock import FixedClock
from devstate.demo import demo_workspace, ugly_workspace
from devstate_tui.app import DevStateApp
from tui_shell import environ, shows, until, write

NOW = "2026-06-01T14:06:31Z"
SIZES = {"80x24": (80, 24), "120x40": (120, 40), "60x20": (60, 20)}


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Makes the app on a workspace of this name, which the picture shows as `~/name`."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()

    def make(name, workspace, *, theme="devstate-dark", **keywords):
        root = write(tmp_path / name, workspace)
        app = DevStateApp(str(root), environ=environ(tmp_path), clock=FixedClock(NOW), **keywords)
        app.theme = theme
        app.animation_level = "none"
        return app

    yield make
    monkeypatch.undo()
    time.tzset()


def after(*keys, shown=()):
    """What to do before the picture: wait for the reading, press the keys, wait for these texts."""

    async def run(pilot):
        await until(pilot, lambda: pilot.app.reading is not None)
        for key in keys:
            await pilot.press(key)
        await until(pilot, lambda: shows(pilot.app.screen, *shown))
        await pilot.pause(0.05)

    return run


@pytest.mark.parametrize(
    ("size", "theme"),
    [
        *((size, theme) for size in SIZES for theme in ("devstate-dark", "devstate-light")),
        ("80x24", "devstate-contrast"),
    ],
)
def test_overview_of_a_broken_chain(snap_compare, start, size, theme):
    app = start("harbour", ugly_workspace(), theme=theme)
    assert snap_compare(app, terminal_size=SIZES[size], run_before=after())


@pytest.mark.parametrize("size", list(SIZES))
def test_overview_without_colour(snap_compare, start, monkeypatch, size):
    monkeypatch.setenv("NO_COLOR", "1")
    app = start("harbour", ugly_workspace())
    assert app.no_color
    assert snap_compare(app, terminal_size=SIZES[size], run_before=after("f", "j"))


def test_overview_of_a_sound_chain(snap_compare, start):
    app = start("harbour", demo_workspace(), demo=True)
    assert snap_compare(app, terminal_size=SIZES["80x24"], run_before=after())


def test_overview_of_nothing(snap_compare, start, tmp_path):
    app = start("harbour", demo_workspace(entries=10))
    for file in ("state.json", "history.json"):
        (tmp_path / "harbour" / ".trae" / file).unlink()
    assert snap_compare(app, terminal_size=SIZES["80x24"], run_before=after())


def test_a_finding(snap_compare, start):
    app = start("harbour", ugly_workspace())
    run = after("f", "enter", shown=["What to do"])
    assert snap_compare(app, terminal_size=SIZES["80x24"], run_before=run)


def test_the_artifacts(snap_compare, start):
    app = start("harbour", ugly_workspace())
    run = after(*"jjjjjj", "enter", shown=["Artifacts listed"])
    assert snap_compare(app, terminal_size=SIZES["80x24"], run_before=run)


@pytest.mark.parametrize("size", list(SIZES))
def test_help(snap_compare, start, size):
    app = start("harbour", demo_workspace(entries=10))
    run = after("question_mark", shown=["Keys of Overview"])
    assert snap_compare(app, terminal_size=SIZES[size], run_before=run)


def test_the_palette(snap_compare, start):
    app = start("harbour", demo_workspace(entries=10))

    async def run(pilot):
        await after("colon", shown=["Verify the whole chain again"])(pilot)
        pilot.app.screen.query_one("Input").cursor_blink = False
        await pilot.pause(0.1)

    assert snap_compare(app, terminal_size=SIZES["80x24"], run_before=run)
