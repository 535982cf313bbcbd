"""The Chain screen on real files: every key, every dialog, and what it shows when the files change."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from devstate_tui.app import DevStateApp
from devstate_tui.screens.chain import ChainScreen
from devstate_tui.screens.dialogs.bookmarks import BookmarksDialog
from devstate_tui.screens.dialogs.copy import CopyDialog
from devstate_tui.screens.dialogs.explain import ExplainDialog
from devstate_tui.screens.dialogs.goto import GotoDialog
from devstate_tui.screens.dialogs.note import NoteDialog
from tui_chain import broken, chain, encode, mac, write_history, write_workspace
from tui_shell import inspector, shows, text_of, until

WIDE = (120, 40)


@asynccontextmanager
async def chain_screen(
    root: Path, home: Path, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[ChainScreen, Pilot[int], DevStateApp]]:
    """The Chain screen of this workspace, with the first reading shown."""
    async with inspector(root, home, size=size) as (app, pilot):
        await pilot.press("2")
        await until(pilot, lambda: isinstance(app.screen, ChainScreen))
        screen = app.screen
        assert isinstance(screen, ChainScreen)
        await until(pilot, lambda: screen.model is not None or screen.has_class("-trouble"))
        yield screen, pilot, app


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    write_workspace(tmp_path / "w", chain(60))
    return tmp_path / "w"


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    write_workspace(tmp_path / "w", broken(broken(chain(60), 20, actor="EVE"), 41, action="forged"))
    return tmp_path / "w"


async def detail_shows(pilot: Pilot[int], screen: ChainScreen, *texts: str) -> None:
    await until(pilot, lambda: shows(screen, *texts))


# -- where to look first ------------------------------------------------------------------------------


async def test_a_sound_chain_opens_at_its_newest_entry(sound: Path, tmp_path: Path) -> None:
    async with chain_screen(sound, tmp_path) as (screen, pilot, _):
        assert screen.entries.cursor == 59
        await detail_shows(pilot, screen, "Entry 59", "60 entries", "✔ all verify", "weak key")


async def test_a_broken_chain_opens_at_its_first_break_and_says_why(faulty: Path, tmp_path: Path) -> None:
    async with chain_screen(faulty, tmp_path) as (screen, pilot, _):
        assert screen.entries.cursor == 20
        await detail_shows(pilot, screen, "✘ first break at 20", "Entry 20", "HMAC_MISMATCH", "EVE")


@pytest.mark.parametrize(
    ("width", "shown", "dropped"),
    [
        (120, ("60 entries", "first break at 20", "2 broken", "58 verify", "B broken  U weak key"), ()),
        (80, ("60 entries", "first break at 20", "2 broken", "B broken  U weak key"), ("58 verify",)),
        (60, ("60 entries", "first break at 20", "U weak key"), ("2 broken", "B broken  U", "58 verify")),
        (40, ("60 entries", "first break at 20"), ("U weak", "2 broken")),
    ],
)
async def test_the_title_explains_the_letters_and_drops_what_does_not_fit_whole(
    width: int, shown: tuple[str, ...], dropped: tuple[str, ...], faulty: Path, tmp_path: Path
) -> None:
    async with chain_screen(faulty, tmp_path, (width, 24)) as (screen, pilot, _):
        await detail_shows(pilot, screen, "first break at 20")
        title = text_of(screen).splitlines()[2]
        assert [text for text in shown if text not in title] == []
        assert [text for text in dropped if text in title] == []
        assert "…" not in title


async def test_an_entry_that_only_wants_a_look_is_marked_in_the_list(tmp_path: Path) -> None:
    entries = chain(9)
    metadata = {"note": "an\u202eother"}
    write_workspace(tmp_path / "w", encode(broken(entries, 5, metadata=metadata)))
    async with chain_screen(tmp_path / "w", tmp_path) as (screen, pilot, _):
        await detail_shows(pilot, screen, "U weak key  ! warning")
        rows = [screen.entries.render_line(y).text for y in range(9)]
        assert [row[7:9] for row in rows] == ["U!" if at == 5 else "U " for at in range(9)]


async def test_the_first_break_key_comes_back_to_it(faulty: Path, tmp_path: Path) -> None:
    async with chain_screen(faulty, tmp_path) as (screen, pilot, _):
        await pilot.press("G", "!")
        await until(pilot, lambda: screen.entries.cursor == 20)


async def test_breaks_are_walked_with_the_brackets(faulty: Path, tmp_path: Path) -> None:
    async with chain_screen(faulty, tmp_path) as (screen, pilot, app):
        await pilot.press("]")
        assert screen.entries.cursor == 41
        await pilot.press("]")
        assert screen.entries.cursor == 41
        await until(pilot, lambda: "No broken entry after entry 41" in text_of(app.screen))
        await pilot.press("[")
        assert screen.entries.cursor == 20


async def test_a_sound_chain_says_that_nothing_is_broken(sound: Path, tmp_path: Path) -> None:
    async with chain_screen(sound, tmp_path) as (_, pilot, app):
        await pilot.press("]")
        await until(pilot, lambda: "No entry is broken" in text_of(app.screen))


# -- the detail ---------------------------------------------------------------------------------------


async def test_the_detail_shows_both_hmacs_masked_and_what_is_covered(faulty: Path, tmp_path: Path) -> None:
    entries = broken(chain(60), 20, actor="EVE")
    async with chain_screen(faulty, tmp_path, WIDE) as (screen, pilot, _):
        stored, computed = entries[20]["hmac"], mac(entries[20])
        await detail_shows(
            pilot, screen, f"expected  {computed[:16]}...  computed", f"actual    {stored[:16]}...  ✘ stored"
        )
        text = text_of(screen)
        assert stored not in text and computed not in text
        assert text.index("covered by the HMAC (v1)") < text.index("not covered") < text.index("metadata")


async def test_the_detail_follows_the_selection(sound: Path, tmp_path: Path) -> None:
    async with chain_screen(sound, tmp_path, WIDE) as (screen, pilot, _):
        await pilot.press("k", "k")
        await detail_shows(pilot, screen, "Entry 57", "✔ follows entry 56")
        await pilot.press("g")
        await detail_shows(pilot, screen, "Entry 0", "✔ begins the chain")


async def test_enter_goes_to_the_detail_and_escape_comes_back(sound: Path, tmp_path: Path) -> None:
    async with chain_screen(sound, tmp_path) as (screen, pilot, app):
        await pilot.press("enter")
        assert app.focused is screen.detail
        await pilot.press("G", "g", "j", "k", "pagedown", "pageup", "escape")
        assert app.focused is screen.entries


async def test_on_a_narrow_terminal_the_detail_is_a_page(sound: Path, tmp_path: Path) -> None:
    async with chain_screen(sound, tmp_path, (60, 20)) as (screen, pilot, _):
        assert not screen.detail.display
        await pilot.press("enter")
        await detail_shows(pilot, screen, "Entry 59", "covered by the HMAC")
        assert screen.detail.size.width > 50
        await pilot.press("escape")
        await until(pilot, lambda: not screen.detail.display and screen.entries.display)


async def test_explain_marks_every_covered_field(faulty: Path, tmp_path: Path) -> None:
    async with chain_screen(faulty, tmp_path, WIDE) as (screen, pilot, app):
        await pilot.press("e")
        await until(pilot, lambda: isinstance(app.screen, ExplainDialog) and shows(app.screen, "hmac_prev"))
        assert shows(app.screen, "2026-03-02T04:00:00ZEVE", "20–22", "✘ stored", "Not covered")
        assert chain(60)[19]["hmac"] not in text_of(app.screen)
        assert app.focused is app.screen.query_one("#cancel")
        await pilot.press("escape")
        assert app.screen is screen


# -- filter -------------------------------------------------------------------------------------------


async def filter_by(pilot: Pilot[int], screen: ChainScreen, text: str) -> None:
    await pilot.press("/")
    await until(pilot, lambda: isinstance(screen.focused, Input))
    screen.query_one("#filter-input", Input).value = text
    await pilot.press("enter")
    await until(pilot, lambda: screen.entries.matches is not None and screen.entries.matches.done)


async def test_a_filter_shows_the_matches_and_their_number(sound: Path, tmp_path: Path) -> None:
    async with chain_screen(sound, tmp_path) as (screen, pilot, _):
        await filter_by(pilot, screen, "actor:AGENT_3 action~router")
        wanted = [index for index in range(60) if index % 3 == 2 and index % 5 == 1]
        assert [screen.entries.item_at(row) for row in range(screen.entries.row_count)] == wanted
        await until(
            pilot, lambda: shows(screen, "actor:AGENT_3 action~router", f"{len(wanted)} matches of 60")
        )
        assert screen.entries.cursor in wanted


async def test_matches_are_walked_also_among_all_entries(sound: Path, tmp_path: Path) -> None:
    async with chain_screen(sound, tmp_path) as (screen, pilot, _):
        await filter_by(pilot, screen, "action:gate_pass")
        await pilot.press("m", "g", "n")
        assert screen.entries.row_count == 60 and screen.entries.cursor == 3
        await pilot.press("n")
        assert screen.entries.cursor == 8
        await pilot.press("N", "N")
        assert screen.entries.cursor == 58  # round the beginning
        await pilot.press("m")
        assert screen.entries.row_count == 12 and screen.entries.cursor == 58


async def test_escape_takes_the_filter_away_and_keeps_the_selection(sound: Path, tmp_path: Path) -> None:
    async with chain_screen(sound, tmp_path) as (screen, pilot, _):
        await filter_by(pilot, screen, "action:gate_pass")
        await pilot.press("g", "j")
        chosen = screen.entries.cursor
        await pilot.press("escape")
        await until(pilot, lambda: screen.entries.row_count == 60)
        assert screen.entries.cursor == chosen and "gate_pass   " not in text_of(screen).splitlines()[3]


async def test_a_wrong_filter_says_what_is_wrong_and_is_not_applied(sound: Path, tmp_path: Path) -> None:
    async with chain_screen(sound, tmp_path) as (screen, pilot, app):
        await pilot.press("/", *"since:never", "enter")
        await until(pilot, lambda: shows(app.screen, "✘ that is not a time"))
        assert screen.entries.row_count == 60
        await pilot.press("escape")
        assert app.focused is screen.entries


async def test_no_match_is_said(sound: Path, tmp_path: Path) -> None:
    async with chain_screen(sound, tmp_path) as (screen, pilot, app):
        await filter_by(pilot, screen, "nobody")
        await until(pilot, lambda: shows(screen, "0 matches of 60"))
        await pilot.press("n", "enter", "e", "c", "b")
        assert app.screen is screen


async def test_keys_of_the_filter_without_one_say_so(sound: Path, tmp_path: Path) -> None:
    async with chain_screen(sound, tmp_path) as (_, pilot, app):
        for key in ("n", "N", "m"):
            await pilot.press(key)
        await until(pilot, lambda: "There is no filter; / sets one." in text_of(app.screen))


async def test_the_first_break_is_shown_even_if_the_filter_hides_it(faulty: Path, tmp_path: Path) -> None:
    async with chain_screen(faulty, tmp_path) as (screen, pilot, _):
        await filter_by(pilot, screen, "action:gate_pass")
        await pilot.press("!")
        await until(pilot, lambda: screen.entries.cursor == 20)
        assert screen.entries.row_count == 60


# -- go to --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("typed", "entry"), [("7", 7), ("-1", 59), ("2026-03-02", 16), ("50%", 30)])
async def test_go_to_a_number_or_a_time(typed: str, entry: int, sound: Path, tmp_path: Path) -> None:
    async with chain_screen(sound, tmp_path) as (screen, pilot, app):
        await pilot.press("g", "#")
        await until(pilot, lambda: isinstance(app.screen, GotoDialog))
        app.screen.query_one(Input).value = typed
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen)
        assert screen.entries.cursor == entry
        first, last = screen.entries.in_view
        assert first <= entry <= last


async def test_go_to_says_where_it_leads_while_it_is_written(sound: Path, tmp_path: Path) -> None:
    async with chain_screen(sound, tmp_path) as (screen, pilot, app):
        await pilot.press("#")
        await until(pilot, lambda: shows(app.screen, "for example  4812", "60 entries, from 0 to 59"))
        await pilot.press("7")
        await until(pilot, lambda: shows(app.screen, "→ entry 7  2026-03-01 15:00:00  AGENT_2"))
        await pilot.press("7")
        await until(pilot, lambda: shows(app.screen, "nowhere yet: there is no entry 77"))
        await pilot.press("backspace", "backspace")
        await until(pilot, lambda: shows(app.screen, "for example  4812"))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)


async def test_go_to_refuses_what_is_not_there(sound: Path, tmp_path: Path) -> None:
    async with chain_screen(sound, tmp_path) as (screen, pilot, app):
        await pilot.press("ctrl+g", "9", "9", "enter")
        await until(pilot, lambda: shows(app.screen, "✘ there is no entry 99", "0 to 59"))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen)
        assert screen.entries.cursor == 59


# -- bookmarks ----------------------------------------------------------------------------------------


async def test_a_bookmark_is_kept_outside_the_workspace_and_found_again(sound: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in sound.rglob("*") if path.is_file()}
    async with chain_screen(sound, tmp_path, WIDE) as (screen, pilot, app):
        await pilot.press("g", "j", "b")
        await until(pilot, lambda: isinstance(app.screen, NoteDialog))
        await pilot.press(*"why", "enter")
        await detail_shows(pilot, screen, "◆ why")
    assert {path: path.read_bytes() for path in sound.rglob("*") if path.is_file()} == before

    async with chain_screen(sound, tmp_path) as (screen, pilot, app):
        await pilot.press("'")
        assert screen.entries.cursor == 1
        await pilot.press("G", "B")
        await until(pilot, lambda: isinstance(app.screen, BookmarksDialog) and shows(app.screen, "why"))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen)
        assert screen.entries.cursor == 1
        await pilot.press("b", "tab", "tab", "enter")  # Cancel, Remove
        await until(pilot, lambda: app.screen is screen and not screen.bookmarking.bookmarks.entries)


async def test_a_bookmark_whose_entry_is_another_one_is_marked(sound: Path, tmp_path: Path) -> None:
    async with chain_screen(sound, tmp_path) as (screen, pilot, app):
        await pilot.press("b", "enter")
        await until(pilot, lambda: 59 in screen.bookmarking.bookmarks)
        write_history(sound, chain(60, actor="SOMEBODY"))
        await until(pilot, lambda: "SOMEBODY" in text_of(screen))
        await pilot.press("B")
        await until(pilot, lambda: shows(app.screen, "is no longer the entry that was bookmarked"))


async def test_a_damaged_bookmarks_file_is_told_and_kept(sound: Path, tmp_path: Path) -> None:
    async with chain_screen(sound, tmp_path) as (screen, pilot, _):
        await pilot.press("b", "enter")
        await until(pilot, lambda: 59 in screen.bookmarking.bookmarks)
    kept = next((tmp_path / "data" / "devstate" / "bookmarks").glob("*.json"))
    kept.write_bytes(b"{ damaged")
    async with chain_screen(sound, tmp_path) as (screen, pilot, app):
        await until(pilot, lambda: "Bookmarks: the file" in text_of(app.screen))
        await pilot.press("b", "enter")
        await until(pilot, lambda: 59 in screen.bookmarking.bookmarks)
    assert json.loads(kept.read_bytes())["bookmarks"][0]["entry"] == 59
    assert kept.with_name(kept.name + ".damaged").read_bytes() == b"{ damaged"


# -- copying ------------------------------------------------------------------------------------------


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """No desktop: only the terminal can take a copy."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("terminal")
async def test_copies_go_to_the_terminal_and_say_so(sound: Path, tmp_path: Path) -> None:
    async with chain_screen(sound, tmp_path) as (screen, pilot, app):
        entries = chain(60)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, CopyDialog))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen and app.clipboard)
        assert json.loads(app.clipboard) == entries[59]
        await until(pilot, lambda: "OSC 52" in text_of(screen))
        await pilot.press("c", "j", "enter")
        await until(pilot, lambda: app.clipboard.startswith("entry,ts,actor"))
        await pilot.press("c", "j", "j", "enter")
        await until(pilot, lambda: app.clipboard == f"devstate -C {sound} history show 59")


@pytest.mark.usefixtures("terminal")
async def test_the_matches_can_be_copied(sound: Path, tmp_path: Path) -> None:
    async with chain_screen(sound, tmp_path) as (screen, pilot, app):
        await filter_by(pilot, screen, "action:gate_pass")
        await pilot.press("c", "G", "enter")
        await until(pilot, lambda: app.clipboard == f"devstate -C {sound} history list --action gate_pass")
        screen.copy_as("json-matches")
        assert [entry["metadata"]["step"] for entry in json.loads(app.clipboard)] == list(range(3, 60, 5))


def test_a_program_of_the_desktop_is_preferred_and_named(tmp_path: Path) -> None:
    from devstate_tui.services.clipboard import copy_text

    program = tmp_path / "wl-copy"
    program.write_text(f"#!/bin/sh\ncat > {tmp_path}/copied\n")
    program.chmod(0o755)
    sent: list[str] = []
    environ = {"WAYLAND_DISPLAY": "wayland-0", "PATH": f"{tmp_path}:/usr/bin:/bin"}
    assert copy_text("some text", sent.append, environ) == "copied with wl-copy"
    assert (tmp_path / "copied").read_text() == "some text" and not sent
    program.write_text("#!/bin/sh\nexit 1\n")
    assert "OSC 52" in copy_text("other", sent.append, environ) and sent == ["other"]
    environ["SSH_CONNECTION"] = "a b c d"
    assert "OSC 52" in copy_text("far away", sent.append, environ)
    assert "long" in copy_text(base64.b64encode(bytes(80_000)).decode(), sent.append, environ)


# -- live ---------------------------------------------------------------------------------------------


async def test_a_break_made_while_it_runs_is_shown_with_its_reason_and_its_mending(
    sound: Path, tmp_path: Path
) -> None:
    history = sound / ".trae" / "history.json"
    good = history.read_bytes()
    async with chain_screen(sound, tmp_path) as (screen, pilot, _):
        await pilot.press("g", "j", "j")
        history.write_bytes(good.replace(b'"step": 30', b'"step": 99').replace(b"gate_pass", b"gate_pasz", 1))
        await detail_shows(pilot, screen, "entry 3 broke: HMAC_MISMATCH", "! goes there", "first break at 3")
        assert screen.entries.cursor == 2  # the selection stays
        await pilot.press("]")
        await detail_shows(pilot, screen, "Entry 3", "B broken")
        history.write_bytes(good)
        await detail_shows(pilot, screen, "mended: no errors any more", "✔ all verify")
        assert screen.entries.cursor == 3


async def test_the_end_is_followed_and_any_other_place_is_kept(sound: Path, tmp_path: Path) -> None:
    async with chain_screen(sound, tmp_path) as (screen, pilot, _):
        write_history(sound, chain(63))
        await detail_shows(pilot, screen, "3 entries added", "63 entries")
        assert screen.entries.cursor == 62
        await pilot.press("k")
        write_history(sound, chain(70))
        await detail_shows(pilot, screen, "7 entries added", "70 entries")
        assert screen.entries.cursor == 61


async def test_a_filter_holds_on_a_new_reading(sound: Path, tmp_path: Path) -> None:
    async with chain_screen(sound, tmp_path) as (screen, pilot, _):
        await filter_by(pilot, screen, "action:gate_pass")
        write_history(sound, chain(70))
        await detail_shows(pilot, screen, "14 matches of 70")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "TORN_FILE"),
        (b"[]", "EMPTY_HISTORY"),
        pytest.param(b'{"x": 1}', "SHAPE", marks=pytest.mark.long),
        (None, "INPUT_MISSING"),
    ],
)
async def test_a_history_without_entries_is_explained_and_comes_back(
    content: bytes | None, says: str, sound: Path, tmp_path: Path
) -> None:
    history = sound / ".trae" / "history.json"
    good = history.read_bytes()
    async with chain_screen(sound, tmp_path) as (screen, pilot, _):
        if content is None:
            history.unlink()
        else:
            history.write_bytes(content)
        await detail_shows(pilot, screen, "There are no entries to show", says)
        await pilot.press("j", "enter", "e", "c", "b", "n", "]", "#", "/", "escape")
        history.write_bytes(good)
        await detail_shows(pilot, screen, "60 entries", "✔ all verify", "the history can be read again")


async def test_the_map_can_be_clicked(faulty: Path, tmp_path: Path) -> None:
    async with chain_screen(faulty, tmp_path) as (screen, pilot, _):
        await pilot.press("g")
        line = screen.minimap.cell(41)
        await pilot.click(screen.minimap, offset=(2, line))
        assert screen.entries.cursor == 41
        await pilot.mouse_down(screen.minimap, offset=(2, screen.minimap.size.height - 1))
        await pilot.mouse_up(screen.minimap, offset=(2, screen.minimap.size.height - 1))
        assert screen.entries.cursor > 50


async def test_an_ugly_text_neither_breaks_the_lines_nor_reaches_the_terminal(tmp_path: Path) -> None:
    nasty = "\x1b[2J\u202eevil\u4e2d\u6587" + "e\u0301" * 40 + "\U0001f469\u200d\U0001f52c" * 9 + "[red]"
    write_workspace(tmp_path / "w", encode(chain(10, actor=nasty, metadata={nasty: nasty * 50})))
    async with chain_screen(tmp_path / "w", tmp_path, WIDE) as (screen, pilot, _):
        await detail_shows(pilot, screen, "Entry 9", r"\x1b[2J\u202eevil")
        from rich.cells import cell_len

        for y in range(screen.entries.size.height):
            assert cell_len(screen.entries.render_line(y).text) == screen.entries.size.width
        assert "\x1b" not in text_of(screen) and "\u202e" not in text_of(screen)
