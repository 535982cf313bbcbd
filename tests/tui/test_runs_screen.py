"""The Runs screen: the list, the pane below it, its keys, and what others write meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

import tui_database as databases
from devstate.demo import demo_workspace
from devstate.engine import Database
from devstate_tui.app import DevStateApp
from devstate_tui.screens.runs import RunsScreen
from tui_shell import environ, shows, text_of, until, write

SIZE = (100, 30)


@asynccontextmanager
async def runs(
    tmp_path: Path, db: Path, size: tuple[int, int] = SIZE
) -> AsyncIterator[tuple[RunsScreen, Pilot[int]]]:
    """The Runs screen on a database, after the newest run was looked at."""
    root = tmp_path / "harbour"
    if not root.exists():
        write(root, demo_workspace(entries=3))
    app = DevStateApp(str(root), db=str(db), environ=environ(tmp_path))
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.reading is not None)
        await pilot.press("4")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        screen: Any = app.screen
        await until(pilot, lambda: screen._detail is not None)
        yield screen, pilot


async def typed(pilot: Pilot[int], text: str) -> None:
    await until(pilot, lambda: isinstance(pilot.app.focused, Input))
    pilot.app.focused.value = text  # type: ignore[union-attr]
    await pilot.press("enter")


async def test_the_list_is_newest_first_with_what_ended_how(tmp_path):
    async with runs(tmp_path, databases.sound(tmp_path / "db")) as (screen, _):
        assert [run.name for run in screen.shown] == ["solve-2", "solve-1", "solve-0"]
        assert shows(screen, "3 runs", "✘ 1 failed", "✔ 2 completed", "solve-2", "2026-03-01 08:00:00")
        assert shows(screen, "reason", "bad luck", "seed", "devstate replay")


async def test_steps_are_decoded_and_open(tmp_path):
    async with runs(tmp_path, databases.sound(tmp_path / "db"), (120, 40)) as (screen, pilot):
        await pilot.press("s")
        assert shows(
            screen,
            "RunCreate",
            "JsonSet plan $.steps[0].done = true",
            "EventAppend 0 tool_call",
            "TraceRecord",
        )
        await pilot.press("enter", "j", "enter")
        await until(
            pilot, lambda: shows(pilot.app.screen, "Step 2 of 28", '"type": "JsonCreate"', '"do": "search"')
        )
        await pilot.press("escape", "escape")
        assert screen.runs.has_focus


async def test_spans_are_a_tree_with_their_times(tmp_path):
    async with runs(tmp_path, databases.sound(tmp_path / "db")) as (screen, pilot):
        await pilot.press("t")
        assert shows(screen, "search", "└ select 1", "2 ms", "899 us")
        await pilot.press("i")
        assert shows(screen, "commits")


async def test_an_orphan_says_who_is_gone_and_what_to_do(tmp_path):
    db = databases.sound(tmp_path / "db")
    orphan = databases.abandoned(db)
    async with runs(tmp_path, db) as (screen, _):
        assert shows(
            screen, "! 1 orphaned", "is gone; last written", "never ended", f"devstate run end {orphan}"
        )


async def test_an_active_run_has_a_living_owner(tmp_path):
    databases.sound(tmp_path / "db")
    with databases.Writer(tmp_path / "db") as writer:
        async with runs(tmp_path, tmp_path / "db") as (screen, pilot):
            assert shows(screen, "● 1 active", "is alive", "goes on")
            await pilot.press("s")
            writer.write("fresh-key")
            await until(pilot, lambda: shows(screen, "KvPut fresh-key"))
            with Database.open(tmp_path / "db", shared=True) as db:
                db.begin_run(name="newcomer")
            await until(pilot, lambda: shows(screen, "newcomer"))
            assert screen._selected().name == "writer"


async def test_filter(tmp_path):
    async with runs(tmp_path, databases.sound(tmp_path / "db")) as (screen, pilot):
        for text, names in (
            ("status:failed", ["solve-2"]),
            ("tag:eval solve-1", ["solve-1"]),
            ("tag:none", []),
            ("", ["solve-2", "solve-1", "solve-0"]),
        ):
            await pilot.press("slash")
            await typed(pilot, text)
            assert [run.name for run in screen.shown] == names
        await pilot.press("slash")
        await typed(pilot, "status:odd")
        assert shows(screen, "no run is")
        await pilot.press("escape", "slash")
        await typed(pilot, "solve-0")
        await pilot.press("escape")
        assert len(screen.shown) == 3


async def test_two_pins_make_a_command(tmp_path, monkeypatch):
    taken: list[str] = []
    monkeypatch.setattr(DevStateApp, "copy_to_clipboard", lambda _, text: taken.append(text))
    async with runs(tmp_path, databases.sound(tmp_path / "db"), (120, 40)) as (screen, pilot):
        first, second = screen.shown[0].run_id, screen.shown[1].run_id
        await pilot.press("a")
        assert shows(screen, "b pins another run")
        await pilot.press("j", "b")
        assert shows(screen, f"devstate diff run:{first[:8]} run:{second[:8]}")
        await pilot.press("c")
        await until(pilot, lambda: shows(pilot.app.screen, "compares A and B"))
        await pilot.press("G", "enter")
        await until(pilot, lambda: taken)
        assert taken == [f"devstate diff run:{first} run:{second} --db {tmp_path / 'db'}"]
        await pilot.press("b")
        assert "B" not in screen.pinned


@pytest.mark.parametrize(("at", "begins"), [(0, ""), (1, "devstate run show "), (2, "devstate replay ")])
async def test_copy(tmp_path, monkeypatch, at, begins):
    taken: list[str] = []
    monkeypatch.setattr(DevStateApp, "copy_to_clipboard", lambda _, text: taken.append(text))
    async with runs(tmp_path, databases.sound(tmp_path / "db")) as (screen, pilot):
        await pilot.press("c")
        await until(pilot, lambda: shows(pilot.app.screen, "The command that shows it"))
        await pilot.press(*["j"] * at, "enter")
        await until(pilot, lambda: taken)
        where = f" --db {tmp_path / 'db'}" if at else ""
        assert taken == [begins + screen.shown[0].run_id + where]


async def test_damage_leaves_what_is_intact(tmp_path):
    async with runs(tmp_path, databases.flipped(tmp_path / "db")) as (screen, _):
        assert shows(screen, "solve-0", "✘ damaged log, read up to commit", "How it went on is not known")
        assert not shows(screen, "devstate run end")


async def test_columns_stand_below_their_heading_beside_a_scrollbar(tmp_path):
    async with runs(tmp_path, databases.sound(tmp_path / "db", runs=12, puts=1), (80, 24)) as (screen, _):
        lines = text_of(screen).splitlines()
        head = next(line for line in lines if "started UTC" in line)
        row = next(line for line in lines if "solve-9" in line)
        run = next(run for run in screen.shown if run.name == "solve-9")
        assert head.index(" id") + 1 == row.index(run.run_id[:8])
        assert "i about" in text_of(screen)


async def test_the_overview_tells_damage_and_leads_to_it(tmp_path):
    db = databases.flipped(tmp_path / "db")
    root = write(tmp_path / "harbour", demo_workspace(entries=3))
    app = DevStateApp(str(root), db=str(db), environ=environ(tmp_path))
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: shows(app.screen, "✘ DAMAGED", "read up to commit"))
        app.screen.query_one("#runs").focus()
        await pilot.press("enter")
        await until(pilot, lambda: shows(app.screen, "✘ log damaged"))


async def test_the_overview_counts_runs_and_leads_to_them(tmp_path):
    db = databases.sound(tmp_path / "db")
    databases.abandoned(db)
    root = write(tmp_path / "harbour", demo_workspace(entries=3))
    app = DevStateApp(str(root), db=str(db), environ=environ(tmp_path))
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: shows(app.screen, "! 1 orphaned", "1 failed", "newest left alone"))
        app.screen.query_one("#runs").focus()
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))


async def test_without_a_database_the_overview_loads_no_engine(tmp_path):
    import subprocess
    import sys

    root = write(tmp_path / "harbour", demo_workspace(entries=3))
    code = (
        "import asyncio, sys\n"
        "from devstate_tui.app import DevStateApp\n"
        "async def main():\n"
        f"    app = DevStateApp({str(root)!r}, environ={environ(tmp_path)!r})\n"
        "    async with app.run_test() as pilot:\n"
        "        while app.reading is None: await pilot.pause(0.05)\n"
        "asyncio.run(main())\n"
        "print([name for name in sys.modules if name.startswith('devstate.engine')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


async def test_no_runs_yet(tmp_path):
    with Database.open(tmp_path / "db") as db:
        run = db.begin_run(name="x")
        db.delete_run(run, force=True)
    root = write(tmp_path / "harbour", demo_workspace(entries=3))
    app = DevStateApp(str(root), db=str(tmp_path / "db"), environ=environ(tmp_path))
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.reading is not None)
        await pilot.press("4")
        await until(pilot, lambda: shows(app.screen, "No runs in this database yet", "devstate run record"))
