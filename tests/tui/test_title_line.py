"""A line whose parts are shown whole or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from devstate_tui.widgets.title_line import TitlePart, fitted

PARTS = (
    TitlePart(Content("Chain"), 0),
    TitlePart(Content("12,000 entries"), 2),
    TitlePart(Content("1 broken"), 3),
    TitlePart(Content("B broken"), 4, right=True),
    TitlePart(Content("U weak key"), 1, right=True),
)


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (60, "Chain  12,000 entries  1 broken         B broken  U weak key"),
        (54, "Chain  12,000 entries  1 broken   B broken  U weak key"),
        (53, "Chain  12,000 entries  1 broken            U weak key"),
        (43, "Chain  12,000 entries            U weak key"),
        (20, "Chain     U weak key"),
        (17, "Chain"),
        (0, "Chain"),
    ],
)
def test_the_least_important_parts_go_first_and_whole(width: int, line: str) -> None:
    assert fitted(PARTS, width).plain == line


@given(
    st.lists(st.tuples(st.text("abc", min_size=1, max_size=9), st.booleans()), max_size=7),
    st.integers(10, 60),
)
def test_it_is_never_wider_than_there_is_room(texts: list[tuple[str, bool]], width: int) -> None:
    parts = [TitlePart(Content(text), at, right) for at, (text, right) in enumerate(texts)]
    line = fitted(parts, width)
    assert line.cell_length <= width
    if texts:
        assert texts[0][0] in line.plain
