"""The stage: workspaces in a home of their own, the time standing still, and the inspector played on it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import os
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from textual.pilot import Pilot
from textual.widgets import Input

import devstate_tui.services.verifier as verifier
from devstate.chain import Progress
from devstate.clock import FixedClock
from devstate.demo import demo_workspace, ugly_workspace, write_demo
from devstate.settings import Settings, TuiSettings
from devstate_tui.app import DevStateApp

from .svg import stable_svg

__all__ = ["NOW", "PROJECT", "Hold", "See", "Stage", "StageFailure", "Step"]

PROJECT = "harbour-ledger"
NOW = "2026-06-01T14:06:00Z"
SEED = 7
# Enough for a map with many entries in a cell, and for numbers with separators.
ENTRIES = 12_000
RUNS = 24
_TOOK = 0.05  # seconds that every verification seems to take
_PATIENCE = 30.0  # seconds


class StageFailure(Exception):
    """A scene did not come about: the text says what was waited for and what was on the screen."""


@dataclass(frozen=True)
class See:
    """Wait until this text is on the screen."""

    text: str


@dataclass(frozen=True)
class Hold:
    """From here on a verification stands still once it has read this share of the file."""

    share: float


Step = str | See | Hold  # a text is a key to press


class Stage:
    """Makes each workspace once, below `home`; every one is shown as `~/harbour-ledger`."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._made: set[str] = set()

    def workspace(self, kind: str) -> Path:
        """The root of the workspace of this kind: `good`, `broken`, `missing`, `ugly`, `runs`, or `damaged`."""
        root = self._home / kind / PROJECT
        if kind not in self._made:
            demo = {
                "good": lambda: demo_workspace(ENTRIES, SEED),
                "broken": lambda: demo_workspace(ENTRIES, SEED, "HMAC_MISMATCH"),
                "missing": lambda: demo_workspace(ENTRIES, SEED, "INPUT_MISSING"),
                "ugly": lambda: ugly_workspace(SEED),
                "runs": lambda: demo_workspace(120, SEED, runs=RUNS),
                "damaged": lambda: demo_workspace(120, SEED, runs=RUNS),
            }[kind]()
            root.parent.mkdir()
            write_demo(str(root), demo)
            if kind == "damaged":
                _damage(root / ".trae" / "store")
            self._made.add(kind)
        return root

    def play(self, name: str, kind: str, steps: Sequence[Step], *, theme: str, size: tuple[int, int]) -> str:
        """The SVG of the inspector after these steps. Raises StageFailure."""
        return asyncio.run(self._play(name, kind, steps, theme=theme, size=size))

    async def _play(
        self, name: str, kind: str, steps: Sequence[Step], *, theme: str, size: tuple[int, int]
    ) -> str:
        root = self.workspace(kind)
        gate = _Gate()
        with self._environment(kind, name, theme), gate.installed():
            chosen = "devstate-light" if theme == "light" else "devstate-dark"
            # One process: a scan then tells its progress in the same steps each time.
            settings = Settings(jobs=1, tui=TuiSettings(theme=chosen))
            app = DevStateApp(str(root), settings=settings, clock=FixedClock(NOW))
            async with app.run_test(size=size, notifications=True) as pilot:
                await _until(pilot, lambda: app.reading is not None, "the first reading")
                for step in steps:
                    if isinstance(step, Hold):
                        gate.share = step.share
                    elif isinstance(step, See):
                        await _until(pilot, lambda text=step.text: text in _shown(app), repr(step.text))
                    else:
                        await pilot.press(step)
                svg = await _settled(pilot)
                gate.open()
        return self.finished(svg, name)

    def finished(self, svg: str, name: str) -> str:
        """The picture as it is kept. Raises StageFailure where it shows a path of this machine."""
        svg = stable_svg(svg, name)
        if self._home.name in svg:
            raise StageFailure("a path of this machine is in the picture")
        return svg

    @contextlib.contextmanager
    def _environment(self, kind: str, name: str, theme: str) -> Iterator[None]:
        """A home whose only project is this one, and where nothing was kept from another scene."""
        before = dict(os.environ)
        home = self._home / kind
        os.environ.update(
            HOME=str(home),
            XDG_CONFIG_HOME=str(home / "kept" / name / "config"),
            XDG_DATA_HOME=str(home / "kept" / name / "data"),
        )
        if theme == "nocolor":
            os.environ["NO_COLOR"] = "1"
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def _damage(store: Path) -> None:
    """Change one byte in the middle of the log."""
    segment = max((store / "wal").glob("*.wal"))
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 0x20
    segment.write_bytes(data)


class _Gate:
    """Lets a verification run through, or holds it where it has read `share` of the file."""

    def __init__(self) -> None:
        self.share = 2.0
        self._open = threading.Event()

    def open(self) -> None:
        self._open.set()

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        run = verifier.Verifier.run
        steps = itertools.count()

        def held(this: verifier.Verifier, on_progress: Any) -> verifier.Receipt:
            def told(progress: Progress) -> None:
                if self._open.is_set():
                    return
                on_progress(progress)
                if progress.bytes_done >= self.share * progress.bytes_total:
                    self._open.wait(_PATIENCE)

            return run(this, told)

        class _StandingClock:
            perf_counter = staticmethod(lambda: next(steps) * _TOOK)

        verifier.Verifier.run = held  # type: ignore[method-assign]
        verifier.time = _StandingClock  # type: ignore[assignment]
        try:
            yield
        finally:
            verifier.Verifier.run = run  # type: ignore[method-assign]
            verifier.time = time


async def _until(pilot: Pilot[Any], condition: Any, wanted: str) -> None:
    end = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise StageFailure(f"{wanted} never came; on the screen:\n{_shown(pilot.app)}")
        await pilot.pause(0.02)
    await pilot.pause()


async def _settled(pilot: Pilot[Any]) -> str:
    """The picture, once it has stayed the same for a while."""
    await pilot.pause()
    for field in pilot.app.screen.query(Input):
        field.cursor_blink = False
        field._cursor_visible = True  # a cursor between two blinks would come out by chance
    before, same = "", 0
    end = time.monotonic() + _PATIENCE
    while same < 3:
        await pilot.pause(0.1)
        # Rich takes the id from everything in the picture and from objects' numbers; leave it out.
        now = stable_svg(_export(pilot.app), "x")
        same = same + 1 if now == before else 0
        before = now
        if time.monotonic() > end:
            raise StageFailure("the screen never came to rest")
    return _export(pilot.app)


def _export(app: Any) -> str:
    return app.export_screenshot(title=f"~/{PROJECT}", simplify=True)


def _shown(app: Any) -> str:
    """What is on the screen, as lines of text."""
    console = Console(width=app.size.width, height=app.size.height, file=io.StringIO(), color_system=None)
    update = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens)
    console.print(update)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines())
