"""The user's folders, and the layout that is kept between starts."""

from __future__ import annotations

import json

import pytest

from devstate_tui.config import user_folders
from devstate_tui.layout import Layout, load_layout, save_layout


def test_folders_follow_xdg_and_ignore_relative_values():
    home = {"HOME": "/home/x"}
    assert user_folders(home).config == "/home/x/.config/devstate"
    assert user_folders(home).data == "/home/x/.local/share/devstate"
    named = user_folders({**home, "XDG_CONFIG_HOME": "/etc/mine", "XDG_DATA_HOME": "relative"})
    assert (named.config, named.data) == ("/etc/mine/devstate", "/home/x/.local/share/devstate")


def test_a_layout_comes_back_as_it_was(tmp_path):
    folder = str(tmp_path / "new" / "devstate")
    layout = Layout("chain", "devstate-light", {"detail": 44})
    save_layout(folder, layout)
    assert load_layout(folder) == (layout, ())


def test_no_file_is_the_default_layout(tmp_path):
    assert load_layout(str(tmp_path)) == (Layout(), ())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 5000,
        b'{"schema": "devstate.layout/9", "mode": "", "theme": "", "sizes": {}}',
        b'{"schema": "devstate.layout/1", "mode": 1, "theme": "", "sizes": {}}',
        b'{"schema": "devstate.layout/1", "mode": "", "theme": "", "sizes": {"a": -1}}',
        b" " * 100_000,
    ],
)
def test_a_damaged_file_is_told_and_replaced_at_the_next_end(tmp_path, content):
    file = tmp_path / "layout.json"
    file.write_bytes(content)
    layout, problems = load_layout(str(tmp_path))
    assert layout == Layout()
    assert [problem.file for problem in problems] == [str(file)]
    save_layout(str(tmp_path), Layout("chain"))
    assert json.loads(file.read_text())["mode"] == "chain"
