"""The virtual list and the map by themselves, on a million rows that are made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import on
from textual.app import App, ComposeResult
from textual.containers import Horizontal

from devstate.chain import Entry
from devstate_tui.models.chain import ChainModel
from devstate_tui.models.matches import Matches
from devstate_tui.widgets.entry_columns import columns_for, heading, texts
from devstate_tui.widgets.entry_list import EntryHeading, EntryList
from devstate_tui.widgets.fitting import cell_len, fit, fold
from devstate_tui.widgets.minimap import Minimap


class Numbered:
    """`count` entries named by their numbers; `decoded` counts how many were asked for."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.decoded = 0

    def __len__(self) -> int:
        return self.count

    def entry(self, index: int) -> Entry:
        self.decoded += 1
        members = {
            "ts": f"2026-03-{1 + index % 28:02}T08:00:00Z",
            "actor": f"AGENT_{index % 9}",
            "action": f"action {index}",
            "cp_to": "CP1-LC",
            "hmac": f"{index:064x}",
        }
        return Entry(index, index * 100, b"{}", members)

    def entries(self, start: int = 0, stop: int | None = None) -> Sequence[Entry]:
        return [self.entry(index) for index in range(start, self.count if stop is None else stop)]

    def raw_blocks(self) -> Iterable[tuple[int, list[bytes]]]:
        return iter(())


class Lists(App[None]):
    """The list and the map side by side."""

    CSS = "EntryList { width: 1fr; scrollbar-size: 0 0; } Minimap { width: 4; }"

    def __init__(self, model: ChainModel) -> None:
        super().__init__()
        self.model = model
        self.told: list[object] = []

    def compose(self) -> ComposeResult:
        yield EntryHeading()
        with Horizontal():
            yield EntryList(id="entries")
            yield Minimap(id="minimap")

    def on_mount(self) -> None:
        self.query_one(EntryHeading).styles.height = 1
        self.query_one(EntryList).set_model(self.model)
        self.query_one(Minimap).set_letters(self.model.letters, self.model.total)
        self.query_one(EntryList).focus()

    @on(EntryList.Selected)
    def entry_selected(self, message: EntryList.Selected) -> None:
        self.told.append(message.item)

    @on(EntryList.Opened)
    def entry_opened(self, message: EntryList.Opened) -> None:
        self.told.append(("open", message.item))

    def on_minimap_jumped(self, message: Minimap.Jumped) -> None:
        self.told.append(("jump", message.entry))


def million(letters: bytes | None = None) -> tuple[ChainModel, Numbered]:
    source = Numbered(1_000_000)
    return ChainModel(source, letters or b"G" * 1_000_000), source


def lines(app: App[None], widget: EntryList | Minimap) -> list[str]:
    return [widget.render_line(y).text for y in range(widget.size.height)]


async def test_a_million_rows_decode_only_what_is_shown() -> None:
    model, source = million()
    app = Lists(model)
    async with app.run_test(size=(80, 24)) as pilot:
        entries = app.query_one(EntryList)
        assert "action 0" in lines(app, entries)[0]
        await pilot.press("G")
        await pilot.pause()
        assert entries.cursor == 999_999
        assert "action 999999" in lines(app, entries)[-1]
        await pilot.press("g")
        await pilot.pause()
        assert "action 0" in lines(app, entries)[0]
        assert source.decoded < 500


@pytest.mark.parametrize(
    ("keys", "cursor"),
    [
        ("j j j k", 2),
        ("down down up", 1),
        ("up", 0),
        ("pagedown", 22),
        ("space pageup", 0),
        ("ctrl+d ctrl+d ctrl+u", 22),
        ("end", 999_999),
        ("end home", 0),
        ("end j", 999_999),
        ("end pageup", 999_977),
    ],
)
async def test_moving_by_keys(keys: str, cursor: int) -> None:
    app = Lists(million()[0])
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(*keys.split())
        await pilot.pause()
        entries = app.query_one(EntryList)
        assert entries.cursor == cursor
        first, last = entries.in_view
        assert first <= cursor <= last
        shown = [line for line in lines(app, entries) if line.startswith("▌")]
        assert len(shown) == 1 and f"action {cursor}" in shown[0]


async def test_mouse_wheel_and_click() -> None:
    app = Lists(million()[0])
    async with app.run_test(size=(80, 24)) as pilot:
        entries = app.query_one(EntryList)
        await pilot.click(entries, offset=(10, 5))
        assert entries.cursor == 5
        await pilot.click(entries, offset=(10, 7), times=2)
        assert ("open", 7) in app.told
        entries.post_message(_wheel(entries))
        await pilot.pause()
        assert entries.scroll_offset.y > 0
        assert entries.cursor == 7  # looking about does not select


def _wheel(widget: EntryList) -> object:
    from textual.events import MouseScrollDown

    return MouseScrollDown(widget, 1, 1, 0, 1, 0, False, False, False)


async def test_the_selection_stays_with_the_entry_when_a_filter_comes_and_goes() -> None:
    app = Lists(million()[0])
    async with app.run_test(size=(80, 24)) as pilot:
        entries = app.query_one(EntryList)
        entries.select(500_000)
        matches = Matches("x", 1_000_000)
        matches.extend(range(0, 1_000_000, 1000), scanned=1_000_000)
        entries.set_matches(matches, only=True)
        assert entries.row_count == 1000
        assert entries.row_of(entries.cursor) == 500
        await pilot.press("j")
        assert entries.cursor == 501_000
        entries.set_matches(matches, only=False)
        assert entries.row_count == 1_000_000 and entries.cursor == 501_000
        entries.select(500_999)
        await pilot.pause()
        marked = [line for line in lines(app, entries) if "›" in line[:2]]
        assert len(marked) == 1 and "action 501000" in marked[0]


async def test_a_shorter_chain_moves_the_selection_to_its_end() -> None:
    app = Lists(million()[0])
    async with app.run_test(size=(80, 24)) as pilot:
        entries = app.query_one(EntryList)
        entries.action_last()
        entries.set_model(ChainModel(Numbered(10), b"G" * 10))
        await pilot.pause()
        assert entries.cursor == 9 and entries.row_count == 10
        entries.set_model(None)
        await pilot.press("j", "enter", "G")
        assert entries.row_count == 0 and lines(app, entries)[0].strip() == ""


async def test_the_map_shows_a_single_break_in_a_million_and_leads_to_it() -> None:
    letters = bytearray(b"G" * 1_000_000)
    letters[654_321] = ord("B")
    app = Lists(million(bytes(letters))[0])
    async with app.run_test(size=(80, 24)) as pilot:
        minimap = app.query_one(Minimap)
        shown = lines(app, minimap)
        assert sum("██" in line for line in shown) == 1
        line = next(at for at, text in enumerate(shown) if "██" in text)
        await pilot.click(minimap, offset=(1, line))
        assert ("jump", 654_321) in app.told


async def test_text_can_be_marked_with_the_mouse() -> None:
    app = Lists(million()[0])
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.mouse_down(EntryList, offset=(0, 2))
        await pilot.hover(EntryList, offset=(70, 3))
        await pilot.mouse_up(EntryList, offset=(70, 3))
        text = app.screen.get_selected_text()
        assert text is not None and "action 2" in text and "action 3" in text and "action 4" not in text


# -- columns ------------------------------------------------------------------------------------------


@given(st.integers(20, 200), st.integers(0, 2_000_000), st.text(max_size=60), st.booleans())
def test_a_row_and_the_heading_fill_the_width_exactly(width: int, total: int, text: str, fault: bool) -> None:
    from devstate.findings.visible import visible
    from devstate_tui.models.chain import Row

    shown = visible(text)
    row = Row(7, "G", shown, shown, shown, shown, shown, shown if fault else "")
    columns = columns_for(width, total)
    line = "".join(part for _, part in texts(row, columns, "  "))
    assert cell_len(line) == width
    assert cell_len(heading(columns)) == width


@given(st.text(max_size=80), st.integers(1, 40))
def test_fitting_is_exact_and_folding_loses_nothing(text: str, width: int) -> None:
    from devstate.findings.visible import visible

    shown = visible(text)
    assert cell_len(fit(shown, width)) == width
    lines = fold(shown, width)
    assert all(cell_len(line) <= max(width, 2) for line in lines)
    assert "".join(lines).replace(" ", "") == shown.replace(" ", "")
