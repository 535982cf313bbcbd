"""The WAL screen: what it says of files and entries, what its keys do, and that it touches nothing."""

from __future__ import annotations

import fcntl
import os
import shutil
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
from devstate_tui.screens.wal import WalScreen
from devstate_tui.widgets.key_bar import KeyBar
from tui_shell import environ, shows, text_of, until, write

SIZE = (100, 30)


@asynccontextmanager
async def wal(
    tmp_path: Path, db: Path, size: tuple[int, int] = SIZE
) -> AsyncIterator[tuple[WalScreen, Pilot[int]]]:
    """The WAL screen on a database, after it has read all of it."""
    root = tmp_path / "harbour"
    if not root.exists():
        write(root, demo_workspace(entries=3))
    app = DevStateApp(str(root), db=str(db), environ=environ(tmp_path))
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: app.reading is not None)
        await pilot.press("7")
        await until(pilot, lambda: isinstance(app.screen, WalScreen))
        screen: Any = app.screen
        await until(pilot, lambda: screen.reader is not None and screen.reader.done)
        await until(
            pilot,
            lambda: (screen._shown or not screen.reader.look.segments) and not shows(screen, "· reading"),
        )
        yield screen, pilot


async def typed(pilot: Pilot[int], text: str) -> None:
    await until(pilot, lambda: isinstance(pilot.app.focused, Input))
    pilot.app.focused.value = text  # type: ignore[union-attr]
    await pilot.press("enter")


async def test_a_sound_log_shows_its_end(tmp_path):
    db = databases.sound(tmp_path / "db")
    async with wal(tmp_path, db) as (screen, _):
        assert shows(screen, "✔ all files sound", "1 segment", "closed cleanly", "FOLLOWING", "Commit")
        assert screen.entries.at_end
        assert shows(screen, "✔ closes commit")


async def test_who_has_it_open(tmp_path):
    databases.sound(tmp_path / "db")
    with Database.open(tmp_path / "db") as db:
        db.begin_run(name="x")
        async with wal(tmp_path, tmp_path / "db") as (screen, _):
            assert shows(screen, f"open in process {os.getpid()}")


async def test_a_torn_tail_is_a_row_with_its_reason(tmp_path):
    db = databases.torn(tmp_path / "db")
    async with wal(tmp_path, db, (120, 40)) as (screen, _):
        assert shows(
            screen, "! log: torn tail", "no entry", "the bytes end inside an entry", "opening cuts it off"
        )
        assert shows(screen, "~ open")  # the entry that lost its marker


async def test_damage_in_the_middle_is_gone_to_and_what_is_behind_it_is_cut_off(tmp_path):
    db = databases.flipped(tmp_path / "db")
    async with wal(tmp_path, db, (120, 40)) as (screen, pilot):
        assert shows(screen, "✘ log damaged", "✘ damaged", "the checksum of an entry is wrong", "– cut off")
        first = screen.entries.cursor
        assert first == screen.model.index.defects[0]
        await pilot.press("G")
        assert screen.entries.cursor != first
        await pilot.press("!")
        assert screen.entries.cursor == first
        await pilot.press("]")
        assert shows(screen, "No damage after this entry") or screen.entries.cursor > first
        await pilot.press("g", "]")
        assert screen.entries.cursor == first
        await pilot.press("G", "[")
        assert screen.entries.cursor == screen.model.index.defects[-1]


async def test_the_key_that_leads_to_damage_comes_and_goes_with_it(tmp_path):
    def keys(screen: WalScreen) -> str:
        return screen.query_one(KeyBar).render().plain

    db = databases.flipped(tmp_path / "db")
    async with wal(tmp_path, db, (80, 24)) as (screen, pilot):
        await until(pilot, lambda: "! first break" in keys(screen))
        painted = text_of(screen)
        assert "first break" in painted
        whole = databases.sound(tmp_path / "sound")
        shutil.rmtree(db)
        shutil.copytree(whole, db)
        await until(pilot, lambda: shows(screen, "✔ all files sound"))
        await until(pilot, lambda: "first break" not in text_of(screen))


def _without_log(db: Path) -> None:
    shutil.rmtree(db / "wal")


def _without_newest(db: Path) -> None:
    databases.segment_of(db).unlink()


def _cut(db: Path) -> None:
    segment = databases.segment_of(db)
    os.truncate(segment, segment.stat().st_size // 2)


@pytest.mark.parametrize("damage", [_without_log, _without_newest, _cut])
async def test_what_a_clean_close_vouches_for_and_no_file_holds_is_gone(tmp_path, damage):
    db = databases.sound(tmp_path / "db", snapshot=True)
    damage(db)
    async with wal(tmp_path, db, (120, 40)) as (screen, pilot):
        assert not shows(screen, "all files sound") and not shows(screen, "torn tail")
        assert shows(screen, "✘ gone", "missing", "✘ part of the log is gone")
        gone = next(line for line in screen.lines if line.kind == "missing")
        screen.files.focus()
        screen.files.select(screen.lines.index(gone))
        await pilot.press("enter")
        await until(pilot, lambda: shows(pilot.app.screen, "Missing part of the log"))
        assert shows(pilot.app.screen, f"LSN {gone.start:,}", "committed data is gone", "Nothing was changed")


async def test_a_hole_below_the_snapshot_is_history_and_no_loss(tmp_path):
    db = databases.sound(tmp_path / "db", snapshot=True)
    first = min((*db.glob("wal/*.wal"), *db.glob("history/*.wal")))
    first.write_bytes(b"")
    async with wal(tmp_path, db, (120, 40)) as (screen, _):
        assert shows(screen, "! log: history damaged", "the file is empty") and not shows(screen, "✘")


async def test_an_opening_that_meta_prevents_is_no_sound_log(tmp_path):
    db = databases.sound(tmp_path / "db")
    (db / "META").write_bytes(b"")
    async with wal(tmp_path, db) as (screen, pilot):
        assert shows(screen, "✘ META damaged") and not shows(screen, "all files sound")
        await pilot.press("r")
        await until(pilot, lambda: shows(pilot.app.screen, "META"))
        await pilot.press("escape")
    (db / "META").unlink()
    async with wal(tmp_path, db) as (screen, _):  # opening does without
        assert shows(screen, "✔ all files sound", "! META is missing")


@pytest.mark.parametrize("key", ["4", "7"])
async def test_without_a_database_keys_have_nothing_to_act_on_and_the_advice_names_the_folder(tmp_path, key):
    root = write(tmp_path / "harbour", demo_workspace(entries=3))
    folder = tmp_path / "my db"
    app = DevStateApp(str(root), db=str(folder), environ=environ(tmp_path))
    async with app.run_test(size=(160, 30)) as pilot:
        await until(pilot, lambda: app.reading is not None)
        await pilot.press(key)
        await until(pilot, lambda: shows(app.screen, "No database here yet."))
        assert shows(app.screen, f"devstate run record --db '{folder}' -- CMD"[:60])
        for action in ("runs.pin_a", "wal.follow"):
            here = action.startswith(app.current_mode)
            assert app.reason_against(action) == ("there is nothing to show here yet" if here else None)
        await pilot.press("F", "a", "b", "c", "number_sign")
        await pilot.pause()
        assert app.current_mode == app.screen.MODE and not shows(app.screen, "Following")


async def test_fields_and_bytes_lead_to_each_other(tmp_path):
    db = databases.sound(tmp_path / "db")
    async with wal(tmp_path, db) as (screen, pilot):
        await pilot.press("enter")
        assert screen.fields.has_focus
        names = [field.name for field in screen.fields.source.fields]
        await pilot.press(*["j"] * names.index("cv"))
        field = screen.fields.source.fields[names.index("cv")]
        assert screen.hex.lit == (field.start, field.end)
        await pilot.press("enter")
        assert screen.hex.has_focus
        await pilot.press("g")
        assert names[screen.fields.cursor] == "length"
        await pilot.press(*["l"] * 4)
        await pilot.pause()
        assert names[screen.fields.cursor] == "type" and screen.hex.lit == (4, 5)
        await pilot.press("G")
        await pilot.pause()
        assert names[screen.fields.cursor] == "checksum"
        await pilot.press("k", "h", "pageup")
        await pilot.pause()
        assert screen.hex.cursor < 60
        await pilot.press("escape")
        assert screen.entries.has_focus


async def test_a_click_on_a_byte_selects_its_field(tmp_path):
    db = databases.sound(tmp_path / "db")
    async with wal(tmp_path, db) as (screen, pilot):
        await pilot.click("#wal-hex", offset=(7 + 3 * 4, 0))
        await pilot.pause()
        assert screen.hex.cursor == 4
        assert screen.fields.source.fields[screen.fields.cursor].name == "type"


async def test_filter_by_type_and_words(tmp_path):
    db = databases.sound(tmp_path / "db")
    async with wal(tmp_path, db) as (screen, pilot):
        total = len(screen.model)
        await pilot.press("slash")
        await typed(pilot, "type:event größer")
        await until(pilot, lambda: screen.filtering.narrowed is not None and shows(screen, f"3 of {total:,}"))
        assert screen.entries.row_count == 3 and shows(screen, "EventAppend", "tool_call")
        at = screen.entries.cursor
        await pilot.press("n")
        assert screen.entries.cursor != at
        await pilot.press("N")
        assert screen.entries.cursor == at
        await pilot.press("m")
        assert screen.entries.row_count == total and screen.entries.cursor == at
        await pilot.press("escape")
        assert screen.filtering.narrowed is None and not screen.query_one("#wal-filter").display


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("type:nothing", "no type of entry"),
        ("run:xyz", "no beginning"),
        ("is:fine", "nothing is known"),
        ("cv:x", "is a number"),
        ("colour:red", "have no field"),
    ],
)
async def test_a_wrong_filter_is_told_while_it_is_written(tmp_path, text, said):
    db = databases.sound(tmp_path / "db")
    async with wal(tmp_path, db) as (screen, pilot):
        await pilot.press("slash")
        await typed(pilot, text)
        assert shows(screen, said)
        await pilot.press("escape")
        assert screen.entries.has_focus


async def test_filter_defects_by_run_commit_and_transaction(tmp_path):
    db = databases.flipped(tmp_path / "db")
    async with wal(tmp_path, db) as (screen, pilot):
        for text, passes in (
            ("is:defect", lambda row: row in screen.model.index.reasons),
            ("cv:3", lambda row: screen.model.row(row).cv == "3"),
            ("tx:3", lambda row: screen.model.row(row).tx == "3"),
            (
                f"run:{screen.model.row(0).run}",
                lambda row: screen.model.row(row).run == screen.model.row(0).run,
            ),
        ):
            screen.filtering.apply(text)
            await until(pilot, lambda: screen.filtering._search.done)
            assert list(screen.filtering.narrowed)
            assert all(passes(row) for row in screen.filtering.narrowed)


async def test_go_to_a_position(tmp_path):
    db = databases.sound(tmp_path / "db")
    async with wal(tmp_path, db) as (screen, pilot):
        offset = screen.model.index.offsets[7]
        await pilot.press("number_sign")
        await until(pilot, lambda: shows(pilot.app.screen, "LSNs from 0"))
        await typed(pilot, "nowhere")
        assert shows(pilot.app.screen, "a number of bytes")
        await typed(pilot, f"{offset + 3}")
        await until(pilot, lambda: pilot.app.screen is screen)
        assert screen.entries.cursor == 7 and not screen.following


async def test_the_report_says_what_opening_would_do(tmp_path):
    db = databases.flipped(tmp_path / "db")
    async with wal(tmp_path, db, (120, 40)) as (_, pilot):
        await pilot.press("r")
        await until(pilot, lambda: shows(pilot.app.screen, "Opening refuses: committed data is damaged"))
        assert shows(pilot.app.screen, "intact", "Nothing was changed", "nothing was changed")
        assert not shows(pilot.app.screen, str(tmp_path)[:12])  # the file alone: paths are long
    (tmp_path / "other").mkdir()
    async with wal(tmp_path, databases.torn(tmp_path / "other" / "db"), (120, 40)) as (_, pilot):
        await pilot.press("r")
        await until(pilot, lambda: shows(pilot.app.screen, "It opens, and cuts"))


@pytest.mark.parametrize(
    ("at", "copied"), [(0, '"name": "Commit"'), (1, "40000000"), (2, "devstate wal dump ")]
)
async def test_copy(tmp_path, monkeypatch, at, copied):
    taken: list[str] = []
    monkeypatch.setattr(DevStateApp, "copy_to_clipboard", lambda _, text: taken.append(text))
    db = databases.sound(tmp_path / "db")
    async with wal(tmp_path, db) as (screen, pilot):
        screen.go_to(len(screen.model) - 1)
        await pilot.press("c")
        await until(pilot, lambda: shows(pilot.app.screen, "as JSON", "as hex"))
        await pilot.press(*["j"] * at, "enter")
        await until(pilot, lambda: taken)
        assert copied in taken[0]


async def test_the_bytes_can_be_put_away(tmp_path):
    async with wal(tmp_path, databases.sound(tmp_path / "db")) as (screen, pilot):
        await pilot.press("X")
        assert not screen.query_one("#wal-detail").display
        await pilot.press("X")
        assert screen.query_one("#wal-detail").display


async def test_segments_and_snapshots_each_with_a_verdict(tmp_path):
    db = databases.sound(tmp_path / "db", runs=6, puts=60, snapshot=True, segment=8000)
    bad = max((db / "snapshots").iterdir())
    data = bytearray(bad.read_bytes())
    data[100] ^= 1
    bad.write_bytes(data)
    async with wal(tmp_path, db, (120, 40)) as (screen, pilot):
        kinds = {line.kind for line in screen.lines}
        assert kinds == {"archived", "segment", "snapshot"}
        verdicts = {line.path: line for line in screen.lines}
        assert verdicts[str(bad)].tone == "bad" and "checksum" in verdicts[str(bad)].word
        assert [line.word for line in screen.lines if line.kind == "snapshot"].count("valid") == 1
        assert shows(screen, "✘ snapshot rejected")
        screen.files.focus()
        await pilot.press("g", "enter")
        await until(pilot, lambda: screen.model.segment.start == 0)
        assert screen.entries.has_focus and not screen.at_last
        await pilot.press("F")
        await until(pilot, lambda: screen.at_last and screen.model.segment.start > 0)
        screen.files.focus()
        await pilot.press("G", "enter")
        await until(pilot, lambda: shows(pilot.app.screen, "rejected", "falls back"))


async def test_damage_below_a_valid_snapshot_is_history(tmp_path):
    db = databases.sound(tmp_path / "db", runs=4, puts=20, snapshot=True)
    segment = min((db / "wal").glob("*.wal"))
    data = bytearray(segment.read_bytes())
    data[data.index(b"key7")] ^= 0x20
    segment.write_bytes(data)
    async with wal(tmp_path, db, (120, 40)) as (screen, pilot):
        await until(pilot, lambda: shows(screen, "! log: history damaged", "! first break"))
        await pilot.press("!")
        await until(pilot, lambda: shows(screen, "opening starts at a snapshot behind it"))
        assert not shows(screen, "cut off")
        await pilot.press("r")
        await until(pilot, lambda: shows(pilot.app.screen, "✔ It opens; what it reads is in order."))
        assert shows(pilot.app.screen, "! The log before its snapshot is damaged")


async def test_what_another_process_writes_is_followed(tmp_path):
    db = databases.sound(tmp_path / "db")
    with databases.Writer(db) as writer:
        async with wal(tmp_path, db) as (screen, pilot):
            before = len(screen.model)
            writer.write("fresh-key")
            await until(pilot, lambda: shows(screen, "fresh-key"))
            assert len(screen.model) == before + 2 and screen.entries.at_end
            await pilot.press("g")
            assert not screen.following
            writer.write("second-key")
            await until(pilot, lambda: len(screen.model) == before + 4)
            assert screen.entries.cursor == 0
            await pilot.press("F")
            await until(pilot, lambda: shows(screen, "second-key", "FOLLOWING"))


async def test_looking_changes_no_byte_and_takes_no_lock(tmp_path):
    db = databases.torn(tmp_path / "db")
    before = databases.fingerprint(db)
    async with wal(tmp_path, db) as (screen, pilot):
        await pilot.press("r")
        await until(pilot, lambda: shows(pilot.app.screen, "It opens, and cuts"))
        await pilot.press("escape", "4")
        await until(pilot, lambda: shows(pilot.app.screen, "solve-0"))
        for name in ("LOCK", "WRITERS"):
            with open(db / name, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert databases.fingerprint(db) == before
        with Database.open(db) as writer:  # exclusively, while the inspector looks
            assert writer.recovery.tail_bytes_discarded
    assert screen.model is not None


async def test_no_database_and_something_else(tmp_path):
    root = write(tmp_path / "harbour", demo_workspace(entries=3))
    app = DevStateApp(str(root), environ=environ(tmp_path))
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.reading is not None)
        await pilot.press("7")
        await until(pilot, lambda: shows(app.screen, "No database here yet", "devstate run record -- CMD"))
        databases.sound(root / ".trae" / "store")
        await until(pilot, lambda: shows(app.screen, "✔ all files sound"))
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "a.txt").write_text("x")
    app = DevStateApp(str(root), db=str(tmp_path / "letters"), environ=environ(tmp_path))
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.reading is not None)
        await pilot.press("7")
        await until(pilot, lambda: shows(app.screen, "This is no database"))


async def test_terminal_characters_in_the_data_are_made_visible(tmp_path):
    with Database.open(tmp_path / "db") as db:
        run = db.begin_run(name="\x1b[31mred")
        db.kv.put(run, "k\x07", "[bold]\x1b]0;title\x07")
    async with wal(tmp_path, tmp_path / "db", (120, 40)) as (screen, _):
        assert "\x1b" not in text_of(screen) and shows(screen, "\\x1b[31mred", "[bold]")
