"""Running the inspector on real folders, for the tests of its shell."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

from textual.pilot import Pilot
from textual.screen import Screen

from devstate.clock import SYSTEM, Clock
from devstate.demo import DemoWorkspace, demo_workspace, ugly_workspace, write_demo
from devstate.settings import Settings, TuiSettings
from devstate_tui.app import DevStateApp

SIZE = (80, 24)


def environ(home: Path) -> dict[str, str]:
    """The environment of a user whose folders are below `home`."""
    return {"HOME": str(home), "XDG_CONFIG_HOME": str(home / "config"), "XDG_DATA_HOME": str(home / "data")}


def write(root: Path, demo: DemoWorkspace | None = None) -> Path:
    """A demo workspace in a new folder; returns the folder."""
    write_demo(str(root), demo or demo_workspace(entries=30))
    return root


def write_ugly(root: Path) -> Path:
    return write(root, ugly_workspace())


@asynccontextmanager
async def inspector(
    root: Path | str,
    home: Path,
    *,
    size: tuple[int, int] = SIZE,
    read: bool = True,
    tui: Mapping[str, object] | None = None,
    demo: bool = False,
    clock: Clock = SYSTEM,
) -> AsyncIterator[tuple[DevStateApp, Pilot[int]]]:
    """The running app on `root`, after its first reading (unless `read` is false)."""
    settings = Settings(tui=TuiSettings(**tui)) if tui is not None else None  # type: ignore[arg-type]
    app = DevStateApp(str(root), settings=settings, demo=demo, environ=environ(home), clock=clock)
    async with app.run_test(size=size, notifications=True) as pilot:
        if read:
            await until(pilot, lambda: app.reading is not None)
        yield app, pilot


async def until(pilot: Pilot[int], condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until something holds; fail with what is on the screen if it never does."""
    end = monotonic() + seconds
    while not condition():
        if monotonic() > end:
            raise AssertionError(f"it never came; on the screen:\n{text_of(pilot.app.screen)}")
        await pilot.pause(0.02)
    await pilot.pause()


def text_of(screen: Screen[object]) -> str:
    """What is on the screen, as lines of text."""
    width, height = screen.size
    lines = screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in lines[:height])[: (width + 1) * height]


def shows(screen: Screen[object], *texts: str) -> bool:
    """Whether all of these are on the screen."""
    found = text_of(screen)
    return all(text in found for text in texts)
