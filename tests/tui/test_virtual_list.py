"""Where the selected row stands on screen, whenever the list gets its place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from devstate_tui.widgets.row_list import Cell, RowList

ROWS = 200


class Numbers:
    """Rows that say their number."""

    def __len__(self) -> int:
        return ROWS

    def cells(self, item: int, width: int) -> list[Cell]:
        return [(f"{item:<{width}}", "plain")]

    def heading(self, width: int) -> str:
        return "number"


class ListApp(App[None]):
    CSS = "RowList { height: 100%; }"

    def __init__(self, begin: Callable[[RowList], None] | None = None) -> None:
        super().__init__()
        self.begin = begin

    def compose(self) -> ComposeResult:
        self.list = RowList()
        yield self.list
        if self.begin is not None:  # before there is a layout
            self.list.show(Numbers())
            self.begin(self.list)


async def settled(pilot: Pilot[None]) -> int:
    for _ in range(3):
        await pilot.pause()
    return pilot.app.query_one(RowList).scroll_offset.y


async def top_of(begin: Callable[[RowList], None], *heights: int, late: bool) -> int:
    app = ListApp(None if late else begin)
    async with app.run_test(size=(40, heights[0])) as pilot:
        if late:
            app.list.show(Numbers())
            await settled(pilot)
            begin(app.list)
        for height in heights[1:]:
            await settled(pilot)
            await pilot.resize_terminal(40, height)
        return await settled(pilot)


@pytest.mark.parametrize("item", [19, 100, 199])
async def test_an_opened_list_ends_at_the_same_place_whenever_its_height_comes(item):
    def begin(rows: RowList) -> None:
        rows.open_at(item)

    wanted = await top_of(begin, 20, late=True)
    assert wanted <= item < wanted + 20
    assert wanted == (0 if item < 20 else min(item - 10, ROWS - 20))
    for heights, late in (((20,), False), ((10, 20), True), ((30, 20), False), ((10, 30, 20), True)):
        assert await top_of(begin, *heights, late=late) == wanted, (heights, late)


@asynccontextmanager
async def numbers() -> AsyncIterator[tuple[RowList, Pilot[None]]]:
    """A list of all numbers that has its place, 20 rows high."""
    app = ListApp()
    async with app.run_test(size=(40, 20)) as pilot:
        app.list.show(Numbers())
        await settled(pilot)
        yield app.list, pilot


async def test_after_a_move_only_what_is_out_of_view_moves_the_list():
    async with numbers() as (rows, pilot):
        rows.open_at(100)
        assert await settled(pilot) == 90
        rows.focus()
        rows.select_row(101)
        await pilot.resize_terminal(40, 16)
        assert await settled(pilot) == 90
        await pilot.resize_terminal(40, 10)
        top = await settled(pilot)
        assert top <= rows.cursor < top + 10


async def test_a_move_over_the_edge_moves_the_list_by_one_row_and_a_leap_to_the_middle():
    async with numbers() as (rows, pilot):
        rows.select_row(19)
        assert await settled(pilot) == 0
        rows.action_down()
        assert await settled(pilot) == 1
        rows.select(150)
        assert await settled(pilot) == 140
